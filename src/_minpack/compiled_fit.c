#include "compiled_fit.h"

#include "block_fit.h"
#include "curve_fit.h"
#include "row_team.h"

#include <fenv.h>
#include <math.h>

/* --- Arguments ------------------------------------------------------------- */

/* The memory of an object, named for messages. */
static int take_memory(compiled_part *self, PyObject *object)
{
    if (PyObject_GetBuffer(object, &self->memory, PyBUF_SIMPLE) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_MemoryError))
        PyErr_Format(PyExc_TypeError,
                     "user_data must be an array or another object with contiguous "
                     "memory, not %.200s",
                     Py_TYPE(object)->tp_name);
    return -1;
}

int compiled_part_take(compiled_part *self, PyObject *func, const char *func_name,
                       PyObject *jac, const char *jac_name, PyObject *user_data)
{
    int is = compiled_take_both(&self->func, func, func_name,
                                COMPILED_RESIDUALS | COMPILED_RANGE, &self->Dfun, jac,
                                jac_name);

    if (is < 0 || user_data == Py_None)
        return is;
    if (is)
        return take_memory(self, user_data) < 0 ? -1 : 1;
    PyErr_Format(PyExc_TypeError,
                 "user_data is for compiled functions, and %s is none of them",
                 func_name);
    return -1;
}

void compiled_part_clear(compiled_part *self)
{
    compiled_clear(&self->func);
    compiled_clear(&self->Dfun);
    PyBuffer_Release(&self->memory);
}

int read_residual_count(PyObject *m, const char *func_name, int is_compiled, int has_args,
                        int *count)
{
    if (!is_compiled) {
        if (m == Py_None)
            return 0;
        PyErr_Format(PyExc_TypeError,
                     "m is for compiled functions: what %s returns tells how many "
                     "residuals there are",
                     func_name);
        return -1;
    }
    if (has_args) {
        PyErr_Format(PyExc_TypeError,
                     "args are for Python functions: a compiled %s is given user_data",
                     func_name);
        return -1;
    }
    if (m == Py_None) {
        PyErr_Format(PyExc_TypeError,
                     "m is needed: a compiled %s does not tell how many residuals it "
                     "computes",
                     func_name);
        return -1;
    }
    return count_argument(m, "m", count);
}

int compiled_part_use_xdata(compiled_part *self, PyObject *xdata)
{
    if (self->memory.obj != NULL || self->func.user_data != NULL || xdata == Py_None)
        return 0;
    PyObject *array =
        PyArray_FROMANY(xdata, NPY_DOUBLE, 0, 0, NPY_ARRAY_CARRAY_RO); /* new */
    if (array == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)
            || PyErr_ExceptionMatches(PyExc_ValueError))
            PyErr_Format(PyExc_TypeError,
                         "xdata must be an array of real numbers where f is compiled, or "
                         "None with user_data in its place; it is of type %.200s",
                         Py_TYPE(xdata)->tp_name);
        return -1;
    }
    int status = take_memory(self, array); /* which keeps the array */
    Py_DECREF(array);
    return status;
}

/* --- Running --------------------------------------------------------------- */

void *compiled_part_user_data(const compiled_part *self)
{
    return self->memory.obj != NULL ? self->memory.buf : self->func.user_data;
}

static int goes_on(fit *self)
{
    return interrupt_came(self->unlocked) ? FIT_FAILED : 0;
}

static int residuals(void *who, lm_fit *lm, const double *x)
{
    fit *self = who;
    const compiled_part *part = self->compiled;
    int status = ((lm_residuals)part->func.address)(
        lm->rows.m, lm->rows.n, x, lm->own_trial, compiled_part_user_data(part));

    if (status < 0)
        return status;
    if (self->data != NULL)
        data_weigh_values(self->data, lm->rows.m, lm->own_trial);
    return goes_on(self);
}

static int jacobian(void *who, lm_fit *lm)
{
    fit *self = who;
    const compiled_part *part = self->compiled;
    lm_rows *rows = &lm->rows;
    int status =
        ((lm_jacobian)part->Dfun.address)(rows->m, rows->n, lm->state.x, rows->fjac,
                                          rows->ldfjac, compiled_part_user_data(part));

    if (status < 0)
        return status;
    if (self->data != NULL)
        data_weigh_derivatives(self->data, rows->m, rows->n, rows->fjac, rows->ldfjac);
    return goes_on(self);
}

/* fvec := the trial residuals. Both arrays are ours alone: they change places. */
static int accept_trial(void *who, lm_fit *lm)
{
    fit *self = who;
    PyArrayObject *accepted = self->trial;

    self->trial = self->fvec;
    self->fvec = accepted;
    lm->rows.fvec = doubles(self->fvec);
    lm->own_trial = doubles(self->trial);
    return 0;
}

/* --- Programs ---------------------------------------------------------------- */

/* Rows that are weighed while they are in the cache */
#define TOGETHER 1024

program_run *compiled_part_program(const compiled_part *self)
{
    return self->func.address == (void *)program_residuals ? self->func.user_data : NULL;
}

static int residuals_of_program(void *who, lm_fit *lm, const double *x)
{
    fit *self = who;
    program_run *run = compiled_part_program(self->compiled);
    int m = lm->rows.m;

    program_values_at(run, x);
    for (int first = 0; first < m; first += TOGETHER) {
        int count = m - first < TOGETHER ? m - first : TOGETHER;
        double *to = lm->own_trial + first;
        program_value_rows(run, first, count, to);
        if (self->data != NULL)
            data_weigh_value_rows(self->data, m, first, count, to);
    }
    return goes_on(self);
}

/* --- Ranges of rows ---------------------------------------------------------- */

static int residuals_of_range(void *who, lm_fit *lm, const double *x)
{
    fit *self = who;
    int status = team_fill(self->team, lm->rows.m, x, lm->own_trial, NULL, 0);

    if (status < 0)
        return status;
    if (self->data != NULL)
        data_weigh_values(self->data, lm->rows.m, lm->own_trial);
    return goes_on(self);
}

/* The residuals, which come along, are known: they go where the next ones will be. */
static int jacobian_of_range(void *who, lm_fit *lm)
{
    fit *self = who;
    lm_rows *rows = &lm->rows;
    int status = team_fill(self->team, rows->m, lm->state.x, lm->own_trial, rows->fjac,
                           rows->ldfjac);

    if (status < 0)
        return status;
    if (self->data != NULL)
        data_weigh_derivatives(self->data, rows->m, rows->n, rows->fjac, rows->ldfjac);
    return goes_on(self);
}

/* --- The whole ---------------------------------------------------------------- */

/* The residuals, which are NaN until they are evaluated, and room for the next ones. */
static int allocate_residuals(fit *self, npy_intp m)
{
    self->fvec = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE);  /* new */
    self->trial = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
    if (self->fvec == NULL || self->trial == NULL)
        return -1;
    fill_nan(doubles(self->fvec), m);
    self->lm.rows.fvec = doubles(self->fvec);
    self->lm.own_trial = doubles(self->trial);
    return 0;
}

int fit_run_compiled(fit *self, const compiled_part *part, npy_intp m,
                     PyArrayObject *diag)
{
    interrupt signals;
    fexcept_t flags; /* as found, whatever the functions do to them */
    row_team team = {0};
    lm_hooks hooks = {
        .residuals = residuals,
        .jacobian = self->analytic ? jacobian : NULL,
        .accept = accept_trial,
    };
    int status = -1;

    if (fit_takes_blocks(self, part, m))
        return fit_run_blocks(self, part, m, diag);
    for (int k = 0; k < 2; k++)
        if (self->finite[k].array != NULL
            && check_finite((PyObject *)self->finite[k].array, self->finite[k].name) < 0)
            goto done;
    if (part->func.kind == COMPILED_RANGE) {
        if (team_open(&team, self, part, m) < 0)
            goto done;
        self->team = &team;
        hooks.residuals = residuals_of_range;
        hooks.jacobian = self->analytic ? jacobian_of_range : NULL;
    } else if (compiled_part_program(part) != NULL && !has_covariance(self->data)) {
        hooks.residuals = residuals_of_program;
    }
    if (allocate_residuals(self, m) < 0 || fit_allocate(self, m, diag) < 0)
        goto done;
    self->compiled = part;
    self->unlocked = &signals;
    interrupt_start(&signals);
    fegetexceptflag(&flags, FE_ALL_EXCEPT);
    status = fit_run_hooks(self, hooks);
    fesetexceptflag(&flags, FE_ALL_EXCEPT);
    interrupt_end(&signals);
    if (PyErr_Occurred()) /* a function may have taken the lock */
        status = -1;
done:
    team_close(&team);
    return status;
}

int fit_run_residuals(fit *self, const compiled_part *part, int is_compiled, int count,
                      PyArrayObject *diag, int has_epsfcn)
{
    npy_intp n = PyArray_DIM(self->x, 0), m = count;

    if (!is_compiled) {
        if (fit_evaluate_start(self, has_epsfcn) < 0)
            return -1;
        m = PyArray_DIM(self->trial, 0);
    }
    if (m < n) {
        PyErr_Format(self->func.shape_error,
                     "%s must return at least as many residuals as x0 has parameters: it "
                     "returned m = %zd for n = %zd",
                     self->func.name, (Py_ssize_t)m, (Py_ssize_t)n);
        return -1;
    }
    if (is_compiled)
        return fit_run_compiled(self, part, m, diag);
    return fit_allocate(self, m, diag) < 0 ? -1 : fit_run(self);
}

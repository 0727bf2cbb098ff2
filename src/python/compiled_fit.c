#include "compiled_fit.h"

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
    int is = compiled_take_both(&self->func, func, func_name, &self->Dfun, jac, jac_name);

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

static void *user_data(const compiled_part *part)
{
    return part->memory.obj != NULL ? part->memory.buf : part->func.user_data;
}

/* The two functions of a fit, which have its compiled_part for their user_data. */

static int residuals(int m, int n, const double *x, double *fvec, void *who)
{
    const compiled_part *part = who;
    int status = ((lm_residuals)part->func.address)(m, n, x, fvec, user_data(part));

    if (status >= 0 && part->model != NULL)
        model_weigh_values(part->model, m, fvec);
    return status;
}

static int jacobian(int m, int n, const double *x, double *fjac, int ldfjac, void *who)
{
    const compiled_part *part = who;
    int status =
        ((lm_jacobian)part->Dfun.address)(m, n, x, fjac, ldfjac, user_data(part));

    if (status >= 0 && part->model != NULL)
        model_weigh_derivatives(part->model, m, n, fjac, ldfjac);
    return status;
}

/* Who has given up the lock for a fit. */
typedef struct {
    interrupt signals;
    fit *fit;
} unlocked;

static int is_interrupted(void *who)
{
    return interrupt_came(&((unlocked *)who)->signals);
}

/* What is to do between evaluations, with the lock where a Python function does it. */
static int attend(void *who)
{
    unlocked *self = who;
    int locks = fit_asks_python(self->fit);

    if (locks)
        interrupt_end(&self->signals);
    int status = fit_attend(self->fit);
    if (locks)
        interrupt_resume(&self->signals);
    return status;
}

/* The residuals and room for the next ones. What has never been evaluated is NaN. */
static int allocate_residuals(fit *self, npy_intp m)
{
    self->fvec = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE);  /* new */
    self->trial = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
    if (self->fvec == NULL || self->trial == NULL)
        return -1;
    fill_nan(doubles(self->fvec), m);
    self->state.fvec = doubles(self->fvec);
    self->state.fnorm = NAN;
    return 0;
}

int fit_run_compiled(fit *self, const compiled_part *part, npy_intp m,
                     PyArrayObject *diag)
{
    lm_state *s = &self->state;
    unlocked who = {.fit = self};

    if (fit_allocate(self, m, PyArray_DIM(self->x, 0), diag) < 0
        || allocate_residuals(self, m) < 0)
        return -1;
    compiled_fit run = {
        .residuals = residuals,
        .jacobian = jacobian,
        .user_data = (void *)part,
        .trial = doubles(self->trial),
        .is_stopped = is_interrupted,
        .attend = attend,
        .who = &who,
    };
    interrupt_start(&who.signals);
    int status = compiled_run(&run, s);
    interrupt_end(&who.signals);
    return status;
}

int fit_run_residuals(fit *self, const compiled_part *part, int is_compiled, int count,
                      PyArrayObject *diag, double *epsilon)
{
    npy_intp n = PyArray_DIM(self->x, 0), m = count;

    if (!is_compiled) {
        if (fit_evaluate(self, n, doubles(self->x), &self->state.rounding) < 0)
            return -1;
        if (epsilon != NULL)
            *epsilon = self->state.rounding;
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
    return fit_allocate(self, m, n, diag) < 0 ? -1 : fit_run(self);
}

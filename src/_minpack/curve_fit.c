/* curve_fit: a model and data instead of residuals, and the covariance of the parameters.
 */
#include "curve_fit.h"

#include <math.h>
#include <string.h>

#include "compiled_fit.h"
#include "data.h"
#include "points.h"
#include "result.h"
#include "row_team.h"

/* The arguments of _minpack.curve_fit, in their order. */
enum {
    F,
    XDATA,
    YDATA,
    P0,
    SIGMA,
    FACTOR_OF_COVARIANCE,
    JAC,
    LOWER,
    UPPER,
    ABSOLUTE_SIGMA,
    CHECK_FINITE,
    FULL_OUTPUT,
    USER_DATA,
    WORKERS,
    VECTORIZED,
    COL_DERIV,
    FTOL,
    XTOL,
    GTOL,
    MAXFEV,
    EPSFCN,
    FACTOR,
    DIAG,
    KERNELS,
    LOSS,
    F_SCALE,
    DIFF_STEP,
    TRIALS_ONLY,
    OBSERVER,
    ACCELERATION,
    ARGUMENTS
};

/* The options, without those that depend on n. */
static int read_options(fit *self, PyObject *const *args, int is_compiled)
{
    lm_state *s = &self->lm.state;

    self->func.name = "f";
    self->analytic = args[JAC] != Py_None;
    self->col_deriv = PyObject_IsTrue(args[COL_DERIV]);
    self->lm.differences.uncounted = PyObject_IsTrue(args[TRIALS_ONLY]);
    if (self->col_deriv < 0 || self->lm.differences.uncounted < 0
        || fit_read_differences(self, args[JAC], is_compiled) < 0
        || points_read(self, args[VECTORIZED], Py_None, "a callable jac", is_compiled) < 0
        || real_argument(args[FTOL], "ftol", &s->ftol) < 0
        || real_argument(args[XTOL], "xtol", &s->xtol) < 0
        || real_argument(args[GTOL], "gtol", &s->gtol) < 0
        || count_argument(args[MAXFEV], "maxfev", &s->maxfev) < 0
        || fit_read_workers(self, args[WORKERS]) < 0
        || real_argument(args[FACTOR], "factor", &s->factor) < 0
        || fit_read_kernels(self, args[KERNELS]) < 0
        || fit_read_acceleration(self, args[ACCELERATION]) < 0
        || fit_read_loss(self, args[LOSS], args[F_SCALE]) < 0
        || read_vector(args[DIFF_STEP], "diff_step", &self->diff_step) < 0)
        return -1;
    if (args[OBSERVER] != Py_None)
        self->observer = args[OBSERVER];
    if (self->analytic || args[EPSFCN] == Py_None) /* not used, or known from f */
        return 0;
    return real_argument(args[EPSFCN], "epsfcn", &self->lm.differences.epsfcn);
}

void not_finite(const char *name)
{
    PyErr_Format(PyExc_ValueError,
                 "%s must be finite: there is NaN or infinity in it, which only "
                 "check_finite=False lets pass",
                 name);
}

int check_finite(PyObject *object, const char *name)
{
    if (!PyArray_Check(object))
        return 0;
    PyArrayObject *array = (PyArrayObject *)PyArray_FROMANY(
        object, NPY_DOUBLE, 0, 0, NPY_ARRAY_CARRAY_RO); /* new */
    if (array == NULL)
        return -1;
    int is_finite = are_finite(PyArray_SIZE(array), doubles(array));
    Py_DECREF(array);
    if (!is_finite)
        not_finite(name);
    return is_finite ? 0 : -1;
}

/* The data must be finite. Those that a program reads in order are left to the run. */
static int check_data(fit *self, PyObject *const *args, int is_program)
{
    PyObject *data[] = {args[XDATA], args[YDATA]};
    const char *names[] = {"xdata", "ydata"};

    for (int k = 0; k < 2; k++) {
        int is_left = is_program && is_plain_vector(data[k])
                      && PyArray_SIZE((PyArrayObject *)data[k])
                             == PyArray_SIZE((PyArrayObject *)data[1]);
        if (is_left) {
            self->finite[k].array = (PyArrayObject *)data[k];
            self->finite[k].name = names[k];
        } else if (check_finite(data[k], names[k]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* p0 into self->x and, unless they are compiled, the functions that take its n entries as
 * arguments. */
static int read_model(fit *self, PyObject *const *args, int is_compiled)
{
    int status = -1;
    PyArrayObject *start = vector_argument(args[P0], "p0", 1); /* new */
    if (start == NULL)
        return -1;
    npy_intp n = PyArray_DIM(start, 0);
    if (n == 0)
        PyErr_SetString(PyExc_TypeError,
                        "p0 must hold one number for each parameter of f, not none");
    else if (is_compiled
             || (callback_init_model(&self->func, "f", args[F], args[XDATA], n) == 0
                 && (!self->analytic || self->complex_steps
                     || callback_init_model(&self->Dfun, "jac", args[JAC], args[XDATA], n)
                            == 0)))
        status = fit_read_start(self, (PyObject *)start);
    self->func.shape_error = PyExc_TypeError; /* as SciPy */
    self->Dfun.shape_error = PyExc_TypeError;
    Py_DECREF(start);
    return status;
}

static int read_bounds(fit *self, PyObject *const *args)
{
    if (args[LOWER] == Py_None)
        return 0;
    npy_intp n = PyArray_DIM(self->x, 0);
    self->lower = vector_argument(args[LOWER], "lower", 0); /* new */
    if (self->lower == NULL)
        return -1;
    self->upper = vector_argument(args[UPPER], "upper", 0); /* new */
    if (self->upper == NULL)
        return -1;
    if (PyArray_DIM(self->lower, 0) == n && PyArray_DIM(self->upper, 0) == n)
        return 0;
    PyErr_SetString(PyExc_ValueError, "bounds must have one entry for each parameter");
    return -1;
}

/* There must be as many values as parameters. */
static int check_counts(npy_intp m, npy_intp n, const char *of)
{
    if (m >= n)
        return 0;
    PyErr_Format(
        PyExc_TypeError,
        "%zd parameters cannot be fitted to %zd %s: there must be at least as many",
        (Py_ssize_t)n, (Py_ssize_t)m, of);
    return -1;
}

PyObject *curve_covariance(fit *self, double m, int absolute_sigma,
                           enum covariance_state *known)
{
    npy_intp shape[2] = {PyArray_DIM(self->x, 0), PyArray_DIM(self->x, 0)};
    PyObject *cov = fit_covariance(self, m, !absolute_sigma, known); /* new */

    if (cov == Py_None)
        Py_SETREF(cov, PyArray_SimpleNew(2, shape, NPY_DOUBLE)); /* new */
    if (cov != NULL && *known != COVARIANCE_KNOWN)
        for (npy_intp i = 0; i < shape[0] * shape[0]; i++)
            doubles((PyArrayObject *)cov)[i] = INFINITY;
    return cov;
}

/* Returns a new reference, or NULL. */
static PyObject *result(fit *self, int absolute_sigma)
{
    lm_state *s = &self->lm.state;
    enum covariance_state known;
    PyObject *answer = NULL;
    PyObject *active = NULL;
    PyObject *cov =
        curve_covariance(self, self->lm.rows.m, absolute_sigma, &known); /* new */
    PyObject *idle = fit_idle_parameters(self);                          /* new */
    PyObject *info = self->stopped ? Py_NewRef(Py_None) : PyLong_FromLong(s->info);

    if (cov == NULL || idle == NULL || info == NULL)
        goto done;
    if (!self->shows_arrays) {
        answer = Py_BuildValue("OOOiOd", self->x, cov, info, (int)known, idle,
                               fit_progress(self));
        goto done;
    }
    active = self->lower != NULL ? fit_active_mask(self) : Py_NewRef(Py_None); /* new */
    if (active != NULL && fit_finish(self) == 0)
        answer = Py_BuildValue("OOOiOdOiiOOOO", self->x, cov, info, (int)known, idle,
                               fit_progress(self), self->fvec, s->nfev, self->lm.njev,
                               self->fjac, self->ipvt, self->qtf, active);
done:
    Py_XDECREF(cov);
    Py_XDECREF(idle);
    Py_XDECREF(info);
    Py_XDECREF(active);
    return answer;
}

/* Run the fit of a Python model. Its first values say how many there are. */
static int run(fit *self, PyArrayObject *diag, int has_epsfcn)
{
    if (fit_evaluate_start(self, has_epsfcn) < 0)
        return -1;
    npy_intp m = PyArray_DIM(self->trial, 0);
    if (check_counts(m, PyArray_DIM(self->x, 0), "values of f") < 0
        || fit_allocate(self, m, diag) < 0)
        return -1;
    return fit_run(self);
}

/* Run that of a compiled one, which has as many values as there are data. */
static int run_compiled(fit *self, const compiled_part *part, PyArrayObject *diag)
{
    npy_intp m = PyArray_SIZE(self->data->y);

    self->func.name = "f";
    if (check_counts(m, PyArray_DIM(self->x, 0), "data") < 0)
        return -1;
    return fit_run_compiled(self, part, m, diag);
}

PyObject *solve_curve_fit(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    fit self;
    data measured;
    compiled_part part;
    PyArrayObject *diag = NULL;
    PyObject *answer = NULL;

    (void)module;
    fit_init(&self);
    memset(&measured, 0, sizeof measured);
    memset(&part, 0, sizeof part);
    if (nargs != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError,
                        "_minpack.curve_fit is called by minpack.curve_fit only");
        return NULL;
    }

    /* Everything is checked before the first call. */
    int absolute_sigma = PyObject_IsTrue(args[ABSOLUTE_SIGMA]);
    int finite_only = PyObject_IsTrue(args[CHECK_FINITE]);
    self.shows_arrays = PyObject_IsTrue(args[FULL_OUTPUT]);
    if (absolute_sigma < 0 || finite_only < 0 || self.shows_arrays < 0)
        goto fail;
    int is_compiled = compiled_part_take(&part, args[F], "f",
                                         PyUnicode_Check(args[JAC]) ? Py_None : args[JAC],
                                         "jac", args[USER_DATA]);
    if (is_compiled < 0 || read_options(&self, args, is_compiled) < 0
        || read_model(&self, args, is_compiled) < 0 || read_bounds(&self, args) < 0
        || (is_compiled && compiled_part_use_xdata(&part, args[XDATA]) < 0))
        goto fail;
    int is_program = compiled_part_program(&part) != NULL;
    if (finite_only && check_data(&self, args, is_program) < 0)
        goto fail;
    if (data_init(&measured, args[YDATA], args[SIGMA], args[FACTOR_OF_COVARIANCE],
                  !(is_compiled && computes_rows(&part)))
        < 0)
        goto fail;
    self.data = &measured;
    npy_intp n = PyArray_DIM(self.x, 0), points = PyArray_SIZE(measured.y);
    if (points != 1 && check_counts(points, n, "data") < 0)
        goto fail;
    diag = fit_read_diag(args[DIAG], n); /* new */
    if (PyErr_Occurred())
        goto fail;

    int status = is_compiled ? run_compiled(&self, &part, diag)
                             : run(&self, diag, args[EPSFCN] != Py_None);
    if (status < 0)
        goto fail;
    answer = result(&self, absolute_sigma);
fail:
    Py_XDECREF(diag);
    compiled_part_clear(&part);
    fit_clear(&self);
    data_clear(&measured);
    return answer;
}

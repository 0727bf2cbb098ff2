/* least_squares: bounds, losses, observers, and the Jacobian at the solution. */
#include "least_squares.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiled_fit.h"
#include "iterate.h"
#include "points.h"
#include "result.h"

/* The arguments of _minpack.least_squares, in their order. */
enum {
    FUN,
    X0,
    JAC,
    LOWER,
    UPPER,
    FTOL,
    XTOL,
    GTOL,
    DIAG,
    LOSS,
    F_SCALE,
    DIFF_STEP,
    MAX_NFEV,
    ARGS,
    KWARGS,
    M,
    USER_DATA,
    WORKERS,
    OBSERVER,
    VECTORIZED,
    MAP,
    ACCELERATION,
    ARGUMENTS
};

/* How the Jacobian is computed: jac is a name or a callable. */
static int read_jacobian(fit *self, PyObject *jac, PyObject *args, PyObject *kwargs,
                         int is_compiled)
{
    int is_read = fit_read_differences(self, jac, is_compiled);

    if (is_read != 0)
        return is_read < 0 ? -1 : 0;
    self->analytic = 1;
    if (is_compiled)
        return 0;
    if (PyCallable_Check(jac))
        return callback_init(&self->Dfun, "jac", jac, args, kwargs);
    PyErr_Format(PyExc_ValueError,
                 "jac must be '2-point', '3-point', 'cs' or a callable, not %R", jac);
    return -1;
}

/* The functions and the options; args_tuple and kwargs are for fun and jac. */
static int read_options(fit *self, PyObject *const *args,
                        PyObject *args_tuple /* borrowed */,
                        PyObject *kwargs /* borrowed, or NULL */, int is_compiled)
{
    lm_state *s = &self->lm.state;

    self->lm.differences.uncounted = 1;
    self->lm.rows.keeps = 1;
    self->func.name = "fun";
    if ((!is_compiled
         && callback_init(&self->func, "fun", args[FUN], args_tuple, kwargs) < 0)
        || read_jacobian(self, args[JAC], args_tuple, kwargs, is_compiled) < 0
        || real_argument(args[FTOL], "ftol", &s->ftol) < 0
        || real_argument(args[XTOL], "xtol", &s->xtol) < 0
        || real_argument(args[GTOL], "gtol", &s->gtol) < 0
        || fit_read_loss(self, args[LOSS], args[F_SCALE]) < 0
        || fit_read_acceleration(self, args[ACCELERATION]) < 0
        || count_argument(args[MAX_NFEV], "max_nfev", &s->maxfev) < 0
        || fit_read_workers(self, args[WORKERS]) < 0
        || points_read(self, args[VECTORIZED], args[MAP], "a callable jac", is_compiled)
               < 0
        || read_vector(args[LOWER], "lower", &self->lower) < 0
        || read_vector(args[UPPER], "upper", &self->upper) < 0
        || read_vector(args[DIFF_STEP], "diff_step", &self->diff_step) < 0)
        return -1;
    self->func.shape_error = PyExc_ValueError;
    return 0;
}

/* --- The result -------------------------------------------------------------- */

/* The error where a fit has not even started. */
static void start_is_not_finite(fit *self)
{
    const double *fvec = doubles(self->fvec);
    npy_intp i = 0, m = self->lm.rows.m;

    while (i < m && isfinite(fvec[i]))
        i++;
    PyObject *x = PyArray_ToList(self->x);                            /* new */
    PyObject *value = PyFloat_FromDouble(i < m ? fvec[i] : HUGE_VAL); /* new */
    if (x != NULL && value != NULL && i < m)
        PyErr_Format(PyExc_ValueError,
                     "fun must be finite at x0: residual %zd is %R at x = %R",
                     (Py_ssize_t)i, value, x);
    else if (x != NULL && value != NULL)
        PyErr_Format(PyExc_ValueError,
                     "the cost must be finite at x0: it is %R at x = %R", value, x);
    Py_XDECREF(x);
    Py_XDECREF(value);
}

/* Returns a new reference, or NULL. */
static PyObject *result(fit *self)
{
    lm_state *s = &self->lm.state;
    npy_intp n = s->n;
    PyObject *answer = NULL;
    PyObject *info = self->stopped ? Py_NewRef(Py_None) : PyLong_FromLong(s->info);
    PyObject *jac = PyArray_Transpose(self->fjac, NULL);   /* new */
    PyObject *grad = PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
    PyObject *active = fit_active_mask(self);              /* new */

    /* Where the end came amid a computation, fjac holds no Jacobian. */
    if (s->info == LM_NOT_FINITE || s->info < LM_BAD_INPUT)
        fill_nan(self->lm.rows.fjac, PyArray_SIZE(self->fjac));
    if (info != NULL && jac != NULL && grad != NULL && active != NULL) {
        double largest = optimality(&self->lm, PyArray_DATA((PyArrayObject *)grad));
        answer = Py_BuildValue("OdOOOdOiiOd", self->x, cost(&self->lm), self->fvec, jac,
                               grad, largest, active, s->nfev, self->lm.njev, info,
                               fit_progress(self)); /* new */
    }
    Py_XDECREF(info);
    Py_XDECREF(jac);
    Py_XDECREF(grad);
    Py_XDECREF(active);
    return answer;
}

PyObject *solve_least_squares(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    fit self;
    PyArrayObject *diag = NULL;
    PyObject *args_tuple = NULL, *kwargs = NULL, *answer = NULL;
    compiled_part part;
    int count = 0;

    (void)module;
    fit_init(&self);
    memset(&part, 0, sizeof part);
    if (nargs != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError,
                        "_minpack.least_squares is called by minpack.least_squares only");
        return NULL;
    }

    self.shows_arrays = 1;

    /* Everything is checked before the first call. */
    args_tuple = PySequence_Tuple(args[ARGS]); /* new */
    if (args[KWARGS] != Py_None)
        kwargs = args[KWARGS]; /* borrowed: a copy of the user's */
    if (args_tuple == NULL)
        goto fail;
    int has_args = PyTuple_GET_SIZE(args_tuple) > 0 || kwargs != NULL;
    int is_compiled = compiled_part_take(&part, args[FUN], "fun",
                                         PyUnicode_Check(args[JAC]) ? Py_None : args[JAC],
                                         "jac", args[USER_DATA]);
    if (is_compiled < 0
        || read_residual_count(args[M], "fun", is_compiled, has_args, &count) < 0
        || read_options(&self, args, args_tuple, kwargs, is_compiled) < 0
        || fit_read_start(&self, args[X0]) < 0
        || read_vector(args[DIAG], "x_scale", &diag) < 0)
        goto fail;
    if (args[OBSERVER] != Py_None)
        self.observer = args[OBSERVER];

    if (fit_run_residuals(&self, &part, is_compiled, count, diag, 0) < 0)
        goto fail;
    if (self.lm.state.info == LM_NOT_FINITE && self.lm.njev == 0
        && self.lm.differences.count == 0)
        start_is_not_finite(&self);
    else
        answer = result(&self);
fail:
    Py_XDECREF(args_tuple);
    Py_XDECREF(diag);
    compiled_part_clear(&part);
    fit_clear(&self);
    return answer;
}

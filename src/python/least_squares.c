/* least_squares: bounds, losses, observers, and the Jacobian at the solution. */
#include "least_squares.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiled_fit.h"
#include "fit.h"
#include "kernels.h"

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
    OBSERVER,
    ARGUMENTS
};

/* MINPACK's own choice, and SciPy's */
#define FIRST_STEP_BOUND 100.0

/* --- Arguments ------------------------------------------------------------- */

/* A tolerance below the rounding error of the numbers it is compared with is a mistake.
 */
static int tolerance_argument(PyObject *object, const char *name, double *value)
{
    if (object != Py_None && real_argument(object, name, value) < 0)
        return -1;
    if (object == Py_None || !(*value >= DBL_EPSILON)) {
        PyErr_Format(PyExc_ValueError,
                     "%s must be at least the machine epsilon, 2.2e-16, not %S", name,
                     object);
        return -1;
    }
    return 0;
}

/* How the Jacobian is computed: jac is a name or a callable. */
static int read_jacobian(fit *self, PyObject *jac, PyObject *args, PyObject *kwargs,
                         int is_compiled)
{
    lm_state *s = &self->state;

    if (is_compiled && !PyUnicode_Check(jac)) {
        s->analytic = 1;
        return 0;
    }
    if (PyUnicode_Check(jac)) {
        self->complex_steps = PyUnicode_CompareWithASCIIString(jac, "cs") == 0;
        s->analytic = self->complex_steps;
        if (is_compiled && self->complex_steps) {
            PyErr_SetString(
                PyExc_ValueError,
                "jac='cs' needs a Python fun, which can take complex numbers: "
                "a compiled one takes real ones alone");
            return -1;
        }
        if (PyUnicode_CompareWithASCIIString(jac, "3-point") == 0)
            s->points = 3;
        if (s->analytic || s->points == 3
            || PyUnicode_CompareWithASCIIString(jac, "2-point") == 0)
            return 0;
    } else if (PyCallable_Check(jac)) {
        s->analytic = 1;
        return callback_init(&self->Dfun, "jac", jac, args, kwargs);
    }
    PyErr_Format(PyExc_ValueError,
                 "jac must be '2-point', '3-point', 'cs' or a callable, not %R", jac);
    return -1;
}

/* A vector of n numbers, checked by minpack.least_squares, or NULL for None. */
static int read_vector(PyObject *object, const char *name,
                       PyArrayObject **vector /* new */)
{
    *vector = object == Py_None ? NULL : vector_argument(object, name, 0);
    return PyErr_Occurred() ? -1 : 0;
}

/* The functions and the options; args_tuple and kwargs are for fun and jac. */
static int read_options(fit *self, PyObject *module, PyObject *const *args,
                        PyObject *args_tuple /* borrowed */,
                        PyObject *kwargs /* borrowed, or NULL */, PyObject *no_args,
                        int is_compiled)
{
    lm_state *s = &self->state;

    s->epsfcn = DBL_EPSILON;
    s->trials_only = 1;
    s->last_jacobian = 1;
    s->factor = FIRST_STEP_BOUND;
    s->kernels = ((module_state *)PyModule_GetState(module))->fast;
    if ((!is_compiled
         && callback_init(&self->func, "fun", args[FUN], args_tuple, kwargs) < 0)
        || read_jacobian(self, args[JAC], args_tuple, kwargs, is_compiled) < 0
        || tolerance_argument(args[FTOL], "ftol", &s->ftol) < 0
        || tolerance_argument(args[XTOL], "xtol", &s->xtol) < 0
        || tolerance_argument(args[GTOL], "gtol", &s->gtol) < 0
        || loss_init(&self->loss, args[LOSS], args[F_SCALE], no_args) < 0
        || count_argument(args[MAX_NFEV], "max_nfev", &s->maxfev) < 0
        || read_vector(args[LOWER], "lower", &self->lower) < 0
        || read_vector(args[UPPER], "upper", &self->upper) < 0
        || read_vector(args[DIFF_STEP], "diff_step", &self->diff_step) < 0)
        return -1;
    self->func.name = "fun";
    self->func.shape_error = PyExc_ValueError;
    s->weighted = !is_linear(&self->loss);
    return 0;
}

/* --- What is known at an iterate ---------------------------------------------- */

/* The residuals that belong to fjac: with a loss both are weighted. */
static const double *residuals_of_jacobian(const lm_state *s)
{
    return s->weighted ? s->fvec_weighted : s->fvec;
}

static double gradient_entry(const lm_state *s, npy_intp j)
{
    const double *f = residuals_of_jacobian(s);
    const double *column = s->fjac + j * s->ldfjac;
    double sum = 0;

    for (npy_intp i = 0; i < s->m; i++)
        sum += column[i] * f[i];
    return sum;
}

/* Whether a step against g would take x[j] out of its bounds at once. */
static int is_blocked(const lm_state *s, npy_intp j, double g)
{
    return s->lower != NULL
           && ((g > 0 && s->x[j] == s->lower[j]) || (g < 0 && s->x[j] == s->upper[j]));
}

/* The largest entry of the projected gradient; grad(n) is set where it is not NULL. */
static double optimality(const lm_state *s, double *grad)
{
    double largest = 0;

    for (npy_intp j = 0; j < s->n; j++) {
        double g = gradient_entry(s, j);
        if (grad != NULL)
            grad[j] = g;
        if (!is_blocked(s, j, g) && !(fabs(g) <= largest)) /* a NaN stays */
            largest = fabs(g);
    }
    return largest;
}

/* fnorm, which has been scaled and rooted, would give it with two more roundings. */
static double cost(const lm_state *s)
{
    double sum = 0;

    if (s->weighted)
        return 0.5 * s->fnorm * s->fnorm;
    for (npy_intp i = 0; i < s->m; i++)
        sum += s->fvec[i] * s->fvec[i];
    return 0.5 * sum;
}

/* Call the observer, which says whether to stop. */
static int observe(fit *self)
{
    lm_state *s = &self->state;
    PyObject *x = PyArray_NewCopy(self->x, NPY_CORDER);       /* new */
    PyObject *fvec = PyArray_NewCopy(self->fvec, NPY_CORDER); /* new */
    PyObject *answer = NULL;
    int stop = -1;

    if (x != NULL && fvec != NULL)
        answer =
            PyObject_CallFunction(self->observer, "OOdiid", x, fvec, cost(s), s->iter - 1,
                                  s->nfev, optimality(s, NULL)); /* new */
    if (answer != NULL)
        stop = PyObject_IsTrue(answer);
    Py_XDECREF(x);
    Py_XDECREF(fvec);
    Py_XDECREF(answer);
    return stop;
}

/* --- The result -------------------------------------------------------------- */

/* The error where a fit has not even started. */
static void start_is_not_finite(fit *self)
{
    const double *fvec = doubles(self->fvec);
    npy_intp i = 0, m = self->state.m;

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

/* Where the end came amid a computation, fjac holds no Jacobian. */
static void forget_jacobian(const lm_state *s)
{
    fill_nan(s->fjac, (npy_intp)s->m * s->n);
}

/* Returns a new reference, or NULL. */
static PyObject *result(fit *self)
{
    lm_state *s = &self->state;
    npy_intp n = s->n;
    PyObject *answer = NULL;
    PyObject *info = self->stopped ? Py_NewRef(Py_None) : PyLong_FromLong(s->info);
    if (!s->last && !self->stopped) { /* fjac holds R; x has not moved since */
        Py_SETREF(self->fjac, (PyArrayObject *)Py_NewRef(self->jac));
        s->fjac = doubles(self->fjac);
    }
    PyObject *jac = PyArray_Transpose(self->fjac, NULL);   /* new */
    PyObject *grad = PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
    PyObject *active = fit_active_mask(self);              /* new */

    if (s->info == LM_NOT_FINITE || s->info < LM_BAD_INPUT)
        forget_jacobian(s);
    if (info != NULL && jac != NULL && grad != NULL && active != NULL) {
        double largest = optimality(s, PyArray_DATA((PyArrayObject *)grad));
        answer = Py_BuildValue("OdOOOdOiiO", self->x, cost(s), self->fvec, jac, grad,
                               largest, active, s->nfev, s->njev, info); /* new */
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
    lm_state *s = &self.state;
    PyArrayObject *diag = NULL;
    PyObject *args_tuple = NULL, *kwargs = NULL, *no_args = NULL, *answer = NULL;
    compiled_part part;
    int count = 0;

    memset(&self, 0, sizeof self);
    memset(&part, 0, sizeof part);
    if (nargs != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError,
                        "_minpack.least_squares is called by minpack.least_squares only");
        return NULL;
    }

    self.shows_arrays = 1;

    /* Everything is checked before the first call. */
    args_tuple = PySequence_Tuple(args[ARGS]); /* new */
    no_args = PyTuple_New(0);                  /* new */
    if (args[KWARGS] != Py_None)
        kwargs = args[KWARGS]; /* borrowed: a copy of the user's */
    if (args_tuple == NULL || no_args == NULL)
        goto fail;
    int has_args = PyTuple_GET_SIZE(args_tuple) > 0 || kwargs != NULL;
    int is_compiled = compiled_part_take(&part, args[FUN], "fun",
                                         PyUnicode_Check(args[JAC]) ? Py_None : args[JAC],
                                         "jac", args[USER_DATA]);
    if (is_compiled < 0
        || read_residual_count(args[M], "fun", is_compiled, has_args, &count) < 0
        || read_options(&self, module, args, args_tuple, kwargs, no_args, is_compiled) < 0
        || fit_read_start(&self, args[X0]) < 0
        || read_vector(args[DIAG], "x_scale", &diag) < 0)
        goto fail;
    if (args[OBSERVER] != Py_None) {
        self.observe = observe;
        self.observer = args[OBSERVER];
    }

    if (fit_run_residuals(&self, &part, is_compiled, count, diag, &s->epsfcn) < 0)
        goto fail;
    if (s->info == LM_NOT_FINITE && s->njev == 0 && s->ndiff == 0)
        start_is_not_finite(&self);
    else
        answer = result(&self);
fail:
    Py_XDECREF(args_tuple);
    Py_XDECREF(no_args);
    Py_XDECREF(diag);
    compiled_part_clear(&part);
    fit_clear(&self);
    return answer;
}

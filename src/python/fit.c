#include "fit.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* WORTH_UNLOCKING in residuals, for a pass over them that multiplies once or twice. */
#define MANY_RESIDUALS 50000
#define COMPLEX_STEP 1e-20 /* relative to x */
/* From so many bytes on NumPy asks for huge pages; what is smaller and not shown lies in
 * one block with the rest. */
#define LARGE_ARRAY 4194304.0
#define LINE 8 /* numbers in a line of the cache */

/* --- Evaluations ----------------------------------------------------------- */

/* Call func at x(n) and keep the answer as self->trial. */
int fit_evaluate(fit *self, npy_intp n, const double *x, double *epsilon)
{
    Py_CLEAR(self->trial);
    PyObject *answer = callback_call(&self->func, n, x); /* new */
    if (answer != NULL && self->model != NULL)
        self->trial =
            model_residuals(self->model, &self->func, answer, epsilon); /* steals */
    else if (answer != NULL)
        self->trial = residuals_array(&self->func, answer, n, epsilon); /* steals */
    return self->trial != NULL ? 0 : -1;
}

static int evaluate_residuals(fit *self)
{
    lm_state *s = &self->state;

    if (fit_evaluate(self, s->n, s->x_trial, NULL) < 0)
        return -1;
    if (PyArray_DIM(self->trial, 0) != s->m) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned %zd residuals after it had returned %d: their number "
                     "must not change during a fit",
                     self->func.name, (Py_ssize_t)PyArray_DIM(self->trial, 0), s->m);
        return -1;
    }
    s->fvec_trial = doubles(self->trial);
    return 0;
}

/* What a loss makes of the norm of a trial point's residuals. */
static int weigh_trial(fit *self)
{
    lm_state *s = &self->state;

    return s->weighted ? loss_norm(&self->loss, s->m, s->fvec_trial, &s->fnorm_trial) : 0;
}

/* Nothing is subtracted in a complex step, so it may be as small as we like. */
static double complex_step(const lm_state *s, npy_intp j)
{
    double relative = s->diff_step != NULL ? s->diff_step[j] : COMPLEX_STEP;
    return s->x[j] == 0 ? relative : fmax(relative * fabs(s->x[j]), DBL_MIN);
}

static int evaluate_by_complex_steps(fit *self)
{
    lm_state *s = &self->state;

    for (npy_intp j = 0; j < s->n; j++) {
        double h = complex_step(s, j);
        PyObject *answer = callback_call_complex(&self->func, s->n, s->x, j, h); /* new */
        if (answer == NULL)
            return -1;
        int status = take_imaginary(&self->func, answer, s->m, self->model != NULL, h,
                                    s->fjac + j * (npy_intp)s->ldfjac);
        Py_DECREF(answer);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int evaluate_jacobian(fit *self)
{
    lm_state *s = &self->state;
    int status = 0;

    if (self->complex_steps) {
        status = evaluate_by_complex_steps(self);
    } else {
        PyObject *answer = callback_call(&self->Dfun, s->n, s->x); /* new */
        if (answer == NULL)
            return -1;
        status = take_jacobian(&self->Dfun, answer, self->col_deriv, s->m, s->n, s->fjac,
                               s->ldfjac, s->njev == 1);
        Py_DECREF(answer);
    }
    if (status == 0 && self->model != NULL)
        model_weigh_jacobian(self->model, s->m, s->n, s->fjac, s->ldfjac);
    return status;
}

/* Have the trial residuals in an array that nobody else can change. */
static int own_trial(fit *self)
{
    if (!is_ours_alone(self->trial)) {
        PyObject *copy = PyArray_NewCopy(self->trial, NPY_CORDER); /* new */
        if (copy == NULL)
            return -1;
        Py_SETREF(self->trial, (PyArrayObject *)copy);
        self->state.fvec_trial = doubles(self->trial);
    }
    return 0;
}

/* fvec := the trial residuals */
static int accept_trial(fit *self)
{
    lm_state *s = &self->state;
    npy_intp m = s->m;

    if (is_ours_alone(self->trial)) { /* kept, not copied */
        Py_XSETREF(self->fvec, self->trial);
        self->trial = NULL;
        s->fvec = doubles(self->fvec);
        return 0;
    }
    s->fvec = self->own_fvec;
    if (s->fvec == NULL) {
        if (self->fvec == NULL)
            self->fvec = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
        if (self->fvec == NULL)
            return -1;
        s->fvec = doubles(self->fvec);
    }
    memcpy(s->fvec, doubles(self->trial), (size_t)m * sizeof(double));
    return 0;
}

/* A new iterate: keep its Jacobian, which is the result's if no step is taken any more,
 * and show it to the observer. */
static int note_iterate(fit *self)
{
    const lm_state *s = &self->state;
    int status = 0;

    if (self->jac != NULL && !s->last)
        memcpy(doubles(self->jac), s->fjac, (size_t)s->m * s->n * sizeof(double));
    if (self->observe != NULL)
        status = self->observe(self);
    self->stopped = status > 0;
    return status;
}

int fit_asks_python(const fit *self)
{
    int observes = self->observe != NULL;
    int calls_loss = self->loss.function.name != NULL;

    switch (self->state.request) {
    case LM_RESIDUALS:
        return calls_loss;
    case LM_ITERATE:
        return observes && !self->state.weighted;
    case LM_WEIGH:
        return observes || calls_loss;
    default:
        return 0;
    }
}

int fit_attend(fit *self)
{
    lm_state *s = &self->state;

    switch (s->request) {
    case LM_RESIDUALS:
        return weigh_trial(self);
    case LM_ITERATE:
        return s->weighted ? 0 : note_iterate(self); /* else LM_WEIGH is next */
    case LM_WEIGH:
        if (loss_weigh(&self->loss, s->m, s->n, s->fvec, s->fjac, s->ldfjac,
                       s->fvec_weighted)
            < 0)
            return -1;
        return note_iterate(self);
    default:
        return 0;
    }
}

/* Run the fit to its end. The residuals at the start are in self->trial. */
int fit_run(fit *self)
{
    lm_state *s = &self->state;
    int heavy = (double)s->m * s->n * s->n >= WORTH_UNLOCKING;
    int heavy_step = (double)s->n * s->n * s->n >= WORTH_UNLOCKING;

    lm_start(s);
    lm_step(s);
    if (s->request == LM_RESIDUALS) { /* at the start: known already */
        s->fvec_trial = doubles(self->trial);
        if (weigh_trial(self) < 0)
            return -1;
        lm_step(s);
    }
    for (;;) {
        int status = 0;
        int unlock = 0;
        switch (s->request) {
        case LM_DONE:
            return 0;
        case LM_RESIDUALS:
        case LM_DIFFERENCE:
            status = evaluate_residuals(self);
            if (status == 0)
                status = fit_attend(self);
            if (status == 0 && heavy_step && s->request == LM_RESIDUALS)
                status = own_trial(self);
            unlock =
                status == 0 && is_ours_alone(self->trial)
                && (s->m >= MANY_RESIDUALS || (heavy_step && s->request == LM_RESIDUALS));
            break;
        case LM_JACOBIAN:
            status = evaluate_jacobian(self);
            break;
        case LM_ACCEPT:
            status = accept_trial(self);
            break;
        case LM_ITERATE: /* next: our own memory, and maybe the last residuals */
            unlock = heavy && (!s->deferred || is_ours_alone(self->trial));
            status = fit_attend(self);
            break;
        case LM_WEIGH:
            unlock = heavy;
            status = fit_attend(self);
            break;
        }
        if (status < 0)
            return -1;
        if (self->stopped)
            return 0;
        if (unlock) {
            Py_BEGIN_ALLOW_THREADS
            lm_step(s);
            Py_END_ALLOW_THREADS
        } else {
            lm_step(s);
        }
    }
}

/* --- Setting up and the result --------------------------------------------- */

/* So many numbers of the memory at *free. */
static double *take(double **free, size_t count)
{
    double *taken = *free;
    *free += count;
    return taken;
}

/* In numbers: that of so many bytes. */
static size_t numbers(size_t bytes)
{
    return (bytes + sizeof(double) - 1) / sizeof(double);
}

/* One block for all arrays of the state that nobody else sees. */
static int allocate_work(fit *self, size_t m, size_t n)
{
    lm_state *s = &self->state;
    size_t weighted = s->weighted ? m : 0;
    size_t scratch = s->kernels.faithful ? 0 : numbers(lm_fast_scratch(s->m, s->n));
    size_t bounds = self->lower != NULL ? lm_bounds_work(s->n) : 0;
    size_t active = self->lower != NULL ? numbers(5 * n * sizeof(int)) : 0;
    size_t ipvt = numbers(n * sizeof(int));
    size_t watch = s->kernels.faithful || s->analytic ? 0 : 4;
    int own = self->fjac == NULL;
    size_t fvec = own ? m : 0, fjac = own ? (size_t)s->ldfjac * n + LINE : 0;

    self->work = PyMem_New(double, (5 + watch) * n + m + weighted + scratch + bounds
                                       + active + ipvt + fvec + fjac);
    if (self->work == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    double *free = self->work;
    s->diag = take(&free, n);
    s->x_trial = take(&free, n);
    s->step = take(&free, n);
    s->work_n = take(&free, n);
    s->qtf = take(&free, n);
    if (s->rounding == 0)
        s->rounding = DBL_EPSILON;
    s->watch = watch ? take(&free, watch * n) : NULL;
    s->work_m = take(&free, m);
    s->fvec_weighted = take(&free, weighted);
    s->scratch = take(&free, scratch);
    s->bounds_work = take(&free, bounds);
    s->active = (int *)take(&free, active);
    s->ipvt = (int *)take(&free, ipvt);
    if (own) {
        s->fjac = take(&free, fjac);
        s->fjac += -((uintptr_t)s->fjac / sizeof(double)) % LINE;
        self->own_fvec = take(&free, fvec);
    } else {
        s->fjac = doubles(self->fjac);
    }
    return 0;
}

/* Of a Jacobian whose columns begin with a line of the cache: loads and stores that cross
 * two are slow. With a power of two the columns would meet in the same lines. */
static int leading_dimension(int m)
{
    int lines = (m + LINE - 1) / LINE;
    return (lines + (lines % 64 == 0)) * LINE;
}

int fit_allocate(fit *self, npy_intp m, npy_intp n, PyArrayObject *diag)
{
    lm_state *s = &self->state;
    npy_intp shape[2] = {n, m};

    if (m > INT_MAX || n > INT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned %zd residuals; at most %d are possible",
                     self->func.name, (Py_ssize_t)m, INT_MAX);
        return -1;
    }
    s->m = (int)m;
    s->n = (int)n;
    s->ldfjac = (int)m;
    if (!self->shows_arrays && (double)m * n * sizeof(double) < LARGE_ARRAY) {
        s->ldfjac = leading_dimension(s->m);
    } else {
        self->fjac = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
        if (self->fjac == NULL)
            return -1;
    }
    if (s->last_jacobian) {
        self->jac = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
        if (self->jac == NULL)
            return -1;
    }
    if (allocate_work(self, (size_t)m, (size_t)n) < 0)
        return -1;
    s->x = doubles(self->x);
    if (self->lower != NULL) {
        s->lower = doubles(self->lower);
        s->upper = doubles(self->upper);
    }
    if (self->diff_step != NULL)
        s->diff_step = doubles(self->diff_step);
    s->deferred = is_worth_deferring(s) && self->observe == NULL;
    s->mode = diag != NULL ? 2 : 1;
    if (diag != NULL)
        memcpy(s->diag, doubles(diag), (size_t)n * sizeof(double));
    return 0;
}

/* Whether the fit has ended with the factors of a Jacobian. */
static int has_factors(fit *self)
{
    /* Below LM_BAD_INPUT is what a compiled function stopped the fit with. */
    return self->state.info > LM_BAD_INPUT && self->state.info != LM_NOT_FINITE;
}

/* Bring the arrays of the result to what Python shows. */
int fit_finish(fit *self)
{
    lm_state *s = &self->state;
    npy_intp n = s->n;

    self->ipvt = (PyArrayObject *)PyArray_ZEROS(1, &n, NPY_INT, 0);   /* new */
    self->qtf = (PyArrayObject *)PyArray_ZEROS(1, &n, NPY_DOUBLE, 0); /* new */
    if (self->ipvt == NULL || self->qtf == NULL)
        return -1;
    if (has_factors(self)) {
        int *ipvt = PyArray_DATA(self->ipvt);
        lm_orient(s);
        if (s->deferred) /* the end of the last column may be as it was allocated */
            memset(s->fjac + (s->n - 1) * (size_t)s->m + s->n, 0,
                   (size_t)(s->m - s->n) * sizeof(double));
        memcpy(doubles(self->qtf), s->qtf, (size_t)n * sizeof(double));
        for (int j = 0; j < s->n; j++) /* SciPy counts columns from 0 */
            ipvt[j] = s->ipvt[j] - 1;
    } else {
        PyArray_FILLWBYTE(self->fjac, 0);
    }
    /* Where the input was bad, the residuals at the start have not been asked for. */
    return self->fvec != NULL ? 0 : accept_trial(self);
}

PyObject *fit_active_mask(fit *self)
{
    npy_intp n = PyArray_DIM(self->x, 0);
    PyObject *mask = PyArray_ZEROS(1, &n, NPY_INTP, 0); /* new */
    if (mask != NULL && self->lower != NULL) {
        npy_intp *to = PyArray_DATA((PyArrayObject *)mask);
        for (npy_intp j = 0; j < n; j++)
            to[j] = self->state.active[j];
    }
    return mask;
}

/* Whether a covariance has not overflowed, and a variance has not underflowed. */
static int is_in_range(const lm_state *s, const double *cov)
{
    npy_intp n = s->n;

    for (npy_intp i = 0; i < n * n; i++)
        if (!isfinite(cov[i]))
            return 0;
    for (int j = 0; j < s->n; j++)
        if (cov[j * (n + 1)] == 0 && s->fnorm != 0 && !is_fixed(s, j))
            return 0;
    return 1;
}

enum covariance_state covariance_of(const lm_state *s, int scales, double *cov,
                                    double *work)
{
    double scale = 1, variance = 1;
    int singular = 1, freedom = degrees_of_freedom(s);

    if (s->info < LM_FTOL || s->info > LM_GTOL)
        return COVARIANCE_OPEN;
    if (scales && freedom <= 0)
        return COVARIANCE_NO_FREEDOM;
    if (scales)
        variance = s->fnorm * s->fnorm / freedom;
    if (s->fnorm != 0 && !(variance >= DBL_MIN && variance <= DBL_MAX)) {
        scale = s->fnorm / sqrt(freedom);
        variance = 1;
    }
    lm_covariance(s, scale, cov, work, &singular);
    if (singular)
        return COVARIANCE_OPEN;
    for (npy_intp i = 0; i < (npy_intp)s->n * s->n; i++)
        cov[i] *= variance;
    return is_in_range(s, cov) ? COVARIANCE_KNOWN : COVARIANCE_OUT_OF_RANGE;
}

PyObject *fit_covariance(fit *self, int scales, enum covariance_state *state)
{
    npy_intp n = self->state.n, shape[2] = {n, n};
    PyObject *cov = PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
    double *work = PyMem_New(double, n *n);

    if (work == NULL)
        PyErr_NoMemory();
    if (cov == NULL || work == NULL) {
        Py_CLEAR(cov);
        goto done;
    }
    *state = covariance_of(&self->state, scales, doubles((PyArrayObject *)cov), work);
    if (*state == COVARIANCE_OPEN || *state == COVARIANCE_NO_FREEDOM)
        Py_SETREF(cov, Py_NewRef(Py_None));
done:
    PyMem_Free(work);
    return cov;
}

/* Whether column k of R is zero, and so that of J from which it comes. */
static int is_zero_column(const lm_state *s, int k)
{
    for (int i = 0; i <= k; i++)
        if (s->fjac[i + k * (size_t)s->ldfjac] != 0)
            return 0;
    return 1;
}

PyObject *fit_idle_parameters(fit *self)
{
    const lm_state *s = &self->state;
    PyObject *idle = PyList_New(0); /* new */

    for (int k = 0; idle != NULL && has_factors(self) && k < s->n; k++) {
        int j = s->ipvt[k] - 1;
        if (is_fixed(s, j) || !is_zero_column(s, k))
            continue;
        PyObject *number = PyLong_FromLong(j); /* new */
        if (number == NULL || PyList_Append(idle, number) < 0)
            Py_CLEAR(idle);
        Py_XDECREF(number);
    }
    if (idle == NULL || PyList_Sort(idle) < 0) {
        Py_XDECREF(idle);
        return NULL;
    }
    PyObject *tuple = PyList_AsTuple(idle); /* new */
    Py_DECREF(idle);
    return tuple;
}

/* x0 into self->x, and the default of maxfev, which depends on its length. */
int fit_read_start(fit *self, PyObject *x0)
{
    lm_state *s = &self->state;
    PyArrayObject *start = vector_argument(x0, "x0", 1); /* new */

    if (start == NULL)
        return -1;
    npy_intp n = PyArray_DIM(start, 0);
    self->x = (PyArrayObject *)PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
    if (self->x != NULL)
        memcpy(doubles(self->x), doubles(start), (size_t)n * sizeof(double));
    Py_DECREF(start);
    if (s->maxfev == 0)
        s->maxfev = (int)((s->analytic ? 100 : 200) * (n < 10000000 ? n + 1 : 10000000));
    return self->x != NULL ? 0 : -1;
}

int fit_read_differences(fit *self, PyObject *jac, int is_compiled)
{
    lm_state *s = &self->state;

    if (!PyUnicode_Check(jac))
        return 0;
    self->complex_steps = PyUnicode_CompareWithASCIIString(jac, "cs") == 0;
    if (self->complex_steps && is_compiled) {
        PyErr_Format(PyExc_ValueError,
                     "jac='cs' needs a Python %s, which can take complex numbers: a "
                     "compiled one takes real ones alone",
                     self->func.name);
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(jac, "3-point") == 0)
        s->points = 3;
    s->analytic = self->complex_steps;
    if (s->analytic || s->points == 3
        || PyUnicode_CompareWithASCIIString(jac, "2-point") == 0)
        return 1;
    PyErr_Format(PyExc_ValueError,
                 "jac must be '2-point', '3-point', 'cs' or a callable, not %R", jac);
    return -1;
}

int fit_read_loss(fit *self, PyObject *loss, PyObject *scale)
{
    if (loss_init(&self->loss, loss, scale) < 0)
        return -1;
    self->state.weighted = !is_linear(&self->loss);
    return 0;
}

/* diag as a new array of length n, or NULL: without an error where there is none. */
PyArrayObject *fit_read_diag(PyObject *object, npy_intp n)
{
    PyArrayObject *diag = object == Py_None ? NULL : vector_argument(object, "diag", 0);

    if (diag != NULL && PyArray_DIM(diag, 0) != n) {
        PyErr_Format(PyExc_ValueError,
                     "diag must have one entry for each of the %zd parameters, not %zd",
                     (Py_ssize_t)n, (Py_ssize_t)PyArray_DIM(diag, 0));
        Py_CLEAR(diag);
    }
    return diag;
}

void fit_clear(fit *self)
{
    callback_clear(&self->func);
    callback_clear(&self->Dfun);
    loss_clear(&self->loss);
    Py_CLEAR(self->x);
    Py_CLEAR(self->fvec);
    Py_CLEAR(self->fjac);
    Py_CLEAR(self->jac);
    Py_CLEAR(self->ipvt);
    Py_CLEAR(self->qtf);
    Py_CLEAR(self->trial);
    Py_CLEAR(self->lower);
    Py_CLEAR(self->upper);
    Py_CLEAR(self->diff_step);
    PyMem_Free(self->work);
}

#include "fit.h"

#include "iterate.h"
#include "points.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define COMPLEX_STEP 1e-20 /* relative to x */
/* From so many bytes on NumPy asks for huge pages: such a Jacobian is an array of its own
 * even where it is not shown. */
#define LARGE_ARRAY 4194304.0

/* --- Evaluations ----------------------------------------------------------- */

/* Residuals must stay as many as they were at the start. */
static int check_count(const fit *self)
{
    npy_intp m = PyArray_DIM(self->trial, 0);

    if (self->lm.rows.m == 0 || m == self->lm.rows.m)
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "%s returned %zd residuals after it had returned %d: their number must "
                 "not change during a fit",
                 self->func.name, (Py_ssize_t)m, self->lm.rows.m);
    return -1;
}

int fit_take_answer(fit *self, PyObject *answer, double *epsilon)
{
    PyArrayObject *trial = /* new */
        self->data != NULL
            ? data_residuals(self->data, &self->func, answer /* steals */, epsilon)
            : residuals_array(&self->func, answer /* steals */, PyArray_DIM(self->x, 0),
                              epsilon);

    Py_XSETREF(self->trial, trial);
    return trial != NULL ? check_count(self) : -1;
}

/* Call func at x(n) and keep the answer as self->trial. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that func computes in. */
static int evaluate(fit *self, npy_intp n, const double *x, double *epsilon)
{
    Py_CLEAR(self->trial);
    if (self->vectorized) {
        self->trial = points_vectorized_residuals(self, n, x, epsilon); /* new */
        return self->trial != NULL ? 0 : -1;
    }
    PyObject *answer = callback_call(&self->func, n, x); /* new */
    return answer != NULL ? fit_take_answer(self, answer /* steals */, epsilon) : -1;
}

int fit_evaluate_start(fit *self)
{
    self->knows_start = 1;
    return evaluate(self, PyArray_DIM(self->x, 0), doubles(self->x),
                    &self->lm.differences.rounding);
}

static int evaluate_residuals(void *who, lm_fit *lm, const double *x)
{
    fit *self = who;

    if (self->knows_start) {
        self->knows_start = 0;
    } else {
        if (evaluate(self, lm->rows.n, x, NULL) < 0)
            return FIT_FAILED;
    }
    lm->trial = doubles(self->trial);
    return 0;
}

/* Nothing is subtracted in a complex step, so it may be as small as we like. */
static double complex_step(const lm_fit *lm, int j)
{
    const double *diff_step = lm->differences.diff_step;
    double relative = diff_step != NULL ? diff_step[j] : COMPLEX_STEP;
    double x = lm->state.x[j];

    return x == 0 ? relative : fmax(relative * fabs(x), DBL_MIN);
}

static int evaluate_by_complex_steps(fit *self)
{
    lm_rows *rows = &self->lm.rows;

    for (int j = 0; j < rows->n; j++) {
        double h = complex_step(&self->lm, j);
        PyObject *answer =
            callback_call_complex(&self->func, rows->n, self->lm.state.x, j, h); /* new */
        if (answer == NULL)
            return -1;
        int status = take_imaginary(&self->func, answer, rows->m, self->data != NULL, h,
                                    rows->fjac + j * (npy_intp)rows->ldfjac);
        Py_DECREF(answer);
        if (status < 0)
            return -1;
    }
    return 0;
}

static int evaluate_by_Dfun(fit *self)
{
    lm_rows *rows = &self->lm.rows;
    PyObject *answer = callback_call(&self->Dfun, rows->n, self->lm.state.x); /* new */

    if (answer == NULL)
        return -1;
    int status = take_jacobian(&self->Dfun, answer, self->col_deriv, rows->m, rows->n,
                               rows->fjac, rows->ldfjac, self->lm.njev == 1);
    Py_DECREF(answer);
    return status;
}

static int evaluate_jacobian(void *who, lm_fit *lm)
{
    fit *self = who;
    int status =
        self->complex_steps ? evaluate_by_complex_steps(self) : evaluate_by_Dfun(self);

    if (status < 0)
        return FIT_FAILED;
    if (self->data != NULL)
        data_weigh_jacobian(self->data, lm->rows.m, lm->rows.n, lm->rows.fjac,
                            lm->rows.ldfjac);
    return 0;
}

/* --- The other hooks --------------------------------------------------------- */

/* Have the trial residuals in an array that nobody else can change. */
static int own_trial(fit *self)
{
    if (is_ours_alone(self->trial))
        return 0;
    PyObject *copy = PyArray_NewCopy(self->trial, NPY_CORDER); /* new */
    if (copy == NULL)
        return -1;
    Py_SETREF(self->trial, (PyArrayObject *)copy);
    return 0;
}

/* fvec := the trial residuals; their array is kept, not copied, where it is ours. */
static int accept_trial(void *who, lm_fit *lm)
{
    fit *self = who;
    npy_intp m = lm->rows.m;

    if (is_ours_alone(self->trial)) {
        Py_XSETREF(self->fvec, self->trial);
        self->trial = NULL;
        lm->rows.fvec = doubles(self->fvec);
        return 0;
    }
    if (self->own_fvec == NULL && self->fvec == NULL) {
        self->fvec = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
        if (self->fvec == NULL)
            return FIT_FAILED;
    }
    lm->rows.fvec = self->own_fvec != NULL ? self->own_fvec : doubles(self->fvec);
    memcpy(lm->rows.fvec, doubles(self->trial), (size_t)m * sizeof(double));
    return 0;
}

/* A long computation: other threads may run meanwhile, if they can't change what it
 * reads. */
static void compute_unlocked(void *who, lm_fit *lm, void (*part)(lm_fit *),
                             int reads_trial)
{
    fit *self = who;

    if (self->trial != NULL && !is_ours_alone(self->trial)) {
        if (reads_trial) {
            part(lm);
            return;
        }
        if (own_trial(self) < 0) /* it is read later on */
            PyErr_Clear();
    }
    Py_BEGIN_ALLOW_THREADS
    part(lm);
    Py_END_ALLOW_THREADS
}

/* Python code is about to run, or has run. */
static void take_lock(fit *self, int calls_python)
{
    if (calls_python && self->unlocked != NULL)
        interrupt_end(self->unlocked);
}

static void give_lock(fit *self, int calls_python)
{
    if (calls_python && self->unlocked != NULL)
        interrupt_resume(self->unlocked);
}

/* With a loss, the root of twice the cost takes the place of the norm. */
static int measure(void *who, lm_fit *lm)
{
    fit *self = who;
    int calls_python = self->loss.function.name != NULL;

    take_lock(self, calls_python);
    int status = loss_norm(&self->loss, lm->rows.m, lm->trial, &lm->state.fnorm_trial);
    give_lock(self, calls_python);
    return status < 0 ? FIT_FAILED : 0;
}

/* A new iterate: weigh its Jacobian, and show it to the observer. */
static int see_iterate(void *who, lm_fit *lm)
{
    fit *self = who;
    lm_rows *rows = &lm->rows;
    int calls_python = self->observer != NULL || self->loss.function.name != NULL;
    int status = 0;

    take_lock(self, calls_python);
    if (rows->weighted
        && loss_weigh(&self->loss, rows->m, rows->n, rows->fvec, rows->fjac, rows->ldfjac,
                      rows->fvec_weighted)
               < 0)
        status = FIT_FAILED;
    else if (self->observer != NULL)
        status = show_iterate(self);
    give_lock(self, calls_python);
    return status;
}

/* --- Running ------------------------------------------------------------------ */

/* Whether x has moved since the Jacobian was evaluated. */
static int has_moved(const lm_state *s)
{
    return s->moved && s->info >= LM_FTOL && s->info <= LM_GTOL_TOO_SMALL;
}

/* The Jacobian at the solution with the weights of the loss itself, and its factors. */
static int end_weighted(fit *self)
{
    lm_fit *lm = &self->lm;
    lm_rows *rows = &lm->rows;
    int calls_python = self->loss.function.name != NULL;

    if (!self->stopped
        && (lm->state.info < LM_FTOL || lm->state.info > LM_GTOL_TOO_SMALL))
        return 0;
    take_lock(self, calls_python);
    int status = loss_show_curvature(&self->loss, rows->m, rows->n, rows->fvec,
                                     rows->fjac, rows->ldfjac, rows->fvec_weighted);
    give_lock(self, calls_python);
    if (status < 0)
        return FIT_FAILED;
    lm_linearize(lm);
    return 0;
}

int fit_run_hooks(fit *self, lm_hooks hooks)
{
    lm_fit *lm = &self->lm;

    if (lm->rows.weighted)
        hooks.measure = measure;
    if (lm->rows.weighted || self->observer != NULL)
        hooks.iterate = see_iterate;
    int status = lm_run(lm, &hooks, self);
    if (status == 0 && lm->rows.keeps && has_moved(&lm->state)) {
        status = lm_evaluate_jacobian(lm, &hooks, self);
        if (status < 0)
            lm->state.info = status;
    }
    self->stopped = status == FIT_STOPPED;
    if (status != FIT_FAILED && status >= 0 && lm->rows.weighted)
        status = end_weighted(self);
    return status == FIT_FAILED ? -1 : 0;
}

int fit_run(fit *self)
{
    lm_hooks hooks = {
        .residuals = evaluate_residuals,
        .jacobian = self->analytic ? evaluate_jacobian : NULL,
        .points = self->vectorized    ? points_vectorized
                  : self->map != NULL ? points_mapped
                                      : NULL,
        .accept = accept_trial,
        .compute = compute_unlocked,
    };

    if (fit_run_hooks(self, hooks) < 0)
        return -1;
    if (self->fvec != NULL || !self->shows_arrays)
        return 0;
    /* The input was bad, and the residuals at the start have not been asked for. */
    return accept_trial(self, &self->lm) != 0 ? -1 : 0;
}

int fit_allocate(fit *self, npy_intp m, PyArrayObject *diag)
{
    lm_fit *lm = &self->lm;
    npy_intp n = PyArray_DIM(self->x, 0), shape[2] = {n, m};

    if (m > INT_MAX || n > INT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned %zd residuals; at most %d are possible",
                     self->func.name, (Py_ssize_t)m, INT_MAX);
        return -1;
    }
    lm->rows.m = (int)m;
    lm->rows.n = (int)n;
    lm->rows.defers =
        !self->analytic && !self->vectorized && self->observer == NULL && !lm->rows.keeps;
    lm->state.x = doubles(self->x);
    if (self->lower != NULL) {
        lm->state.lower = doubles(self->lower);
        lm->state.upper = doubles(self->upper);
    }
    if (self->diff_step != NULL)
        lm->differences.diff_step = doubles(self->diff_step);
    if (self->shows_arrays || (double)m * n * sizeof(double) >= LARGE_ARRAY) {
        self->fjac = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
        if (self->fjac == NULL)
            return -1;
        lm->rows.fjac = doubles(self->fjac);
        lm->rows.ldfjac = (int)m;
    }
    if (lm->rows.fvec == NULL && (self->shows_arrays || self->observer != NULL))
        lm->rows.fvec = doubles(self->trial); /* until the first iterate */
    int makes_fvec = lm->rows.fvec == NULL;
    self->memory = PyMem_Malloc(lm_lay_out(lm, NULL));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    lm_lay_out(lm, self->memory);
    if (makes_fvec)
        self->own_fvec = lm->rows.fvec;
    lm->state.mode = diag != NULL ? 2 : 1;
    if (diag != NULL)
        memcpy(lm->state.diag, doubles(diag), (size_t)n * sizeof(double));
    return 0;
}

/* --- Arguments ------------------------------------------------------------------ */

int fit_read_start(fit *self, PyObject *x0)
{
    lm_state *s = &self->lm.state;
    PyArrayObject *start = vector_argument(x0, "x0", 1); /* new */

    if (start == NULL)
        return -1;
    npy_intp n = PyArray_DIM(start, 0);
    self->x = (PyArrayObject *)PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
    if (self->x != NULL)
        memcpy(doubles(self->x), doubles(start), (size_t)n * sizeof(double));
    Py_DECREF(start);
    if (s->maxfev == 0)
        s->maxfev =
            (int)((self->analytic ? 100 : 200) * (n < 10000000 ? n + 1 : 10000000));
    return self->x != NULL ? 0 : -1;
}

int fit_read_differences(fit *self, PyObject *jac, int is_compiled)
{
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
        self->lm.differences.points = 3;
    self->analytic = self->complex_steps;
    if (self->analytic || self->lm.differences.points == 3
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
    self->lm.rows.weighted = !is_linear(&self->loss);
    if (self->lm.rows.weighted)
        self->lm.rows.keeps = 1; /* the Jacobian is weighed again at the end */
    return 0;
}

int fit_read_kernels(fit *self, PyObject *name)
{
    static const char FAST[] = "fast:";
    const char *text =
        PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL; /* borrowed */
    const lm_kernels *kernels = NULL;

    if (text != NULL && strcmp(text, "fast") == 0)
        return 0; /* by default */
    if (text != NULL) {
        if (strncmp(text, FAST, strlen(FAST)) == 0)
            text += strlen(FAST);
        kernels = lm_kernels_named(text);
    }
    if (kernels != NULL) {
        self->lm.rows.kernels = kernels;
        self->lm.state.mends = strcmp(text, "reference") != 0;
        return 0;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "kernels must be 'fast' or 'reference', not %R",
                     name);
    return -1;
}

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

void fit_init(fit *self)
{
    memset(self, 0, sizeof *self);
    lm_defaults(&self->lm, 0, 0);
    self->lm.state.maxfev = 0; /* its default depends on n */
    self->lm.brings = 1;
}

void fit_clear(fit *self)
{
    callback_clear(&self->func);
    callback_clear(&self->Dfun);
    loss_clear(&self->loss);
    Py_CLEAR(self->x);
    Py_CLEAR(self->fvec);
    Py_CLEAR(self->fjac);
    Py_CLEAR(self->ipvt);
    Py_CLEAR(self->qtf);
    Py_CLEAR(self->trial);
    Py_CLEAR(self->lower);
    Py_CLEAR(self->upper);
    Py_CLEAR(self->diff_step);
    PyMem_Free(self->memory);
}

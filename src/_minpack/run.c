/* How a fit runs: the hooks that lm_run calls, which call the user's functions. */
#include "fit.h"

#include "crew.h"
#include "heap.h"
#include "iterate.h"
#include "points.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define COMPLEX_STEP 1e-20 /* relative to x */

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

/* Rows of values that are put where they stay together */
enum { PUT = 65536 };

static void put_rows(void *context, int k, int worker)
{
    const fit *self = context;
    npy_intp first = (npy_intp)k * PUT, left = self->lm.rows.m - first;

    (void)worker;
    data_put_rows(self->data, doubles(self->put), first, left < PUT ? left : PUT,
                  self->put_to);
}

/* Make residuals of what f returned where they stay, beside the next evaluation if there
 * is one and if nobody else can change the array. */
static void begin_put(fit *self, PyObject *answer /* stolen */, double *to)
{
    lm_fit *lm = &self->lm;
    int count = lm->rows.m / PUT + (lm->rows.m % PUT != 0);
    int waits = self->crew == NULL || !is_ours_alone((PyArrayObject *)answer)
                || lm_next_point(lm, lm->differences.moved) < 0;

    self->put = (PyArrayObject *)answer;
    self->put_to = to;
    if (!waits) {
        crew_begin(self->crew, count, put_rows, self);
        return;
    }
    for (int k = 0; k < count; k++)
        put_rows(self, k, 0);
    Py_CLEAR(self->put);
}

static void end_put(fit *self)
{
    if (self->put == NULL)
        return;
    crew_end(self->crew);
    Py_CLEAR(self->put);
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
    end_put(self);                                       /* of the point before */
    if (answer == NULL)
        return -1;
    double *to = self->lm.own_trial;
    if (to != NULL && self->data != NULL
        && data_can_put(self->data, answer, self->lm.rows.m)) {
        begin_put(self, answer /* steals */, to);
        return 0;
    }
    return fit_take_answer(self, answer /* steals */, epsilon);
}

int fit_evaluate_start(fit *self, int has_epsfcn)
{
    lm_differences *d = &self->lm.differences;

    self->knows_start = 1;
    if (evaluate(self, PyArray_DIM(self->x, 0), doubles(self->x), &d->rounding) < 0)
        return -1;
    if (!has_epsfcn)
        d->epsfcn = d->rounding;
    return 0;
}

static int evaluate_residuals(void *who, lm_fit *lm, const double *x)
{
    fit *self = who;

    if (self->knows_start)
        self->knows_start = 0;
    else if (evaluate(self, lm->rows.n, x, NULL) < 0)
        return FIT_FAILED;
    if (self->trial != NULL) /* else they are in own_trial */
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

    if (self->loss.function.name == NULL) {
        lm->state.fnorm_trial =
            lm_norm_by_blocks(&lm->rows, lm->trial, loss_of_block, &self->loss);
        return 0;
    }
    take_lock(self, 1);
    int status = loss_norm(&self->loss, lm->rows.m, lm->trial, &lm->state.fnorm_trial);
    give_lock(self, 1);
    return status < 0 ? FIT_FAILED : 0;
}

/* Weigh what the acceleration is found from. */
static int weigh_slope(void *who, lm_fit *lm)
{
    fit *self = who;
    lm_rows *rows = &lm->rows;
    int calls_python = self->loss.function.name != NULL;

    take_lock(self, calls_python);
    int status = loss_weigh(&self->loss, rows->m, 1, rows->fvec, rows->work_m, rows->m,
                            rows->fvec_weighted);
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
    return s->moved && has_jacobian_at_end(s);
}

/* The Jacobian at the solution with the weights of the loss itself, and its factors. */
static int end_weighted(fit *self)
{
    lm_fit *lm = &self->lm;
    lm_rows *rows = &lm->rows;
    int calls_python = self->loss.function.name != NULL;

    if (!self->stopped && !has_jacobian_at_end(&lm->state))
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

    if (lm->rows.weighted) {
        hooks.measure = measure;
        hooks.weigh_slope = weigh_slope;
    }
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
    PyObject *heap; /* new, or NULL */

    if (heap_open(&heap, self->lm.rows.m) < 0)
        return -1;
    int status = fit_run_hooks(self, hooks);
    if (heap_close(heap /* steals */) < 0 || status < 0)
        return -1;
    if (self->fvec != NULL || !self->shows_arrays)
        return 0;
    /* The input was bad, and the residuals at the start have not been asked for. */
    return accept_trial(self, &self->lm) != 0 ? -1 : 0;
}

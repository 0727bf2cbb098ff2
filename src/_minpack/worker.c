#include "worker.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "abreast.h"
#include "groups.h"
#include "result.h"

/* --- One fit, without the lock ---------------------------------------------- */

/* The data of fit i into the slot; m becomes the number of its points. */
static void load_fit(worker *w, slot *own, npy_intp i)
{
    batch *b = w->batch;
    lm_state *s = &own->lm.state;
    lm_rows *rows = &own->lm.rows;

    own->fit = i;
    if (b->mask != NULL) {
        own->mask = (const npy_bool *)row_of(b->mask, i);
        rows->m = 0;
        for (npy_intp j = 0; j < b->points; j++)
            rows->m += !own->mask[j];
        rows->ldfjac = rows->m;
    }
    memcpy(s->x, row_of(b->x, i), (size_t)rows->n * sizeof(double));
    if (b->lower != NULL) {
        s->lower = (const double *)row_of(b->lower, i);
        s->upper = (const double *)row_of(b->upper, i);
    }
    if (!b->is_curve)
        return;
    read_row(b->ydata, i, b->points, own->mask, own->y);
    if (b->sigma != NULL) {
        read_row(b->sigma, i, b->points, own->mask, own->own_w);
        for (int j = 0; j < rows->m; j++)
            own->own_w[j] = 1 / own->own_w[j];
        own->w = own->own_w;
    } else if (b->weights != NULL && own->mask != NULL) {
        const double *weights = doubles(b->weights);
        double *to = own->own_w;
        for (npy_intp j = 0; j < b->points; j++)
            if (!own->mask[j])
                *to++ = weights[j];
        own->w = own->own_w;
    } else if (b->weights != NULL) {
        own->w = doubles(b->weights);
    }
}

/* The covariance, or NaN where it is not known. */
static void store_cov(worker *w, slot *own)
{
    batch *b = w->batch;
    npy_intp n = own->lm.rows.n, size = n * n;
    double *cov = doubles(b->cov) + own->fit * size;

    if (covariance_of(&own->lm.state, own->lm.rows.m, b->scales_cov, cov, w->cov_work)
        != COVARIANCE_KNOWN)
        fill_nan(cov, size);
}

/* The Jacobian at the solution with the weights of the loss itself, and its factors. */
static void end_weighted(worker *w, slot *own)
{
    lm_rows *rows = &own->lm.rows;

    if (!has_jacobian_at_end(&own->lm.state))
        return;
    loss_show_curvature(&w->batch->loss, rows->m, rows->n, rows->fvec, rows->fjac,
                        rows->ldfjac, rows->fvec_weighted);
    lm_linearize(&own->lm);
}

void worker_end_fit(worker *w, slot *own)
{
    batch *b = w->batch;
    const lm_state *s = &own->lm.state;
    npy_intp i = own->fit;
    double *x = doubles(b->x) + i * s->n;
    /* Where it is not, x is still the start, which is no result. */
    int is_evaluated = s->nfev > 0 && isfinite(s->fnorm);

    if (own->lm.rows.weighted)
        end_weighted(w, own);
    if (is_evaluated)
        memcpy(x, s->x, (size_t)s->n * sizeof(double));
    else
        fill_nan(x, s->n);
    doubles(b->cost)[i] = is_evaluated ? 0.5 * s->fnorm * s->fnorm : NAN;
    ((int *)PyArray_DATA(b->nfev))[i] = s->nfev;
    ((int *)PyArray_DATA(b->ier))[i] = s->info;
    if (b->lower != NULL && is_evaluated)
        memcpy((int *)PyArray_DATA(b->active) + i * s->n, s->active,
               (size_t)s->n * sizeof(int));
    store_cov(w, own);
    atomic_fetch_add_explicit(&b->done, 1, memory_order_relaxed);
}

int worker_take_fit(worker *w, slot *own)
{
    batch *b = w->batch;

    own->fit = -1;
    own->asks = ASKS_NOTHING;
    own->has_ended = 0;
    if (w->number >= atomic_load_explicit(&b->allowed, memory_order_relaxed))
        return 0;
    npy_intp i = (npy_intp)atomic_fetch_add(&b->next, 1);
    if (i >= b->count)
        return 0;
    load_fit(w, own, i);
    return 1;
}

int worker_ask_point(slot *own, int point)
{
    lm_fit *lm = &own->lm;

    own->point = lm_next_point(lm, point);
    if (own->point < 0 && lm_more_points(lm))
        own->point = lm_next_point(lm, -1);
    if (own->point < 0)
        return 0;
    lm_move_to(lm, own->point);
    own->asks = ASKS_RESIDUALS;
    return 1;
}

/* The norm of trial residuals, or with a loss the root of twice the cost. */
static double norm_of(batch *b, const lm_fit *lm)
{
    if (!lm->rows.weighted)
        return lm_rows_norm(&lm->rows, lm->trial);
    return lm_norm_by_blocks(&lm->rows, lm->trial, loss_of_block, &b->loss);
}

static void weigh_by_loss(batch *b, lm_rows *rows)
{
    loss_weigh(&b->loss, rows->m, rows->n, rows->fvec, rows->fjac, rows->ldfjac,
               rows->fvec_weighted);
}

static void weigh_slope_by_loss(batch *b, lm_rows *rows)
{
    loss_weigh(&b->loss, rows->m, 1, rows->fvec, rows->work_m, rows->m,
               rows->fvec_weighted);
}

/* The answer to LM_ACCELERATE from the residuals at trial. */
static void find_bend(batch *b, lm_fit *lm)
{
    lm_slope(lm);
    if (lm->rows.weighted)
        weigh_slope_by_loss(b, &lm->rows);
    lm_bend(lm);
}

/* All of the Jacobian is there: weigh it by a loss, and factor it if the fit goes on. */
static void finish_jacobian(worker *w, slot *own)
{
    if (own->lm.rows.weighted)
        weigh_by_loss(w->batch, &own->lm.rows);
    if (!own->has_ended)
        lm_linearize(&own->lm);
}

/* Ask for what the Jacobian takes: 0 where that is nothing. */
static int ask_jacobian(worker *w, slot *own)
{
    if (w->batch->analytic) {
        own->lm.njev++;
        own->asks = ASKS_JACOBIAN;
        return 1;
    }
    lm_first_points(&own->lm);
    return worker_ask_point(own, -1);
}

/* Whether a loss has to weigh the Jacobian at an x that the last step has moved to. */
static int wants_jacobian_at_end(const lm_fit *lm)
{
    return lm->rows.weighted && lm->state.moved && has_jacobian_at_end(&lm->state);
}

/* Let the slot's fit, or the next ones, go on to the next evaluation. */
static void advance(worker *w, slot *own)
{
    lm_fit *lm = &own->lm;

    for (;;) {
        if (own->has_ended) {
            worker_end_fit(w, own);
            if (!worker_take_fit(w, own))
                return;
            lm_start_fit(lm);
        }
        lm_step(&lm->state);
        if (lm->state.moved)
            memcpy(lm->rows.fvec, lm->trial, (size_t)lm->rows.m * sizeof(double));
        switch (lm->state.request) {
        case LM_RESIDUALS:
        case LM_ACCELERATE:
            own->asks = ASKS_RESIDUALS;
            own->point = -1;
            return;
        case LM_LINEARIZE:
            if (ask_jacobian(w, own))
                return;
            finish_jacobian(w, own);
            break;
        case LM_DONE:
            own->has_ended = 1;
            if (!wants_jacobian_at_end(lm))
                break;
            if (ask_jacobian(w, own))
                return;
            finish_jacobian(w, own);
            break;
        }
    }
}

const double *worker_residuals(worker *w, const slot *own, const answer *a, int k)
{
    batch *b = w->batch;
    const char *from = PyArray_BYTES(a->array) + k * a->strides[0];
    const double *f = (const double *)from;

    if (a->strides[1] != sizeof(double)) {
        for (npy_intp j = 0; j < b->points; j++, from += a->strides[1])
            w->row[j] = *(const double *)from;
        f = w->row;
    }
    if (!b->is_curve)
        return f;
    weigh_residuals(b->points, f, own->y, own->w, own->mask, w->trial);
    return w->trial;
}

void use_residuals(worker *w, slot *own, const answer *a, int k)
{
    batch *b = w->batch;
    lm_fit *lm = &own->lm;
    const double *f = worker_residuals(w, own, a, k);

    lm->trial = f;
    if (lm->state.request == LM_ACCELERATE) {
        find_bend(b, lm);
    } else if (own->point < 0) {
        if (lm->state.nfev == 1) /* as with one fit: the first answer tells */
            lm->differences.rounding = a->epsilon;
        if (lm->state.nfev == 1 && !b->has_epsfcn)
            lm->differences.epsfcn = a->epsilon;
        lm->state.fnorm_trial = norm_of(b, lm);
    } else {
        lm_take_point(lm, own->point, f);
        if (worker_ask_point(own, own->point))
            return;
        finish_jacobian(w, own);
    }
    advance(w, own);
}

void use_jacobian(worker *w, slot *own, const answer *a, int k)
{
    lm_rows *rows = &own->lm.rows;

    weigh_derivatives(w->batch->points, rows->n,
                      PyArray_BYTES(a->array) + k * a->strides[0], a->strides[1],
                      a->strides[2], own->w, own->mask, rows->fjac, rows->ldfjac);
    finish_jacobian(w, own);
    advance(w, own);
}

/* --- With Python's lock ------------------------------------------------------- */

int worker_is_stopped(const worker *w)
{
    return atomic_load_explicit(&w->batch->stops, memory_order_relaxed);
}

int worker_ask(worker *w, int count, int is_jacobian, answer *a)
{
    question *q = is_jacobian ? &w->jacobian : &w->residuals;

    if (is_jacobian && w->batch->is_pair) {
        *a = w->derivatives_too;
        Py_INCREF(a->array);
        return 0;
    }
    Py_CLEAR(w->derivatives_too.array);
    for (int k = 0; k < count; k++)
        w->slots[w->asking[k]].row = k;
    return question_ask(q, w, count, is_jacobian, a);
}

/* One call of a function for all fits that ask for it, and what it lets them do.
 * Returns how many there were, or -1. */
static int serve(worker *w, int is_jacobian)
{
    batch *b = w->batch;
    int count = 0;
    answer a;

    for (int k = 0; k < b->chunk; k++)
        if (w->slots[k].asks == (is_jacobian ? ASKS_JACOBIAN : ASKS_RESIDUALS))
            w->asking[count++] = k;
    if (count == 0)
        return 0;
    if (worker_ask(w, count, is_jacobian, &a) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < count; k++) {
        slot *own = &w->slots[w->asking[k]];
        (is_jacobian ? use_jacobian : use_residuals)(w, own, &a, own->row);
    }
    Py_END_ALLOW_THREADS
    Py_DECREF(a.array);
    /* A compiled function runs no bytecode, so nobody else looks for Ctrl-C. */
    return PyErr_CheckSignals() < 0 ? -1 : count;
}

/* The first fits, one by one. Returns 1. */
static int start_slots(worker *w)
{
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < w->batch->chunk && worker_take_fit(w, &w->slots[k]); k++) {
        lm_start_fit(&w->slots[k].lm);
        advance(w, &w->slots[k]);
    }
    Py_END_ALLOW_THREADS
    return 1;
}

int work_with_python(worker *w)
{
    batch *b = w->batch;
    int status = w->groups != NULL ? work_in_groups(w) : start_slots(w);

    if (status <= 0)
        return status;
    while (!worker_is_stopped(w)) {
        int count = serve(w, 0);
        int jacobians = count < 0 ? -1 : serve(w, 1);
        if (jacobians < 0)
            return -1;
        if (count == 0 && jacobians == 0)
            break;
        atomic_fetch_add_explicit(&b->served, count + jacobians, memory_order_relaxed);
    }
    return 0;
}

/* --- Compiled functions --------------------------------------------------------- */

enum { STOPPED = 1 }; /* what a hook of lm_run returns then */

void *worker_user_data(worker *w, npy_intp i)
{
    const batch *b = w->batch;

    for (int k = 0; b->program != NULL && k < b->program->narrays; k++)
        program_run_base(w->run, k,
                         row_of((PyArrayObject *)PyTuple_GET_ITEM(b->args, k), i));
    if (b->program != NULL)
        return w->run;
    if (b->data != NULL)
        return (void *)row_of(b->data, i);
    if (b->residuals.user_data != NULL || b->x_rows == NULL)
        return b->residuals.user_data;
    return (void *)row_of(b->x_rows, i);
}

/* A compiled model is asked for all points. */

int worker_evaluate(worker *w, slot *own, const double *x)
{
    batch *b = w->batch;
    double *to = b->is_curve ? w->row : own->lm.own_trial;

    int status = ((lm_residuals)b->residuals.address)((int)b->points, own->lm.rows.n, x,
                                                      to, w->user_data);

    if (status < 0)
        return status;
    if (b->is_curve)
        weigh_residuals(b->points, to, own->y, own->w, own->mask, own->lm.own_trial);
    return 0;
}

static int compiled_residuals(void *who, lm_fit *lm, const double *x)
{
    worker *w = who;
    int status = worker_evaluate(w, w->slots, x);

    (void)lm; /* that of the slot */
    if (status < 0)
        return status;
    return worker_is_stopped(w) ? STOPPED : 0;
}

static int compiled_jacobian(void *who, lm_fit *lm)
{
    worker *w = who;
    batch *b = w->batch;
    const slot *own = w->slots;
    lm_rows *rows = &lm->rows;
    double *to = own->mask != NULL ? w->derivatives : rows->fjac;
    int ld = own->mask != NULL ? (int)b->points : rows->ldfjac;
    int status = ((lm_jacobian)b->jacobian.address)((int)b->points, rows->n, lm->state.x,
                                                    to, ld, w->user_data);

    if (status < 0)
        return status;
    if (own->w != NULL || own->mask != NULL)
        weigh_derivatives(b->points, rows->n, (const char *)to, sizeof *to,
                          ld * (npy_intp)sizeof *to, own->w, own->mask, rows->fjac,
                          rows->ldfjac);
    return worker_is_stopped(w) ? STOPPED : 0;
}

static int compiled_norm(void *who, lm_fit *lm)
{
    worker *w = who;

    lm->state.fnorm_trial = norm_of(w->batch, lm);
    return 0;
}

static int weigh_iterate(void *who, lm_fit *lm)
{
    worker *w = who;

    weigh_by_loss(w->batch, &lm->rows);
    return 0;
}

static int weigh_slope(void *who, lm_fit *lm)
{
    worker *w = who;

    weigh_slope_by_loss(w->batch, &lm->rows);
    return 0;
}

void work_without_python(worker *w)
{
    batch *b = w->batch;
    slot *own = w->slots;
    if (w->abreast != NULL) {
        work_abreast(w);
        return;
    }
    lm_hooks hooks = {
        .residuals = compiled_residuals,
        .jacobian = b->analytic ? compiled_jacobian : NULL,
    };

    if (b->fit.rows.weighted) {
        hooks.measure = compiled_norm;
        hooks.iterate = weigh_iterate;
        hooks.weigh_slope = weigh_slope;
    }

    while (!worker_is_stopped(w) && worker_take_fit(w, own)) {
        w->user_data = worker_user_data(w, own->fit);
        int status = lm_run(&own->lm, &hooks, w);
        if (status == 0 && wants_jacobian_at_end(&own->lm)) {
            status = lm_evaluate_jacobian(&own->lm, &hooks, w);
            if (status < 0)
                own->lm.state.info = status;
        }
        if (status == STOPPED)
            return;
        worker_end_fit(w, own);
    }
}

/* --- A worker's memory -------------------------------------------------------- */

/* Divides a block of memory, or where there is none yet finds how large it must be. */
typedef struct {
    char *memory;
    size_t used;
} divider;

static void *divide(divider *d, size_t count, size_t size)
{
    void *part = d->memory != NULL && count > 0 ? d->memory + d->used : NULL;

    d->used += (count * size + 63) / 64 * 64;
    return part;
}

static void lay_out_question(question *q, divider *d, const batch *b)
{
    npy_intp n = b->fit.rows.n;

    q->narrays = b->is_curve ? 1 + n : 2;
    q->nargs = b->is_curve ? 1 + n : 2 + PyTuple_GET_SIZE(b->args);
    q->stack = divide(d, (size_t)q->nargs + 1, sizeof *q->stack);
    q->arrays = divide(d, (size_t)q->narrays, sizeof *q->arrays);
    q->holds = divide(d, (size_t)b->chunk, sizeof *q->holds);
}

/* The arrays of a fit, but for those that all fits of the worker share. */
static void lay_out_slot(slot *own, lm_fit *lm, divider *d, const batch *b)
{
    size_t m = (size_t)b->fit.rows.m, size = sizeof(double);
    int has_own_weights = b->sigma != NULL || (b->weights != NULL && b->mask != NULL);

    void *arrays = divide(d, lm_lay_out(lm, NULL), 1);
    double *y = divide(d, b->is_curve ? m : 0, size);
    double *own_w = divide(d, has_own_weights ? m : 0, size);
    /* Not the distance of a power of 2, or the columns of all slots share a few places
     * of the cache. */
    if (d->used / 64 % 2 == 0)
        divide(d, 1, 1);
    if (d->memory == NULL)
        return;
    lm_lay_out(lm, arrays);
    own->lm = *lm;
    own->y = y;
    own->own_w = own_w;
    own->fit = -1;
}

/* Whether a compiled model computes derivatives of points that are masked. */
static int leaves_out_rows(const batch *b)
{
    return b->is_compiled && b->is_curve && b->analytic && b->mask != NULL;
}

/* Called twice: without memory for its size, then with it. */
static void lay_out(worker *w, divider *d)
{
    batch *b = w->batch;
    size_t n = (size_t)b->fit.rows.n, m = (size_t)b->fit.rows.m, chunk = (size_t)b->chunk;

    w->slots = divide(d, chunk, sizeof *w->slots);
    w->asking = divide(d, chunk, sizeof *w->asking);
    w->trial = divide(d, m, sizeof(double));
    w->row = divide(d, m, sizeof(double));
    w->derivatives = divide(d, leaves_out_rows(b) ? m * n : 0, sizeof(double));
    w->cov_work = divide(d, n * n, sizeof(double));
    w->x_trial = divide(d, chunk * n, sizeof(double));
    lay_out_question(&w->residuals, d, b);
    lay_out_question(&w->jacobian, d, b);
    /* What no fit needs between two steps is there once. */
    lm_fit lm = b->fit;
    lm.own_trial = w->trial;
    lm.rows.work_m = divide(d, m, sizeof(double));
    int keeps = lm.rows.keeps || lm.state.accelerates;
    lm.rows.copy = divide(d, keeps ? m * n : 0, sizeof(double));
    lm.rows.scratch = divide(d, lm_rows_scratch(&lm.rows), 1);
    for (size_t k = 0; k < chunk; k++) {
        lm_fit own = lm;
        own.state.x_trial = w->x_trial + k * n;
        lay_out_slot(&w->slots[k], &own, d, b);
    }
}

int worker_init(worker *w, batch *b)
{
    divider d = {NULL, 0};

    w->batch = b;
    w->number = atomic_fetch_add(&b->started, 1);
    lay_out(w, &d);
    w->memory = PyMem_Calloc(1, d.used + 64);
    if (w->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    d.memory = (char *)(((uintptr_t)w->memory + 63) / 64 * 64);
    d.used = 0;
    lay_out(w, &d);
    if (b->program != NULL) {
        w->run = program_run_new(b->program);
        if (w->run == NULL)
            return -1;
    }
    if (b->is_compiled)
        return b->chunk > 1 && (w->abreast = abreast_new(w)) == NULL ? -1 : 0;
    question_init(&w->residuals, b, b->func, b->is_curve ? "f" : "func");
    const char *jac = b->is_curve ? "jac" : "Dfun";
    const char *of_pair =
        b->is_curve ? "f, for its Jacobian," : "func, for its Jacobian,";
    question_init(&w->jacobian, b, b->Dfun, b->is_pair ? of_pair : jac);
    if (batch_goes_in_groups(b) && (w->groups = groups_new(w)) == NULL)
        return -1;
    return 0;
}

void worker_clear(worker *w)
{
    if (w->memory == NULL)
        return;
    Py_CLEAR(w->derivatives_too.array);
    question_clear(&w->residuals);
    question_clear(&w->jacobian);
    program_run_free(w->run);
    abreast_free(w->abreast);
    groups_free(w->groups);
    PyMem_Free(w->memory);
}

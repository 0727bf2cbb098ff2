#include "batch.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "answers.h"
#include "compiled.h"
#include "fit.h"
#include "kernels.h"

static const char CAPSULE[] = "minpack.batch";

/* What all workers share. Only the last group changes once it has been made, and of the
 * results each row is written by the worker that has its fit. */
typedef struct {
    lm_state state; /* what all fits have in common */
    npy_intp count;
    npy_intp points; /* of each fit, those that are masked included */
    int chunk;       /* fits in flight, for each worker */
    int is_curve;    /* f(xdata, *parameters) - ydata, else func(x, rows, *args) */
    int is_compiled;
    int scales_cov; /* by the variance of the residuals */

    /* References are ours, or NULL. */
    PyObject *func;
    PyObject *Dfun;
    PyObject *args; /* tuple; of a curve (xdata,) */
    compiled residuals;
    compiled jacobian;
    /* One row for each fit, or one with a stride of zero for all; float64 or float32 */
    PyArrayObject *x_rows;  /* (count, points) xdata where each fit has its own, or NULL;
                               for a compiled model (count, ...), its user_data where
                               nothing else is */
    PyArrayObject *ydata;   /* (count, points) */
    PyArrayObject *weights; /* (points,) for all fits, or NULL */
    PyArrayObject *sigma;   /* (count, points) where each fit has its own, or NULL */
    PyArrayObject *mask;    /* (count, points) bool, true: left out; or NULL */
    PyArrayObject *lower;   /* (count, n) or NULL */
    PyArrayObject *upper;   /* (count, n) or NULL */
    PyArrayObject *data;    /* (count, ...) user_data, or NULL */
    /* The results; x holds the starts before. */
    PyArrayObject *x;      /* (count, n) */
    PyArrayObject *cov;    /* (count, n, n) */
    PyArrayObject *cost;   /* (count,) */
    PyArrayObject *nfev;   /* (count,) int */
    PyArrayObject *ier;    /* (count,) int */
    PyArrayObject *active; /* (count, n) int, zeros */

    atomic_llong next;
    atomic_llong done;
    atomic_int stops;
} batch;

/* A fit in flight. */
typedef struct {
    lm_state state;
    npy_intp fit; /* its row; -1: none */
    const npy_bool *mask;
    const double *w; /* (m) the weights, or NULL */
    double *y;       /* (m) */
    double *own_w;   /* (m) room for weights, or NULL */
    int asks;        /* the request that the next round will see to */
} slot;

/* The arguments of a function, which are used again in the next call unless the function
 * has kept them. */
typedef struct {
    callback function; /* who it is; the arguments are here */
    Py_ssize_t nargs;
    PyObject **stack;       /* a free slot, then the arguments; all borrowed */
    PyArrayObject **arrays; /* those of the arguments that are ours */
    Py_ssize_t narrays;
    npy_intp *holds; /* (chunk) whose x each row of x_rows is */
} question;

/* What came back: one row for each fit that asked. */
typedef struct {
    PyArrayObject *array; /* ours */
    npy_intp strides[3];  /* of the fits, the points and the parameters, 0: repeated */
    double epsilon;       /* relative spacing of the type that it was computed in */
} answer;

typedef struct {
    batch *batch;  /* borrowed */
    slot *slots;   /* (chunk) */
    int *asking;   /* (chunk) the slots that a call serves */
    double *trial; /* (m) the residuals of the fit that is being advanced */
    double *row;   /* (m) an answer that was not contiguous, or a compiled model's */
    double
        *derivatives; /* (m, n) of a compiled model before some are left out, or NULL */
    void *user_data;  /* of the fit that a compiled model is called for */
    double *cov_work;
    double *x_trial; /* (chunk, n) */
    question residuals;
    question jacobian;
    void *memory; /* all of the above, and what the states need */
} worker;

static const char *row_of(PyArrayObject *array, npy_intp i)
{
    return PyArray_BYTES(array) + i * PyArray_STRIDE(array, 0);
}

/* --- One fit, without the lock ---------------------------------------------- */

/* The points of row i that are not masked, as float64. */
static void read_row(PyArrayObject *array, npy_intp i, npy_intp points,
                     const npy_bool *mask, double *to)
{
    const char *from = row_of(array, i);
    npy_intp stride = PyArray_STRIDE(array, 1);
    int is_float = PyArray_TYPE(array) == NPY_FLOAT;

    if (mask == NULL && !is_float && stride == sizeof(double)) {
        memcpy(to, from, (size_t)points * sizeof(double));
        return;
    }
    for (npy_intp j = 0; j < points; j++, from += stride)
        if (mask == NULL || !mask[j])
            *to++ = is_float ? *(const float *)from : *(const double *)from;
}

/* (f - y) w of the points that are not masked; f has them all. */
static void weigh_residuals(npy_intp points, const double *f, const double *y,
                            const double *w, const npy_bool *mask, double *to)
{
    if (mask != NULL) {
        for (npy_intp j = 0; j < points; j++)
            if (!mask[j]) {
                double difference = f[j] - *y++;
                *to++ = w != NULL ? difference * *w++ : difference;
            }
    } else if (w != NULL) {
        for (npy_intp j = 0; j < points; j++)
            to[j] = (f[j] - y[j]) * w[j];
    } else {
        for (npy_intp j = 0; j < points; j++)
            to[j] = f[j] - y[j];
    }
}

static int is_within_bounds(const lm_state *s)
{
    for (int j = 0; j < s->n; j++)
        if (!(s->lower[j] <= s->x[j] && s->x[j] <= s->upper[j]))
            return 0;
    return 1;
}

/* The data of fit i into the slot; m becomes the number of its points. */
static void load_fit(worker *w, slot *own, npy_intp i)
{
    batch *b = w->batch;
    lm_state *s = &own->state;

    own->fit = i;
    if (b->mask != NULL) {
        own->mask = (const npy_bool *)row_of(b->mask, i);
        s->m = 0;
        for (npy_intp j = 0; j < b->points; j++)
            s->m += !own->mask[j];
        s->ldfjac = s->m;
    }
    memcpy(s->x, row_of(b->x, i), (size_t)s->n * sizeof(double));
    if (b->lower != NULL) {
        s->lower = (const double *)row_of(b->lower, i);
        s->upper = (const double *)row_of(b->upper, i);
    }
    s->deferred = is_worth_deferring(s);
    if (!b->is_curve)
        return;
    read_row(b->ydata, i, b->points, own->mask, own->y);
    if (b->sigma != NULL) {
        read_row(b->sigma, i, b->points, own->mask, own->own_w);
        for (int j = 0; j < s->m; j++)
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
    lm_state *s = &own->state;
    npy_intp size = (npy_intp)s->n * s->n;
    double *cov = doubles(b->cov) + own->fit * size;

    if (covariance_of(s, b->scales_cov, cov, w->cov_work) != COVARIANCE_KNOWN)
        fill_nan(cov, size);
}

static void end_fit(worker *w, slot *own)
{
    batch *b = w->batch;
    lm_state *s = &own->state;
    npy_intp i = own->fit;
    double *x = doubles(b->x) + i * s->n;
    /* Where it is not, x is still the start, which is no result. */
    int is_evaluated = s->nfev > 0 && isfinite(s->fnorm);

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

/* Take the next fit: 0 where none is left. Its state is as lm_start wants it. */
static int take_fit(worker *w, slot *own)
{
    batch *b = w->batch;
    lm_state *s = &own->state;

    for (;;) {
        npy_intp i = (npy_intp)atomic_fetch_add(&b->next, 1);
        own->fit = -1;
        own->asks = LM_DONE;
        if (i >= b->count)
            return 0;
        load_fit(w, own, i);
        /* No trace of the last fit, as in a new record */
        memset(&s->request, 0, sizeof *s - offsetof(lm_state, request));
        s->fnorm = NAN;
        if (s->m >= s->n && (b->lower == NULL || is_within_bounds(s)))
            return 1;
        s->info = LM_BAD_INPUT;
        end_fit(w, own);
    }
}

/* Weigh the derivatives of the points that are not masked, which may stay where they are.
 */
static void weigh_derivatives(const slot *own, npy_intp points, const char *from,
                              npy_intp row, npy_intp column)
{
    const lm_state *s = &own->state;
    npy_intp i = 0;

    for (npy_intp j = 0; j < points; j++, from += row) {
        if (own->mask != NULL && own->mask[j])
            continue;
        for (int p = 0; p < s->n; p++) {
            double d = *(const double *)(from + p * column);
            s->fjac[i + p * (npy_intp)s->ldfjac] = own->w != NULL ? d * own->w[i] : d;
        }
        i++;
    }
}

/* Let the slot's fit, or the next ones, go on to the next evaluation. */
static void advance(worker *w, slot *own)
{
    lm_state *s = &own->state;

    for (;;) {
        lm_step(s);
        switch (s->request) {
        case LM_RESIDUALS:
        case LM_DIFFERENCE:
            own->asks = LM_RESIDUALS;
            return;
        case LM_JACOBIAN:
            own->asks = LM_JACOBIAN;
            return;
        case LM_ACCEPT:
            memcpy(s->fvec, s->fvec_trial, (size_t)s->m * sizeof(double));
            break;
        case LM_DONE:
            end_fit(w, own);
            if (!take_fit(w, own))
                return;
            lm_start(s);
            break;
        }
    }
}

/* Row k of an answer is the residuals that the slot's fit asked for. */
static void use_residuals(worker *w, slot *own, const answer *a, int k)
{
    batch *b = w->batch;
    lm_state *s = &own->state;
    const char *from = PyArray_BYTES(a->array) + k * a->strides[0];
    const double *f = (const double *)from;

    if (a->strides[1] != sizeof(double)) {
        for (npy_intp j = 0; j < b->points; j++, from += a->strides[1])
            w->row[j] = *(const double *)from;
        f = w->row;
    }
    if (b->is_curve) {
        weigh_residuals(b->points, f, own->y, own->w, own->mask, w->trial);
        f = w->trial;
    }
    s->fvec_trial = f;
    if (s->nfev == 1) /* as with one fit: the first answer tells */
        s->epsfcn = s->rounding = a->epsilon;
    advance(w, own);
}

/* The same with a Jacobian, stored by columns. */
static void use_jacobian(worker *w, slot *own, const answer *a, int k)
{
    weigh_derivatives(own, w->batch->points, PyArray_BYTES(a->array) + k * a->strides[0],
                      a->strides[1], a->strides[2]);
    advance(w, own);
}

/* --- Asking the user's function --------------------------------------------- */

/* The rows of xdata that belong to the fits; a row that is there is not read again, and
 * so the function must not change it. */
static int fill_x_rows(worker *w, question *q, int count)
{
    batch *b = w->batch;
    npy_intp shape[2] = {count, b->points};
    PyArrayObject *before = q->arrays[0];

    if (before != NULL && Py_REFCNT(before) == 1)
        PyArray_ENABLEFLAGS(before, NPY_ARRAY_WRITEABLE);
    PyArrayObject *x = array_to_fill(&q->arrays[0], 2, shape, NPY_DOUBLE);
    if (x == NULL)
        return -1;
    for (int k = 0; k < count; k++) {
        npy_intp fit = w->slots[w->asking[k]].fit;
        if (x == before && q->holds[k] == fit)
            continue;
        read_row(b->x_rows, fit, b->points, NULL, doubles(x) + k * b->points);
        q->holds[k] = fit;
    }
    PyArray_CLEARFLAGS(x, NPY_ARRAY_WRITEABLE);
    q->stack[1] = (PyObject *)x;
    return 0;
}

/* f(xdata, *parameters), each of them a column */
static int fill_curve(worker *w, question *q, int count, int at_trial)
{
    npy_intp shape[2] = {count, 1};
    int n = w->batch->state.n;

    if (w->batch->x_rows != NULL && fill_x_rows(w, q, count) < 0)
        return -1;
    for (int p = 0; p < n; p++) {
        PyArrayObject *column = array_to_fill(&q->arrays[1 + p], 2, shape, NPY_DOUBLE);
        if (column == NULL)
            return -1;
        double *to = doubles(column);
        for (int k = 0; k < count; k++) {
            const lm_state *s = &w->slots[w->asking[k]].state;
            to[k] = (at_trial ? s->x_trial : s->x)[p];
        }
        q->stack[2 + p] = (PyObject *)column;
    }
    return 0;
}

/* func(x, rows, *args) */
static int fill_residuals(worker *w, question *q, int count, int at_trial)
{
    int n = w->batch->state.n;
    npy_intp shape[2] = {count, n};
    PyArrayObject *x = array_to_fill(&q->arrays[0], 2, shape, NPY_DOUBLE);
    PyArrayObject *rows = array_to_fill(&q->arrays[1], 1, shape, NPY_INTP);

    if (x == NULL || rows == NULL)
        return -1;
    for (int k = 0; k < count; k++) {
        const slot *own = &w->slots[w->asking[k]];
        memcpy(doubles(x) + (npy_intp)k * n, at_trial ? own->state.x_trial : own->state.x,
               (size_t)n * sizeof(double));
        ((npy_intp *)PyArray_DATA(rows))[k] = own->fit;
    }
    q->stack[1] = (PyObject *)x;
    q->stack[2] = (PyObject *)rows;
    return 0;
}

/* Whether the array can be read as one of this shape, and with what strides: of a curve
 * by broadcasting. */
static int find_strides(answer *a, int ndim, const npy_intp *shape, int broadcasts)
{
    int missing = ndim - PyArray_NDIM(a->array);

    if (missing < 0 || (missing > 0 && !broadcasts))
        return 0;
    for (int axis = 0; axis < ndim; axis++) {
        npy_intp size = axis < missing ? 1 : PyArray_DIM(a->array, axis - missing);
        if (size != shape[axis] && (size != 1 || !broadcasts))
            return 0;
        a->strides[axis] = size == 1 ? 0 : PyArray_STRIDE(a->array, axis - missing);
        if (size == 1
            && shape[axis] == 1) /* any stride will do: that of contiguous rows */
            a->strides[axis] = sizeof(double);
    }
    return 1;
}

/* `object` is stolen. */
static int take_answer(answer *a, PyObject *object, const question *q, int ndim,
                       const npy_intp *shape, int broadcasts)
{
    int type = NPY_DOUBLE;

    if (PyArray_CheckExact(object) && PyArray_TYPE((PyArrayObject *)object) == NPY_DOUBLE
        && PyArray_ISBEHAVED_RO((PyArrayObject *)object)) {
        a->array = (PyArrayObject *)object; /* the caller's reference */
    } else {
        a->array = real_array(&q->function, object,
                              NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED, &type);
        Py_DECREF(object);
        if (a->array == NULL)
            return -1;
    }
    a->epsilon = relative_spacing(type);
    if (find_strides(a, ndim, shape, broadcasts))
        return 0;

    PyObject *wanted = PyArray_IntTupleFromIntp(ndim, shape); /* new */
    PyObject *came = PyArray_IntTupleFromIntp(PyArray_NDIM(a->array),
                                              PyArray_DIMS(a->array)); /* new */
    if (wanted != NULL && came != NULL)
        PyErr_Format(PyExc_ValueError,
                     "%s must return an array %s %R, with a row for each fit that it is "
                     "called for; it returned shape %R",
                     q->function.name, broadcasts ? "that broadcasts to" : "of shape",
                     wanted, came);
    Py_XDECREF(wanted);
    Py_XDECREF(came);
    Py_CLEAR(a->array);
    return -1;
}

/* One call of a function for all fits that ask for it, and what it lets them do.
 * Returns how many there were, or -1. */
static int serve(worker *w, question *q, int request)
{
    batch *b = w->batch;
    int count = 0, is_jacobian = request == LM_JACOBIAN;
    npy_intp shape[3] = {0, b->points, b->state.n};
    answer a;

    for (int k = 0; k < b->chunk; k++)
        if (w->slots[k].asks == request)
            w->asking[count++] = k;
    if (count == 0)
        return 0;
    if ((b->is_curve ? fill_curve : fill_residuals)(w, q, count, !is_jacobian) < 0)
        return -1;
    PyObject *object = PyObject_Vectorcall(
        q->function.callable, q->stack + 1,
        (size_t)q->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL); /* new */
    if (object == NULL)
        return -1;
    shape[0] = count;
    if (take_answer(&a, object /* steals */, q, 2 + is_jacobian, shape, b->is_curve) < 0)
        return -1;

    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < count; k++)
        (is_jacobian ? use_jacobian : use_residuals)(w, &w->slots[w->asking[k]], &a, k);
    Py_END_ALLOW_THREADS
    Py_DECREF(a.array);
    /* A compiled function runs no bytecode, so nobody else looks for Ctrl-C. */
    return PyErr_CheckSignals() < 0 ? -1 : count;
}

static int is_stopped(void *who)
{
    return atomic_load_explicit(&((batch *)who)->stops, memory_order_relaxed);
}

/* Take fits into all slots and see to them until there are none left. */
static int work_with_python(worker *w)
{
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < w->batch->chunk && take_fit(w, &w->slots[k]); k++) {
        lm_start(&w->slots[k].state);
        advance(w, &w->slots[k]);
    }
    Py_END_ALLOW_THREADS
    while (!is_stopped(w->batch)) {
        int count = serve(w, &w->residuals, LM_RESIDUALS);
        int jacobians = count < 0 ? -1 : serve(w, &w->jacobian, LM_JACOBIAN);
        if (jacobians < 0)
            return -1;
        if (count == 0 && jacobians == 0)
            break;
    }
    return 0;
}

/* The residuals and their derivatives by a compiled model, which is asked for all points.
 * user_data is the worker. */

static int model_residuals_of_fit(int m, int n, const double *x, double *fvec, void *who)
{
    worker *w = who;
    const slot *own = w->slots;
    int points = (int)w->batch->points;
    lm_residuals f = (lm_residuals)w->batch->residuals.address;
    int status = f(points, n, x, w->row, w->user_data);

    (void)m;
    if (status >= 0)
        weigh_residuals(points, w->row, own->y, own->w, own->mask, fvec);
    return status;
}

static int model_jacobian_of_fit(int m, int n, const double *x, double *fjac, int ldfjac,
                                 void *who)
{
    worker *w = who;
    const slot *own = w->slots;
    int points = (int)w->batch->points;
    lm_jacobian jac = (lm_jacobian)w->batch->jacobian.address;
    double *to = own->mask != NULL ? w->derivatives : fjac;
    int ld = own->mask != NULL ? points : ldfjac;
    int status = jac(points, n, x, to, ld, w->user_data);

    (void)m;
    if (status >= 0)
        weigh_derivatives(own, points, (const char *)to, sizeof *to,
                          ld * (npy_intp)sizeof *to);
    return status;
}

/* The last argument of a compiled function for fit i. */
static void *user_data_of(const batch *b, npy_intp i)
{
    if (b->data != NULL)
        return (void *)row_of(b->data, i);
    if (b->residuals.user_data != NULL || b->x_rows == NULL)
        return b->residuals.user_data;
    return (void *)row_of(b->x_rows, i);
}

static void work_without_python(worker *w)
{
    batch *b = w->batch;
    slot *own = w->slots;
    compiled_fit fit = {
        .residuals =
            b->is_curve ? model_residuals_of_fit : (lm_residuals)b->residuals.address,
        .jacobian =
            b->is_curve ? model_jacobian_of_fit : (lm_jacobian)b->jacobian.address,
        .trial = w->trial,
        .is_stopped = is_stopped,
        .who = b,
    };

    while (!is_stopped(b) && take_fit(w, own)) {
        w->user_data = user_data_of(b, own->fit);
        fit.user_data = b->is_curve ? w : w->user_data;
        if (compiled_run(&fit, &own->state) < 0)
            return;
        end_fit(w, own);
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
    void *part = d->memory != NULL ? d->memory + d->used : NULL;

    d->used += (count * size + 63) / 64 * 64;
    return part;
}

static void lay_out_question(question *q, divider *d, const batch *b)
{
    npy_intp n = b->state.n;

    q->narrays = b->is_curve ? 1 + n : 2;
    q->nargs = b->is_curve ? 1 + n : 2 + PyTuple_GET_SIZE(b->args);
    q->stack = divide(d, (size_t)q->nargs + 1, sizeof *q->stack);
    q->arrays = divide(d, (size_t)q->narrays, sizeof *q->arrays);
    q->holds = divide(d, (size_t)b->chunk, sizeof *q->holds);
}

static void lay_out_slot(slot *own, divider *d, const batch *b)
{
    size_t n = (size_t)b->state.n, m = (size_t)b->state.m, size = sizeof(double);
    lm_state *s = &own->state;
    int has_own_weights = b->sigma != NULL || (b->weights != NULL && b->mask != NULL);
    size_t bounds = b->lower != NULL ? lm_bounds_work((int)n) : 0;

    double *small = divide(d, 9 * n, size);
    double *fjac = divide(d, m * n, size);
    double *fvec = divide(d, m, size);
    double *y = divide(d, b->is_curve ? m : 0, size);
    double *own_w = divide(d, has_own_weights ? m : 0, size);
    double *bounds_work = divide(d, bounds, size);
    int *ints = divide(d, (b->lower != NULL ? 6 : 1) * n, sizeof(int));
    /* Not the distance of a power of 2, or the columns of all slots share a few places
     * of the cache. */
    if (d->used / 64 % 2 == 0)
        divide(d, 1, 1);
    if (d->memory == NULL)
        return;
    s->x = small;
    s->diag = small + n;
    s->qtf = small + 2 * n;
    s->step = small + 3 * n;
    s->work_n = small + 4 * n;
    s->watch = small + 5 * n;
    s->fjac = fjac;
    s->fvec = fvec;
    s->bounds_work = bounds_work;
    s->ipvt = ints;
    s->active = b->lower != NULL ? ints + n : NULL;
    own->y = y;
    own->own_w = own_w;
}

/* Whether a compiled model computes derivatives of points that are masked. */
static int leaves_out_rows(const batch *b)
{
    return b->is_compiled && b->is_curve && b->state.analytic && b->mask != NULL;
}

/* Called twice: without memory for its size, then with it. */
static void lay_out(worker *w, divider *d)
{
    batch *b = w->batch;
    size_t n = (size_t)b->state.n, m = (size_t)b->state.m, chunk = (size_t)b->chunk;

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
    double *work_m = divide(d, m, sizeof(double));
    void *scratch = divide(d, lm_fast_scratch(b->state.m, b->state.n), 1);
    for (size_t k = 0; k < chunk; k++) {
        slot unused;
        slot *own = d->memory != NULL ? &w->slots[k] : &unused;
        if (d->memory != NULL) {
            own->state = b->state;
            own->state.x_trial = w->x_trial + k * n;
            own->state.work_m = work_m;
            own->state.scratch = scratch;
            own->fit = -1;
            own->asks = LM_DONE;
        }
        lay_out_slot(own, d, b);
    }
}

static void set_up_question(question *q, const batch *b, PyObject *callable,
                            const char *name)
{
    q->function.callable = callable;
    q->function.name = name;
    q->function.shape_error = PyExc_TypeError; /* as leastsq and curve_fit */
    if (b->is_curve) {
        q->stack[1] = PyTuple_GET_ITEM(b->args, 0); /* borrowed */
        return;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(b->args); i++)
        q->stack[3 + i] = PyTuple_GET_ITEM(b->args, i); /* borrowed */
}

static int worker_init(worker *w, batch *b)
{
    divider d = {NULL, 0};

    w->batch = b;
    lay_out(w, &d);
    w->memory = PyMem_Calloc(1, d.used + 64);
    if (w->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    d.memory = (char *)(((uintptr_t)w->memory + 63) / 64 * 64);
    d.used = 0;
    lay_out(w, &d);
    set_up_question(&w->residuals, b, b->func, b->is_curve ? "f" : "func");
    set_up_question(&w->jacobian, b, b->Dfun, b->is_curve ? "jac" : "Dfun");
    return 0;
}

static void worker_clear(worker *w)
{
    if (w->memory == NULL)
        return;
    for (Py_ssize_t i = 0; i < w->residuals.narrays; i++)
        Py_CLEAR(w->residuals.arrays[i]);
    for (Py_ssize_t i = 0; i < w->jacobian.narrays; i++)
        Py_CLEAR(w->jacobian.arrays[i]);
    PyMem_Free(w->memory);
}

/* --- From Python -------------------------------------------------------------- */

static void batch_free(PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    Py_XDECREF(b->func);
    Py_XDECREF(b->Dfun);
    Py_XDECREF(b->args);
    compiled_clear(&b->residuals);
    compiled_clear(&b->jacobian);
    Py_XDECREF(b->x_rows);
    Py_XDECREF(b->ydata);
    Py_XDECREF(b->weights);
    Py_XDECREF(b->sigma);
    Py_XDECREF(b->mask);
    Py_XDECREF(b->lower);
    Py_XDECREF(b->upper);
    Py_XDECREF(b->data);
    Py_XDECREF(b->x);
    Py_XDECREF(b->cov);
    Py_XDECREF(b->cost);
    Py_XDECREF(b->nfev);
    Py_XDECREF(b->ier);
    Py_XDECREF(b->active);
    PyMem_Free(b);
}

/* An "O&" converter: an array as a new reference, or NULL for None. */
static int array_or_none(PyObject *object, void *place)
{
    if (object != Py_None && !PyArray_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "_minpack.batch takes arrays");
        return 0;
    }
    *(PyArrayObject **)place =
        object == Py_None ? NULL : (PyArrayObject *)Py_NewRef(object);
    return 1;
}

/* Whether the functions are compiled. Both of them must be, or none. */
static int take_functions(batch *b, PyObject *func, PyObject *Dfun)
{
    b->state.analytic = Dfun != Py_None;
    b->func = Py_NewRef(func);
    b->Dfun = Py_NewRef(Dfun);
    b->is_compiled = compiled_take_both(&b->residuals, func, b->is_curve ? "f" : "func",
                                        &b->jacobian, Dfun, b->is_curve ? "jac" : "Dfun");
    return b->is_compiled < 0 ? -1 : 0;
}

PyObject *batch_new(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {
        "func",  "Dfun",    "args",  "is_curve", "m",           "chunk",  "x_rows",
        "ydata", "weights", "sigma", "mask",     "lower",       "upper",  "user_data",
        "x",     "cov",     "cost",  "nfev",     "ier",         "active", "scales_cov",
        "ftol",  "xtol",    "gtol",  "maxfev",   "trials_only", NULL,
    };
    PyObject *func, *Dfun, *extra, *capsule = NULL;
    batch *b = PyMem_Calloc(1, sizeof *b);

    if (b == NULL)
        return PyErr_NoMemory();
    capsule = PyCapsule_New(b, CAPSULE, batch_free); /* new; owns b */
    if (capsule == NULL) {
        PyMem_Free(b);
        return NULL;
    }
    lm_state *s = &b->state;
    if (!PyArg_ParseTupleAndKeywords(
            args, keywords, "OOO!piiO&O&O&O&O&O&O&O&O&O&O&O&O&O&pdddip", names, &func,
            &Dfun, &PyTuple_Type, &extra, &b->is_curve, &s->m, &b->chunk, array_or_none,
            &b->x_rows, array_or_none, &b->ydata, array_or_none, &b->weights,
            array_or_none, &b->sigma, array_or_none, &b->mask, array_or_none, &b->lower,
            array_or_none, &b->upper, array_or_none, &b->data, array_or_none, &b->x,
            array_or_none, &b->cov, array_or_none, &b->cost, array_or_none, &b->nfev,
            array_or_none, &b->ier, array_or_none, &b->active, &b->scales_cov, &s->ftol,
            &s->xtol, &s->gtol, &s->maxfev, &s->trials_only))
        goto fail;
    b->args = Py_NewRef(extra);
    if (take_functions(b, func, Dfun) < 0)
        goto fail;
    s->kernels = ((module_state *)PyModule_GetState(module))->fast;
    s->n = (int)PyArray_DIM(b->x, 1);
    s->ldfjac = s->m;
    s->factor = 100;
    s->rounding = DBL_EPSILON;
    b->count = PyArray_DIM(b->x, 0);
    b->points = s->m;
    if (b->is_compiled)
        b->chunk = 1;
    return capsule;
fail:
    Py_DECREF(capsule);
    return NULL;
}

PyObject *batch_work(PyObject *module, PyObject *capsule)
{
    worker w;
    int status = -1;
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    memset(&w, 0, sizeof w);
    if (b == NULL || worker_init(&w, b) < 0)
        goto fail;
    if (b->is_compiled) {
        Py_BEGIN_ALLOW_THREADS
        work_without_python(&w);
        Py_END_ALLOW_THREADS
        status = 0;
    } else {
        status = work_with_python(&w);
    }
fail:
    worker_clear(&w);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *batch_stop(PyObject *module, PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    if (b == NULL)
        return NULL;
    atomic_store_explicit(&b->stops, 1, memory_order_relaxed);
    Py_RETURN_NONE;
}

PyObject *batch_done(PyObject *module, PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    return b == NULL ? NULL : PyLong_FromLongLong(atomic_load(&b->done));
}

/* A worker of a batch: a thread that has some fits in flight, its slots, and lets them go
 * on with what the user's function returns. */
#ifndef MINPACK_WORKER_H
#define MINPACK_WORKER_H

#include "numpy_api.h"

#include <stdatomic.h>

#include "compiled.h"
#include "data.h"
#include "loss.h"
#include "minpack.h"
#include "program.h"
#include "question.h"

/* What all workers share. Only the last group changes once it has been made, and of the
 * results each row is written by the worker that has its fit. */
typedef struct batch {
    lm_fit fit;   /* what all fits have in common */
    int analytic; /* Dfun gives the Jacobian, not differences */
    int is_pair;  /* func itself does, beside the residuals */
    npy_intp count;
    npy_intp points; /* of each fit, those that are masked included */
    int chunk;       /* fits in flight, for each worker */
    int is_curve;    /* f(xdata, *parameters) - ydata, else func(x, rows, *args) */
    int is_compiled;
    int scales_cov; /* by the variance of the residuals */
    int has_epsfcn; /* the user has said it */
    loss loss;      /* linear, or one with a name */

    /* References are ours, or NULL. */
    PyObject *func;
    PyObject *Dfun;
    PyObject *args; /* tuple; of a curve (xdata,); of a program its arrays, a row of
                       each for each fit */
    const program *program; /* borrowed: func is one; or NULL */
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
    PyArrayObject *diff_step; /* (n,) difference steps relative to x, or NULL */
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
    atomic_llong served; /* evaluations of Python functions */
    atomic_int started;  /* workers */
    atomic_int allowed;  /* workers that may take fits: those with lower numbers */
} batch;

/* A fit in flight. */
typedef struct {
    lm_fit lm;
    npy_intp fit; /* its row; -1: none */
    const npy_bool *mask;
    const double *w; /* (m) the weights, or NULL */
    double *y;       /* (m) */
    double *own_w;   /* (m) room for weights, or NULL */
    enum { ASKS_NOTHING, ASKS_RESIDUALS, ASKS_JACOBIAN } asks; /* in the next round */
    int point; /* of the differences, that the residuals are for; -1: of a trial point */
    int row;   /* of the last answer, that its residuals were */
    int has_ended; /* and asks for its last Jacobian, because of a loss */
} slot;

typedef struct abreast abreast;
typedef struct groups groups;

typedef struct worker {
    batch *batch;  /* borrowed */
    int number;    /* from 0 */
    slot *slots;   /* (chunk) */
    int *asking;   /* (chunk) the slots that a call serves */
    double *trial; /* (m) the residuals of the fit that is being advanced */
    double *row;   /* (m) an answer that was not contiguous, or a compiled model's */
    double *derivatives; /* (m, n) of a compiled model before those that are masked
                            are left out, or NULL */
    void *user_data;     /* of the fit that a compiled model is called for */
    program_run *run;    /* that user_data then is, or NULL */
    abreast *abreast;    /* fits in lanes, of a program or compiled functions, or NULL */
    groups *groups;      /* fits in lanes, of a Python function, or NULL */
    double *cov_work;    /* (n, n) */
    double *x_trial;     /* (chunk, n) */
    question residuals;
    question jacobian;
    answer derivatives_too; /* where func is a pair, its last Jacobian, or NULL */
    void *memory;           /* all of the above, and what the fits need */
} worker;

/* Filled with zeros first. Returns 0, or -1 with an exception set. */
int worker_init(worker *self, batch *shared);
void worker_clear(worker *self);

/* Take fits until none is left: of Python functions, with the lock; 0, or -1 with an
 * exception set. */
int work_with_python(worker *self);

/* The same of compiled ones, without the lock. */
void work_without_python(worker *self);

/* The slot takes the next fit: 0 where none is left, or none for this worker. */
int worker_take_fit(worker *self, slot *own);

/* The results of the slot's fit, which has ended. */
void worker_end_fit(worker *self, slot *own);

/* The last argument of a compiled function for fit i. */
void *worker_user_data(worker *self, npy_intp i);

/* The residuals at x of the slot's fit, by a compiled function, to its own_trial: 0, or
 * what the function has returned to stop the fit. */
int worker_evaluate(worker *self, slot *own, const double *x);

/* The answer for the fits that ask: 0, or -1. The Jacobian of a pair is there already,
 * for a fit asks for it right after the residuals at the same x. */
int worker_ask(worker *self, int count, int is_jacobian, answer *a);

/* Ask for the next point of the differences after `point`, and for those that are taken
 * again: 0 where none is left. */
int worker_ask_point(slot *own, int point);

/* The residuals of the slot's fit from row k of an answer. They last until the next call.
 */
const double *worker_residuals(worker *self, const slot *own, const answer *a, int k);

/* Whether the batch has been stopped. */
int worker_is_stopped(const worker *self);

/* Row k of an answer is what the slot's fit asked for. The lock is not needed. */
void use_residuals(worker *self, slot *own, const answer *a, int k);
void use_jacobian(worker *self, slot *own, const answer *a, int k);

#endif

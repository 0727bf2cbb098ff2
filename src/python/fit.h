/* A fit of Python functions: the loop around the stepper, and the arrays that it needs.
 * The entry points, one a file (leastsq.c), read their arguments into a fit, run it and
 * build their result of it. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_FIT_H
#define MINPACK_FIT_H

#include "numpy_api.h"

#include "answers.h"
#include "arguments.h"
#include "loss.h"
#include "minpack.h"
#include "model.h"

/* From so many numbers in the Jacobian on, more than the second cache holds, it pays to
 * form the differences in the factorization. */
#define WORTH_DEFERRING 150000.0

/* For a state that is ready but for that. */
static inline int is_worth_deferring(const lm_state *s)
{
    return !s->kernels.faithful && !s->analytic && s->lower == NULL
           && s->diff_step == NULL && !s->last_jacobian && !s->weighted
           && (double)s->m * s->n >= WORTH_DEFERRING;
}

/* Filled with zeros first. */
typedef struct fit {
    lm_state state;
    callback func;
    callback Dfun;
    int col_deriv;
    const model *model; /* borrowed: what makes residuals of func's values; or NULL */
    int complex_steps;  /* the Jacobian by func with complex x, instead of Dfun */
    loss loss;
    /* Called with each new iterate, the start included, or NULL. Returns 1 to end the fit
     * there, 0 to go on, or -1 with an exception set. */
    int (*observe)(struct fit *self);
    PyObject *observer; /* borrowed: what observe calls */
    int stopped;        /* it has ended the fit */
    int shows_arrays;   /* fvec and fjac, by fit_finish or otherwise, not x alone */
    double *work;       /* the arrays of the state that nobody else sees, and scratch */
    double *own_fvec;   /* (m) in it, or NULL */
    /* The arrays of the result. All references are ours, or NULL; fvec and fjac may be
     * so where they are not shown. */
    PyArrayObject *x;     /* (n,) */
    PyArrayObject *fvec;  /* (m,) */
    PyArrayObject *fjac;  /* (n, m) */
    PyArrayObject *ipvt;  /* (n,) made by fit_finish, as the next one */
    PyArrayObject *qtf;   /* (n,) */
    PyArrayObject *trial; /* (m,) the last residuals from func, maybe the user's own */
    PyArrayObject *jac;   /* (n, m) with last_jacobian: that of the last iterate */
    /* The bounds, or NULL; a start within them is the caller's affair. */
    PyArrayObject *lower;     /* (n,) */
    PyArrayObject *upper;     /* (n,) */
    PyArrayObject *diff_step; /* (n,) difference steps relative to x, or NULL */
} fit;

/* Whether equal bounds fix parameter j. */
static inline int is_fixed(const lm_state *s, int j)
{
    return s->lower != NULL && s->lower[j] == s->upper[j];
}

/* The residuals without what determines the parameters. */
static inline int degrees_of_freedom(const lm_state *s)
{
    int freedom = s->m - s->n;

    for (int j = 0; j < s->n; j++)
        freedom += is_fixed(s, j);
    return freedom;
}

/* x0 into self->x, and the default of maxfev, which depends on its length. */
int fit_read_start(fit *self, PyObject *x0);

/* How differences are taken, if `jac` is their name: '2-point', '3-point' or 'cs'.
 * Returns 1, or 0 where it is no text. */
int fit_read_differences(fit *self, PyObject *jac, int is_compiled);

/* The loss, from its name or function and its scale. */
int fit_read_loss(fit *self, PyObject *loss, PyObject *scale);

/* diag as a new array of length n, or NULL: without an error where there is none. */
PyArrayObject *fit_read_diag(PyObject *object, npy_intp n);

/* Call func at x(n) and keep the answer as self->trial. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that func computes in. */
int fit_evaluate(fit *self, npy_intp n, const double *x, double *epsilon);

/* Make the arrays of a fit of m residuals; the start and the options are there. */
int fit_allocate(fit *self, npy_intp m, npy_intp n, PyArrayObject *diag);

/* Which bounds x is on, -1, 0 or 1 each, as a new (n,) array, or NULL. */
PyObject *fit_active_mask(fit *self);

/* Run the fit to its end. The residuals at the start are in self->trial. */
int fit_run(fit *self);

/* See to what the state wants beside an evaluation: the loss of a trial point, its
 * weights, an iterate to keep and to show. Returns 1 to end the fit there, 0 to go on, or
 * -1. */
int fit_attend(fit *self);
int fit_asks_python(const fit *self); /* whether it calls Python, and so needs the lock */

/* What is known of the covariance of the parameters. */
enum covariance_state {
    COVARIANCE_KNOWN,
    COVARIANCE_OPEN,       /* the Jacobian leaves parameters open, or there is none */
    COVARIANCE_NO_FREEDOM, /* no residuals are left to tell how large the errors are */
    COVARIANCE_OUT_OF_RANGE
};

/* (J'J)^-1 of a fit that has ended, times the variance of the residuals where it
 * `scales`, to cov(n, n); work is (n, n). */
enum covariance_state covariance_of(const lm_state *s, int scales, double *cov,
                                    double *work);

/* The same as a new array, or None where there is none; NULL on error. */
PyObject *fit_covariance(fit *self, int scales, enum covariance_state *state);

/* The parameters, counted from 0, that had no effect on the residuals when the Jacobian
 * was last factored, but for those that equal bounds fix: a new tuple, or NULL. */
PyObject *fit_idle_parameters(fit *self);

/* Bring the arrays of the result to what Python shows. */
int fit_finish(fit *self);

void fit_clear(fit *self);

#endif

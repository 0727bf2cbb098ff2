/* A fit: what the entry points, one a file (leastsq.c), read their arguments into, how it
 * runs, and the arrays of its result. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_FIT_H
#define MINPACK_FIT_H

#include "numpy_api.h"

#include "answers.h"
#include "arguments.h"
#include "interrupt.h"
#include "loss.h"
#include "minpack.h"
#include "data.h"

/* What a hook of lm_run returns to end a fit, beside what a compiled function returns. */
enum {
    FIT_STOPPED = 1, /* the observer has said so */
    FIT_FAILED       /* an exception is set */
};

/* Filled by fit_init first. */
typedef struct fit {
    lm_fit lm;
    callback func;
    callback Dfun;
    int analytic; /* the Jacobian is Dfun's or by complex steps, not by differences */
    int col_deriv;
    const data *data;  /* borrowed: what makes residuals of func's values; or NULL */
    int complex_steps; /* the Jacobian by func with complex x, instead of Dfun */
    int vectorized;    /* func takes many points in one call */
    PyObject *map;     /* borrowed: takes a list of points and returns a sequence of
                          what func returns at each; or NULL */
    /* Vectors of m numbers that must be finite, which the run of the fit sees to */
    struct {
        PyArrayObject *array; /* borrowed, or NULL */
        const char *name;
    } finite[2];
    loss loss;
    PyObject *observer; /* borrowed: is shown each iterate, the start included; or NULL */
    int stopped;        /* it has ended the fit */
    int shows_arrays;   /* fvec and fjac, by fit_finish or otherwise, not x alone */
    int knows_start;    /* trial holds the residuals at the start already */
    interrupt *unlocked; /* borrowed: who has given up the lock for this fit; or NULL */
    int workers; /* threads that the fit may use, of its own; 0: as many as it is worth */
    int threads; /* that it has; 0: not known yet */
    struct crew *crew;     /* ours: all of them but the first, or NULL */
    PyArrayObject *put;    /* ours: the crew makes residuals of it in put_to; or NULL */
    double *put_to;        /* a column of the Jacobian */
    const void *compiled;  /* borrowed: the compiled_part of a compiled fit */
    struct row_team *team; /* borrowed: of a compiled function of a range of rows */
    void *memory;          /* the arrays of lm that nobody else sees */
    double *own_fvec;      /* (m) in it, where fvec is not shown; or NULL */
    /* The arrays of the result. All references are ours, or NULL; fjac may be so where it
     * is not shown. */
    PyArrayObject *x;     /* (n,) */
    PyArrayObject *fvec;  /* (m,) */
    PyArrayObject *fjac;  /* (n, m) */
    PyArrayObject *ipvt;  /* (n,) made by fit_finish, as the next one */
    PyArrayObject *qtf;   /* (n,) */
    PyArrayObject *trial; /* (m,) the last residuals from func, maybe the user's own */
    /* The bounds, or NULL; a start within them is the caller's affair. */
    PyArrayObject *lower;     /* (n,) */
    PyArrayObject *upper;     /* (n,) */
    PyArrayObject *diff_step; /* (n,) difference steps relative to x, or NULL */
} fit;

void fit_init(fit *self);
void fit_clear(fit *self);

/* --- Arguments -------------------------------------------------------------------- */

/* x0 into self->x, and the default of maxfev, which depends on its length. */
int fit_read_start(fit *self, PyObject *x0);

/* How differences are taken, if `jac` is their name: '2-point', '3-point' or 'cs'.
 * Returns 1, or 0 where it is no text. */
int fit_read_differences(fit *self, PyObject *jac, int is_compiled);

/* The loss, from its name or function and its scale. */
int fit_read_loss(fit *self, PyObject *loss, PyObject *scale);

/* How many threads the fit may use. None: as many as it is worth. */
int fit_read_workers(fit *self, PyObject *workers);

/* Which kernels add up the rows: "fast", "reference", or "fast:" and an instruction set.
 */
int fit_read_kernels(fit *self, PyObject *name);

/* Whether geodesic acceleration bends the steps. */
int fit_read_acceleration(fit *self, PyObject *acceleration);

/* diag as a new array of length n, or NULL: without an error where there is none. */
PyArrayObject *fit_read_diag(PyObject *object, npy_intp n);

/* Whether a fit has ended with a Jacobian: input and numbers were good. */
static inline int has_jacobian_at_end(const lm_state *s)
{
    return s->info >= LM_FTOL && s->info <= LM_GTOL_TOO_SMALL;
}

/* --- Running ---------------------------------------------------------------------- */

/* self->trial := the residuals of what func returned. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that func computes in. */
int fit_take_answer(fit *self, PyObject *answer /* stolen */, double *epsilon);

/* Evaluate the residuals at the start, which say how many there are and how precise: that
 * is epsfcn too, unless the user has said it. */
int fit_evaluate_start(fit *self, int has_epsfcn);

/* The fit's threads: `worth` of them, see crew_size. */
int fit_open_crew(fit *self, npy_intp worth, int most);

/* Make the arrays that nobody else sees, for rows.m and rows.n; the start and the options
 * are there, and diag may be NULL. */
int fit_lay_out(fit *self, PyArrayObject *diag);

/* Make all arrays of a fit of m residuals. */
int fit_allocate(fit *self, npy_intp m, PyArrayObject *diag);

/* Run the fit of Python functions to its end. The residuals at the start are there. */
int fit_run(fit *self);

/* The same with these hooks for residuals and Jacobian. */
int fit_run_hooks(fit *self, lm_hooks hooks);

#endif

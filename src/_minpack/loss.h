/* Loss functions of robust least squares: the cost C²/2 sum rho((f/C)²) of residuals f
 * at the scale C, and the least-squares problem that stands for it near x. Functions
 * return 0, or -1 with an exception set. */
#ifndef MINPACK_LOSS_H
#define MINPACK_LOSS_H

#include "numpy_api.h"

#include "answers.h"

/* A loss by its name: rho(z), rho'(z), and 1 + 2 z rho''(z)/rho'(z), each with z = u u.
 */
typedef struct {
    const char *name;
    double (*value)(double u);
    double (*slope)(double u);
    double (*curvature)(double u);
} named_loss;

/* Filled with zeros, the linear loss: rho(z) = z, which is plain least squares. */
typedef struct {
    const named_loss *named; /* or NULL */
    callback function;       /* the user's rho, where its name is not NULL */
    double scale;            /* C */
    double *z;               /* ours: (m) and then rho, (3, m), for function */
} loss;

/* object is a name or a callable. */
int loss_init(loss *self, PyObject *object, PyObject *scale);
void loss_clear(loss *self);

static inline int is_linear(const loss *self)
{
    return self->named == NULL && self->function.name == NULL;
}

/* *norm := the root of twice the cost, infinite where a residual is not finite. */
int loss_norm(loss *self, npy_intp m, const double *fvec, double *norm);

/* The same of a loss by its name, which is `who`: it cannot fail. */
double loss_of_block(void *who, int count, const double *fvec);

/* Weigh the m rows of fjac(ldfjac, n), stored by columns, and those of fvec. */
int loss_weigh(loss *self, npy_intp m, npy_intp n, const double *fvec, double *fjac,
               npy_intp ldfjac, double *fvec_weighted);

/* For a fit that has ended: weigh what loss_weigh has weighed by the true curvature of
 * the loss, which the fit itself bounds from below. Then J'J is what the cost says of the
 * parameters' errors. */
int loss_show_curvature(loss *self, npy_intp m, npy_intp n, const double *fvec,
                        double *fjac, npy_intp ldfjac, double *fvec_weighted);

#endif

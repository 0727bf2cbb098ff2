/* What a fit that has ended shows: its arrays, and the covariance of its parameters. */
#ifndef MINPACK_RESULT_H
#define MINPACK_RESULT_H

#include "fit.h"

/* What is known of the covariance of the parameters. */
enum covariance_state {
    COVARIANCE_KNOWN,
    COVARIANCE_OPEN,       /* the Jacobian leaves parameters open, or there is none */
    COVARIANCE_NO_FREEDOM, /* no residuals are left to tell how large the errors are */
    COVARIANCE_OUT_OF_RANGE
};

/* (J'J)^-1 of a fit of m residuals that has ended, times their variance where it
 * `scales`, to cov(n, n); work is (n, n). */
enum covariance_state covariance_of(const lm_state *s, double m, int scales, double *cov,
                                    double *work);

/* The same as a new array, or None where there is none; NULL on error. */
PyObject *fit_covariance(fit *self, double m, int scales, enum covariance_state *state);

/* The parameters, counted from 0, that had no effect on the residuals when the Jacobian
 * was last factored, but for those that equal bounds fix: a new tuple, or NULL. */
PyObject *fit_idle_parameters(fit *self);

/* The part of the sum of squares, or of the cost, that the last step has saved: 0 where
 * no step has been taken, and 1 where nothing is left. */
double fit_progress(const fit *self);

/* Which bounds x is on, -1, 0 or 1 each, as a new (n,) array, or NULL. */
PyObject *fit_active_mask(fit *self);

/* Bring the arrays of the result to what Python shows: R in fjac, ipvt and qtf. */
int fit_finish(fit *self);

#endif

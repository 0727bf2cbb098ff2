/* All points of a Jacobian by differences at once: by one call of a vectorized function,
 * or by the user's map. */
#ifndef MINPACK_POINTS_H
#define MINPACK_POINTS_H

#include "fit.h"

/* Read `vectorized`, a flag, and `map`, None or what evaluates a list of points, once it
 * is known how the Jacobian is computed. jac_name is what the caller calls its Jacobian.
 * Returns 0, or -1 with an exception set. */
int points_read(fit *self, PyObject *vectorized, PyObject *map, const char *jac_name,
                int is_compiled);

/* The residuals of a vectorized function at x(n) alone as a new array, or NULL. Where
 * epsilon is not NULL, it is set to the relative spacing of the type of the answer. */
PyArrayObject *points_vectorized_residuals(fit *self, npy_intp n, const double *x,
                                           double *epsilon);

/* The hooks `points` of lm_run: 0, or FIT_FAILED. */
int points_vectorized(void *who, lm_fit *lm);
int points_mapped(void *who, lm_fit *lm);

#endif

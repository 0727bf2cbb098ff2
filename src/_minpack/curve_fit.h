#ifndef MINPACK_CURVE_FIT_H
#define MINPACK_CURVE_FIT_H

#include "result.h"

/* _minpack.curve_fit: see minpack/_minpack.pyi for the arguments and the result. */
PyObject *solve_curve_fit(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

/* The covariance of the parameters of a fit to m data, as a new array, or NULL; all of it
 * is infinite where it is not known. */
PyObject *curve_covariance(fit *self, double m, int absolute_sigma,
                           enum covariance_state *known);

/* An array must hold neither NaN nor infinity; another object may be anything. Returns 0,
 * or -1 with an exception set. */
int check_finite(PyObject *object, const char *name);
/* The exception. */
void not_finite(const char *name);

#endif

/* Compiled functions: finding the address in what other packages make of them, none of
 * which is imported here. */
#ifndef MINPACK_COMPILED_H
#define MINPACK_COMPILED_H

#include "numpy_api.h"

#include "minpack.h"

/* The signatures of functions: two are in minpack.h. */
enum compiled_kind { COMPILED_RESIDUALS = 1, COMPILED_JACOBIAN = 2, COMPILED_RANGE = 4 };

/* Writes `count` rows of the residuals from `first` on to fvec, and unless fjac is NULL
 * those of the Jacobian to fjac(ldfjac, n); where it is NULL, ldfjac is 0. Returns 0, or
 * a negative number to stop the fit. */
typedef int (*compiled_range)(int first, int count, int n, const double *x, double *fvec,
                              double *fjac, int ldfjac, void *user_data);

/* A compiled function. Filled with zeros first. */
typedef struct {
    void *address;   /* NULL: none */
    void *user_data; /* that the object itself brings, or NULL */
    PyObject *owner; /* what keeps the function alive; ours */
    enum compiled_kind kind;
} compiled;

/* Take `object` where it is a compiled function: 1; 0 where it is something else; -1
 * with an exception set where it is one that cannot be called. `name` is that of the
 * argument, and `kinds` the sum of the kinds that it may be of. A function that does not
 * tell its types is never taken for one of a range. */
int compiled_take(compiled *self, PyObject *object, const char *name, int kinds);
/* The same with func, of one of the kinds, and where it is not None, jac: both must be
 * compiled or none. Beside a function of a range jac must be True. */
int compiled_take_both(compiled *residuals, PyObject *func, const char *func_name,
                       int kinds, compiled *jacobian, PyObject *jac,
                       const char *jac_name);
void compiled_clear(compiled *self);

#endif

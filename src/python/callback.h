/* Calling a user's function and taking its answer: the only code that calls user
 * Python. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_CALLBACK_H
#define MINPACK_CALLBACK_H

#include "numpy_api.h"

/* A function f(x, *args), ready to be called many times. */
typedef struct {
    PyObject *callable; /* borrowed from the caller of the fit */
    Py_ssize_t nargs;   /* arguments, x included */
    PyObject **stack;   /* a free slot, x, then args; all borrowed */
    PyObject *small[8]; /* the stack, where it fits */
    PyArrayObject *x;   /* ours: the x of the last call if func has not kept it */
} callback;

/* name, "func" or "Dfun", is for the message where callable is none. */
int callback_init(callback *self, const char *name, PyObject *callable,
                  PyObject *args /* tuple */);
void callback_clear(callback *self);

/* Nobody else can see or change this array. */
int is_ours_alone(PyArrayObject *array);

/* Call with a copy of x(n) that is the function's to keep.
 * Returns a new reference, or NULL. */
PyObject *callback_call(callback *self, npy_intp n, const double *x);

/* What func returned, as a float64 array that is 1-D, contiguous and aligned: the
 * answer itself where it is one already. `answer` is stolen, a new reference is
 * returned, or NULL. n is the number of parameters. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that func computes in. */
PyArrayObject *residuals_array(PyObject *answer /* stolen */, npy_intp n,
                               double *epsilon);

/* Copy what Dfun returned into fjac, m by n by columns. A wrong shape is a TypeError
 * the first time and a ValueError later. */
int take_jacobian(PyObject *answer /* borrowed */, int col_deriv, npy_intp m, npy_intp n,
                  double *fjac, int first);

/* `object` as a float64 array, 1-D, contiguous and aligned, where NumPy casts its
 * type safely. Returns a new reference, or NULL with an error that names it. */
PyArrayObject *vector_argument(PyObject *object, const char *name, int flatten);

#endif

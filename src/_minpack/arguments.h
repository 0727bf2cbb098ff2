/* Arguments from Python, with errors that name them. Functions return 0, or -1 with an
 * exception set. */
#ifndef MINPACK_ARGUMENTS_H
#define MINPACK_ARGUMENTS_H

#include "arrays.h"

int real_argument(PyObject *object, const char *name, double *value);

/* A count such as maxfev; 0 and less mean the default, stored as 0. */
int count_argument(PyObject *object, const char *name, int *value);

/* `object` as a float64 array, 1-D, contiguous and aligned, where NumPy casts its
 * type safely. Returns a new reference, or NULL with an error that names it. */
PyArrayObject *vector_argument(PyObject *object, const char *name, int flatten);

/* The same of what may be None, which becomes NULL. */
int read_vector(PyObject *object, const char *name, PyArrayObject **vector /* new */);

#endif

#ifndef MINPACK_LEAST_SQUARES_H
#define MINPACK_LEAST_SQUARES_H

#include "numpy_api.h"

/* _minpack.least_squares: see minpack/_minpack.pyi for the arguments and the result. */
PyObject *solve_least_squares(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif

#ifndef MINPACK_CURVE_FIT_H
#define MINPACK_CURVE_FIT_H

#include "numpy_api.h"

/* _minpack.curve_fit: see minpack/_minpack.pyi for the arguments and the result. */
PyObject *solve_curve_fit(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif

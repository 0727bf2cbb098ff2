#ifndef MINPACK_LEASTSQ_H
#define MINPACK_LEASTSQ_H

#include "numpy_api.h"

/* _minpack.leastsq: see minpack/_minpack.pyi for the arguments and the result. */
PyObject *solve_leastsq(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif

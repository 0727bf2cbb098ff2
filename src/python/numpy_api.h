/* Python.h and NumPy's C-API, with the API table in module.c alone. */
#ifndef MINPACK_NUMPY_API_H
#define MINPACK_NUMPY_API_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define PY_ARRAY_UNIQUE_SYMBOL minpack_ARRAY_API
#ifndef MINPACK_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#endif

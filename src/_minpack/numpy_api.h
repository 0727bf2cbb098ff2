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

#include <math.h>

static inline double *doubles(PyArrayObject *array)
{
    return (double *)PyArray_DATA(array);
}

static inline void fill_nan(double *to, npy_intp count)
{
    for (npy_intp i = 0; i < count; i++)
        to[i] = NAN;
}

#endif

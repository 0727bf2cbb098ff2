/* Inner loops: those of ufuncs, and the few that no ufunc has. */
#ifndef MINPACK_PROGRAM_LOOPS_H
#define MINPACK_PROGRAM_LOOPS_H

#include "numpy_api.h"

#define PY_UFUNC_UNIQUE_SYMBOL minpack_UFUNC_API
#ifndef MINPACK_IMPORTS_NUMPY
#define NO_IMPORT_UFUNC
#endif
#include <numpy/ufuncobject.h>

enum { MAX_ARGS = 8, MAX_OUTPUTS = 2 };

typedef struct {
    PyUFuncGenericFunction function;
    void *data;
    int nin;
    int nout;
    char types[MAX_ARGS]; /* of inputs and outputs; 'q' is 'l' here */
    int is_matmul;
    int is_pow;      /* that of the C library */
    int is_exact;    /* see program.h */
    char arithmetic; /* see program.h */
} loop;

/* The loop of a ufunc, or of "cast", "select" or "pow", for types such as "dd->d": 0, or
 * -1 with an exception set. */
int loop_find(loop *self, PyObject *op /* borrowed */, PyObject *types /* borrowed */);

/* Where one number is computed, there may be a faster loop. */
void loop_for_scalar(loop *self, PyObject *op /* borrowed */);

/* How many bytes a number of this type has; 0: no type of a program. */
int size_of_type(char type);

#endif

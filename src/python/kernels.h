/* Which kernels a fit uses. */
#ifndef MINPACK_CHOOSE_KERNELS_H
#define MINPACK_CHOOSE_KERNELS_H

#include "numpy_api.h"

#include "minpack.h"

/* The state of the module: written once, at import. */
typedef struct {
    lm_kernels fast; /* the best that this processor has */
} module_state;

/* Kernels by their name: "fast", "reference", or "fast:" and an instruction set.
 * Returns 0, or -1 with an exception set. */
int choose_kernels(PyObject *module, PyObject *name, lm_kernels *kernels);

#endif

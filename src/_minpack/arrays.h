/* Arrays: whose they are, what they hold, and how messages show them. */
#ifndef MINPACK_ARRAYS_H
#define MINPACK_ARRAYS_H

#include "numpy_api.h"

#include <stdatomic.h>

/* Nobody else can see or change this array. */
int is_ours_alone(PyArrayObject *array);

/* *kept, if nobody else has it and it still is as wanted, or else a new array in its
 * place: half of what a call costs is making the array. Borrowed, or NULL. */
PyArrayObject *array_to_fill(PyArrayObject **kept, int ndim, npy_intp *shape, int type);

/* Ready to be read as double[size] where it is. */
int is_plain_vector(PyObject *object);

/* NumPy's array of `object`, a new reference, or NULL. A ragged sequence is an error that
 * names it; what the object's own methods raise passes unchanged. */
PyArrayObject *natural_array(PyObject *object /* borrowed */, const char *name);

/* What an array holds that is no real number of float64, in words. */
const char *kind_of_number(PyArrayObject *array);

/* "(10, 2)" as a new string, or NULL. */
PyObject *shape_text(PyArrayObject *array /* borrowed */);

/* Whether the array can be read as one of this shape, if it `broadcasts` by repeating
 * entries, and with what strides(ndim): 0 where one entry stands for all. */
int find_strides(PyArrayObject *array, int ndim, const npy_intp *shape, int broadcasts,
                 npy_intp *strides);

enum { CACHE_LINE = 64 }; /* bytes */

/* Let the processor begin to read so many bytes. To compilers it does nothing: the fence
 * keeps them from leaving it out. */
static inline void fetch_bytes(const void *from, npy_intp count)
{
    for (npy_intp k = 0; k < count; k += CACHE_LINE)
        __builtin_prefetch((const char *)from + k, 0, 2);
    atomic_signal_fence(memory_order_seq_cst);
}

#endif

/* Memory that a large fit of Python functions keeps between two evaluations.
 *
 * NumPy's arrays of that size go back to the operating system when the user's function
 * lets go of them, and each page of the next evaluation's arrays is a page fault. For the
 * fit, a handler of NumPy's memory (NEP 49) stands before the one found. It keeps large
 * blocks that are freed and gives them out again. All else it leaves to the one found.
 *
 * The handler is that of the fit's context alone. The thread of the fit alone touches the
 * blocks that are kept: what other threads allocate and free goes to the handler found.
 * So does everything after the fit, for arrays that outlive it know their handler. */
#ifndef MINPACK_HEAP_H
#define MINPACK_HEAP_H

#include "numpy_api.h"

/* Set the handler for a fit of m residuals in this thread. *capsule := the handler's, a
 * new reference, or NULL where the fit is small. Returns 0, or -1 with an exception set.
 */
int heap_open(PyObject **capsule, npy_intp m);

/* Free what is kept, and set the handler found again unless the user has set another one
 * meanwhile. An exception that is set stays. Returns 0, or -1 with an exception set. */
int heap_close(PyObject *capsule /* stolen, or NULL */);

#endif

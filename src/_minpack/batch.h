/* Many fits at once: each worker, a thread, has a chunk of them in flight, and one call
 * of the user's function serves all of these. See minpack/_minpack.pyi. */
#ifndef MINPACK_BATCH_H
#define MINPACK_BATCH_H

#include "numpy_api.h"

/* A batch from its arguments: a new capsule, or NULL. */
PyObject *batch_new(PyObject *module, PyObject *args, PyObject *keywords);

/* Take fits until none is left; any number of threads at once. None, or NULL. */
PyObject *batch_work(PyObject *module, PyObject *capsule);

/* Let the workers end at their next evaluation. None, or NULL. */
PyObject *batch_stop(PyObject *module, PyObject *capsule);

/* How many fits have ended: a new int, or NULL. */
PyObject *batch_done(PyObject *module, PyObject *capsule);

/* How many evaluations Python functions have made: a new int, or NULL. */
PyObject *batch_served(PyObject *module, PyObject *capsule);

/* Let so many workers take fits, those that came first. None, or NULL. */
PyObject *batch_allow(PyObject *module, PyObject *args);

#endif

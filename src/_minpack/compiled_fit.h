/* One fit of compiled functions: what it takes in place of callbacks, and its run, which
 * needs neither Python nor its lock. */
#ifndef MINPACK_COMPILED_FIT_H
#define MINPACK_COMPILED_FIT_H

#include "numpy_api.h"

#include "compiled.h"
#include "fit.h"
#include "data.h"
#include "program.h"

/* Filled with zeros first. */
typedef struct {
    compiled func;
    compiled Dfun;
    Py_buffer memory; /* what user_data points into, where it has an owner */
} compiled_part;

/* Take the functions where they are compiled, and user_data, which may be None: 1; 0
 * where they are not; -1 with an exception set. jac may be None. */
int compiled_part_take(compiled_part *self, PyObject *func, const char *func_name,
                       PyObject *jac, const char *jac_name, PyObject *user_data);
void compiled_part_clear(compiled_part *self);

/* The run of a program that takes the place of a compiled function, or NULL. It changes
 * none of the user's arrays. */
program_run *compiled_part_program(const compiled_part *self);

/* The last argument of the functions. */
void *compiled_part_user_data(const compiled_part *self);

/* For functions that compute residuals. Compiled ones need m, their number, and take no
 * further arguments; others take no m. */
int read_residual_count(PyObject *m, const char *func_name, int is_compiled, int has_args,
                        int *count);

/* Where nothing else is user_data: the memory of xdata as contiguous float64, if it is
 * not None. */
int compiled_part_use_xdata(compiled_part *self, PyObject *xdata);

/* Run a fit of residuals to its end. Compiled functions compute `count` of them; of
 * Python functions the first evaluation says how many there are. func has its name, and
 * the error for too few residuals. */
int fit_run_residuals(fit *self, const compiled_part *part, int is_compiled, int count,
                      PyArrayObject *diag, int has_epsfcn);

/* Make the arrays of a compiled fit of m residuals and run it to its end. */
int fit_run_compiled(fit *self, const compiled_part *part, npy_intp m,
                     PyArrayObject *diag);

#endif

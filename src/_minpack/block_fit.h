/* A fit of a program, or of a compiled function of a range of rows, whose rows are
 * computed, weighed and reduced in blocks, by any number of threads: no array of order m
 * is made but those that the caller asks to see. */
#ifndef MINPACK_BLOCK_FIT_H
#define MINPACK_BLOCK_FIT_H

#include "compiled_fit.h"
#include "fit.h"

/* Whether a fit of m residuals by this part can be made in blocks. */
int fit_takes_blocks(const fit *self, const compiled_part *part, npy_intp m);

/* Run it to its end: 0, or -1 with an exception set. */
int fit_run_blocks(fit *self, const compiled_part *part, npy_intp m, PyArrayObject *diag);

#endif

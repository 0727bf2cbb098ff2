/* A fit of a program whose rows are computed, weighed and reduced in blocks, by any
 * number of threads: no array of order m is made but those that the caller asks to see.
 */
#ifndef MINPACK_BLOCK_FIT_H
#define MINPACK_BLOCK_FIT_H

#include "fit.h"
#include "program.h"

/* Whether a fit of m residuals by this run can be made in blocks. */
int fit_takes_blocks(const fit *self, const program_run *run, npy_intp m);

/* Run it to its end: 0, or -1 with an exception set. */
int fit_run_blocks(fit *self, program_run *run, npy_intp m, PyArrayObject *diag);

#endif

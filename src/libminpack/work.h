/* What the parts of a fit in memory know of each other. */
#ifndef MINPACK_WORK_H
#define MINPACK_WORK_H

#include "minpack.h"

/* Choose how the rows are added up, at the start of a fit. */
void lm_start_rows(lm_fit *fit);

/* Where the residuals at point k of the differences are kept as they are: a driver may
 * put them there itself. NULL: lm_take_point wants them elsewhere. */
double *lm_raw_column(const lm_fit *fit, int k);

#endif

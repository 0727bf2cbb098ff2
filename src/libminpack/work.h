/* What the parts of a fit in memory know of each other. */
#ifndef MINPACK_WORK_H
#define MINPACK_WORK_H

#include "minpack.h"

/* Choose how the rows are added up, at the start of a fit. */
void lm_start_rows(lm_fit *fit);

#endif

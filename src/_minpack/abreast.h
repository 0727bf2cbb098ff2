/* Fits of a program or of compiled functions that a worker runs abreast: up to eight at a
 * time, a fit in each lane of the vector registers. */
#ifndef MINPACK_ABREAST_H
#define MINPACK_ABREAST_H

#include "worker.h"

/* Whether the fits of a batch, whose options are known, go abreast. */
int batch_goes_abreast(const batch *b);

/* Returns NULL with an exception set. */
abreast *abreast_new(worker *w);
void abreast_free(abreast *self);

/* Take fits until none is left, without the lock. */
void work_abreast(worker *w);

#endif

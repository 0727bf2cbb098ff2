/* Fits of a Python function that a worker runs abreast: groups of eight, a fit in each
 * lane of the vector registers, and one call for all fits that ask for the same. */
#ifndef MINPACK_GROUPS_H
#define MINPACK_GROUPS_H

#include "worker.h"

/* Whether the fits of a batch, whose options are known, go so. */
int batch_goes_in_groups(const batch *b);

/* Returns NULL with an exception set. */
groups *groups_new(worker *w);
void groups_free(groups *self);

/* Take fits until none is left, with the lock: 0, or -1 with an exception set. Returns 1
 * where the first answer tells that fits cannot go in groups: then the slots have it, and
 * go on one by one. */
int work_in_groups(worker *w);

#endif

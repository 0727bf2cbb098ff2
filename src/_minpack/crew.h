/* Threads that share the parts of a computation which needs neither Python nor its lock.
 */
#ifndef MINPACK_CREW_H
#define MINPACK_CREW_H

#include "numpy_api.h"

typedef struct crew crew;

/* How many threads to have for work that is worth so many, of at most `most`, or where
 * that is 0 of as many as there are processors: 1 or more; -1 with an exception set. */
int crew_size(npy_intp worth, int most);

/* Threads beside the caller's, as many of `helpers` as could be started; NULL, without an
 * exception, where none could. They sleep until they are given work. */
crew *crew_new(int helpers);

/* Let them end. */
void crew_free(crew *self);

/* Call part(context, k, worker) for each k below count, and return when all are done. The
 * caller is worker 0. `self` may be NULL. */
void crew_each(crew *self, int count, void (*part)(void *context, int k, int worker),
               void *context);

/* The same by one helper, while the caller goes on. Before it gives more work it calls
 * crew_end, which takes the parts that are left, and returns when all are done. `self` is
 * not NULL. */
void crew_begin(crew *self, int count, void (*part)(void *context, int k, int worker),
                void *context);
void crew_end(crew *self);

#endif

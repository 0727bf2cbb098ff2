/* Ctrl-C in a thread that has given up the lock for long: it looks for signals some
 * twenty times a second. */
#ifndef MINPACK_INTERRUPT_H
#define MINPACK_INTERRUPT_H

#include "numpy_api.h"

typedef struct {
    PyThreadState *thread; /* of PyEval_SaveThread */
    int evaluations;       /* between two looks at the clock */
    int left;              /* of them */
    double looked;         /* at the clock, in seconds */
    double checked;        /* for signals, in seconds */
} interrupt;

void interrupt_start(interrupt *self);  /* gives up the lock */
int interrupt_came(interrupt *self);    /* 1: with an exception set */
void interrupt_end(interrupt *self);    /* takes the lock again */
void interrupt_resume(interrupt *self); /* and gives it up once more */

#endif

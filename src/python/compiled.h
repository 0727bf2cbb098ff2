/* Compiled functions: finding the address in what other packages make of them, none of
 * which is imported here, and running a fit of them without Python. */
#ifndef MINPACK_COMPILED_H
#define MINPACK_COMPILED_H

#include "numpy_api.h"

#include "minpack.h"

/* A function with one of the two signatures in minpack.h. Filled with zeros first. */
typedef struct {
    void *address;   /* NULL: none */
    void *user_data; /* that the object itself brings, or NULL */
    PyObject *owner; /* what keeps the function alive; ours */
} compiled;

enum compiled_kind { COMPILED_RESIDUALS, COMPILED_JACOBIAN };

/* Take `object` where it is a compiled function: 1; 0 where it is something else; -1
 * with an exception set where it is one that cannot be called. `name` is that of the
 * argument. */
int compiled_take(compiled *self, PyObject *object, const char *name,
                  enum compiled_kind kind);
/* The same with func and, where it is not None, jac, which must be both compiled or
 * none. */
int compiled_take_both(compiled *residuals, PyObject *func, const char *func_name,
                       compiled *jacobian, PyObject *jac, const char *jac_name);
void compiled_clear(compiled *self);

/* What a fit of compiled functions needs beside its state. */
typedef struct {
    lm_residuals residuals;
    lm_jacobian jacobian; /* NULL: differences */
    void *user_data;
    double *trial;                /* (m) the residuals that were asked for */
    int (*is_stopped)(void *who); /* asked after each request */
    /* Sees to what requests want beside evaluations, such as a loss; or NULL. Returns 1
     * to end the fit there, 0 to go on, or -1 with an exception set. */
    int (*attend)(void *who);
    void *who;
} compiled_fit;

/* From lm_start to the end, without Python; the lock is not needed. Returns 0, or -1
 * where is_stopped or attend said so. A negative value of a function becomes the info. */
int compiled_run(const compiled_fit *self, lm_state *state);

/* An is_stopped for a thread that has given up the lock: looks for signals some twenty
 * times a second. `who` is an interrupt, and there is an exception where it says 1. */
typedef struct {
    PyThreadState *thread; /* of PyEval_SaveThread */
    int evaluations;       /* between two looks at the clock */
    int left;              /* of them */
    double looked;         /* at the clock, in seconds */
    double checked;        /* for signals, in seconds */
} interrupt;

void interrupt_start(interrupt *self); /* gives up the lock */
int interrupt_came(void *self);
void interrupt_end(interrupt *self);    /* takes the lock again */
void interrupt_resume(interrupt *self); /* and gives it up once more */

#endif

/* Fits that a worker runs abreast: eight, or fewer, a fit in each lane of the vector
 * registers. A program or compiled functions are asked here for what the fits need;
 * groups.c does the same for many eights of them and a Python function. */
#ifndef MINPACK_ABREAST_H
#define MINPACK_ABREAST_H

#include "program_abreast.h"
#include "worker.h"

typedef struct abreast_source abreast_source;

struct abreast {
    lm_abreast rows;
    slot *slots;     /* its fits, of the worker's */
    double *values;  /* (8, m) what a function has returned */
    double *y;       /* (8, m) the data of a curve, or NULL */
    double *weights; /* (8, m) or NULL */
    unsigned here;   /* the lanes whose Jacobians are there, to be factored */

    const abreast_source *source; /* NULL in a group */
    program_abreast *run;         /* of a program, or NULL */
    /* Of compiled functions */
    void *user_data[LM_ABREAST];
    double *apart; /* (m, 8) or (m, n, 8): what they return, fit by fit */
};

/* Whether the fits of a batch of compiled functions or a program, whose options are
 * known, go abreast. */
int batch_goes_abreast(const batch *b);

/* Returns NULL with an exception set. */
abreast *abreast_new(worker *w);
void abreast_free(abreast *self);

/* Take fits until none is left, without the lock. */
void work_abreast(worker *w);

/* --- For groups too ---------------------------------------------------------------- */

/* Divide a block of memory, of zeros, among the arrays of an empty self. Returns its size
 * in bytes, and does nothing else where memory is NULL. */
size_t abreast_lay_out(abreast *self, const batch *b, char *memory);

/* Let a fit that has ended give its lane to the next ones, until one asks for residuals
 * or none is left. */
void abreast_refill(worker *w, abreast *self, int k);

/* Judge the fits by these values (8, m) at their trial points. Without derivatives the
 * points of their differences are known then, for those that ask for LM_LINEARIZE. */
void abreast_judge(abreast *self, const batch *b, const double *values);

/* The values where parameter j has moved, of those fits. After the last parameter:
 * returns the lanes that have lm_begin_alone behind them, and need more points. */
unsigned abreast_take_moved(abreast *self, int j, const double *values);

/* Weigh the derivatives of f, which are in fjac of the rows. */
void abreast_weigh_derivatives(abreast *self);

/* Factor the Jacobians that are here, and let all fits take their next step. */
void abreast_step(worker *w, abreast *self);

static inline int has_lane(unsigned lanes, int k)
{
    return (int)(lanes >> k & 1);
}

#endif

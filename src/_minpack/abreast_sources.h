/* What gives fits abreast their numbers: a program, or compiled functions. Number i of
 * fit k is at [8 i + k]. */
#ifndef MINPACK_ABREAST_SOURCES_H
#define MINPACK_ABREAST_SOURCES_H

#include "program_abreast.h"
#include "worker.h"

/* `lanes` are the fits whose numbers are wanted, fit k by bit k. A fit leaves them where
 * its function stops it, and all do where the batch has been stopped. */
typedef struct {
    /* Slot k has taken another fit. */
    void (*load)(worker *w, int k);
    /* (8, m) The values at x_trial of the rows. They last until the next call. */
    const double *(*values)(worker *w, unsigned *lanes);
    /* The same at the x_trial of each fit, where parameter j of x has moved. */
    const double *(*moved)(worker *w, unsigned *lanes, int j);
    /* The derivatives at x, to fjac of the rows. */
    void (*jacobian)(worker *w, unsigned *lanes);
} abreast_source;

extern const abreast_source PROGRAM_SOURCE, COMPILED_SOURCE;

struct abreast {
    lm_abreast rows;
    double *y;       /* (8, m) the data of a curve, or NULL */
    double *weights; /* (8, m) or NULL */
    const abreast_source *source;
    program_abreast *run; /* of a program, or NULL */
    /* Of compiled functions */
    void *user_data[LM_ABREAST];
    double *alone;  /* (m, 8) or (m, n, 8): what they return, fit by fit */
    double *values; /* (8, m) */
    void *memory;
};

static inline int has_lane(unsigned lanes, int k)
{
    return (int)(lanes >> k & 1);
}

/* Take fit k, whose function has returned this, from the lanes unless it goes on. Returns
 * whether it does. */
int abreast_goes_on(worker *w, unsigned *lanes, int k, int status);

#endif

/* What gives fits abreast their numbers: a program, or compiled functions. */
#ifndef MINPACK_ABREAST_SOURCES_H
#define MINPACK_ABREAST_SOURCES_H

#include "abreast.h"

/* A fit that its function stops leaves those that ask for something. Where the batch has
 * been stopped, the numbers may be any. */
struct abreast_source {
    /* Slot k has taken another fit. */
    void (*load)(worker *w, int k);
    /* (8, m) The values at the trial points. They last until the next call. */
    const double *(*values)(worker *w);
    /* The same where parameter j of x has moved. */
    const double *(*moved)(worker *w, int j);
    /* The derivatives at x, to fjac of the rows. */
    void (*jacobian)(worker *w);
};

extern const abreast_source PROGRAM_SOURCE, COMPILED_SOURCE;

#endif

/* Who computes any rows of a fit: a program or a compiled function of a range of rows,
 * and the threads that share the rows. */
#ifndef MINPACK_ROW_TEAM_H
#define MINPACK_ROW_TEAM_H

#include "numpy_api.h"

#include <stdatomic.h>

#include "compiled_fit.h"
#include "crew.h"
#include "program.h"

/* Filled with zeros first. */
typedef struct row_team {
    int n;
    int count;               /* of threads */
    crew *crew;              /* borrowed, of the fit; or NULL: there is one thread */
    atomic_int status;       /* below 0: what the function returned to stop the fit */
    program_run **programs;  /* one for each thread, the first is not ours; or NULL */
    compiled_range function; /* where there are no programs, with its user_data */
    void *user_data;
    double *x; /* (count, n) where the function is called */
} row_team;

/* Whether this part computes any rows; and their derivatives too. */
int computes_rows(const compiled_part *part);
int computes_derivatives(const compiled_part *part);

/* As many threads as m rows are worth, of those that the fit or the program allows: 0, or
 * -1 with an exception set. team_close is called in any case. */
int team_open(row_team *self, fit *fit, const compiled_part *part, npy_intp m);
void team_close(row_team *self);

/* What follows needs neither Python nor its lock. */

/* From now on the rows are those at x. */
void team_move(row_team *self, const double *x);

/* Rows, and unless fjac is NULL their derivatives, by one of the threads. Once the
 * function has stopped the fit it is called no more, and rows are NaN. */
void team_rows(row_team *self, int worker, int first, int count, double *fvec,
               double *fjac, int ldfjac);

/* Call part(context, k, worker) for strip k of m rows, of which the threads share the
 * strips. */
enum { TEAM_STRIP = 8192 };
void team_each(row_team *self, int m, void (*part)(void *context, int k, int worker),
               void *context);

/* All of m rows at x: the status. */
int team_fill(row_team *self, int m, const double *x, double *fvec, double *fjac,
              int ldfjac);

#endif

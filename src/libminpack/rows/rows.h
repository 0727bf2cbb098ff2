/* What rows.c and factors.c know of each other. */
#ifndef MINPACK_ROWS_H
#define MINPACK_ROWS_H

#include "kernels.h"
#include "leaves.h"

#define MANY 1024 /* with more residuals never MINPACK's order */

enum path {
    REFERENCE, /* MINPACK's order by the reference kernels */
    IN_ORDER,  /* the same by the fast ones */
    FREE       /* any order */
};

/* One more than the pass_kind that has been made at the trial point */
#define KNOWS(kind) ((int)(kind) + 1)

/* How the memory of rows->scratch is divided. */
workspace lm_workspace_of(const lm_rows *rows);
leaf_memory lm_leaf_memory_of(const lm_rows *rows, workspace w);

enum outcome { FACTORED, OUT_OF_RANGE, NEARLY_DEPENDENT };

/* Factor a, whose residuals have this norm, in any order, and leave the factors in the
 * state. Unless it is FACTORED, a and acnorm are as they were. */
enum outcome lm_factor_freely(lm_fit *fit, const matrix *a, double fnorm);

/* The same for the rows of a source whose squares are out of range, or that have columns
 * of zeros. */
void lm_factor_scaled(lm_fit *fit, const matrix *a);

/* Factor a in MINPACK's order, in place or, where the Jacobian must be kept, in a copy.
 */
void lm_factor_in_order(lm_fit *fit, const matrix *a, int by_reference);

#endif

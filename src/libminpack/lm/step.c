/* The Levenberg-Marquardt algorithm.
 *
 * A fit minimizes |fvec(x)|². At x with the Jacobian J the step p minimizes |fvec + J p|
 * subject to |D p| <= delta; delta follows the ratio of the actual to the predicted
 * reduction. What the algorithm must know of fvec and J is of order n: the norm of fvec,
 * the triangle R of J P = Q R, and Q'fvec. The driver finds them, as lm_run does.
 *
 * Sources: J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, in
 * Numerical Analysis, Lecture Notes in Mathematics 630, Springer (1978), 105-116;
 * J. J. Moré, B. S. Garbow and K. E. Hillstrom, User Guide for MINPACK-1, Argonne
 * National Laboratory report ANL-80-74 (1980). Constants and the order of operations are
 * those of MINPACK's lmder and lmdif, which differ in how they come by J alone. Bounds on
 * x, geodesic acceleration, and what mends MINPACK, are off unless the state asks for
 * them. */
#include <math.h>
#include <string.h>

#include "stages.h"

/* sizes.f90 has the same of the records in Fortran. */
_Static_assert(sizeof(lm_state) == 18 * 4 + 13 * 8 + 16 * sizeof(void *),
               "types.f90 mirrors lm_state");
_Static_assert(sizeof(lm_differences) == 8 * 4 + 4 * 8 + 3 * sizeof(void *),
               "types.f90 mirrors lm_differences");

void lm_start(lm_state *s)
{
    memset(&s->request, 0, sizeof *s - offsetof(lm_state, request));
    s->iter = 1;
    s->fnorm = NAN; /* not evaluated */
    if (s->norm == NULL)
        s->norm = minpack_reference_norm;
    s->stage = LM_STAGE_START;
}

/* Whether the options are in their ranges, and the start within the bounds. */
static int is_good_input(const lm_state *s)
{
    if (s->n <= 0 || s->ldr < s->n || s->maxfev <= 0 || s->ftol < 0 || s->xtol < 0
        || s->gtol < 0 || s->factor <= 0)
        return 0;
    for (int j = 0; j < s->n; j++) {
        if (s->mode == 2 && s->diag[j] <= 0)
            return 0;
        if (s->lower != NULL && !(s->lower[j] <= s->x[j] && s->x[j] <= s->upper[j]))
            return 0;
    }
    return 1;
}

/* Ask for the residuals at the start. */
static void try_start(lm_state *s)
{
    if (s->lower != NULL)
        minpack_find_active(s->n, s->x, s->lower, s->upper, s->active);
    if (!is_good_input(s)) {
        s->stage = LM_STAGE_ENDED;
        return;
    }
    memcpy(s->x_trial, s->x, (size_t)s->n * sizeof(double));
    s->nfev = 1;
    s->request = LM_RESIDUALS;
    s->stage = LM_STAGE_FIRST_RESIDUALS;
}

/* The residuals at the start are there.
 *
 * Deviation: MINPACK goes on with NaN and infinity, and mostly reports that a fit has
 * converged where there was nothing to fit. Shown by tests/test_not_finite.py. */
static void take_start(lm_state *s)
{
    s->fnorm = s->fnorm_trial;
    s->moved = 1;
    if (s->mends && !(s->fnorm <= DBL_MAX)) {
        s->info = LM_NOT_FINITE;
        s->stage = LM_STAGE_ENDED;
        return;
    }
    s->request = LM_LINEARIZE;
    s->stage = LM_STAGE_LINEARIZED;
}

void lm_step(lm_state *s)
{
    lm_assert_state(s);
    s->request = LM_DONE;
    s->moved = 0;
    switch (s->stage) {
    case LM_STAGE_START:
        try_start(s);
        break;
    case LM_STAGE_FIRST_RESIDUALS:
        take_start(s);
        break;
    case LM_STAGE_LINEARIZED:
        minpack_test_gradient(s, s->n, s->norm, s->x, s->r, s->ipvt, s->diag, s->qtf,
                              s->acnorm, s->work, s->lower, s->upper, s->active);
        break;
    case LM_STAGE_BENT:
        minpack_bend(s, s->n, s->norm, s->x, s->r, s->ipvt, s->diag, s->step, s->x_trial,
                     s->work, s->second, s->lower, s->upper, s->active, s->work_bounds);
        break;
    case LM_STAGE_TRIED:
        minpack_judge(s, s->n, s->norm, s->x, s->r, s->ipvt, s->diag, s->qtf, s->x_trial,
                      s->step, s->work, s->lower, s->upper, s->active,
                      s->accelerates ? s->second : NULL);
        break;
    }
    if (s->stage == LM_STAGE_PROPOSE)
        minpack_propose(s, s->n, s->norm, s->x, s->r, s->ipvt, s->diag, s->qtf, s->step,
                        s->x_trial, s->work, s->work_lmpar, s->lower, s->upper, s->active,
                        s->work_bounds, s->accelerates ? s->second : NULL);
}

void lm_covariance(const lm_state *s, double scale, double *cov, double *work,
                   int *singular)
{
    minpack_covariance(s, s->n, s->r, s->ipvt, scale, cov, work, singular, s->lower,
                       s->upper, s->active, s->work_bounds);
}

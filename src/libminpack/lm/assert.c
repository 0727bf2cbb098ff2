/* In the debug build lm_step ends the program where its driver has left a state that no
 * driver may leave. */
#include "stages.h"

#ifdef MINPACK_DEBUG
#include <stdio.h>
#include <stdlib.h>

static void demand(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "lm_step: %s\n", what);
    abort();
}

static void assert_arrays(const lm_state *s)
{
    demand(s->x != NULL, "x is NULL");
    demand(s->x_trial != NULL, "x_trial is NULL");
    demand(s->diag != NULL, "diag is NULL");
    demand(s->r != NULL, "r is NULL");
    demand(s->qtf != NULL, "qtf is NULL");
    demand(s->acnorm != NULL, "acnorm is NULL");
    demand(s->step != NULL, "step is NULL");
    demand(s->work != NULL, "work is NULL");
    demand(s->work_lmpar != NULL, "work_lmpar is NULL");
    demand(s->ipvt != NULL, "ipvt is NULL");
    demand(!s->accelerates || s->second != NULL,
           "there is acceleration, and second is NULL");
    demand(s->lower == NULL || s->upper != NULL, "there is lower, and upper is NULL");
    demand(s->upper == NULL || s->lower != NULL, "there is upper, and lower is NULL");
    demand(s->lower == NULL || s->active != NULL, "there are bounds, and active is NULL");
    demand(s->lower == NULL || s->work_bounds != NULL,
           "there are bounds, and work_bounds is NULL");
}

/* Where x is NaN, it is not outside. */
static void assert_within_bounds(const lm_state *s)
{
    for (int j = 0; s->lower != NULL && j < s->n; j++)
        demand(!(s->x[j] < s->lower[j]) && !(s->x[j] > s->upper[j]),
               "x is not within its bounds");
}

static void assert_permutation(const lm_state *s)
{
    for (int j = 1; j <= s->n; j++) {
        int found = 0;
        for (int k = 0; k < s->n; k++)
            found += s->ipvt[k] == j;
        demand(found == 1, "ipvt is no permutation of 1 to n");
    }
}

static void assert_factors(const lm_state *s)
{
    demand(!(s->fnorm < 0), "fnorm is negative");
    for (int j = 0; j < s->n; j++)
        demand(!(s->acnorm[j] < 0), "acnorm is negative");
    assert_permutation(s);
}

/* At the start lm_step itself answers numbers that are out of their ranges. */
void lm_assert_state(const lm_state *s)
{
    demand(s->stage >= LM_STAGE_START && s->stage <= LM_STAGE_ENDED,
           "stage is none: call lm_start first");
    if (s->stage == LM_STAGE_ENDED || (s->stage == LM_STAGE_START && s->n < 1))
        return;
    assert_arrays(s);
    if (s->stage == LM_STAGE_START)
        return;
    demand(s->n >= 1, "n is less than 1");
    demand(s->ldr >= s->n, "ldr is less than n");
    demand(s->norm != NULL, "norm is NULL");
    assert_within_bounds(s);
    if (s->stage == LM_STAGE_LINEARIZED)
        assert_factors(s);
    else
        demand(!(s->fnorm_trial < 0), "fnorm_trial is negative");
}
#endif

/* A wrapper of lm_step that traps what no arithmetic of the solver should do.
 *
 * Invalid operations and divisions by zero trap, and overflows except in the fast
 * kernels, which try a sum of squares and see whether it overflowed. Nothing traps where
 * what func or Dfun returned is not finite, for then NaN is the right answer, nor where
 * TRAP is not set: there are tests that go to the ends of the range on purpose. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include "minpack.h"

void __real_lm_step(lm_state *s);
void __wrap_lm_step(lm_state *s);

static int finite_all(const double *a, size_t count)
{
    for (size_t i = 0; a != NULL && i < count; i++)
        if (!isfinite(a[i]))
            return 0;
    return 1;
}

void __wrap_lm_step(lm_state *s)
{
    fenv_t before;
    size_t m = (size_t)s->m, n = (size_t)s->n;
    int trial = s->request == LM_RESIDUALS || s->request == LM_DIFFERENCE;
    int jacobian = s->request == LM_JACOBIAN || s->request == LM_ITERATE
                   || s->request == LM_DIFFERENCE; /* whose columns are looked at */

    feholdexcept(&before);
    if (getenv("TRAP") && finite_all(s->fvec, m)
        && (!trial || finite_all(s->fvec_trial, m))
        && (!jacobian || finite_all(s->fjac, m * n)))
        feenableexcept(FE_INVALID | FE_DIVBYZERO
                       | (s->kernels.faithful ? FE_OVERFLOW : 0));
    __real_lm_step(s);
    fesetenv(&before);
}

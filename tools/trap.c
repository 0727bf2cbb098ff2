/* Wrappers of the library's computations that trap what no arithmetic of ours should do:
 * invalid operations, divisions by zero and, but for the fast kernels, overflows. Those
 * try a sum of squares and see whether it has overflowed.
 *
 * The user's functions are called between these computations, with the traps off. Nothing
 * traps where what they returned is not finite, for then NaN is the right answer, nor
 * where TRAP is not set: there are tests that go to the ends of the range on purpose. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stdlib.h>

#include "minpack.h"

double minpack_reference_norm(int m, const double *x);

void __real_lm_step(lm_state *s);
void __real_lm_linearize(lm_fit *fit);
double __real_lm_rows_norm(const lm_rows *rows, const double *fvec);
void __real_lm_take_point(lm_fit *fit, int k, const double *fvec);
int __real_lm_more_points(lm_fit *fit);
void __real_lm_finish(lm_fit *fit);

void __wrap_lm_step(lm_state *s);
void __wrap_lm_linearize(lm_fit *fit);
double __wrap_lm_rows_norm(const lm_rows *rows, const double *fvec);
void __wrap_lm_take_point(lm_fit *fit, int k, const double *fvec);
int __wrap_lm_more_points(lm_fit *fit);
void __wrap_lm_finish(lm_fit *fit);

static void trap(fenv_t *before, int is_finite, int is_reference)
{
    feholdexcept(before);
    if (is_finite && getenv("TRAP") != NULL)
        feenableexcept(FE_INVALID | FE_DIVBYZERO | (is_reference ? FE_OVERFLOW : 0));
}

static int are_finite(const double *a, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(a[i]))
            return 0;
    return 1;
}

static int is_finite_triangle(const lm_state *s)
{
    for (int j = 0; j < s->n; j++)
        if (!are_finite(s->r + j * (size_t)s->ldr, j + 1))
            return 0;
    return are_finite(s->qtf, s->n);
}

/* Of the Jacobian, or the residuals in its place, and the residuals at x; rows of a
 * source are not known. */
static int are_finite_rows(const lm_rows *rows)
{
    if (rows->source != NULL)
        return 0;
    for (int j = 0; j < rows->n; j++)
        if (!are_finite(j == rows->n - 1 && rows->last != NULL
                            ? rows->last
                            : rows->fjac + j * (size_t)rows->ldfjac,
                        rows->m))
            return 0;
    return are_finite(rows->fvec, rows->m)
           && (!rows->weighted || are_finite(rows->fvec_weighted, rows->m));
}

static int is_reference(const lm_rows *rows)
{
    return rows->kernels == lm_kernels_named("reference");
}

void __wrap_lm_step(lm_state *s)
{
    fenv_t before;
    int is_finite = are_finite(s->x, s->n);

    if (s->request == LM_RESIDUALS)
        is_finite = is_finite && isfinite(s->fnorm_trial);
    else if (s->request == LM_LINEARIZE)
        is_finite = is_finite && is_finite_triangle(s) && isfinite(s->fnorm)
                    && are_finite(s->acnorm, s->n);
    trap(&before, is_finite, s->norm == minpack_reference_norm);
    __real_lm_step(s);
    fesetenv(&before);
}

void __wrap_lm_linearize(lm_fit *fit)
{
    fenv_t before;

    trap(&before, are_finite_rows(&fit->rows), is_reference(&fit->rows));
    __real_lm_linearize(fit);
    fesetenv(&before);
}

double __wrap_lm_rows_norm(const lm_rows *rows, const double *fvec)
{
    fenv_t before;

    trap(&before, are_finite(fvec, rows->m), is_reference(rows));
    double norm = __real_lm_rows_norm(rows, fvec);
    fesetenv(&before);
    return norm;
}

void __wrap_lm_take_point(lm_fit *fit, int k, const double *fvec)
{
    fenv_t before;
    const lm_rows *rows = &fit->rows;

    trap(&before, are_finite(fvec, rows->m) && are_finite(rows->fvec, rows->m),
         is_reference(rows));
    __real_lm_take_point(fit, k, fvec);
    fesetenv(&before);
}

int __wrap_lm_more_points(lm_fit *fit)
{
    fenv_t before;

    trap(&before, are_finite_rows(&fit->rows), is_reference(&fit->rows));
    int more = __real_lm_more_points(fit);
    fesetenv(&before);
    return more;
}

void __wrap_lm_finish(lm_fit *fit)
{
    fenv_t before;

    trap(&before, fit->state.info > 0 && is_finite_triangle(&fit->state),
         is_reference(&fit->rows));
    __real_lm_finish(fit);
    fesetenv(&before);
}

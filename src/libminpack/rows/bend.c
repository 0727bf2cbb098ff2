/* The second derivative of the residuals along a step, from one more evaluation. */
#include "kernels.h"

enum { SUMS = 8 }; /* partial sums, added in one fixed order */

void lm_slope(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;

    rows->kernels->difference(rows->m, fit->trial, rows->fvec, LM_AHEAD, rows->work_m);
}

static double dot(int m, const double *a, const double *b)
{
    double sum[SUMS] = {0}, rest = 0;
    int i = 0;

    for (; i + SUMS <= m; i += SUMS)
        for (int k = 0; k < SUMS; k++)
            sum[k] += a[i + k] * b[i + k];
    for (; i < m; i++)
        rest += a[i] * b[i];
    for (int k = 0; k < SUMS; k++)
        rest += sum[k];
    return rest;
}

/* f(x + h v) = f + h J v + h²/2 f_vv, but for what is of third order. */
void lm_bend(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    double *rest = rows->work_m; /* h/2 f_vv */

    for (int j = 0; j < rows->n; j++) {
        const double *column = rows->fjac + j * (size_t)rows->ldfjac;
        for (int i = 0; i < rows->m; i++)
            rest[i] -= column[i] * s->step[j];
    }
    for (int j = 0; j < rows->n; j++)
        s->second[j] =
            2 / LM_AHEAD * dot(rows->m, rows->fjac + j * (size_t)rows->ldfjac, rest);
}

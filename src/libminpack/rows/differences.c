/* Jacobians by differences of residuals in memory: which points, and what their residuals
 * become. points.f90 knows the steps. */
#include <string.h>

#include "kernels.h"

/* points.f90 */
void minpack_first_points(lm_differences *d, int n, int iter, const double *x, double *h,
                          double *second, const double *diff_step, const double *lower,
                          const double *upper, double *watch);
int minpack_more_points(lm_differences *d, int m, int n, const double *x, double *h,
                        double *second, const double *diff_step, const double *lower,
                        const double *upper, double *watch, double *fjac, int ldfjac,
                        const double *last, const double *fvec, int are_raw);

/* The steps of the second points, if there are any. */
static double *second_steps(const lm_fit *fit)
{
    const lm_differences *d = &fit->differences;

    return d->points == 3 ? d->h + fit->rows.n : NULL;
}

static double *column(const lm_rows *rows, int j)
{
    return rows->fjac + j * (size_t)rows->ldfjac;
}

static void count(lm_fit *fit, int points)
{
    fit->differences.count += points;
    if (!fit->differences.uncounted)
        fit->state.nfev += points;
}

void lm_first_points(lm_fit *fit)
{
    lm_state *s = &fit->state;
    lm_rows *rows = &fit->rows;
    lm_differences *d = &fit->differences;
    int fixed = 0;

    minpack_first_points(d, s->n, s->iter, s->x, d->h, second_steps(fit), d->diff_step,
                         s->lower, s->upper, d->watch);
    rows->last = NULL;
    memcpy(s->x_trial, s->x, (size_t)s->n * sizeof(double));
    d->moved = -1;
    for (int j = 0; s->lower != NULL && j < s->n; j++)
        if (d->h[j] == 0) {
            memset(column(rows, j), 0, (size_t)rows->m * sizeof(double));
            fixed++;
        }
    count(fit, (s->n - fixed) * (d->points == 3 ? 2 : 1));
}

int lm_more_points(lm_fit *fit)
{
    lm_state *s = &fit->state;
    lm_rows *rows = &fit->rows;
    lm_differences *d = &fit->differences;

    if (!d->watching)
        return 0;
    double *end = column(rows, s->n - 1);
    if (!minpack_more_points(d, rows->m, s->n, s->x, d->h, second_steps(fit),
                             d->diff_step, s->lower, s->upper, d->watch, rows->fjac,
                             rows->ldfjac, rows->last != NULL ? rows->last : end,
                             rows->fvec, rows->is_raw))
        return 0;
    if (rows->last != NULL) /* its memory is wanted for the next residuals */
        memcpy(end, rows->last, (size_t)rows->m * sizeof(double));
    rows->last = NULL;
    d->gathered = 1;
    count(fit, d->points == 3 ? 2 : 1);
    s->beyond++;
    return 1;
}

/* The order is: the points of one parameter, then those of the next. */
int lm_next_point(const lm_fit *fit, int k)
{
    const lm_differences *d = &fit->differences;
    int n = fit->rows.n, two = d->points == 3;
    int j = k < 0 ? 0 : k % n + 1;

    if (two && k >= 0 && k < n)
        return k + n;
    if (d->only > 0)
        return k < 0 ? d->only - 1 : -1;
    while (j < n && d->h[j] == 0)
        j++;
    return j < n ? j : -1;
}

void lm_move_to(lm_fit *fit, int k)
{
    lm_state *s = &fit->state;
    int j = k % s->n;
    double moved = s->x[j] + fit->differences.h[k];

    if (s->lower != NULL && moved < s->lower[j]) /* the sum may be rounded */
        moved = s->lower[j];
    if (s->lower != NULL && moved > s->upper[j])
        moved = s->upper[j];
    if (fit->differences.moved >= 0)
        s->x_trial[fit->differences.moved] = s->x[fit->differences.moved];
    fit->differences.moved = j;
    s->x_trial[j] = moved;
}

/* d1 = the derivative at x of the parabola through x, x + h1 and x + h2, from the
 * difference quotients d1 and d2 of the last two. */
static void combine(int m, double h1, double h2, double *d1, const double *d2)
{
    double w1 = h2 / (h2 - h1), w2 = -h1 / (h2 - h1);

    for (int i = 0; i < m; i++)
        d1[i] = w1 * d1[i] + w2 * d2[i];
}

/* Those of the last parameter stay where they are, but where they are evaluated again. */
double *lm_raw_column(const lm_fit *fit, int k)
{
    const lm_rows *rows = &fit->rows;
    int is_last = k == rows->n - 1 && !fit->differences.gathered;

    return rows->is_raw && !is_last ? column(rows, k) : NULL;
}

void lm_take_point(lm_fit *fit, int k, const double *fvec)
{
    lm_rows *rows = &fit->rows;
    const double *h = fit->differences.h;
    int m = rows->m, n = rows->n, j = k % n;
    double *raw = lm_raw_column(fit, k);

    if (rows->is_raw && raw == NULL) {
        rows->last = fvec;
    } else if (rows->is_raw) {
        if (fvec != raw)
            memcpy(raw, fvec, (size_t)m * sizeof(double));
    } else if (k < n) {
        rows->kernels->difference(m, fvec, rows->fvec, h[k], column(rows, j));
    } else {
        rows->kernels->difference(m, fvec, rows->fvec, h[k], rows->work_m);
        combine(m, h[j], h[k], column(rows, j), rows->work_m);
    }
}

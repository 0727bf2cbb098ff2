/* The memory of a fit: one block for all of its arrays. */
#include <float.h>
#include <stdint.h>
#include <string.h>

#include "work.h"

#define LINE 64 /* bytes in a line of the cache */

void lm_defaults(lm_fit *fit, int m, int n)
{
    memset(fit, 0, sizeof *fit);
    fit->rows.m = m;
    fit->rows.n = fit->state.n = n;
    fit->rows.kernels = lm_kernels_named("fast");
    fit->state.ftol = fit->state.xtol = 1.49012e-8;
    fit->state.factor = 100;
    fit->state.maxfev = 200 * (n < 10000000 ? n + 1 : 10000000);
    fit->state.mends = 1;
    fit->differences.epsfcn = fit->differences.rounding = DBL_EPSILON;
}

/* Of a Jacobian whose columns begin with a line of the cache: loads and stores that cross
 * two are slow. With a power of two the columns would meet in the same lines. */
static int leading_dimension(int m)
{
    int each = LINE / (int)sizeof(double), lines = (m + each - 1) / each;
    return (lines + (lines % 64 == 0)) * each;
}

/* Divides a block of memory; without one it only counts. */
typedef struct {
    char *memory;
    size_t used;
} divider;

static void *part(divider *d, size_t size)
{
    void *start = d->memory != NULL ? d->memory + d->used : NULL;

    d->used += (size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
    return start;
}

/* Numbers for *array, unless it is there. */
static void numbers(divider *d, double **array, size_t count)
{
    if (*array == NULL && count > 0)
        *array = part(d, count * sizeof **array);
}

static void integers(divider *d, int **array, size_t count)
{
    if (*array == NULL && count > 0)
        *array = part(d, count * sizeof **array);
}

static void to_line(divider *d)
{
    d->used = (d->used + LINE - 1) / LINE * LINE;
}

static void divide(lm_fit *fit, divider *d)
{
    lm_state *s = &fit->state;
    lm_rows *rows = &fit->rows;
    size_t n = (size_t)rows->n, m = (size_t)rows->m, ld = (size_t)rows->ldfjac;
    int bounded = s->lower != NULL;

    numbers(d, &s->x, n);
    numbers(d, &s->x_trial, n);
    numbers(d, &s->diag, n);
    numbers(d, &s->qtf, n);
    numbers(d, &s->acnorm, n);
    numbers(d, &s->step, n);
    numbers(d, &s->work, n);
    numbers(d, &s->work_lmpar, n);
    numbers(d, &fit->differences.h, fit->differences.points == 3 ? 2 * n : n);
    numbers(d, &fit->differences.watch, s->mends ? 4 * n : 0);
    numbers(d, &s->r, (size_t)s->ldr * n);
    integers(d, &s->ipvt, n);
    integers(d, &s->active, bounded ? 5 * n : 0);
    numbers(d, &s->work_bounds, bounded ? lm_bounds_work(s->n) : 0);
    to_line(d);
    numbers(d, &rows->fjac, ld * n);
    numbers(d, &rows->fvec, m);
    numbers(d, &fit->own_trial, fit->brings ? 0 : m);
    numbers(d, &rows->fvec_weighted, rows->weighted ? m : 0);
    numbers(d, &rows->work_m, m);
    numbers(d, &rows->copy, rows->keeps ? m * n : 0);
    to_line(d);
    if (rows->scratch == NULL && lm_rows_scratch(rows) > 0)
        rows->scratch = part(d, lm_rows_scratch(rows));
}

size_t lm_lay_out(lm_fit *fit, void *memory)
{
    lm_fit unchanged = *fit, *to = memory != NULL ? fit : &unchanged;
    divider d = {NULL, 0};

    to->state.n = fit->rows.n;
    if (to->state.ldr == 0)
        to->state.ldr = fit->rows.n;
    if (to->rows.ldfjac == 0)
        to->rows.ldfjac = leading_dimension(fit->rows.m);
    if (memory != NULL)
        d.memory = (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
    divide(to, &d);
    return d.used + LINE;
}

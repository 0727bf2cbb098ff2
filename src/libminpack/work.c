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

/* Divides a block of memory; without one it only counts, and changes nothing. */
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

/* Where an array is to be made, a first pass counts it and leaves NULL where it stands.
 */
static void divide(lm_fit *fit, size_t ldr, size_t ldfjac, divider *d)
{
    lm_state *s = &fit->state;
    lm_rows *rows = &fit->rows;
    size_t n = (size_t)rows->n, m = (size_t)rows->m;
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
    if (s->mends)
        numbers(d, &fit->differences.watch, 4 * n);
    if (s->accelerates)
        numbers(d, &s->second, 4 * n);
    numbers(d, &s->r, ldr * n);
    integers(d, &s->ipvt, n);
    if (bounded) {
        integers(d, &s->active, 5 * n);
        numbers(d, &s->work_bounds, lm_bounds_work(rows->n));
    }
    to_line(d);
    if (rows->source == NULL) {
        numbers(d, &rows->fjac, ldfjac * n);
        numbers(d, &rows->fvec, m);
        if (!fit->brings)
            numbers(d, &fit->own_trial, m);
        if (rows->weighted)
            numbers(d, &rows->fvec_weighted, m);
        numbers(d, &rows->work_m, m);
        if (rows->keeps || s->accelerates)
            numbers(d, &rows->copy, m * n);
        to_line(d);
    }
    if (rows->scratch == NULL && lm_rows_scratch(rows) > 0)
        rows->scratch = part(d, lm_rows_scratch(rows));
}

size_t lm_lay_out(lm_fit *fit, void *memory)
{
    lm_rows *rows = &fit->rows;
    int ldr = fit->state.ldr > 0 ? fit->state.ldr : rows->n;
    int ldfjac = rows->ldfjac > 0 ? rows->ldfjac : leading_dimension(rows->m);
    divider d = {NULL, 0};

    if (memory != NULL) {
        d.memory = (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
        fit->state.n = rows->n;
        fit->state.ldr = ldr;
        rows->ldfjac = ldfjac;
    }
    divide(fit, (size_t)ldr, (size_t)ldfjac, &d);
    return d.used + LINE;
}

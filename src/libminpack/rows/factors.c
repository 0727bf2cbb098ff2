/* The factors of the rows: R, and the first entries of Q'f, of one path or another. */
#include <math.h>
#include <string.h>

#include "rows.h"

/* Whether squares, and products with others of such a norm, stay in range. */
static int is_within_range(double norm)
{
    return norm == 0 || (norm >= SMALLEST_NORM && norm <= LARGEST_NORM);
}

/* Entry i of column j of the Jacobian. */
static double entry(const matrix *a, int i, int j)
{
    const double *column = column_of(a, j);
    return a->h == NULL ? column[i] : (column[i] - a->fvec[i]) / a->h[j];
}

/* Whether columns of a with these squares of norms are within range. Nothing has
 * underflowed where all entries are zero; those of a source are not known. */
static int are_within_range(const matrix *a, const double *square)
{
    for (int j = 0; j < a->n; j++) {
        double norm = sqrt(square[j]);
        if (!is_within_range(norm) || (norm == 0 && a->source != NULL))
            return 0;
        for (int i = 0; norm == 0 && i < a->m; i++)
            if (entry(a, i, j) != 0)
                return 0;
    }
    return 1;
}

/* The squares of the norms of the columns of J, from the triangle. */
static void find_squares(workspace w, int n, double *square)
{
    for (int j = 0; j < n; j++) {
        square[j] = 0;
        for (int i = 0; i <= j; i++) {
            double entry = w.r[i + j * w.ldr];
            square[j] += entry * entry;
        }
    }
}

/* Whether some column keeps too little of its length for the normal equations. */
static int is_dependent(workspace w, int n, const double *acnorm, const int *ipvt)
{
    for (int j = 0; j < n; j++) {
        double left = w.r[j + j * w.ldr], whole = acnorm[ipvt[j] - 1];
        if (!(left * left > LEAST_PART * whole * whole))
            return 1;
    }
    return 0;
}

/* The first n rows of J, for the signs: see orient.c. */
static void take_top(workspace w, const matrix *a)
{
    if (a->source != NULL) {
        const lm_rows *rows = a->source;
        rows->source(rows->source_who, 0, 0, a->n, w.v, w.top, a->n);
        return;
    }
    for (int j = 0; j < a->n; j++) {
        double *to = w.top + j * (size_t)a->n;
        if (a->h == NULL)
            memcpy(to, column_of(a, j), (size_t)a->n * sizeof(double));
        else
            for (int i = 0; i < a->n; i++)
                to[i] = entry(a, i, j);
    }
}

/* The products or a triangle at x, which the last trial point may have left. */
static void pass_at_x(const lm_fit *fit, const matrix *a, workspace w,
                      enum pass_kind kind)
{
    const lm_rows *rows = &fit->rows;
    const lm_kernels *kernels = rows->kernels;

    if (a->source == NULL && a->m <= MANY) { /* one leaf */
        (kind == PRODUCTS ? kernels->products : kernels->triangle)(w, a);
        return;
    }
    leaf_memory memory = lm_leaf_memory_of(rows, w);
    if (!fit->state.moved || rows->knows != KNOWS(kind))
        lm_pass(rows, a, w, memory, kind);
    lm_take_pass(rows, w, memory, kind);
}

/* Pivot the triangle w.r, the squares of whose columns are given. */
static void pivot(lm_rows *rows, lm_state *s, workspace w, double *square)
{
    rows->kernels->pivot(w, rows->n, s->ipvt, square, s->work);
    rows->dependent = is_dependent(w, rows->n, s->acnorm, s->ipvt);
}

/* The factors from w.r, with the first rows of J below the diagonal. */
static void take_factors(lm_rows *rows, lm_state *s, workspace w, const matrix *a)
{
    size_t n = (size_t)rows->n;

    take_top(w, a);
    for (size_t j = 0; j < n; j++) {
        double *r = s->r + j * (size_t)s->ldr;
        memcpy(r + j, w.top + j * n + j, (n - j) * sizeof(double));
        memcpy(r, w.r + j * w.ldr, (j + 1) * sizeof(double));
    }
    memcpy(s->qtf, w.r + n * w.ldr, n * sizeof(double));
    rows->signs_open = 1;
}

enum outcome lm_factor_freely(lm_fit *fit, const matrix *a, double fnorm)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    workspace w = lm_workspace_of(rows);
    int n = a->n, solved = 0;
    double *square = s->step;

    if (!is_within_range(fnorm))
        return OUT_OF_RANGE;
    if (!rows->dependent) {
        pass_at_x(fit, a, w, PRODUCTS);
        solved = rows->kernels->factor_products(w, n, s->ipvt, square);
        if (!are_within_range(a, square))
            return OUT_OF_RANGE;
    }
    if (!solved && a->m <= MANY && a->source == NULL)
        return NEARLY_DEPENDENT;
    if (!solved) {
        pass_at_x(fit, a, w, TRIANGLES);
        find_squares(w, n, square);
        if (!are_within_range(a, square))
            return OUT_OF_RANGE;
    }
    for (int j = 0; j < n; j++)
        s->acnorm[j] = sqrt(square[j]);
    if (!solved)
        pivot(rows, s, w, square);
    take_factors(rows, s, w, a);
    return FACTORED;
}

void lm_factor_scaled(lm_fit *fit, const matrix *a)
{
    lm_state *s = &fit->state;
    workspace w = lm_workspace_of(&fit->rows);
    leaf_memory memory = lm_leaf_memory_of(&fit->rows, w);
    int n = a->n;
    double *f = w.r + n * w.ldr, *qtf = w.block;

    pass_at_x(fit, a, w, SIZES);
    pass_at_x(fit, a, w, SCALED);
    for (int k = 0; k <= n; k++)
        for (int i = 0; i < n; i++)
            w.r[i + k * w.ldr] /= memory.scale[k];
    minpack_reference_factor(n, n, w.r, (int)w.ldr, s->ipvt, s->acnorm, s->step, s->work,
                             f, qtf);
    memcpy(f, qtf, (size_t)n * sizeof(double));
    take_factors(&fit->rows, s, w, a);
}

void lm_factor_in_order(lm_fit *fit, const matrix *a, int by_reference)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    size_t m = (size_t)a->m, n = (size_t)a->n;
    int keeps = rows->keeps || s->accelerates;
    factors f = {a->m,    a->n,      rows->fjac, rows->ldfjac, a->fvec,      rows->work_m,
                 s->ipvt, s->acnorm, s->step,    s->work,      rows->scratch};

    if (keeps) {
        f.fjac = rows->copy;
        f.ldfjac = a->m;
    }
    for (int j = 0; j < a->n; j++) {
        double *to = f.fjac + j * (size_t)f.ldfjac;
        if (a->h != NULL)
            for (int i = 0; i < a->m; i++)
                to[i] = entry(a, i, j);
        else if (keeps)
            memcpy(to, column_of(a, j), m * sizeof(double));
    }
    if (by_reference)
        minpack_reference_factor(f.m, f.n, f.fjac, f.ldfjac, f.ipvt, f.acnorm, f.rdiag,
                                 f.work, f.fvec, f.qtf);
    else
        rows->kernels->factor_in_order(&f);
    memcpy(s->qtf, f.qtf, n * sizeof(double));
    if (f.fjac != s->r)
        for (size_t j = 0; j < n; j++)
            memcpy(s->r + j * (size_t)s->ldr, f.fjac + j * (size_t)f.ldfjac,
                   n * sizeof(double));
}

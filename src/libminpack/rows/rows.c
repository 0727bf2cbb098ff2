/* The rows of a fit in memory: their norm, and their reduction to a triangle.
 *
 * Three ways lead to the triangle. This file and the kernels that it calls choose one,
 * and the algorithm never sees which. MINPACK's order of operations is slow, and gives
 * MINPACK's bits: kernels by the name of "reference" always take it, and the fast ones
 * where rounding errors decide which way a fit goes. The normal equations are fast, and
 * good where the columns of J are far from dependent. Reflections of blocks are good
 * always, and beside the others only with many residuals.
 *
 * The reference kernels also do the work where squares may overflow or underflow. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "work.h"

#define MANY 1024 /* with more residuals never MINPACK's order */
/* Tolerances that let rounding errors end a fit, for sums of hundreds of squares */
#define LAST_BITS 1e-13
/* A Jacobian of this many numbers does not fit into the second cache: it pays to form the
 * differences while they are added up. */
#define WORTH_DEFERRING 150000.0

enum path {
    REFERENCE, /* MINPACK's order by the reference kernels */
    IN_ORDER,  /* the same by the fast ones */
    FREE       /* any order */
};

/* --- Memory ------------------------------------------------------------------------ */

size_t lm_rows_scratch(const lm_rows *rows)
{
    size_t columns = (size_t)rows->n + 1, ldr = lm_padded(rows->n);

    if (rows->kernels->is_reference)
        return 0;
    if (rows->m < FEW)
        return columns * sizeof(double);
    return (columns * columns + LANES /* to align what follows */ + ldr * columns + ldr
            + lm_lda(rows->m, rows->n) * columns)
           * sizeof(double);
}

static workspace workspace_of(const lm_rows *rows)
{
    workspace w;
    size_t columns = (size_t)rows->n + 1;

    w.ldr = lm_padded(rows->n);
    w.lda = lm_lda(rows->m, rows->n);
    w.gram = w.top = w.weight = rows->scratch;
    w.r = (double *)(((uintptr_t)(w.gram + columns * columns) + 63) / 64 * 64);
    w.v = w.r + w.ldr * columns;
    w.block = w.v + w.ldr;
    return w;
}

/* --- The path ---------------------------------------------------------------------- */

/* Norms are added up as the path wants it. */
static void take_path(lm_fit *fit, enum path path)
{
    const lm_rows *rows = &fit->rows;

    fit->rows.path = (int)path;
    if (rows->n < FEW)
        fit->state.norm = minpack_reference_norm;
    else
        fit->state.norm =
            path == FREE ? rows->kernels->norm : rows->kernels->norm_in_order;
}

/* Whether MINPACK's order costs little, or rounding errors will end the fit. */
static int starts_in_order(const lm_fit *fit)
{
    const lm_state *s = &fit->state;

    return fit->rows.m < FEW
           || (fit->rows.m <= MANY && s->ftol <= LAST_BITS && s->xtol <= LAST_BITS
               && s->gtol <= LAST_BITS);
}

void lm_start_rows(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    enum path path = rows->kernels->is_reference ? REFERENCE
                     : starts_in_order(fit)      ? IN_ORDER
                                                 : FREE;

    take_path(fit, path);
    rows->dependent = rows->signs_open = 0;
    rows->is_raw = rows->defers && path != REFERENCE && fit->state.lower == NULL
                   && fit->differences.diff_step == NULL && fit->differences.points != 3
                   && !rows->weighted && (double)rows->m * rows->n >= WORTH_DEFERRING;
    rows->last = NULL;
}

double lm_rows_norm(const lm_rows *rows, const double *fvec)
{
    return (rows->path == FREE ? rows->kernels->norm
                               : rows->kernels->norm_in_order)(rows->m, fvec);
}

/* --- The factors -------------------------------------------------------------------- */

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
 * underflowed where all entries are zero. */
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
        a->source->source(a->source->source_who, 0, a->n, w.top, a->n);
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

typedef enum { FACTORED, OUT_OF_RANGE, NEARLY_DEPENDENT } outcome;

/* Factor a in any order. Unless it is FACTORED, a and acnorm are as they were. */
static outcome factor_freely(lm_rows *rows, lm_state *s, const matrix *a, double fnorm)
{
    workspace w = workspace_of(rows);
    const lm_kernels *kernels = rows->kernels;
    int n = a->n, solved = 0;
    double *square = s->step;

    if (!is_within_range(fnorm))
        return OUT_OF_RANGE;
    if (!rows->dependent) {
        solved = kernels->normal_equations(w, a, s->ipvt, square);
        if (!are_within_range(a, square))
            return OUT_OF_RANGE;
    }
    if (!solved && a->m <= MANY)
        return NEARLY_DEPENDENT;
    if (!solved) {
        kernels->triangle(w, a);
        find_squares(w, n, square);
        if (!are_within_range(a, square))
            return OUT_OF_RANGE;
    }
    take_top(w, a);
    rows->signs_open = 1;
    for (int j = 0; j < n; j++)
        s->acnorm[j] = sqrt(square[j]);
    if (!solved) {
        kernels->pivot(w, n, s->ipvt, square, s->work);
        rows->dependent = is_dependent(w, n, s->acnorm, s->ipvt);
    }
    for (int j = 0; j < n; j++) { /* with J below the diagonal */
        double *r = s->r + j * (size_t)s->ldr;
        memcpy(r + j, w.top + j * (size_t)n + j, (size_t)(n - j) * sizeof(double));
        memcpy(r, w.r + j * w.ldr, (size_t)(j + 1) * sizeof(double));
    }
    memcpy(s->qtf, w.r + n * w.ldr, (size_t)n * sizeof(double));
    return FACTORED;
}

/* Factor a in MINPACK's order, in place or, where the Jacobian must be kept, in a copy.
 */
static void factor_in_order(lm_rows *rows, lm_state *s, const matrix *a, int by_reference)
{
    size_t m = (size_t)a->m, n = (size_t)a->n;
    factors f = {a->m,    a->n,      rows->fjac, rows->ldfjac, a->fvec,      rows->work_m,
                 s->ipvt, s->acnorm, s->step,    s->work,      rows->scratch};

    if (rows->keeps) {
        f.fjac = rows->copy;
        f.ldfjac = a->m;
    }
    for (int j = 0; j < a->n; j++) {
        double *to = f.fjac + j * (size_t)f.ldfjac;
        if (a->h != NULL)
            for (int i = 0; i < a->m; i++)
                to[i] = entry(a, i, j);
        else if (rows->keeps)
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

/* The whole Jacobian to fjac, if somebody writes it. */
static void take_from_source(const lm_rows *rows)
{
    if (rows->source != NULL)
        rows->source(rows->source_who, 0, rows->m, rows->fjac, rows->ldfjac);
}

void lm_linearize(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    const double *end = rows->fjac + (rows->n - 1) * (size_t)rows->ldfjac;
    matrix a = {rows->m,
                rows->n,
                rows->fjac,
                rows->ldfjac,
                rows->last != NULL ? rows->last : end,
                rows->weighted ? rows->fvec_weighted : rows->fvec,
                rows->is_raw ? fit->differences.h : NULL,
                NULL};

    rows->signs_open = 0;
    if (rows->source != NULL && rows->path == FREE && rows->m > MANY && !rows->keeps)
        a.source = rows;
    else
        take_from_source(rows);
    if (rows->path == FREE) {
        double fnorm = rows->weighted ? lm_rows_norm(rows, a.fvec) : s->fnorm;
        switch (factor_freely(rows, s, &a, fnorm)) {
        case FACTORED:
            return;
        case OUT_OF_RANGE:
            if (a.source != NULL)
                take_from_source(rows);
            factor_in_order(rows, s, &a, 1);
            return;
        case NEARLY_DEPENDENT: /* from now on */
            take_path(fit, IN_ORDER);
            if (!rows->weighted)
                s->fnorm = lm_rows_norm(rows, rows->fvec);
            break;
        }
    }
    factor_in_order(rows, s, &a, rows->path == REFERENCE);
}

void lm_finish(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    size_t n = (size_t)rows->n, m = (size_t)rows->m, ld = (size_t)rows->ldfjac;

    if (s->info < LM_FTOL || s->info > LM_GTOL_TOO_SMALL)
        return;
    if (rows->signs_open) {
        workspace w = workspace_of(rows);
        minpack_orient(s->n, w.top, s->ipvt, s->r, (size_t)s->ldr, s->qtf, w.r);
        rows->signs_open = 0;
    }
    for (size_t j = 0; j < n && s->r != rows->fjac; j++)
        memcpy(rows->fjac + j * ld, s->r + j * (size_t)s->ldr, n * sizeof(double));
    if (rows->last != NULL) /* nothing has been written there */
        memset(rows->fjac + (n - 1) * ld + n, 0, (m - n) * sizeof(double));
}

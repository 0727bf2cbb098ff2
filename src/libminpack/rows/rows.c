/* The rows of a fit: their norm, and by which path they are reduced to a triangle.
 *
 * Three ways lead to the triangle. This file and the kernels that it calls choose one,
 * and the algorithm never sees which. MINPACK's order of operations is slow, and gives
 * MINPACK's bits: kernels by the name of "reference" always take it, and the fast ones
 * where rounding errors decide which way a fit goes. The normal equations are fast, and
 * good where the columns of J are far from dependent. Reflections of blocks are good
 * always, and beside the others only with many residuals.
 *
 * The reference kernels also do the work where squares may overflow or underflow. */
#include <string.h>

#include "rows.h"
#include "work.h"

/* Tolerances that let rounding errors end a fit, for sums of hundreds of squares */
#define LAST_BITS 1e-13
/* A Jacobian of this many numbers does not fit into the second cache: it pays to form the
 * differences while they are added up. */
#define WORTH_DEFERRING 150000.0

/* --- Memory ------------------------------------------------------------------------ */

size_t lm_rows_scratch(const lm_rows *rows)
{
    size_t columns = (size_t)rows->n + 1, ldr = lm_padded(rows->n), of_leaves = 0;

    if (rows->kernels->is_reference)
        return 0;
    if (rows->m < FEW && rows->source == NULL)
        return columns * sizeof(double);
    if (rows->source != NULL || rows->m > MANY)
        lm_leaf_memory(rows, NULL, &of_leaves);
    return (columns * columns + LANES /* to align what follows */ + ldr * columns + ldr
            + lm_lda(rows->m, rows->n) * columns + of_leaves)
           * sizeof(double);
}

workspace lm_workspace_of(const lm_rows *rows)
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

leaf_memory lm_leaf_memory_of(const lm_rows *rows, workspace w)
{
    size_t size;

    return lm_leaf_memory(rows, w.block + w.lda * ((size_t)rows->n + 1), &size);
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

    if (fit->rows.source != NULL)
        return 0;
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
    rows->dependent = rows->signs_open = rows->knows = rows->unused = 0;
    rows->is_raw = rows->defers && path != REFERENCE && fit->state.lower == NULL
                   && !fit->state.accelerates && fit->differences.diff_step == NULL
                   && fit->differences.points != 3 && !rows->weighted
                   && (double)rows->m * rows->n >= WORTH_DEFERRING;
    rows->last = NULL;
}

double lm_block_norm(const lm_rows *rows, int count, const double *fvec)
{
    return rows->kernels->norm(count, fvec);
}

/* Whether rows are added up in blocks. */
static int takes_blocks(const lm_rows *rows)
{
    return rows->path == FREE && rows->m > MANY;
}

/* The norm of residuals from those of blocks; where norm is NULL, Euclidean. */
static double norm_by_blocks(const lm_rows *rows, const double *fvec,
                             double (*norm)(void *who, int count, const double *fvec),
                             void *who)
{
    workspace w = lm_workspace_of(rows);
    matrix a = {.m = rows->m, .n = rows->n, .fvec = fvec, .norm = norm, .norm_who = who};

    return lm_pass(rows, &a, w, lm_leaf_memory_of(rows, w), NORM);
}

double lm_norm_by_blocks(const lm_rows *rows, const double *fvec,
                         double (*norm)(void *who, int count, const double *fvec),
                         void *who)
{
    return takes_blocks(rows) ? norm_by_blocks(rows, fvec, norm, who)
                              : norm(who, rows->m, fvec);
}

double lm_rows_norm(const lm_rows *rows, const double *fvec)
{
    if (takes_blocks(rows))
        return norm_by_blocks(rows, fvec, NULL, NULL);
    return (rows->path == FREE ? rows->kernels->norm
                               : rows->kernels->norm_in_order)(rows->m, fvec);
}

/* --- The answer -------------------------------------------------------------------- */

static matrix source_of(const lm_rows *rows)
{
    matrix a = {.m = rows->m, .n = rows->n, .source = rows};

    return a;
}

/* Whether the step to the trial point promises so small a reduction that it is probably
 * the last one. */
static int is_last_step(const lm_state *s)
{
    double square = s->par * s->pnorm * s->pnorm;

    if (s->nfev == 1) /* there has been no step */
        return 0;
    for (int i = 0; i < s->n; i++) {
        double sum = 0;
        for (int j = i; j < s->n; j++)
            sum += s->r[i + j * (size_t)s->ldr] * s->step[s->ipvt[j] - 1];
        square += sum * sum;
    }
    return square <= s->ftol * s->fnorm * s->fnorm;
}

void lm_try_rows(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    workspace w = lm_workspace_of(rows);
    matrix a = source_of(rows);
    /* Most trial points become the next x: the Jacobian there is evaluated along. */
    enum pass_kind kind = rows->unused || is_last_step(&fit->state) ? NORM
                          : rows->dependent                         ? TRIANGLES
                                                                    : PRODUCTS;

    fit->state.fnorm_trial = lm_pass(rows, &a, w, lm_leaf_memory_of(rows, w), kind);
    rows->knows = KNOWS(kind);
    rows->unused = 1;
}

/* The factors of a source: the path is always free. */
static void linearize_source(lm_fit *fit)
{
    matrix a = source_of(&fit->rows);

    if (lm_factor_freely(fit, &a, fit->state.fnorm) != FACTORED)
        lm_factor_scaled(fit, &a);
    fit->rows.knows = fit->rows.unused = 0;
}

static void linearize_memory(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    const double *end = rows->fjac + (rows->n - 1) * (size_t)rows->ldfjac;
    matrix a = {.m = rows->m,
                .n = rows->n,
                .fjac = rows->fjac,
                .ldfjac = rows->ldfjac,
                .last = rows->last != NULL ? rows->last : end,
                .fvec = rows->weighted ? rows->fvec_weighted : rows->fvec,
                .h = rows->is_raw ? fit->differences.h : NULL};

    if (rows->path == FREE) {
        double fnorm = rows->weighted ? lm_rows_norm(rows, a.fvec) : s->fnorm;
        switch (lm_factor_freely(fit, &a, fnorm)) {
        case FACTORED:
            return;
        case OUT_OF_RANGE:
            lm_factor_in_order(fit, &a, 1);
            return;
        case NEARLY_DEPENDENT: /* from now on */
            take_path(fit, IN_ORDER);
            if (!rows->weighted)
                s->fnorm = lm_rows_norm(rows, rows->fvec);
            break;
        }
    }
    lm_factor_in_order(fit, &a, rows->path == REFERENCE);
}

void lm_linearize(lm_fit *fit)
{
    fit->rows.signs_open = 0;
    if (fit->rows.source != NULL)
        linearize_source(fit);
    else
        linearize_memory(fit);
}

void lm_finish(lm_fit *fit)
{
    lm_rows *rows = &fit->rows;
    lm_state *s = &fit->state;
    size_t n = (size_t)rows->n, m = (size_t)rows->m, ld = (size_t)rows->ldfjac;

    if (s->info < LM_FTOL || s->info > LM_GTOL_TOO_SMALL)
        return;
    if (rows->signs_open) {
        workspace w = lm_workspace_of(rows);
        minpack_orient(s->n, w.top, s->ipvt, s->r, (size_t)s->ldr, s->qtf, w.r);
        rows->signs_open = 0;
    }
    for (size_t j = 0; j < n && rows->fjac != NULL && s->r != rows->fjac; j++)
        memcpy(rows->fjac + j * ld, s->r + j * (size_t)s->ldr, n * sizeof(double));
    if (rows->last != NULL) /* nothing has been written there */
        memset(rows->fjac + (n - 1) * ld + n, 0, (m - n) * sizeof(double));
}

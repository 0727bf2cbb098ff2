/* Rows in pieces: a triangle for each of them, and one for all.
 *
 * With J = Q R of a piece of the rows, R and Q'fvec are all that the algorithm needs of
 * it. The triangles of two pieces, one upon the other, have the triangle of both (Golub,
 * Plemmons and Sameh 1988; Demmel, Grigori, Hoemmen and Langou 2012, as in
 * reflections.c). Columns are scaled by powers of 2, which changes no bit, so that no
 * square overflows. */
#include <math.h>
#include <string.h>

#include "kernels.h"

size_t lm_piece_scratch(int m, int n)
{
    size_t columns = (size_t)n + 1, ldr = lm_padded(n);
    int rows = m > n ? m : n;

    return (columns + ldr * columns + ldr + lm_lda(rows, n) * columns) * sizeof(double);
}

/* The memory for the triangle of at most m rows, and the scale of the columns. */
static workspace workspace_of(int m, int n, void *scratch, double **scale)
{
    size_t columns = (size_t)n + 1;
    workspace w = {.ldr = lm_padded(n), .lda = lm_lda(m > n ? m : n, n)};

    *scale = scratch;
    w.gram = w.top = w.weight = NULL;
    w.r = *scale + columns;
    w.v = w.r + w.ldr * columns;
    w.block = w.v + w.ldr;
    return w;
}

/* A triangle (n, n + 1) as rows like others. */
static matrix rows_of(int n, const double *triangle)
{
    matrix a = {.m = n,
                .n = n,
                .fjac = triangle,
                .ldfjac = n,
                .last = triangle + (n - 1) * (size_t)n,
                .fvec = triangle + n * (size_t)n};

    return a;
}

/* Powers of 2 that bring the columns of a, and of b if there is one, near 1. */
static void find_scale(const matrix *a, const matrix *b, double *scale)
{
    for (int k = 0; k <= a->n; k++) {
        double largest = lm_largest(a->m, column_of(a, k), 0);
        if (b != NULL)
            largest = lm_largest(b->m, column_of(b, k), largest);
        scale[k] = lm_scale_of(largest);
    }
}

static void to_triangle(workspace w, int n, const double *scale, double *triangle)
{
    for (int k = 0; k <= n; k++)
        for (int i = 0; i < n; i++)
            triangle[i + k * (size_t)n] = w.r[i + k * w.ldr] / scale[k];
}

void lm_block_triangle(const lm_kernels *kernels, int m, int n, const double *fjac,
                       int ldfjac, const double *fvec, double *triangle, void *scratch)
{
    double *scale;
    workspace w = workspace_of(m, n, scratch, &scale);
    matrix a = {.m = m,
                .n = n,
                .fjac = fjac,
                .ldfjac = ldfjac,
                .last = fjac + (n - 1) * (size_t)ldfjac,
                .fvec = fvec,
                .scale = scale};

    find_scale(&a, NULL, scale);
    kernels->triangle(w, &a);
    to_triangle(w, n, scale, triangle);
}

void lm_merge(const lm_kernels *kernels, int n, double *triangle, const double *other,
              void *scratch)
{
    double *scale;
    workspace w = workspace_of(n, n, scratch, &scale);
    matrix a = rows_of(n, triangle), b = rows_of(n, other);

    a.scale = b.scale = scale;
    find_scale(&a, &b, scale);
    kernels->triangle(w, &a);
    kernels->merge(w, &b);
    to_triangle(w, n, scale, triangle);
}

void lm_pivot(lm_state *s, const double *triangle)
{
    int n = s->n;
    size_t ldr = (size_t)s->ldr;
    const double *f = triangle + n * (size_t)n;

    for (int k = 0; k < n; k++)
        memcpy(s->r + k * ldr, triangle + k * (size_t)n, (size_t)n * sizeof(double));
    minpack_reference_factor(n, n, s->r, s->ldr, s->ipvt, s->acnorm, s->step, s->work, f,
                             s->qtf);
}

/* What normal_equations.c and reflections.c both take of blocks: here once for a set. */
#include "blocks.h"

/* So many rows of a source to the block. */
static void ask_for_block(workspace w, const matrix *a, int start, int count)
{
    const lm_rows *rows = a->source;
    double *fvec = w.block + a->n * w.lda;
    double norm = rows->source(rows->source_who, a->worker, a->first + start, count, fvec,
                               w.block, (int)w.lda);

    if (a->norms != NULL)
        a->norms[start / lm_block_rows(a->m, a->n)] = norm;
}

void KERNEL(take_block)(workspace w, const matrix *a, int start, int count)
{
    const double *fvec = w.block + a->n * w.lda;

    if (a->source != NULL)
        ask_for_block(w, a, start, count);
    for (int k = a->n; k >= 0; k--) {
        double *to = w.block + k * w.lda;
        if (a->h != NULL && k < a->n)
            difference_rows(count, column_of(a, k) + start, fvec, a->h[k], to, 0);
        else if (a->source == NULL)
            memcpy(to, column_of(a, k) + start, (size_t)count * sizeof(double));
        for (int i = 0; a->scale != NULL && i < count; i++)
            to[i] *= a->scale[k];
        for (int i = count; i < (int)lm_padded(count); i++)
            to[i] = 0;
    }
}

void KERNEL(any_dots)(int na, int m, const double *x, const double *const *a, double *dot,
                      const double *next)
{
    switch (na) {
    case 1:
        dots_of_one(1, m, x, a, dot, next);
        break;
    case 2:
        dots_of_one(2, m, x, a, dot, next);
        break;
    case 3:
        dots_of_one(3, m, x, a, dot, next);
        break;
    default:
        dots_of_one(4, m, x, a, dot, next);
        break;
    }
}

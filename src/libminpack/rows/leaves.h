/* Rows cut into leaves: what rows.c takes of leaves.c. */
#ifndef MINPACK_LEAVES_H
#define MINPACK_LEAVES_H

#include "kernels.h"

/* How the memory after the work space of one thread is divided. */
typedef struct {
    double *sums; /* (slot, count) the products, the triangle or the sizes of each leaf */
    size_t slot;  /* numbers */
    double *norms;       /* (count) those of the residuals of each leaf */
    double *block_norms; /* (blocks, workers) */
    double *scale;       /* (n + 1) */
    double *blocks;      /* (block, workers) a v and a block for each thread */
    size_t block;        /* numbers */
} leaf_memory;

/* Divide memory, or with NULL count: *size is how many numbers it takes. */
leaf_memory lm_leaf_memory(const lm_rows *rows, double *memory, size_t *size);

/* What a pass over the rows finds. */
enum pass_kind {
    NORM,      /* no more than the norms of the residuals */
    PRODUCTS,  /* for w.gram */
    TRIANGLES, /* for w.r */
    SCALED,    /* the same of columns times the scale */
    SIZES      /* of a source, the largest entry of each column, for the scale */
};

/* Find it for a, and return the norm of the residuals; of rows in memory only if it is
 * all that is to be found. */
double lm_pass(const lm_rows *rows, const matrix *a, workspace w, leaf_memory memory,
               enum pass_kind kind);

/* What the last pass has found, to its place. */
void lm_take_pass(const lm_rows *rows, workspace w, leaf_memory memory,
                  enum pass_kind kind);

#endif

/* Blocks of rows that stay in the cache while they are factored, and sums over them. */
#ifndef MINPACK_BLOCKS_H
#define MINPACK_BLOCKS_H

#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "quotients.h"

enum { PANEL = 4 }; /* columns that are worked on together */

/* MINPACK's pivot: the longest of the columns from j on, by their norms or the squares of
 * these. */
static inline int longest_column(int j, int n, const double *length)
{
    int longest = j;

    for (int k = j; k < n; k++)
        if (length[k] > length[longest])
            longest = k;
    return longest;
}

/* Exchange columns j and k of r(ldr, *) in `rows` rows, and their entries of ipvt. */
static inline void exchange_columns(int j, int k, double *r, size_t ldr, size_t rows,
                                    int *ipvt)
{
    double *rj = r + j * ldr, *rk = r + k * ldr;
    int pivot = ipvt[j];

    ipvt[j] = ipvt[k];
    ipvt[k] = pivot;
    for (size_t i = 0; i < rows; i++) {
        double swap = rj[i];
        rj[i] = rk[i];
        rk[i] = swap;
    }
}

/* --- The rows ahead -------------------------------------------------------------- */

/* The block of rows that comes next: while this one is worked on, every loop over its
 * rows brings a column of the next one near. */
typedef struct {
    const matrix *a;
    int start;
    int column; /* that is to be fetched */
} prospect;

/* The rows after the `rows` rows from start, or the same ones if they are the last. */
static inline prospect prospect_of(const matrix *a, int start, int rows)
{
    prospect p = {a, start + rows < a->m ? start + rows : start, 0};

    return p;
}

/* Nothing is to be brought near: of a block that is at hand, the residuals. */
static inline prospect no_prospect(const matrix *block)
{
    prospect p = {block, 0, block->n};

    return p;
}

static inline const double *next_column(prospect *p)
{
    const double *column = column_of(p->a, p->column) + p->start;

    if (p->column < p->a->n)
        p->column++;
    return column;
}

/* --- A block of rows ------------------------------------------------------------- */

/* The block of the work space, as far as it holds rows. */
static inline matrix block_of(workspace w, int n, int count)
{
    double *last = w.block + (n - 1) * w.lda;
    matrix block = {.m = count,
                    .n = n,
                    .fjac = w.block,
                    .ldfjac = (int)w.lda,
                    .last = last,
                    .fvec = last + w.lda};

    return block;
}

/* So many rows of all columns of a to the block, with zeros up to a whole number of
 * lanes. */
void KERNEL(take_block)(workspace w, const matrix *a, int start, int count);

/* --- Sums over rows: m is a multiple of LANES, the last rows may be zeros --------- */

/* Loops over rows also bring m numbers near, `next`, that are needed after them. Where
 * nothing is to be fetched, they are some of those at hand. */

/* dot[k] = x'a[k]. Even and odd lanes are summed apart: one sum after another would wait
 * for each addition. */
INLINE void dots_of_one(int na, int m, const double *x, const double *const *a,
                        double *dot, const double *next)
{
    lanes even[PANEL], odd[PANEL];
    int row;

    for (int k = 0; k < na; k++)
        even[k] = odd[k] = broadcast(0.0);
    for (row = 0; row + LANES < m; row += 2 * LANES) {
        lanes x0 = load(x + row), x1 = load(x + row + LANES);
        fetch(next + row);
        fetch(next + row + LANES);
        for (int k = 0; k < na; k++) {
            even[k] = add_product(even[k], x0, load(a[k] + row));
            odd[k] = add_product(odd[k], x1, load(a[k] + row + LANES));
        }
    }
    if (row < m)
        for (int k = 0; k < na; k++)
            even[k] = add_product(even[k], load(x + row), load(a[k] + row));
    for (int k = 0; k < na; k++)
        dot[k] = sum(add(even[k], odd[k]));
}

/* The same for a number of columns that is not known to the compiler. */
void KERNEL(any_dots)(int na, int m, const double *x, const double *const *a, double *dot,
                      const double *next);

#endif

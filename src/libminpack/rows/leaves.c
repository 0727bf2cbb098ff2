/* Many rows: how they are added up.
 *
 * Rows are reduced in blocks that stay in the cache, and what remains of a block is of
 * order n: a norm, and products or a triangle. Blocks are added up in leaves, one after
 * another. The leaves are merged in pairs, pairs of pairs and so on. Leaves depend on m
 * and n alone, and each of them may be worked on by any thread. So the bits depend
 * neither on the threads nor on whether the rows are in memory or come from a source. */
#include <math.h>
#include <string.h>

#include "leaves.h"

/* The pieces into which rows are cut. They depend on m and n alone. */
typedef struct {
    int count;  /* of leaves */
    int most;   /* of leaves of as many rows or fewer: no smaller m has more */
    int blocks; /* in each of them but the last */
    int rows;   /* the same in rows */
} leaves;

/* A leaf of fewer blocks is over sooner than another thread can be told of it. */
#define LEAST_BLOCKS 16
/* Numbers that all leaves may take together, but for the least number of leaves. */
#define MOST_NUMBERS 500000.0
#define LEAST_LEAVES 16

static size_t slot_of(const lm_rows *rows)
{
    size_t columns = (size_t)rows->n + 1, ldr = lm_padded(rows->n);

    return columns * (ldr > columns ? ldr : columns);
}

static int quotient_up(int a, int b)
{
    return a / b + (a % b != 0);
}

static leaves leaves_of(const lm_rows *rows)
{
    int block = lm_block_rows(rows->m, rows->n), blocks = quotient_up(rows->m, block);
    double fitting = MOST_NUMBERS / (double)slot_of(rows);
    int limit = fitting > LEAST_LEAVES ? (int)fitting : LEAST_LEAVES;
    leaves l;

    l.blocks = blocks / limit + 1;
    if (l.blocks < LEAST_BLOCKS)
        l.blocks = LEAST_BLOCKS;
    l.count = quotient_up(blocks, l.blocks);
    l.most = quotient_up(blocks, LEAST_BLOCKS);
    if (l.most > limit)
        l.most = limit;
    l.rows = l.blocks * block;
    return l;
}

/* Numbers from the divided memory; without one they are only counted. */
static double *part_of(double *memory, size_t *used, size_t count)
{
    double *start = memory != NULL ? memory + *used : NULL;

    *used += (count + LANES - 1) / LANES * LANES;
    return start;
}

leaf_memory lm_leaf_memory(const lm_rows *rows, double *memory, size_t *size)
{
    leaves l = leaves_of(rows);
    size_t columns = (size_t)rows->n + 1, ldr = lm_padded(rows->n);
    size_t workers = rows->workers > 1 ? (size_t)rows->workers : 1;
    leaf_memory parts;

    *size = 0;
    parts.slot = slot_of(rows);
    parts.block = ldr + lm_lda(rows->m, rows->n) * columns;
    parts.sums = part_of(memory, size, parts.slot * (size_t)l.most);
    parts.norms = part_of(memory, size, (size_t)l.most);
    parts.block_norms = part_of(memory, size, (size_t)l.blocks * workers);
    parts.scale = part_of(memory, size, columns);
    parts.blocks = part_of(memory, size, parts.block * workers);
    return parts;
}

/* --- A leaf ------------------------------------------------------------------------ */

typedef struct {
    const lm_rows *rows;
    const matrix *a;
    leaves leaves;
    leaf_memory memory;
    enum pass_kind kind;
} pass;

static double norm_of_block(const lm_rows *rows, const matrix *leaf, int start, int count,
                            double *fvec)
{
    if (leaf->source == NULL && leaf->norm == NULL)
        return rows->kernels->norm(count, leaf->fvec + start);
    if (leaf->source == NULL)
        return leaf->norm(leaf->norm_who, count, leaf->fvec + start);
    return rows->source(rows->source_who, leaf->worker, leaf->first + start, count, fvec,
                        NULL, 0);
}

/* The norm of a block of a source, and the largest entries so far. */
static double size_block(const lm_rows *rows, const matrix *leaf, int start, int count,
                         workspace w, double *largest)
{
    int n = rows->n;
    double norm = rows->source(rows->source_who, leaf->worker, leaf->first + start, count,
                               w.block + n * w.lda, w.block, (int)w.lda);

    for (int j = 0; j <= n; j++)
        largest[j] = lm_largest(count, w.block + j * w.lda, largest[j]);
    return norm;
}

/* Without a kernel for all of its blocks. */
static void visit_blocks(const pass *p, const matrix *leaf, workspace w, double *largest)
{
    int most = lm_block_rows(p->rows->m, p->rows->n);

    for (int start = 0, k = 0; start < leaf->m; start += most, k++) {
        int count = leaf->m - start < most ? leaf->m - start : most;
        leaf->norms[k] = p->kind == NORM
                             ? norm_of_block(p->rows, leaf, start, count, w.block)
                             : size_block(p->rows, leaf, start, count, w, largest);
    }
}

/* One leaf, in one of the threads. */
static void reduce_leaf(void *context, int k, int worker)
{
    const pass *p = context;
    const lm_rows *rows = p->rows;
    double *sums = p->memory.sums + (size_t)k * p->memory.slot;
    int first = k * p->leaves.rows, left = rows->m - first;
    matrix leaf = lm_rows_of(p->a, first, left < p->leaves.rows ? left : p->leaves.rows);
    workspace w = {.ldr = lm_padded(rows->n),
                   .lda = lm_lda(rows->m, rows->n),
                   .gram = sums,
                   .r = sums,
                   .v = p->memory.blocks + (size_t)worker * p->memory.block};

    w.block = w.v + w.ldr;
    leaf.worker = worker;
    leaf.norms = p->memory.block_norms + (size_t)worker * (size_t)p->leaves.blocks;
    leaf.scale = p->kind == SCALED ? p->memory.scale : NULL;
    if (p->kind == PRODUCTS) {
        rows->kernels->products(w, &leaf);
    } else if (p->kind == TRIANGLES || p->kind == SCALED) {
        rows->kernels->triangle(w, &leaf);
    } else {
        memset(sums, 0, ((size_t)rows->n + 1) * sizeof(double));
        visit_blocks(p, &leaf, w, sums);
    }
    if (leaf.source != NULL || p->kind == NORM) {
        int most = lm_block_rows(rows->m, rows->n);
        int blocks = quotient_up(leaf.m, most);
        p->memory.norms[k] = rows->kernels->norm(blocks, leaf.norms);
    }
}

/* --- The tree ---------------------------------------------------------------------- */

/* Merge the sums of leaf k with those of another one. */
static void merge_leaves(const pass *p, workspace w, int k, int other)
{
    double *to = p->memory.sums + (size_t)k * p->memory.slot;
    const double *from = p->memory.sums + (size_t)other * p->memory.slot;

    if (p->kind == TRIANGLES || p->kind == SCALED) {
        int n = p->rows->n;
        matrix rows = {.m = n,
                       .n = n,
                       .fjac = from,
                       .ldfjac = (int)w.ldr,
                       .last = from + (n - 1) * w.ldr,
                       .fvec = from + n * w.ldr};
        w.r = to;
        p->rows->kernels->merge(w, &rows);
    } else if (p->kind == PRODUCTS) {
        for (size_t i = 0; i < p->memory.slot; i++)
            to[i] += from[i];
    } else if (p->kind == SIZES) {
        for (int j = 0; j <= p->rows->n; j++)
            to[j] = to[j] > from[j] ? to[j] : from[j];
    }
}

double lm_pass(const lm_rows *rows, const matrix *a, workspace w, leaf_memory memory,
               enum pass_kind kind)
{
    pass p = {rows, a, leaves_of(rows), memory, kind};
    int count = p.leaves.count;

    if (rows->spread != NULL && count > 1)
        rows->spread(rows->source_who, count, reduce_leaf, &p);
    else
        for (int k = 0; k < count; k++)
            reduce_leaf(&p, k, 0);
    for (int step = 1; step < count && kind != NORM; step *= 2)
        for (int k = 0; k + step < count; k += 2 * step)
            merge_leaves(&p, w, k, k + step);
    return a->source != NULL || kind == NORM ? rows->kernels->norm(count, memory.norms)
                                             : NAN;
}

void lm_take_pass(const lm_rows *rows, workspace w, leaf_memory memory,
                  enum pass_kind kind)
{
    size_t columns = (size_t)rows->n + 1;

    if (kind == PRODUCTS)
        memcpy(w.gram, memory.sums, columns * columns * sizeof(double));
    else if (kind == SIZES)
        for (int k = 0; k <= rows->n; k++)
            memory.scale[k] = lm_scale_of(memory.sums[k]);
    else
        memcpy(w.r, memory.sums, w.ldr * columns * sizeof(double));
}

/* A fit whose rows are never together: blocks of them are computed, reduced to triangles
 * and forgotten. Here the blocks follow each other in one thread. They may as well be
 * computed in many threads, read from a file, or lie on other machines: a triangle is an
 * array of n (n + 1) numbers that can be sent. MINPACK's own way is lmstr, which asks for
 * one row after another and has MINPACK's bits.
 *
 *     meson setup build src/libminpack --prefix=$PWD/installed
 *     meson install -C build
 *     cc -I installed/include examples/blocks.c installed/lib/libminpack.a -lm
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "minpack.h"

enum { M = 1000000, N = 3, BLOCK = 4096, TRIANGLE = N * (N + 1), LEVELS = 32 };

/* Rows `first` on of y(t) = a exp(-b t) + c less the data, and of their derivatives. */
static void compute_rows(const double *x, int first, int count, double *fvec,
                         double *fjac)
{
    for (int i = 0; i < count; i++) {
        double t = 4.0 * (first + i) / M, decay = exp(-x[1] * t);
        double y = 2.5 * exp(-1.3 * t) + 0.5 + 0.1 * sin(7.0 * (first + i));
        fvec[i] = x[0] * decay + x[2] - y;
        fjac[i] = decay;
        fjac[i + BLOCK] = -x[0] * t * decay;
        fjac[i + 2 * BLOCK] = 1;
    }
}

static double fvec[BLOCK], fjac[BLOCK * N];

/* The norm of all residuals at x. */
static double norm(const double *x)
{
    double sum = 0;

    for (int first = 0; first < M; first += BLOCK) {
        int count = M - first < BLOCK ? M - first : BLOCK;
        compute_rows(x, first, count, fvec, fjac);
        for (int i = 0; i < count; i++)
            sum += fvec[i] * fvec[i];
    }
    return sqrt(sum);
}

/* The triangle of all rows at x, from those of the blocks: pairs are merged, then pairs
 * of pairs, so that the same blocks always have the same bits. */
static void linearize(lm_state *s, const lm_kernels *kernels, void *scratch)
{
    static double waiting[LEVELS][TRIANGLE];
    int taken[LEVELS] = {0}, level;

    for (int first = 0; first < M; first += BLOCK) {
        int count = M - first < BLOCK ? M - first : BLOCK;
        double triangle[TRIANGLE];
        compute_rows(s->x, first, count, fvec, fjac);
        lm_block_triangle(kernels, count, N, fjac, BLOCK, fvec, triangle, scratch);
        for (level = 0; taken[level]; level++) {
            lm_merge(kernels, N, waiting[level], triangle, scratch);
            memcpy(triangle, waiting[level], sizeof triangle);
            taken[level] = 0;
        }
        memcpy(waiting[level], triangle, sizeof triangle);
        taken[level] = 1;
    }
    double *all = NULL;
    for (level = 0; level < LEVELS; level++) {
        if (taken[level] && all != NULL)
            lm_merge(kernels, N, waiting[level], all, scratch);
        if (taken[level])
            all = waiting[level];
    }
    lm_pivot(s, all);
}

int main(void)
{
    const lm_kernels *kernels = lm_kernels_named("fast");
    double start[N] = {1, 1, 1}, cov[N * N], work[N * N];
    int singular;
    lm_fit fit;
    lm_state *s = &fit.state;

    lm_defaults(&fit, 0, N); /* no rows are in memory */
    void *memory = malloc(lm_lay_out(&fit, NULL));
    void *scratch = malloc(lm_piece_scratch(BLOCK, N));
    if (memory == NULL || scratch == NULL)
        return EXIT_FAILURE;
    lm_lay_out(&fit, memory);
    memcpy(s->x, start, sizeof start);

    lm_start(s);
    do {
        lm_step(s);
        if (s->request == LM_RESIDUALS)
            s->fnorm_trial = norm(s->x_trial);
        else if (s->request == LM_LINEARIZE)
            linearize(s, kernels, scratch);
    } while (s->request != LM_DONE);

    lm_covariance(s, s->fnorm / sqrt(M - N), cov, work, &singular);
    for (int j = 0; j < N; j++)
        printf("x[%d] = %.6f +- %.6f\n", j, s->x[j], sqrt(cov[j * (N + 1)]));
    printf("info %d after %d evaluations\n", s->info, s->nfev);
    free(scratch);
    free(memory);
    return EXIT_SUCCESS;
}

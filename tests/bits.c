/* The bits of some fits, to compare machines: a line for each, with the hash of x, the
 * residuals, R and Q'f. The argument says by which kernels: "reference", or the name of
 * an instruction set. The models take nothing but sums, products and quotients, and
 * round alike everywhere. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "minpack.h"

static uint64_t hash = 14695981039346656037u; /* FNV-1a */

static void add_bits(const double *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, a + i, sizeof bits);
        for (int shift = 0; shift < 64; shift += 8)
            hash = (hash ^ (bits >> shift & 0xff)) * 1099511628211u;
    }
}

static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0 - 0.5;
}

/* Lines of a height, a place and a half width; for the rest a constant. */
static double lines(int n, const double *p, double t)
{
    double total = n % 3 > 0 ? p[n - 1] : 0;
    for (int j = 0; j + 3 <= n; j += 3) {
        double u = (t - p[j + 1]) / p[j + 2];
        total += p[j] / (1 + u * u);
    }
    return total;
}

/* The columns of its Jacobian nearly depend on each other. */
static double polynomial(int n, const double *p, double t)
{
    double total = 0;
    for (int j = n - 1; j >= 0; j--)
        total = total * t + p[j];
    return total + 0.01 * total * total;
}

typedef double (*model)(int n, const double *p, double t);

static void *make(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        abort();
    return memory;
}

static void evaluate(model f, const lm_state *s, const double *y, double *fvec)
{
    for (int i = 0; i < s->m; i++)
        fvec[i] = f(s->n, s->x_trial, (i + 0.5) / s->m * s->n / 3) - y[i];
}

static void fit(const char *name, model f, int m, int n, const lm_kernels *kernels)
{
    size_t rows = (size_t)m, columns = (size_t)n;
    uint64_t seed = rows * 1000 + columns;
    lm_state s = {.m = m, .n = n, .ldfjac = m, .mode = 1, .maxfev = 100 * (n + 1)};
    double *y = make(rows, sizeof *y), *trial = make(rows, sizeof *trial);
    double *truth = make(columns, sizeof *truth);

    s.ftol = s.xtol = 1e-8;
    s.factor = 100;
    s.kernels = *kernels;
    s.deferred = !kernels->faithful && rows * columns >= 150000;
    s.x = make(columns, sizeof *s.x);
    s.fvec = make(rows, sizeof *s.fvec);
    s.fjac = make(rows * columns, sizeof *s.fjac);
    s.ipvt = make(columns, sizeof *s.ipvt);
    s.diag = make(columns, sizeof *s.diag);
    s.qtf = make(columns, sizeof *s.qtf);
    s.x_trial = make(columns, sizeof *s.x_trial);
    s.step = make(columns, sizeof *s.step);
    s.work_n = make(columns, sizeof *s.work_n);
    s.work_m = make(rows, sizeof *s.work_m);
    s.scratch = make(lm_fast_scratch(m, n), 1);
    s.fvec_trial = trial;

    for (int j = 0; j < n; j++) {
        truth[j] = j % 3 == 0 ? 2 : j % 3 == 1 ? j / 3 + 0.5 : 0.2;
        s.x[j] = truth[j] * (1 + 0.1 * noise(&seed));
    }
    for (int i = 0; i < m; i++)
        y[i] = f(n, truth, (i + 0.5) / m * n / 3) + 0.02 * noise(&seed);

    lm_start(&s);
    for (lm_step(&s); s.request != LM_DONE; lm_step(&s)) {
        if (s.request == LM_RESIDUALS || s.request == LM_DIFFERENCE)
            evaluate(f, &s, y, trial);
        else if (s.request == LM_ACCEPT)
            memcpy(s.fvec, trial, rows * sizeof *trial);
    }
    lm_orient(&s);
    add_bits(s.x, columns);
    add_bits(s.fvec, rows);
    for (int j = 0; j < n; j++)
        add_bits(s.fjac + j * rows, (size_t)j + 1);
    add_bits(s.qtf, columns);
    printf("%s %d x %d: info %d nfev %d %016llx\n", name, m, n, s.info, s.nfev,
           (unsigned long long)hash);

    void *all[] = {y,      trial, truth,     s.x,    s.fvec,   s.fjac,   s.ipvt,
                   s.diag, s.qtf, s.x_trial, s.step, s.work_n, s.work_m, s.scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{7, 3},     {10, 3},   {31, 4},   {33, 6},
                                   {100, 3},   {257, 10}, {700, 31}, {1001, 9},
                                   {50003, 3}, {2000, 90}};
    lm_kernels kernels;

    if (argc != 2)
        return 2;
    if (strcmp(argv[1], "reference") == 0)
        lm_reference_kernels(&kernels);
    else if (lm_fast_kernels(&kernels, argv[1]) < 0)
        return 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        fit("lines", lines, sizes[i][0], sizes[i][1], &kernels);
    for (int m = 8; m <= 32768; m *= 4)
        fit("polynomial", polynomial, m, 6, &kernels);
    return 0;
}

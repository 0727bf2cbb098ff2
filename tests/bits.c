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

/* A model and its data. */
typedef struct {
    model f;
    double *y;
} problem;

static int residuals(void *who, lm_fit *fit, const double *x)
{
    const problem *p = who;
    int m = fit->rows.m, n = fit->rows.n;

    for (int i = 0; i < m; i++)
        fit->own_trial[i] = p->f(n, x, (i + 0.5) / m * n / 3) - p->y[i];
    return 0;
}

static void run(const char *name, model f, int m, int n, const char *kernels)
{
    size_t rows = (size_t)m, columns = (size_t)n;
    uint64_t seed = rows * 1000 + columns;
    double *truth = make(columns, sizeof *truth);
    problem p = {f, make(rows, sizeof(double))};
    lm_hooks hooks = {.residuals = residuals};
    lm_fit fit;

    lm_defaults(&fit, m, n);
    fit.state.ftol = fit.state.xtol = 1e-8;
    fit.state.maxfev = 100 * (n + 1);
    fit.state.mends = 0;
    fit.rows.kernels = lm_kernels_named(kernels);
    fit.rows.ldfjac = m;
    fit.rows.defers = 1;
    void *memory = make(lm_lay_out(&fit, NULL), 1);
    lm_lay_out(&fit, memory);
    for (int j = 0; j < n; j++) {
        truth[j] = j % 3 == 0 ? 2 : j % 3 == 1 ? j / 3 + 0.5 : 0.2;
        fit.state.x[j] = truth[j] * (1 + 0.1 * noise(&seed));
    }
    for (int i = 0; i < m; i++)
        p.y[i] = f(n, truth, (i + 0.5) / m * n / 3) + 0.02 * noise(&seed);

    lm_run(&fit, &hooks, &p);
    lm_finish(&fit);
    add_bits(fit.state.x, columns);
    add_bits(fit.rows.fvec, rows);
    for (int j = 0; j < n; j++)
        add_bits(fit.rows.fjac + j * rows, (size_t)j + 1);
    add_bits(fit.state.qtf, columns);
    printf("%s %d x %d: info %d nfev %d %016llx\n", name, m, n, fit.state.info,
           fit.state.nfev, (unsigned long long)hash);
    free(truth);
    free(p.y);
    free(memory);
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{7, 3},     {10, 3},   {31, 4},   {33, 6},
                                   {100, 3},   {257, 10}, {700, 31}, {1001, 9},
                                   {50003, 3}, {2000, 90}};

    if (argc != 2)
        return 2;
    if (lm_kernels_named(argv[1]) == NULL)
        return 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        run("lines", lines, sizes[i][0], sizes[i][1], argv[1]);
    for (int m = 8; m <= 32768; m *= 4)
        run("polynomial", polynomial, m, 6, argv[1]);
    return 0;
}

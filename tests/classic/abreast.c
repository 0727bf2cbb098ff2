/* Fits abreast and the same fits alone: each must have the same bits. The argument is
 * the number of fits of a kind. Prints a line for each kind and instruction set, and ends
 * with 1 where a fit differs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "minpack.h"

enum { LANES = LM_ABREAST, MOST = 16, WEIGHED = 1, BOUNDED = 2, EXACT = 4, TIGHT = 8 };

static double noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0 - 0.5;
}

static void *make(size_t size)
{
    void *memory = calloc(1, size + 64);
    if (memory == NULL)
        abort();
    return memory;
}

/* What all fits of a kind share */
typedef struct {
    int m, n, options;
    const lm_kernels *kernels;
} kind;

/* One fit: its start, its data and what has been found */
typedef struct {
    const kind *kind;
    double start[MOST], lower[MOST], upper[MOST], x[MOST], r[MOST * MOST];
    double *y, *w;
    double fnorm;
    int info, nfev;
} problem;

/* Lines of a height, a place and a half width; for the rest a polynomial. */
static double value(int n, const double *p, double t)
{
    double total = 0;
    int j = 0;
    for (; j + 3 <= n; j += 3) {
        double u = (t - p[j + 1]) / p[j + 2];
        total += p[j] / (1 + u * u);
    }
    for (double power = 1; j < n; j++, power *= t)
        total += p[j] * power;
    return total;
}

static double derivative(int n, const double *p, double t, int k)
{
    if (k / 3 * 3 + 3 > n) {
        double power = 1;
        for (int j = n / 3 * 3; j < k; j++)
            power *= t;
        return power;
    }
    int j = k / 3 * 3;
    double u = (t - p[j + 1]) / p[j + 2], q = 1 / (1 + u * u);
    if (k == j)
        return q;
    return 2 * p[j] * u * q * q / p[j + 2] * (k == j + 1 ? 1 : u);
}

static double abscissa(const kind *k, int i)
{
    return (i + 0.5) / k->m * (k->n + 2) / 3;
}

static problem *problems_of(const kind *k, int count)
{
    problem *all = make((size_t)count * sizeof *all);
    uint64_t seed = (uint64_t)(k->m * 100 + k->n);

    for (int c = 0; c < count; c++) {
        problem *p = &all[c];
        double truth[MOST];
        double spread = c % 5 == 0 ? 3 : 0.5; /* some starts are poor */
        double size = c % 7 == 3 ? 1e-60 : c % 11 == 5 ? 1e80 : 1;
        p->kind = k;
        p->y = make((size_t)k->m * sizeof(double));
        p->w = make((size_t)k->m * sizeof(double));
        for (int j = 0; j < k->n; j++) {
            int of_line = j / 3 * 3 + 3 <= k->n;
            truth[j] = !of_line ? 1 : j % 3 == 0 ? 2 : j % 3 == 1 ? j / 3 + 0.7 : 0.3;
            p->start[j] = truth[j] * (1 + spread * noise(&seed));
            p->lower[j] = truth[j] - 0.2;
            p->upper[j] = c % 3 == 0 && j == 1 ? truth[j] - 0.2 : truth[j] + 0.1;
            if (k->options & BOUNDED) {
                p->start[j] = p->start[j] < p->lower[j] ? p->lower[j] : p->start[j];
                p->start[j] = p->start[j] > p->upper[j] ? p->upper[j] : p->start[j];
            }
            if (c % 13 == 7 && j == k->n - 1)
                p->start[j] = 0;
        }
        for (int i = 0; i < k->m; i++) {
            p->y[i] = value(k->n, truth, abscissa(k, i)) + 0.05 * noise(&seed);
            p->w[i] = size * (k->options & WEIGHED ? 1.5 + noise(&seed) : 1);
        }
        if (c % 17 == 9)
            p->y[k->m / 2] = 0.0 / 0.0 * (double)c; /* NaN, known at run time alone */
    }
    return all;
}

static lm_fit make_fit(const kind *k)
{
    lm_fit fit;

    lm_defaults(&fit, k->m, k->n);
    fit.rows.kernels = k->kernels;
    fit.state.maxfev = 60 * (k->n + 1);
    if (k->options & TIGHT)
        fit.state.ftol = fit.state.xtol = fit.state.gtol = 1e-14;
    if (k->options & BOUNDED)
        fit.state.lower = fit.state.upper =
            &fit.state.factor; /* until a fit has its own */
    lm_lay_out(&fit, make(lm_lay_out(&fit, NULL)));
    return fit;
}

static void set_start(lm_fit *fit, const problem *p)
{
    memcpy(fit->state.x, p->start, (size_t)p->kind->n * sizeof(double));
    if (p->kind->options & BOUNDED) {
        fit->state.lower = p->lower;
        fit->state.upper = p->upper;
    }
}

static void keep(problem *p, const lm_fit *fit)
{
    const lm_state *s = &fit->state;
    int n = p->kind->n;

    memcpy(p->x, s->x, (size_t)n * sizeof(double));
    for (int j = 0; j < n && s->nfev > 1 && s->info != LM_NOT_FINITE; j++)
        memcpy(p->r + j * n, s->r + j * s->ldr, (size_t)(j + 1) * sizeof(double));
    p->fnorm = s->fnorm;
    p->info = s->info;
    p->nfev = s->nfev;
}

/* --- Alone ----------------------------------------------------------------------- */

static int residuals(void *who, lm_fit *fit, const double *x)
{
    const problem *p = who;

    for (int i = 0; i < p->kind->m; i++)
        fit->own_trial[i] =
            (value(p->kind->n, x, abscissa(p->kind, i)) - p->y[i]) * p->w[i];
    return 0;
}

static int jacobian(void *who, lm_fit *fit)
{
    const problem *p = who;

    for (int j = 0; j < p->kind->n; j++)
        for (int i = 0; i < p->kind->m; i++)
            fit->rows.fjac[i + j * fit->rows.ldfjac] =
                derivative(p->kind->n, fit->state.x, abscissa(p->kind, i), j) * p->w[i];
    return 0;
}

static void run_alone(problem *p, lm_fit *fit)
{
    lm_hooks hooks = {.residuals = residuals};

    if (p->kind->options & EXACT)
        hooks.jacobian = jacobian;
    set_start(fit, p);
    lm_run(fit, &hooks, p);
    keep(p, fit);
}

/* --- Abreast ---------------------------------------------------------------------- */

typedef struct {
    const kind *kind;
    problem *problems, *own[LANES];
    int next, count;
    lm_fit fits[LANES];
    lm_abreast rows;
    double *f, *y, *w;
} driver;

static void refill(driver *d, int k)
{
    do {
        if (d->rows.fit[k] != NULL) {
            lm_leave_lane(&d->rows, k);
            keep(d->own[k], &d->fits[k]);
        }
        if (d->next == d->count)
            return;
        d->own[k] = &d->problems[d->next++];
        for (int i = 0; i < d->kind->m; i++) {
            d->y[i * LANES + k] = d->own[k]->y[i];
            d->w[i * LANES + k] = d->own[k]->w[i];
        }
        set_start(&d->fits[k], d->own[k]);
        lm_enter_lane(&d->rows, k, &d->fits[k]);
    } while (d->rows.asks[LM_DONE] >> k & 1);
}

/* The values of all fits at x(8, n); lanes that are empty have some too. */
static void evaluate(driver *d, const double *x)
{
    for (int k = 0; k < LANES; k++) {
        double own[MOST];
        for (int j = 0; j < d->kind->n; j++)
            own[j] = x[j * LANES + k];
        for (int i = 0; i < d->kind->m; i++)
            d->f[i * LANES + k] = value(d->kind->n, own, abscissa(d->kind, i));
    }
}

static void differentiate(driver *d)
{
    for (int k = 0; k < LANES; k++) {
        double own[MOST];
        for (int j = 0; j < d->kind->n; j++)
            own[j] = d->rows.x[j * LANES + k];
        for (int j = 0; j < d->kind->n; j++)
            for (int i = 0; i < d->kind->m; i++)
                d->rows.fjac[(i + j * d->kind->m) * LANES + k] =
                    derivative(d->kind->n, own, abscissa(d->kind, i), j)
                    * d->w[i * LANES + k];
    }
}

/* By differences: those that are not clear go on alone. */
static unsigned difference(driver *d)
{
    double moved[MOST * LANES];
    size_t all = (size_t)d->kind->n * LANES * sizeof(double);

    lm_first_points_abreast(&d->rows);
    for (int j = 0; j < d->kind->n; j++) {
        memcpy(moved, d->rows.x, all);
        memcpy(moved + j * LANES, d->rows.moved_x + j * LANES, LANES * sizeof(double));
        evaluate(d, moved);
        lm_take_point_abreast(&d->rows, j, d->f, d->y, d->w);
    }
    unsigned unclear = lm_unclear_abreast(&d->rows);
    for (int k = 0; k < LANES; k++) {
        lm_fit *fit = &d->fits[k];
        if (!(unclear >> k & 1))
            continue;
        lm_begin_alone(&d->rows, k);
        while (lm_more_points(fit))
            for (int i = lm_next_point(fit, -1); i >= 0; i = lm_next_point(fit, i)) {
                lm_move_to(fit, i);
                residuals(d->own[k], fit, fit->state.x_trial);
                lm_take_point(fit, i, fit->own_trial);
            }
        lm_end_alone(&d->rows, k, 0);
    }
    return d->rows.asks[LM_LINEARIZE] & ~unclear;
}

static void run_abreast(const kind *k, problem *problems, int count)
{
    size_t column = (size_t)k->m * LANES * sizeof(double);
    driver *d = make(sizeof *d);

    d->kind = k;
    d->problems = problems;
    d->count = count;
    d->rows.m = k->m;
    d->rows.n = k->n;
    d->rows.kernels = k->kernels;
    lm_lay_out_abreast(&d->rows, make(lm_lay_out_abreast(&d->rows, NULL)));
    d->f = make(column);
    d->y = make(column);
    d->w = make(column);
    for (int i = 0; i < LANES; i++) {
        d->fits[i] = make_fit(k);
        if (!lm_go_abreast(&d->fits[i]))
            abort();
        refill(d, i);
    }
    while (d->rows.asks[LM_RESIDUALS] != 0) {
        evaluate(d, d->rows.x_trial);
        lm_take_residuals_abreast(&d->rows, d->f, d->y, d->w);
        lm_norms_abreast(&d->rows);
        lm_judge_abreast(&d->rows);
        unsigned lanes = d->rows.asks[LM_LINEARIZE];
        if (lanes != 0) {
            if (k->options & EXACT)
                differentiate(d);
            else
                lanes = difference(d);
            lm_linearize_abreast(&d->rows, lanes);
        }
        lm_propose_abreast(&d->rows);
        for (int i = 0; i < LANES; i++)
            if (d->rows.asks[LM_DONE] >> i & 1)
                refill(d, i);
    }
}

/* --- Both ------------------------------------------------------------------------- */

static int are_same(const problem *a, const problem *b)
{
    size_t n = (size_t)a->kind->n;

    return memcmp(a->x, b->x, n * sizeof(double)) == 0
           && memcmp(a->r, b->r, n * n * sizeof(double)) == 0
           && memcmp(&a->fnorm, &b->fnorm, sizeof(double)) == 0 && a->info == b->info
           && a->nfev == b->nfev;
}

int main(int argc, char **argv)
{
    static const int sizes[][2] = {{3, 3},  {9, 1},  {16, 2}, {31, 4},   {32, 4},
                                   {40, 7}, {50, 3}, {63, 6}, {100, 10}, {90, 16}};
    static const int options[] = {0, EXACT, WEIGHED, BOUNDED, EXACT | BOUNDED, TIGHT};
    int count = argc > 1 ? atoi(argv[1]) : 0, wrong = 0;

    for (const char *const *set = lm_instruction_sets(); *set != NULL; set++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
                kind k = {sizes[i][0], sizes[i][1], options[o], lm_kernels_named(*set)};
                problem *alone = problems_of(&k, count),
                        *abreast = problems_of(&k, count);
                lm_fit fit = make_fit(&k);
                int same = 0, converged = 0;
                for (int c = 0; c < count; c++)
                    run_alone(&alone[c], &fit);
                run_abreast(&k, abreast, count);
                for (int c = 0; c < count; c++) {
                    same += are_same(&alone[c], &abreast[c]);
                    converged += alone[c].info >= LM_FTOL && alone[c].info <= LM_GTOL;
                }
                printf("%s %d x %d, options %d: %d of %d have the same bits, %d have "
                       "converged\n",
                       *set, k.m, k.n, k.options, same, count, converged);
                wrong += same != count;
            }
    return wrong != 0;
}

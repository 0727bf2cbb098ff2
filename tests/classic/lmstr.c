/* A C program for MINPACK that fits row by row: lmstr and lmstr1 on problems with as many
 * residuals as parameters and with more, some of them with singular Jacobians. */
#include <limits.h>

#include "minpack.h"
#include "report.h"

enum { MOST_M = 20, MOST_N = 5, LD = MOST_N + 2, LONGEST = 5 * MOST_N + MOST_M };

/* One residual of a problem, and its row of the Jacobian. */
typedef double (*residual)(const double *x, int i, double *row);

typedef struct {
    const char *name;
    int m, n;
    residual f;
    double start[MOST_N];
} problem;

/* --- Problems: ACM TOMS 7, 1981, by their numbers there -------------------------- */

/* 1 */
static double rosenbrock(const double *x, int i, double *row)
{
    row[0] = i == 0 ? -20 * x[0] : -1;
    row[1] = i == 0 ? 10 : 0;
    return i == 0 ? 10 * (x[1] - x[0] * x[0]) : 1 - x[0];
}

/* 2 */
static double freudenstein_roth(const double *x, int i, double *row)
{
    double y = x[1];

    row[0] = 1;
    row[1] = i == 0 ? 10 * y - 2 - 3 * y * y : 2 * y - 14 + 3 * y * y;
    return i == 0 ? -13 + x[0] + ((5 - y) * y - 2) * y
                  : -29 + x[0] + ((y + 1) * y - 14) * y;
}

/* 13: singular at the solution */
static double powell(const double *x, int i, double *row)
{
    double d = i == 2 ? x[1] - 2 * x[2] : x[0] - x[3];

    memset(row, 0, 4 * sizeof *row);
    switch (i) {
    case 0:
        row[0] = 1, row[1] = 10;
        return x[0] + 10 * x[1];
    case 1:
        row[2] = sqrt(5), row[3] = -sqrt(5);
        return sqrt(5) * (x[2] - x[3]);
    case 2:
        row[1] = 2 * d, row[2] = -4 * d;
        return d * d;
    default:
        row[0] = 2 * sqrt(10) * d, row[3] = -2 * sqrt(10) * d;
        return sqrt(10) * d * d;
    }
}

/* 8 */
static double bards(const double *x, int i, double *row)
{
    double fvec[M], fjac[M * N];

    bard(x, fvec);
    bard_jacobian(x, fjac, M);
    for (int j = 0; j < N; j++)
        row[j] = fjac[i + j * M];
    return fvec[i];
}

/* 12 */
static double box(const double *x, int i, double *row)
{
    double t = (i + 1) / 10.0;

    row[0] = -t * exp(-t * x[0]);
    row[1] = t * exp(-t * x[1]);
    row[2] = exp(-10 * t) - exp(-t);
    return exp(-t * x[0]) - exp(-t * x[1]) + x[2] * row[2];
}

/* 33: of rank 1 */
static double rank_one(const double *x, int i, double *row)
{
    double sum = -1;

    for (int j = 0; j < MOST_N; j++) {
        row[j] = (i + 1.0) * (j + 1.0);
        sum += row[j] * x[j];
    }
    return sum;
}

/* A parameter without effect, and one whose column is nearly that of another */
static double idle(const double *x, int i, double *row)
{
    double t = 0.1 * i, e = exp(-t * x[0]), g = exp(-t * (x[0] + 1e-9));

    row[0] = -t * (x[2] * e + x[3] * g);
    row[1] = 0;
    row[2] = e;
    row[3] = g;
    return x[2] * e + x[3] * g - 1 / (1 + t);
}

static const problem problems[] = {
    {"rosenbrock", 2, 2, rosenbrock, {-1.2, 1}},
    {"freudenstein and roth", 2, 2, freudenstein_roth, {0.5, -2}},
    {"powell", 4, 4, powell, {3, -1, 0, 1}},
    {"bard", M, N, bards, {1, 1, 1}},
    {"box", 10, 3, box, {0, 10, 20}},
    {"rank one, square", 5, 5, rank_one, {1, 1, 1, 1, 1}},
    {"rank one", 20, 5, rank_one, {1, 1, 1, 1, 1}},
    {"an idle parameter", 12, 4, idle, {1, 1, 1, 1}},
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

/* --- Fits ------------------------------------------------------------------------ */

static const problem *current;

static void fcn(int *m, int *n, double *x, double *fvec, double *fjrow, int *iflag)
{
    int answer = go_on();
    double row[MOST_N];

    if (*iflag == 0) {
        print_numbers("look at x", x, *n);
        print_numbers("look at fvec", fvec, *m);
    } else if (*iflag == 1) {
        for (int i = 0; i < *m; i++)
            fvec[i] = current->f(x, i, row);
    } else {
        current->f(x, *iflag - 2, fjrow);
    }
    if (answer < 0) {
        printf("  stopped at %s\n", *iflag == 0   ? "a look"
                                    : *iflag == 1 ? "residuals"
                                                  : "a row");
        *iflag = answer;
    }
}

typedef struct {
    double scale, ftol, xtol, gtol, factor;
    int m, n, ldfjac, maxfev, mode, nprint;
} options;

static options usual(const problem *p)
{
    return (options){1, 1e-8, 1e-8, 0, 100, p->m, p->n, LD, 200, 1, 0};
}

typedef struct {
    double x[MOST_N], fvec[MOST_M], fjac[LD * MOST_N], diag[MOST_N], qtf[MOST_N];
    double wa[LONGEST];
    int ipvt[MOST_N], info, nfev, njev;
} record;

static void fill(double *to, int count)
{
    while (count-- > 0)
        to[count] = 77;
}

static record start(const problem *p, double scale)
{
    record r = {.info = 77, .nfev = 77, .njev = 77};

    current = p;
    calls = 0;
    fill(r.fvec, MOST_M);
    fill(r.fjac, LD * MOST_N);
    fill(r.qtf, MOST_N);
    fill(r.wa, LONGEST);
    for (int j = 0; j < MOST_N; j++) {
        r.x[j] = scale * p->start[j];
        r.diag[j] = 0.5 + j;
        r.ipvt[j] = 77;
    }
    return r;
}

static void print_record(const record *r)
{
    printf("  info %d nfev %d njev %d calls %d ipvt", r->info, r->nfev, r->njev, calls);
    for (int j = 0; j < MOST_N; j++)
        printf(" %d", r->ipvt[j]);
    printf("\n");
    print_numbers("x", r->x, MOST_N);
    print_numbers("fvec", r->fvec, MOST_M);
    print_numbers("fjac", r->fjac, LD * MOST_N);
    print_numbers("diag", r->diag, MOST_N);
    print_numbers("qtf", r->qtf, MOST_N);
}

static void run(const problem *p, const char *title, options o)
{
    record r = start(p, o.scale);
    double *wa = r.wa;

    printf("%s, %s\n", p->name, title);
    lmstr_(fcn, &o.m, &o.n, r.x, r.fvec, r.fjac, &o.ldfjac, &o.ftol, &o.xtol, &o.gtol,
           &o.maxfev, r.diag, &o.mode, &o.factor, &o.nprint, &r.info, &r.nfev, &r.njev,
           r.ipvt, r.qtf, wa, wa + MOST_N, wa + 2 * MOST_N, wa + 3 * MOST_N);
    print_record(&r);
}

static void run_simple(const problem *p, double scale, double tol, int lwa)
{
    record r = start(p, scale);
    int m = p->m, n = p->n, ldfjac = LD;

    printf("%s, lmstr1 from %g, tol %g, lwa %d\n", p->name, scale, tol, lwa);
    lmstr1_(fcn, &m, &n, r.x, r.fvec, r.fjac, &ldfjac, &tol, &r.info, r.ipvt, r.wa, &lwa);
    print_record(&r);
}

static void stop_fits(void)
{
    char title[80];

    for (int k = 0; k < PROBLEMS; k++)
        for (int nprint = 0; nprint < 3; nprint++)
            for (stop_at = 1; stop_at <= 40; stop_at++) {
                options o = usual(&problems[k]);
                o.nprint = nprint;
                sprintf(title, "nprint %d, to be stopped at call %d", nprint, stop_at);
                run(&problems[k], title, o);
            }
}

int main(int argc, char **argv)
{
    const problem *p;
    options o;
    char title[80];

    if (argc > 1 && strcmp(argv[1], "stop") == 0) {
        stop_fits();
        return 0;
    }
    for (p = problems; p < problems + PROBLEMS; p++) {
        for (int mode = 1; mode <= 2; mode++)
            for (double scale = 1; scale <= 100; scale *= 10) {
                o = usual(p), o.mode = mode, o.scale = scale, o.nprint = mode;
                sprintf(title, "mode %d, from %g", mode, scale);
                run(p, title, o);
            }
        o = usual(p), o.ftol = o.xtol = 0, run(p, "without tolerances", o);
        o = usual(p), o.gtol = 1e-3, run(p, "gtol", o);
        o = usual(p), o.factor = 0.1, run(p, "factor", o);
        o = usual(p), o.maxfev = 4, o.nprint = 1, run(p, "maxfev", o);
        o = usual(p), o.ldfjac = p->n, run(p, "the least ldfjac", o);
        run_simple(p, 1, 1e-8, LONGEST);
        run_simple(p, 10, 0, LONGEST);
        run_simple(p, 1, -1, LONGEST);
        run_simple(p, 1, 1e-8, 5 * p->n + p->m - 1);
    }
    p = problems;
    o = usual(p), o.maxfev = 0, o.nprint = 1, run(p, "bad maxfev", o);
    o = usual(p), o.n = 0, run(p, "bad n", o);
    o = usual(p), o.m = 1, run(p, "bad m", o);
    o = usual(p), o.ldfjac = 1, run(p, "bad ldfjac", o);
    o = usual(p), o.ftol = -1, run(p, "bad ftol", o);
    o = usual(p), o.xtol = -1, run(p, "bad xtol", o);
    o = usual(p), o.gtol = -1, run(p, "bad gtol", o);
    o = usual(p), o.factor = 0, run(p, "bad factor", o);
    o = usual(p), o.mode = 2, run(p, "mode 2", o);
    return 0;
}

/* The ends of the interface: sizes whose products are out of int's range, kernels
 * without those in order, and lm_orient where there are no factors. */
#include <limits.h>

#include "report.h"

#include "minpack.h"

static void never(int *m, int *n, double *x, double *fvec, int *iflag)
{
    (void)m, (void)n, (void)x, (void)fvec, (void)iflag;
    printf("  called\n");
}

static void never_with_jacobian(int *m, int *n, double *x, double *fvec, double *fjac,
                                int *ldfjac, int *iflag)
{
    (void)fjac, (void)ldfjac;
    never(m, n, x, fvec, iflag);
}

/* The numbers of work space that are wanted are out of int's range; lwa are there. */
static void too_short(int lwa)
{
    int m = 65536, n = 32768, all = INT_MAX, one = 1, info = -99, ipvt = 0;
    double none = 0, tol = 1e-8;

    lmdif1_(never, &m, &n, &none, &none, &tol, &info, &ipvt, &none, &lwa);
    printf("  lmdif1 with lwa %d: info %d\n", lwa, info);
    info = -99;
    lmder1_(never_with_jacobian, &all, &one, &none, &none, &none, &all, &tol, &info,
            &ipvt, &none, &lwa);
    printf("  lmder1 with lwa %d: info %d\n", lwa, info);
}

/* A parabola less an exponential. Its columns are far from dependent, so that R has signs
 * of its own; where two are equal, the kernels of a fit go on in order. */
static void evaluate(const double *x, int equal, double *fvec)
{
    for (int i = 0; i < M; i++) {
        double t = 2.0 * i / (M - 1) - 1;
        fvec[i] = x[0] + x[1] * t + x[2] * (equal ? t : t * t) - exp(t);
    }
}

typedef struct {
    const char *name;
    int without; /* 1: the kernels have none in order */
    int last;    /* 1: the last Jacobian is wanted */
    int steps;   /* of lm_step before lm_orient */
} orient_case;

static void orient(const orient_case *c)
{
    static double scratch[100000];
    fit f = new_fit(1);
    double work[3 * N + M], trial[M], before[LDFJAC * N];
    lm_state s = {.m = M, .n = N, .ldfjac = LDFJAC, .mode = 1, .maxfev = 400};

    s.ftol = s.xtol = 1e-8;
    s.factor = 10;
    lm_fast_kernels(&s.kernels, NULL);
    s.kernels.few = 0; /* 15 residuals are enough for another order than MINPACK's */
    if (c->without)
        s.kernels.in_order = NULL;
    s.last_jacobian = c->last;
    s.x = f.x;
    s.fvec = f.fvec;
    s.fjac = f.fjac;
    s.ipvt = f.ipvt;
    s.diag = f.diag;
    s.qtf = f.qtf;
    s.step = work;
    s.x_trial = work + N;
    s.work_n = work + 2 * N;
    s.work_m = work + 3 * N;
    s.fvec_trial = trial;
    memset(scratch, 0xff, sizeof scratch); /* uninitialised: not a number */
    s.scratch = scratch;
    if (lm_fast_scratch(M, N) > sizeof scratch)
        printf("  scratch is too short\n");
    memset(f.fjac, 0, sizeof f.fjac);
    lm_start(&s);
    lm_step(&s);
    for (int step = 0; s.request != LM_DONE && step != c->steps; step++) {
        if (s.request == LM_RESIDUALS || s.request == LM_DIFFERENCE)
            evaluate(s.x_trial, c->without, trial);
        else if (s.request == LM_ACCEPT)
            memcpy(s.fvec, trial, sizeof trial);
        lm_step(&s);
    }
    memcpy(before, f.fjac, sizeof before);
    lm_orient(&s);
    printf("  %s: info %d, %s\n", c->name, s.info,
           memcmp(before, f.fjac, sizeof before) == 0 ? "fjac as it was" : "signs set");
}

int main(void)
{
    static const orient_case cases[] = {
        {"after the end", 0, 0, -1},         {"after the last Jacobian", 0, 1, -1},
        {"before the first step", 0, 0, 0},  {"before the first Jacobian", 0, 0, 2},
        {"without kernels in order", 1, 0, -1},
    };

    too_short(10);
    too_short(INT_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        orient(cases + i);
    return 0;
}

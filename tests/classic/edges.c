/* The ends of the interface: sizes whose products are out of int's range, and lm_finish
 * where there are no factors. */
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

enum { ROWS = 40 };

/* A parabola less an exponential: its columns are far from dependent, so that R has signs
 * of its own until lm_finish. */
static int parabola(void *who, lm_fit *fit, const double *x)
{
    int *left = who;

    for (int i = 0; i < ROWS; i++) {
        double t = 2.0 * i / (ROWS - 1) - 1;
        fit->own_trial[i] = x[0] + x[1] * t + x[2] * t * t - exp(t);
    }
    return *left > 0 && --*left == 0 ? -7 : 0;
}

/* lm_finish after a fit that a function stops in call `stop`, if at all; `bad` has fewer
 * residuals than parameters. */
static void finish(const char *name, int stop, int bad)
{
    static double memory[100000], before[ROWS * N];
    lm_hooks hooks = {.residuals = parabola};
    double fjac[ROWS * N] = {0};
    lm_fit fit;

    lm_defaults(&fit, bad ? N - 1 : ROWS, N);
    fit.rows.fjac = fjac;
    fit.rows.ldfjac = ROWS;
    memset(memory, 0xff, sizeof memory); /* uninitialised: not a number */
    if (lm_lay_out(&fit, NULL) > sizeof memory)
        printf("  memory is too short\n");
    lm_lay_out(&fit, memory);
    for (int j = 0; j < N; j++)
        fit.state.x[j] = 1;
    int status = lm_run(&fit, &hooks, &stop);
    memcpy(before, fjac, sizeof before);
    lm_finish(&fit);
    printf("  %s: status %d, info %d, %s\n", name, status, fit.state.info,
           memcmp(before, fjac, sizeof before) == 0 ? "fjac as it was" : "R in fjac");
}

int main(void)
{
    too_short(10);
    too_short(INT_MAX);
    finish("to the end", 0, 0);
    finish("stopped at the start", 1, 0);
    finish("stopped in a difference", 3, 0);
    finish("too few residuals", 0, 1);
    return 0;
}

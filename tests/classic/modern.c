/* The three ways of minpack.h: the classic calls, the drivers with user_data, and the
 * stepper. The argument says which; all print the same. */
#include "report.h"

#include "minpack.h"

static const double tol = 1e-8;

/* --- The classic calls ----------------------------------------------------- */

static void lmdif_function(int *m, int *n, double *x, double *fvec, int *iflag)
{
    (void)m, (void)n;
    bard(x, fvec);
    if ((calls = calls + 1) == stop_at)
        *iflag = -calls;
}

static void lmder_function(int *m, int *n, double *x, double *fvec, double *fjac,
                           int *ldfjac, int *iflag)
{
    (void)m, (void)n;
    if (*iflag == 1)
        bard(x, fvec);
    else
        bard_jacobian(x, fjac, *ldfjac);
    if ((calls = calls + 1) == stop_at)
        *iflag = -calls;
}

static void classic(fit *f, int analytic, int mode)
{
    int m = M, n = N, ldfjac = LDFJAC, maxfev = 400, nprint = 0;
    double ftol = tol, xtol = tol, gtol = 0, epsfcn = 0, factor = 10, *wa = f->wa;

    if (analytic)
        lmder_(lmder_function, &m, &n, f->x, f->fvec, f->fjac, &ldfjac, &ftol, &xtol,
               &gtol, &maxfev, f->diag, &mode, &factor, &nprint, &f->info, &f->nfev,
               &f->njev, f->ipvt, f->qtf, wa, wa + N, wa + 2 * N, wa + 3 * N);
    else
        lmdif_(lmdif_function, &m, &n, f->x, f->fvec, &ftol, &xtol, &gtol, &maxfev,
               &epsfcn, f->diag, &mode, &factor, &nprint, &f->info, &f->nfev, f->fjac,
               &ldfjac, f->ipvt, f->qtf, wa, wa + N, wa + 2 * N, wa + 3 * N);
}

/* --- The drivers with user_data -------------------------------------------- */

static int residuals(int m, int n, const double *x, double *fvec, void *user_data)
{
    if (m != M || n != N || user_data != &calls)
        printf("  wrong arguments\n");
    bard(x, fvec);
    return go_on();
}

static int jacobian(int m, int n, const double *x, double *fjac, int ldfjac,
                    void *user_data)
{
    if (m != M || n != N || ldfjac != LDFJAC || user_data != &calls)
        printf("  wrong arguments\n");
    bard_jacobian(x, fjac, ldfjac);
    return go_on();
}

static void driver(fit *f, int analytic, int mode)
{
    if (analytic)
        f->info = minpack_lmder(residuals, jacobian, &calls, M, N, f->x, f->fvec, f->fjac,
                                LDFJAC, tol, tol, 0, 400, f->diag, mode, 10, &f->nfev,
                                &f->njev, f->ipvt, f->qtf, f->wa);
    else
        f->info = minpack_lmdif(residuals, &calls, M, N, f->x, f->fvec, tol, tol, 0, 400, 0,
                                f->diag, mode, 10, &f->nfev, f->fjac, LDFJAC, f->ipvt,
                                f->qtf, f->wa);
}

/* --- The stepper, which moves pointers where the drivers copy --------------- */

static void stepper(fit *f, int analytic, int mode)
{
    double one[M], other[M], work[3 * N + M], *trial = one, *accepted = other;
    int stopped = 0;
    lm_state s = {0};

    memset(&s, 0, sizeof s);
    s.m = M;
    s.n = N;
    s.ldfjac = LDFJAC;
    s.analytic = analytic;
    s.mode = mode;
    s.maxfev = 400;
    s.ftol = s.xtol = tol;
    s.factor = 10;
    lm_reference_kernels(&s.kernels);
    s.x = f->x;
    s.fvec = accepted;
    s.fjac = f->fjac;
    s.ipvt = f->ipvt;
    s.diag = f->diag;
    s.qtf = f->qtf;
    s.step = work;
    s.x_trial = work + N;
    s.work_n = work + 2 * N;
    s.work_m = work + 3 * N;
    lm_start(&s);
    for (lm_step(&s); s.request != LM_DONE && stopped == 0; lm_step(&s)) {
        switch (s.request) {
        case LM_RESIDUALS:
        case LM_DIFFERENCE:
            bard(s.x_trial, trial);
            s.fvec_trial = trial;
            stopped = go_on();
            break;
        case LM_JACOBIAN:
            bard_jacobian(s.x, s.fjac, s.ldfjac);
            stopped = go_on();
            break;
        case LM_ACCEPT:
            s.fvec = trial;
            trial = accepted;
            accepted = s.fvec;
            break;
        case LM_ITERATE:
            break;
        }
        if (stopped != 0)
            break;
    }
    memcpy(f->fvec, accepted, sizeof f->fvec);
    f->info = stopped != 0 ? stopped : s.info;
    f->nfev = s.nfev;
    if (analytic)
        f->njev = s.njev;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";

    for (int analytic = 0; analytic <= 1; analytic++)
        for (int mode = 1; mode <= 2; mode++)
            for (double scale = 1; scale <= 100; scale *= 10)
                for (stop_at = -1; stop_at < 20; stop_at += 3) {
                    fit f = new_fit(scale);
                    printf("analytic %d, mode %d, from %g, stopped at call %d\n", analytic,
                           mode, scale, stop_at);
                    if (strcmp(way, "classic") == 0)
                        classic(&f, analytic, mode);
                    else if (strcmp(way, "driver") == 0)
                        driver(&f, analytic, mode);
                    else
                        stepper(&f, analytic, mode);
                    print_fit(&f);
                }
    return 0;
}

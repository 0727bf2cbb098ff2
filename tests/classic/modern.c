/* The four ways of minpack.h: the classic calls, the functions with user_data, lm_run
 * with hooks, and a loop over lm_step. The argument says which; all print the same. */
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

static void classic(fit_record *f, int analytic, int mode)
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

/* --- The functions with user_data ------------------------------------------ */

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

static void driver(fit_record *f, int analytic, int mode)
{
    if (analytic)
        f->info = minpack_lmder(residuals, jacobian, &calls, M, N, f->x, f->fvec, f->fjac,
                                LDFJAC, tol, tol, 0, 400, f->diag, mode, 10, &f->nfev,
                                &f->njev, f->ipvt, f->qtf, f->wa);
    else
        f->info = minpack_lmdif(residuals, &calls, M, N, f->x, f->fvec, tol, tol, 0, 400,
                                0, f->diag, mode, 10, &f->nfev, f->fjac, LDFJAC, f->ipvt,
                                f->qtf, f->wa);
}

/* --- lm_run with hooks ------------------------------------------------------ */

static int hook_residuals(void *who, lm_fit *fit, const double *x)
{
    return residuals(fit->rows.m, fit->rows.n, x, fit->own_trial, who);
}

static int hook_jacobian(void *who, lm_fit *fit)
{
    return jacobian(fit->rows.m, fit->rows.n, fit->state.x, fit->rows.fjac,
                    fit->rows.ldfjac, who);
}

/* R lies where the Jacobian was, as in MINPACK: one of the ways that lm_lay_out leaves.
 */
static void prepare(lm_fit *fit, fit_record *f, int mode, void *memory, size_t size)
{
    lm_defaults(fit, M, N);
    fit->state.ftol = fit->state.xtol = tol;
    fit->state.factor = 10;
    fit->state.maxfev = 400;
    fit->state.mode = mode;
    fit->state.mends = 0;
    fit->state.x = f->x;
    fit->state.diag = f->diag;
    fit->state.qtf = f->qtf;
    fit->state.ipvt = f->ipvt;
    fit->rows.kernels = lm_kernels_named("reference");
    fit->rows.fvec = f->fvec;
    fit->rows.fjac = f->fjac;
    fit->rows.ldfjac = fit->state.ldr = LDFJAC;
    fit->state.r = f->fjac;
    if (lm_lay_out(fit, NULL) > size)
        printf("  memory is too short\n");
    lm_lay_out(fit, memory);
}

static void take_report(const lm_fit *fit, fit_record *f, int analytic)
{
    f->info = fit->state.info;
    f->nfev = fit->state.nfev;
    if (analytic)
        f->njev = fit->njev;
}

static void run(fit_record *f, int analytic, int mode)
{
    double memory[1000];
    lm_hooks hooks = {.residuals = hook_residuals,
                      .jacobian = analytic ? hook_jacobian : NULL};
    lm_fit fit;

    prepare(&fit, f, mode, memory, sizeof memory);
    lm_run(&fit, &hooks, &calls);
    lm_finish(&fit);
    take_report(&fit, f, analytic);
}

/* --- A loop over lm_step, which moves pointers where lm_run copies ----------- */

static int differentiate(lm_fit *fit)
{
    int status = 0;

    lm_first_points(fit);
    do
        for (int k = lm_next_point(fit, -1); k >= 0 && status == 0;
             k = lm_next_point(fit, k)) {
            lm_move_to(fit, k);
            status = hook_residuals(&calls, fit, fit->state.x_trial);
            if (status == 0)
                lm_take_point(fit, k, fit->own_trial);
        }
    while (status == 0 && lm_more_points(fit));
    return status;
}

static int answer(lm_fit *fit, int analytic)
{
    int status = 0;

    if (fit->state.moved) {
        double *accepted = fit->own_trial;
        fit->own_trial = fit->rows.fvec;
        fit->rows.fvec = accepted;
    }
    if (fit->state.request == LM_RESIDUALS) {
        status = hook_residuals(&calls, fit, fit->state.x_trial);
        fit->state.fnorm_trial = lm_rows_norm(&fit->rows, fit->own_trial);
    } else if (fit->state.request == LM_LINEARIZE) {
        fit->njev += analytic;
        status = analytic ? hook_jacobian(&calls, fit) : differentiate(fit);
        if (status == 0)
            lm_linearize(fit);
    }
    return status;
}

static void stepper(fit_record *f, int analytic, int mode)
{
    double memory[1000], fvec[M];
    int status = 0;
    lm_fit fit;

    prepare(&fit, f, mode, memory, sizeof memory);
    fit.rows.fvec = fvec;
    memcpy(fvec, f->fvec, sizeof fvec);
    lm_start_fit(&fit);
    do {
        lm_step(&fit.state);
        status = answer(&fit, analytic);
    } while (status == 0 && fit.state.request != LM_DONE);
    lm_finish(&fit);
    memcpy(f->fvec, fit.rows.fvec, sizeof f->fvec);
    take_report(&fit, f, analytic);
    if (status < 0)
        f->info = status;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "";

    for (int analytic = 0; analytic <= 1; analytic++)
        for (int mode = 1; mode <= 2; mode++)
            for (double scale = 1; scale <= 100; scale *= 10)
                for (stop_at = -1; stop_at < 20; stop_at += 3) {
                    fit_record f = new_fit(scale);
                    printf("analytic %d, mode %d, from %g, stopped at call %d\n",
                           analytic, mode, scale, stop_at);
                    if (strcmp(way, "classic") == 0)
                        classic(&f, analytic, mode);
                    else if (strcmp(way, "user_data") == 0)
                        driver(&f, analytic, mode);
                    else if (strcmp(way, "run") == 0)
                        run(&f, analytic, mode);
                    else
                        stepper(&f, analytic, mode);
                    print_fit(&f);
                }
    return 0;
}

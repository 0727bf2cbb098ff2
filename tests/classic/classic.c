/* A C program for MINPACK: every classic routine, its options and its way out. */
#include "report.h"

extern void lmdif_(), lmder_(), lmdif1_(), lmder1_();

static void stop(int asked, int answer, int *iflag)
{
    static const char *const what[] = {"a look", "residuals", "a derivative"};

    if (answer < 0) {
        *iflag = answer;
        printf("  stopped at %s\n", what[asked]);
    }
}

static void lmdif_fcn(int *m, int *n, double *x, double *fvec, int *iflag)
{
    int asked = *iflag, answer = go_on();

    if (*m != M || *n != N)
        printf("  wrong m or n\n");
    if (asked == 0) {
        print_numbers("look at x", x, N);
        print_numbers("look at fvec", fvec, M);
    } else {
        bard(x, fvec);
    }
    stop(asked, answer, iflag);
}

static void lmder_fcn(int *m, int *n, double *x, double *fvec, double *fjac, int *ldfjac,
                      int *iflag)
{
    int asked = *iflag, answer = go_on();

    if (*m != M || *n != N)
        printf("  wrong m or n\n");
    if (asked == 0) {
        print_numbers("look at x", x, N);
        print_numbers("look at fvec", fvec, M);
        print_numbers("look at fjac", fjac, *ldfjac * N);
    } else if (asked == 1) {
        bard(x, fvec);
    } else {
        bard_jacobian(x, fjac, *ldfjac);
    }
    stop(asked, answer, iflag);
}

typedef struct {
    double scale, ftol, xtol, gtol, epsfcn, factor;
    int m, n, maxfev, mode, nprint;
} options;

static const options usual = {1, 1e-8, 1e-8, 0, 0, 100, M, N, 400, 1, 0};

static void run(const char *title, options o)
{
    int ldfjac = LDFJAC;
    double *wa;
    fit_record f;

    printf("lmdif %s\n", title);
    f = new_fit(o.scale);
    wa = f.wa;
    lmdif_(lmdif_fcn, &o.m, &o.n, f.x, f.fvec, &o.ftol, &o.xtol, &o.gtol, &o.maxfev,
           &o.epsfcn, f.diag, &o.mode, &o.factor, &o.nprint, &f.info, &f.nfev, f.fjac,
           &ldfjac, f.ipvt, f.qtf, wa, wa + N, wa + 2 * N, wa + 3 * N);
    print_fit(&f);

    printf("lmder %s\n", title);
    f = new_fit(o.scale);
    wa = f.wa;
    lmder_(lmder_fcn, &o.m, &o.n, f.x, f.fvec, f.fjac, &ldfjac, &o.ftol, &o.xtol, &o.gtol,
           &o.maxfev, f.diag, &o.mode, &o.factor, &o.nprint, &f.info, &f.nfev, &f.njev,
           f.ipvt, f.qtf, wa, wa + N, wa + 2 * N, wa + 3 * N);
    print_fit(&f);
}

static void run_simple(double scale, double tol, int lwa)
{
    int m = M, n = N, ldfjac = LDFJAC;
    fit_record f;

    printf("lmdif1 from %g, tol %g, lwa %d\n", scale, tol, lwa);
    f = new_fit(scale);
    lmdif1_(lmdif_fcn, &m, &n, f.x, f.fvec, &tol, &f.info, f.ipvt, f.wa, &lwa);
    print_fit(&f);

    printf("lmder1 from %g, tol %g, lwa %d\n", scale, tol, lwa);
    f = new_fit(scale);
    lmder1_(lmder_fcn, &m, &n, f.x, f.fvec, f.fjac, &ldfjac, &tol, &f.info, f.ipvt, f.wa,
            &lwa);
    print_fit(&f);
}

int main(int argc, char **argv)
{
    options o;
    char title[80];

    if (argc > 1 && strcmp(argv[1], "stop") == 0) {
        for (int nprint = 0; nprint < 3; nprint++)
            for (int call = 1; call <= 40; call++) {
                o = usual;
                o.nprint = nprint;
                stop_at = call;
                sprintf(title, "nprint %d, to be stopped at call %d", nprint, call);
                run(title, o);
            }
        return 0;
    }
    for (int mode = 1; mode <= 2; mode++)
        for (int nprint = -1; nprint <= 3; nprint++)
            for (double scale = 1; scale <= 100; scale *= 10) {
                o = usual;
                o.mode = mode;
                o.nprint = nprint;
                o.scale = scale;
                sprintf(title, "mode %d, nprint %d, from %g", mode, nprint, scale);
                run(title, o);
            }
    o = usual, o.ftol = o.xtol = 0, run("without tolerances", o);
    o = usual, o.gtol = 1e-3, run("gtol", o);
    o = usual, o.epsfcn = 1e-4, run("epsfcn", o);
    o = usual, o.factor = 0.1, run("factor", o);
    o = usual, o.maxfev = 7, o.nprint = 1, run("maxfev", o);
    o = usual, o.maxfev = 0, o.nprint = 1, run("bad maxfev", o);
    o = usual, o.n = 0, run("bad n", o);
    o = usual, o.m = 2, run("bad m", o);
    o = usual, o.m = 18, run("bad ldfjac", o);
    o = usual, o.ftol = -1, run("bad ftol", o);
    o = usual, o.xtol = -1, run("bad xtol", o);
    o = usual, o.gtol = -1, run("bad gtol", o);
    o = usual, o.factor = 0, run("bad factor", o);
    for (double scale = 1; scale <= 100; scale *= 10) {
        run_simple(scale, 1e-8, LWA);
        run_simple(scale, 0, LWA);
    }
    run_simple(1, -1, LWA);
    run_simple(1, 1e-8, 10);
    return 0;
}

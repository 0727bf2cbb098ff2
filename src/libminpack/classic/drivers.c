/* lmdif, lmder and lmstr, by MINPACK's calling sequences and with a user_data pointer.
 *
 * MINPACK's arrays serve one purpose after another: R lies where the Jacobian was, and
 * wa2 holds a trial point or, while there is none, the norms of the columns.
 *
 * Deviation: where fcn stops the fit, x is the best point so far, and fvec what it was
 * there. MINPACK leaves in x the entry that a difference has moved, and in fvec what fcn
 * left there in its first call. Shown by tests/test_classic.py. */
#include <string.h>

#include "../rows/kernels.h"

/* A fit, and those of its caller's functions that were given. */
typedef struct {
    lm_fit fit;
    lmdif_fcn lmdif;
    lmder_fcn lmder;
    lmstr_fcn lmstr;
    lm_residuals residuals;
    lm_jacobian jacobian;
    void *user_data;
    int nprint;
} classic;

/* --- Calls ---------------------------------------------------------------------------
 */

/* Call fcn: iflag is 0 for a look, 1 for residuals, 2 for the Jacobian or a difference,
 * more for a row of the Jacobian, to state.work. MINPACK's functions take pointers to
 * what they must not change. Returns 0, or a negative number to stop. */
static int call(classic *c, double *x, double *fvec, int iflag)
{
    lm_fit *f = &c->fit;
    int m = f->rows.m, n = f->rows.n, ldfjac = f->rows.ldfjac;

    if (c->lmdif != NULL)
        c->lmdif(&m, &n, x, fvec, &iflag);
    else if (c->lmder != NULL)
        c->lmder(&m, &n, x, fvec, f->rows.fjac, &ldfjac, &iflag);
    else if (c->lmstr != NULL)
        c->lmstr(&m, &n, x, fvec, f->state.work, &iflag);
    else if (iflag == 2 && c->jacobian != NULL)
        iflag = c->jacobian(m, n, x, f->rows.fjac, ldfjac, c->user_data);
    else
        iflag = c->residuals(m, n, x, fvec, c->user_data);
    return iflag < 0 ? iflag : 0;
}

static int residuals(void *who, lm_fit *fit, const double *x)
{
    (void)x; /* is x_trial */
    return call(who, fit->state.x_trial, fit->own_trial,
                fit->state.request == LM_RESIDUALS ? 1 : 2);
}

static int jacobian(void *who, lm_fit *fit)
{
    return call(who, fit->state.x, fit->rows.fvec, 2);
}

static int look(void *who, lm_fit *fit)
{
    classic *c = who;

    if ((fit->state.iter - 1) % c->nprint != 0)
        return 0;
    return call(c, fit->state.x, fit->rows.fvec, 0);
}

/* Rotate each row of the Jacobian into the triangle r and the residuals into qtf: 0, or
 * what stopped. */
static int rotate_rows(classic *c)
{
    lm_fit *fit = &c->fit;
    lm_state *s = &fit->state;

    for (int j = 0; j < s->n; j++) {
        s->qtf[j] = 0;
        memset(s->r + j * (size_t)s->ldr, 0, (size_t)s->n * sizeof(double));
    }
    for (int i = 0; i < fit->rows.m; i++) {
        double f = fit->rows.fvec[i];
        int status = call(c, s->x, fit->rows.fvec, i + 2);
        if (status < 0)
            return status;
        rwupdt_(&s->n, s->r, &s->ldr, s->work, s->qtf, &f, s->step, s->acnorm);
    }
    return 0;
}

/* lmstr's way to the factors: the triangle of all rows is pivoted only if it is singular.
 * Unlike lmder, lmstr looks at an iterate before its Jacobian. */
static int linearize_by_rows(void *who, lm_fit *fit)
{
    classic *c = who;
    lm_state *s = &fit->state;
    int n = s->n, singular = 0;
    int status = c->nprint > 0 ? look(c, fit) : 0;

    if (status == 0)
        status = rotate_rows(c);
    if (status < 0)
        return status;
    fit->njev++;
    for (int j = 0; j < n; j++) {
        const double *column = s->r + j * (size_t)s->ldr;
        s->ipvt[j] = j + 1;
        s->acnorm[j] = s->norm(j + 1, column);
        singular = singular || column[j] == 0;
    }
    if (singular) {
        double *b = s->work_lmpar;
        memcpy(b, s->qtf, (size_t)n * sizeof(double));
        minpack_reference_factor(n, n, s->r, s->ldr, s->ipvt, s->acnorm, s->step, s->work,
                                 b, s->qtf);
    }
    return 0;
}

/* --- A fit in MINPACK's arrays --------------------------------------------------------
 */

static void take_options(lm_fit *f, int m, int n, double ftol, double xtol, double gtol,
                         int maxfev, int mode, double factor)
{
    f->state.mode = mode;
    f->state.maxfev = maxfev;
    f->state.ftol = ftol;
    f->state.xtol = xtol;
    f->state.gtol = gtol;
    f->state.factor = factor;
    f->rows.m = m;
    f->rows.n = n;
    f->rows.kernels = lm_kernels_named("reference");
}

static void take_arrays(lm_fit *f, double *x, double *fvec, double *fjac, int ldfjac,
                        double *diag, int *ipvt, double *qtf, double *wa1, double *wa2,
                        double *wa3, double *wa4)
{
    f->state.ldr = ldfjac;
    f->state.x = x;
    f->state.x_trial = f->state.acnorm = wa2;
    f->state.diag = diag;
    f->state.r = fjac;
    f->state.qtf = qtf;
    f->state.step = wa1;
    f->state.work = wa3;
    f->state.work_lmpar = wa4;
    f->state.ipvt = ipvt;
    f->differences.h = wa1;
    f->rows.ldfjac = ldfjac;
    f->rows.fvec = fvec;
    f->rows.fjac = fjac;
    f->rows.work_m = f->own_trial = wa4;
}

/* Returns info. */
static int run(classic *c)
{
    lm_hooks hooks = {
        .residuals = residuals,
        .jacobian = c->lmder != NULL || c->jacobian != NULL ? jacobian : NULL,
        .linearize = c->lmstr != NULL ? linearize_by_rows : NULL,
        .iterate = c->nprint > 0 ? look : NULL,
    };

    lm_run(&c->fit, &hooks, c);
    if (c->nprint > 0)
        call(c, c->fit.state.x, c->fit.rows.fvec, 0);
    return c->fit.state.info;
}

/* --- MINPACK's calling sequences -------------------------------------------------------
 */

void lmdif_(lmdif_fcn fcn, int *m, int *n, double *x, double *fvec, double *ftol,
            double *xtol, double *gtol, int *maxfev, double *epsfcn, double *diag,
            int *mode, double *factor, int *nprint, int *info, int *nfev, double *fjac,
            int *ldfjac, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4)
{
    classic c = {.lmdif = fcn, .nprint = *nprint};

    take_options(&c.fit, *m, *n, *ftol, *xtol, *gtol, *maxfev, *mode, *factor);
    take_arrays(&c.fit, x, fvec, fjac, *ldfjac, diag, ipvt, qtf, wa1, wa2, wa3, wa4);
    c.fit.differences.epsfcn = *epsfcn;
    *info = run(&c);
    *nfev = c.fit.state.nfev;
}

void lmder_(lmder_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
            int *ldfjac, double *ftol, double *xtol, double *gtol, int *maxfev,
            double *diag, int *mode, double *factor, int *nprint, int *info, int *nfev,
            int *njev, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4)
{
    classic c = {.lmder = fcn, .nprint = *nprint};

    take_options(&c.fit, *m, *n, *ftol, *xtol, *gtol, *maxfev, *mode, *factor);
    take_arrays(&c.fit, x, fvec, fjac, *ldfjac, diag, ipvt, qtf, wa1, wa2, wa3, wa4);
    *info = run(&c);
    *nfev = c.fit.state.nfev;
    *njev = c.fit.njev;
}

void lmstr_(lmstr_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
            int *ldfjac, double *ftol, double *xtol, double *gtol, int *maxfev,
            double *diag, int *mode, double *factor, int *nprint, int *info, int *nfev,
            int *njev, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4)
{
    classic c = {.lmstr = fcn, .nprint = *nprint};

    take_options(&c.fit, *m, *n, *ftol, *xtol, *gtol, *maxfev, *mode, *factor);
    take_arrays(&c.fit, x, fvec, fjac, *ldfjac, diag, ipvt, qtf, wa1, wa2, wa3, wa4);
    c.fit.rows.ldfjac = *m; /* there is no Jacobian in memory */
    *info = run(&c);
    *nfev = c.fit.state.nfev;
    *njev = c.fit.njev;
}

/* --- With a user_data pointer ----------------------------------------------------------
 */

/* For both; work has m + 3n numbers. */
static int run_functions(classic *c, int m, int n, double *x, double *fvec, double *fjac,
                         int ldfjac, double *diag, int *nfev, int *ipvt, double *qtf,
                         double *work)
{
    take_arrays(&c->fit, x, fvec, fjac, ldfjac, diag, ipvt, qtf, work + m, work + m + n,
                work + m + 2 * n, work);
    int info = run(c);
    *nfev = c->fit.state.nfev;
    return info;
}

int minpack_lmdif(lm_residuals residuals, void *user_data, int m, int n, double *x,
                  double *fvec, double ftol, double xtol, double gtol, int maxfev,
                  double epsfcn, double *diag, int mode, double factor, int *nfev,
                  double *fjac, int ldfjac, int *ipvt, double *qtf, double *work)
{
    classic c = {.residuals = residuals, .user_data = user_data};

    take_options(&c.fit, m, n, ftol, xtol, gtol, maxfev, mode, factor);
    c.fit.differences.epsfcn = epsfcn;
    return run_functions(&c, m, n, x, fvec, fjac, ldfjac, diag, nfev, ipvt, qtf, work);
}

int minpack_lmder(lm_residuals residuals, lm_jacobian jacobian, void *user_data, int m,
                  int n, double *x, double *fvec, double *fjac, int ldfjac, double ftol,
                  double xtol, double gtol, int maxfev, double *diag, int mode,
                  double factor, int *nfev, int *njev, int *ipvt, double *qtf,
                  double *work)
{
    classic c = {.residuals = residuals, .jacobian = jacobian, .user_data = user_data};

    take_options(&c.fit, m, n, ftol, xtol, gtol, maxfev, mode, factor);
    int info =
        run_functions(&c, m, n, x, fvec, fjac, ldfjac, diag, nfev, ipvt, qtf, work);
    *njev = c.fit.njev;
    return info;
}

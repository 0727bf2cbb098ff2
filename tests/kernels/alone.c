/* The kernels with nothing of a fit around them, for calling.py: one of each set, by its
 * name, and lm_linearize on any path. */
#include <string.h>

#include "rows/kernels.h"

/* As in rows.c */
enum { REFERENCE, IN_ORDER, FREE };

double norm_by(const char *kernels, int path, int m, const double *x)
{
    const lm_kernels *k = lm_kernels_named(kernels);

    return path == FREE ? k->norm(m, x) : k->norm_in_order(m, x);
}

void difference_by(const char *kernels, int m, const double *f, const double *fvec,
                   double h, double *column)
{
    lm_kernels_named(kernels)->difference(m, f, fvec, h, column);
}

size_t scratch_of(const char *kernels, int m, int n)
{
    lm_rows rows = {.m = m, .n = n, .kernels = lm_kernels_named(kernels)};

    return lm_rows_scratch(&rows);
}

/* The factors of fjac(ldfjac, n) or, with h, of the differences of fjac and, as column
 * n - 1, `last` from fvec. *dependent is what the fit remembers of its columns, in and
 * out. work is (m + 2n). Returns the path that was taken in the end. */
int factor_by(const char *kernels, int path, int m, int n, double *fjac, int ldfjac,
              double *h, const double *last, double *fvec, double *r, int *ipvt,
              double *qtf, double *acnorm, double *work, void *scratch, int *dependent)
{
    lm_fit fit;

    memset(&fit, 0, sizeof fit);
    fit.state.n = fit.state.ldr = n;
    fit.state.r = r;
    fit.state.ipvt = ipvt;
    fit.state.qtf = qtf;
    fit.state.acnorm = acnorm;
    fit.state.step = work + m;
    fit.state.work = work + m + n;
    fit.rows.m = m;
    fit.rows.n = n;
    fit.rows.ldfjac = ldfjac;
    fit.rows.kernels = lm_kernels_named(kernels);
    fit.rows.fvec = fvec;
    fit.rows.fjac = fjac;
    fit.rows.work_m = work;
    fit.rows.scratch = scratch;
    fit.rows.path = path;
    fit.rows.dependent = *dependent;
    fit.rows.is_raw = h != NULL;
    fit.rows.last = last;
    fit.differences.h = h;
    fit.state.fnorm = norm_by(kernels, path, m, fvec);
    lm_linearize(&fit);
    *dependent = fit.rows.dependent;
    return fit.rows.path;
}

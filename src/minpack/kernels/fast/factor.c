/* The factors of a Jacobian: by the normal equations where they are good, else by
 * reflections, and by the reference where squares may overflow or underflow. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "fast.h"
#include "lanes.h"
#include "rows.h"

/* Whether squares, and products with others of such a norm, stay in range. */
static int is_within_range(double norm)
{
    return norm == 0 || (norm >= SMALLEST_NORM && norm <= LARGEST_NORM);
}

/* The first n rows of J, which tell the signs in the end, see orient.c. */
static void keep_top(workspace w, const matrix *a)
{
    int n = a->n;

    for (int j = 0; j < n; j++) {
        const double *from = column_of(a, j);
        double *to = w.top + j * (size_t)n;
        for (int i = 0; i < n; i++)
            to[i] = a->h == NULL ? from[i] : (from[i] - a->fvec[i]) / a->h[j];
    }
    *w.signs_open = 1;
}

/* Whether the normal equations would not have done for what has been factored. */
static int is_dependent(int n, const double *r, int ldr, const double *acnorm,
                        const int *ipvt)
{
    for (int j = 0; j < n; j++) {
        double left = r[j + j * (size_t)ldr], whole = acnorm[ipvt[j] - 1];
        if (!(left * left > LEAST_PART * whole * whole))
            return 1;
    }
    return 0;
}

/* R and the first n entries of Q'f to where the caller wants them. */
static void give_factors(workspace w, int n, double *fjac, int ldfjac, double *qtf)
{
    for (int j = 0; j < n; j++)
        memcpy(fjac + j * (size_t)ldfjac, w.r + j * w.ldr,
               (size_t)(j + 1) * sizeof(double));
    memcpy(qtf, w.r + n * w.ldr, (size_t)n * sizeof(double));
}

void KERNEL(factor)(int m, int n, double *fjac, int ldfjac, int *ipvt,
                    const double *acnorm, double *rdiag, double *work_n,
                    const double *fvec, double fnorm, double *qtf, int *dependent,
                    void *scratch)
{
    workspace w = lm_workspace(m, n, scratch);
    matrix a = {m, n, fjac, ldfjac, fjac + (n - 1) * (size_t)ldfjac, fvec, NULL};
    int in_range = is_within_range(fnorm);

    *w.signs_open = 0;
    for (int j = 0; j < n; j++)
        in_range &= is_within_range(acnorm[j]);
    if (in_range && m >= LANES && !*dependent
        && KERNEL(normal_equations)(&w, &a, ipvt, rdiag)) {
        keep_top(w, &a);
        give_factors(w, n, fjac, ldfjac, qtf);
        return;
    }

    if (!in_range || m < FEW) {
        minpack_reference_factor(m, n, fjac, ldfjac, ipvt, acnorm, rdiag, work_n, fvec,
                                 fnorm, qtf, dependent, scratch);
    } else {
        for (int j = 0; j < n; j++)
            rdiag[j] = acnorm[j] * acnorm[j];
        if (m <= SMALL) {
            for (int k = 0; k <= n; k++)
                take_rows(m, column_of(&a, k), w.r + k * w.ldr);
            KERNEL(pivot)(w, m, n, ipvt, rdiag, work_n);
        } else {
            KERNEL(triangle)(w, &a, NULL);
            keep_top(w, &a);
            KERNEL(pivot)(w, n, n, ipvt, rdiag, work_n);
        }
        give_factors(w, n, fjac, ldfjac, qtf);
    }
    *dependent = is_dependent(n, fjac, ldfjac, acnorm, ipvt);
}

/* Form the Jacobian where its residuals are, and the norms of its columns. Returns
 * whether they are finite. */
static int form_differences(const matrix *a, double *fjac, double *h_to_acnorm)
{
    int finite = 1;

    for (int j = 0; j < a->n; j++) {
        const double *f = column_of(a, j);
        double *column = fjac + j * (size_t)a->ldfjac, h = h_to_acnorm[j];
        for (int i = 0; i < a->m; i++)
            column[i] = (f[i] - a->fvec[i]) / h;
        h_to_acnorm[j] = KERNEL(norm)(a->m, column);
        finite &= h_to_acnorm[j] <= DBL_MAX;
    }
    return finite;
}

/* Whether the norm of a column of differences, as it was found, is good and within range.
 * Nothing has underflowed where all differences are zero. */
static int is_good_norm(double norm, const matrix *a, int j)
{
    if (norm == 0)
        return memcmp(column_of(a, j), a->fvec, (size_t)a->m * sizeof(double)) == 0;
    return is_within_range(norm);
}

void KERNEL(factor_differences)(int m, int n, double *fjac, int ldfjac, const double *f_n,
                                double *h_to_acnorm, int *ipvt, double *rdiag,
                                double *work_n, const double *fvec, double fnorm,
                                double *qtf, int *dependent, void *scratch)
{
    workspace w = lm_workspace(m, n, scratch);
    const double *h = h_to_acnorm;
    matrix a = {m, n, fjac, ldfjac, f_n, fvec, h};
    int in_one_pass = m > SMALL && is_within_range(fnorm), solved = 0;

    for (int j = 0; j < n; j++)
        in_one_pass &= h[j] > DBL_MIN;
    if (in_one_pass) {
        solved = !*dependent && KERNEL(normal_equations)(&w, &a, ipvt, rdiag);
        if (!solved)
            KERNEL(triangle)(w, &a, rdiag);
    }
    for (int j = 0; in_one_pass && j < n; j++)
        in_one_pass = is_good_norm(sqrt(rdiag[j]), &a, j);
    if (!in_one_pass) {
        if (form_differences(&a, fjac, h_to_acnorm))
            KERNEL(factor)(m, n, fjac, ldfjac, ipvt, h_to_acnorm, rdiag, work_n, fvec,
                           fnorm, qtf, dependent, scratch);
        return;
    }

    keep_top(w, &a);
    for (int j = 0; j < n; j++)
        h_to_acnorm[j] = sqrt(rdiag[j]);
    if (!solved)
        KERNEL(pivot)(w, n, n, ipvt, rdiag, work_n);
    give_factors(w, n, fjac, ldfjac, qtf);
    if (!solved)
        *dependent = is_dependent(n, fjac, ldfjac, h_to_acnorm, ipvt);
}

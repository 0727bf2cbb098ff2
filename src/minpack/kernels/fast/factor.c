/* The factors of a Jacobian: by the normal equations where they are good, else by
 * reflections or, unless there are many rows, in MINPACK's order of operations; and by
 * the reference where squares may overflow or underflow. */
#include <math.h>
#include <string.h>

#include "../../minpack.h"
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

/* R and the first n entries of Q'f to where the caller wants them. */
static void give_factors(workspace w, int n, double *fjac, int ldfjac, double *qtf)
{
    for (int j = 0; j < n; j++)
        memcpy(fjac + j * (size_t)ldfjac, w.r + j * w.ldr,
               (size_t)(j + 1) * sizeof(double));
    memcpy(qtf, w.r + n * w.ldr, (size_t)n * sizeof(double));
}

/* Whether columns of a with these squares of norms are within range. Nothing has
 * underflowed where all entries are zero. */
static int are_within_range(const matrix *a, const double *square)
{
    for (int j = 0; j < a->n; j++) {
        double norm = sqrt(square[j]);
        if (!is_within_range(norm))
            return 0;
        for (int i = 0; norm == 0 && i < a->m; i++)
            if (column_of(a, j)[i] != (a->h == NULL ? 0 : a->fvec[i]))
                return 0;
    }
    return 1;
}

/* The triangle, and the squares of the norms of its columns: those of J. */
static void make_triangle(workspace w, const matrix *a, double *square)
{
    KERNEL(triangle)(w, a);
    for (int j = 0; j < a->n; j++) {
        square[j] = 0;
        for (int i = 0; i <= j; i++) {
            double entry = w.r[i + j * w.ldr];
            square[j] += entry * entry;
        }
    }
}

/* Whether the normal equations would not have done for what has been factored. */
static int is_dependent(workspace w, int n, const double *acnorm, const int *ipvt)
{
    for (int j = 0; j < n; j++) {
        double left = w.r[j + j * w.ldr], whole = acnorm[ipvt[j] - 1];
        if (!(left * left > LEAST_PART * whole * whole))
            return LM_DEPENDENT;
    }
    return 0;
}

typedef enum { FACTORED, OUT_OF_RANGE, LEFT_ALONE } outcome;

/* The factors of a and the norms of its columns to w.r, ipvt and acnorm; where they are
 * better left to others, a and acnorm are as they were. */
static outcome factor_rows(workspace w, const matrix *a, int *ipvt, double *acnorm,
                           double *rdiag, double *work_n, double fnorm, int *dependent)
{
    int n = a->n, solved = 0;

    *w.signs_open = 0;
    if (!is_within_range(fnorm))
        return OUT_OF_RANGE;
    if (!*dependent && a->m >= LANES) {
        solved = KERNEL(normal_equations)(w, a, ipvt, rdiag);
        if (!are_within_range(a, rdiag))
            return OUT_OF_RANGE;
    }
    if (!solved && a->m <= MANY) {
        *dependent = LM_GO_IN_ORDER;
        return LEFT_ALONE;
    }
    if (!solved) {
        make_triangle(w, a, rdiag);
        if (!are_within_range(a, rdiag))
            return OUT_OF_RANGE;
    }
    keep_top(w, a);
    for (int j = 0; j < n; j++)
        acnorm[j] = sqrt(rdiag[j]);
    if (!solved) {
        KERNEL(pivot)(w, n, ipvt, rdiag, work_n);
        *dependent = is_dependent(w, n, acnorm, ipvt);
    }
    return FACTORED;
}

/* The same by the reference too, and with R and Q'f where the caller wants them. */
static void factor_matrix(const matrix *a, double *fjac, int *ipvt, double *acnorm,
                          double *rdiag, double *work_n, double fnorm, double *qtf,
                          int *dependent, void *scratch)
{
    workspace w = lm_workspace(a->m, a->n, scratch);

    switch (factor_rows(w, a, ipvt, acnorm, rdiag, work_n, fnorm, dependent)) {
    case FACTORED:
        give_factors(w, a->n, fjac, a->ldfjac, qtf);
        break;
    case OUT_OF_RANGE:
        if (a->h != NULL)
            form_differences(a, fjac);
        minpack_reference_factor(a->m, a->n, fjac, a->ldfjac, ipvt, acnorm, rdiag, work_n,
                                 a->fvec, fnorm, qtf, dependent, scratch);
        break;
    case LEFT_ALONE:
        break;
    }
}

void KERNEL(factor)(int m, int n, double *fjac, int ldfjac, int *ipvt, double *acnorm,
                    double *rdiag, double *work_n, const double *fvec, double fnorm,
                    double *qtf, int *dependent, void *scratch)
{
    matrix a = {m, n, fjac, ldfjac, fjac + (n - 1) * (size_t)ldfjac, fvec, NULL};

    factor_matrix(&a, fjac, ipvt, acnorm, rdiag, work_n, fnorm, qtf, dependent, scratch);
}

void KERNEL(factor_differences)(int m, int n, double *fjac, int ldfjac, const double *f_n,
                                double *h_to_acnorm, int *ipvt, double *rdiag,
                                double *work_n, const double *fvec, double fnorm,
                                double *qtf, int *dependent, void *scratch)
{
    matrix a = {m, n, fjac, ldfjac, f_n, fvec, h_to_acnorm};

    factor_matrix(&a, fjac, ipvt, h_to_acnorm, rdiag, work_n, fnorm, qtf, dependent,
                  scratch);
}

/* The signs of R.
 *
 * Row j of R and entry j of Q'f are determined but for a common sign, and no step of the
 * algorithm depends on it. MINPACK's reflections make R(j,j) negative where the entry
 * (j,j) of the matrix that is being reduced is not. The fast kernels never form that
 * entry, but it follows from the first n rows of Q, those of J P R^-1, by an elimination
 * on n rows alone (Ballard, Demmel, Grigori, Jacquelin, Knight and Nguyen, J. Parallel
 * Distrib. Comput. 85, 3-31, 2015). It is done once, when a fit has ended. */
#include <math.h>

#include "kernels.h"

/* q(n, n), by columns = the first rows of J P R^-1, with zeros where R is singular */
static void top_of_q(int n, const double *top, const double *r, size_t ldr,
                     const int *ipvt, double *q)
{
    for (int k = 0; k < n; k++) {
        double *qk = q + k * (size_t)n;
        const double *rk = r + k * ldr, *jk = top + (ipvt[k] - 1) * (size_t)n;
        for (int i = 0; i < n; i++)
            qk[i] = jk[i];
        for (int l = 0; l < k; l++)
            for (int i = 0; i < n; i++)
                qk[i] -= q[i + l * (size_t)n] * rk[l];
        for (int i = 0; i < n; i++)
            qk[i] = rk[k] == 0 ? 0 : qk[i] / rk[k];
    }
}

void minpack_orient(int n, const double *top, const int *ipvt, double *r, size_t ldr,
                    double *qtf, double *q)
{
    top_of_q(n, top, r, ldr, ipvt, q);
    for (int j = 0; j < n; j++) {
        double *qj = q + j * (size_t)n, *row = r + j + j * ldr;
        double entry = qj[j] * row[0];

        /* reflect what is left of Q: its column j is a unit vector in the rows left; the
         * sign is that of the entry, or of a positive one where it is zero */
        int minus = qj[j] < 0 || (qj[j] == 0 && row[0] < 0);
        for (int k = j + 1; k < n; k++) {
            double *qk = q + k * (size_t)n;
            double part = (minus ? -qk[j] : qk[j]) / (1 + fabs(qj[j]));
            for (int i = j + 1; i < n; i++)
                qk[i] -= qj[i] * part;
        }
        if ((row[0] > 0) != (entry < 0)) {
            for (int k = j; k < n; k++)
                row[(k - j) * ldr] = -row[(k - j) * ldr];
            qtf[j] = -qtf[j];
        }
    }
}

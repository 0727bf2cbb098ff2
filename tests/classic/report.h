/* Bard's problem (ACM TOMS 7, 1981, number 8), stops on demand, and printing: what the
 * C programs here share. Numbers are printed to the last bit. */
#ifndef REPORT_H
#define REPORT_H

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { M = 15, N = 3, LDFJAC = 17, LWA = M * N + 5 * N + M };

static int calls = 0;    /* of the user's functions, so far */
static int stop_at = -1; /* the call that asks to stop */

/* What an evaluation answers: 0, or a negative number that says which call it was. */
static int go_on(void)
{
    calls++;
    return calls == stop_at ? -calls : 0;
}

static void bard(const double *x, double *fvec)
{
    static const double y[M] = {0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39,
                                0.37, 0.58, 0.73, 0.96, 1.34, 2.1,  4.39};
    for (int i = 0; i < M; i++) {
        double u = i + 1, v = M - i, w = u < v ? u : v;
        fvec[i] = y[i] - (x[0] + u / (x[1] * v + x[2] * w));
    }
}

static void bard_jacobian(const double *x, double *fjac, int ldfjac)
{
    for (int i = 0; i < M; i++) {
        double u = i + 1, v = M - i, w = u < v ? u : v;
        double d = x[1] * v + x[2] * w;
        fjac[i] = -1;
        fjac[i + ldfjac] = u * v / (d * d);
        fjac[i + 2 * ldfjac] = u * w / (d * d);
    }
}

/* A fit: its arguments and what comes back. */
typedef struct {
    double x[N], fvec[M], fjac[LDFJAC * N], diag[N], qtf[N], wa[LWA];
    int ipvt[N], info, nfev, njev;
} fit_record;

/* Everything has a value that shows whether somebody wrote there. */
static fit_record new_fit(double scale)
{
    fit_record f;

    for (int j = 0; j < N; j++) {
        f.x[j] = scale;
        f.diag[j] = 0.5 + j;
        f.qtf[j] = 77;
        f.ipvt[j] = 77;
    }
    for (int i = 0; i < M; i++)
        f.fvec[i] = 77;
    for (int i = 0; i < LDFJAC * N; i++)
        f.fjac[i] = 77;
    for (int i = 0; i < LWA; i++)
        f.wa[i] = 77;
    f.info = f.nfev = f.njev = 77;
    calls = 0;
    return f;
}

static void print_numbers(const char *name, const double *numbers, int count)
{
    printf("  %s", name);
    for (int i = 0; i < count; i++)
        if (isnan(numbers[i]))
            printf(" nan");
        else
            printf(" %a", numbers[i]);
    printf("\n");
}

static void print_fit(const fit_record *f)
{
    printf("  info %d nfev %d njev %d calls %d ipvt", f->info, f->nfev, f->njev, calls);
    for (int j = 0; j < N; j++)
        printf(" %d", f->ipvt[j]);
    printf("\n");
    print_numbers("x", f->x, N);
    print_numbers("fvec", f->fvec, M);
    print_numbers("fjac", f->fjac, LDFJAC * N);
    print_numbers("diag", f->diag, N);
    print_numbers("qtf", f->qtf, N);
}

#endif

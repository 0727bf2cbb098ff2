/* The functions that the tests of compiled functions fit. */
#include <time.h>

/* Rows of user_data are pairs (t, y); the model is sums, products and quotients. */
int residuals(int m, int n, const double *x, double *fvec, void *user_data)
{
    const double *data = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * data[2 * i];
        fvec[i] = x[0] / (1 + u * u) - data[2 * i + 1];
    }
    return 0;
}

int jacobian(int m, int n, const double *x, double *fjac, int ldfjac, void *user_data)
{
    const double *data = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * data[2 * i], over = 1 / (1 + u * u);
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * data[2 * i];
    }
    return 0;
}

/* The model itself: user_data is t. */
int values(int m, int n, const double *x, double *fvec, void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * t[i];
        fvec[i] = x[0] / (1 + u * u);
    }
    return 1;
}

int derivatives(int m, int n, const double *x, double *fjac, int ldfjac, void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * t[i], over = 1 / (1 + u * u);
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * t[i];
    }
    return 1;
}

/* x - 3, without user_data */
int plain(int m, int n, const double *x, double *fvec, void *user_data)
{
    for (int i = 0; i < m; i++)
        fvec[i] = i < n ? x[i] - 3 : 0;
    return user_data == 0 ? 0 : -99;
}

/* Stops at the evaluation that the first number of user_data counts down to. */
int stopping(int m, int n, const double *x, double *fvec, void *user_data)
{
    int *count = user_data;
    for (int i = 0; i < m; i++)
        fvec[i] = x[i % n] * x[i % n] + i;
    return --*count == 0 ? -7 : 5;
}

int stopping_jacobian(int m, int n, const double *x, double *fjac, int ldfjac,
                      void *user_data)
{
    (void)x;
    (void)user_data;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            fjac[i + j * ldfjac] = i == j;
    return -8;
}

int slow(int m, int n, const double *x, double *fvec, void *user_data)
{
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, 0);
    for (int i = 0; i < m; i++)
        fvec[i] = x[i % n] - 1;
    (void)user_data;
    return 0;
}

double other(double x)
{
    return x;
}

/* Any range of the rows of `values` and `derivatives`: user_data is t. */
int value_range(int first, int count, int n, const double *x, double *fvec, double *fjac,
                int ldfjac, void *user_data)
{
    const double *t = (const double *)user_data + first;
    (void)n;
    for (int i = 0; i < count; i++) {
        double u = x[1] * t[i], over = 1 / (1 + u * u);
        fvec[i] = x[0] / (1 + u * u);
        if (ldfjac == 0)
            continue;
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * t[i];
    }
    return fjac == 0 && ldfjac != 0 ? -100 : 3;
}

/* The same of `residuals` and `jacobian`. */
int residual_range(int first, int count, int n, const double *x, double *fvec,
                   double *fjac, int ldfjac, void *user_data)
{
    const double *data = (const double *)user_data + 2 * first;
    (void)n;
    for (int i = 0; i < count; i++) {
        double u = x[1] * data[2 * i], over = 1 / (1 + u * u);
        fvec[i] = x[0] / (1 + u * u) - data[2 * i + 1];
        if (fjac == 0)
            continue;
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * data[2 * i];
    }
    return 0;
}

/* value_range that counts in user_data: {calls, most rows in a call, stop at this call
 * (0: never) or, negative, at the first that wants derivatives}. t is the row itself. */
int counting_range(int first, int count, int n, const double *x, double *fvec,
                   double *fjac, int ldfjac, void *user_data)
{
    int *counts = user_data;
    int call = __atomic_add_fetch(&counts[0], 1, __ATOMIC_RELAXED);
    if (count > counts[1])
        counts[1] = count;
    for (int i = 0; i < count; i++) {
        double t = 1e-3 * (first + i);
        fvec[i] = x[0] * t + x[n - 1] * t * t;
        if (fjac == 0)
            continue;
        fjac[i] = t;
        fjac[i + ldfjac] = t * t;
    }
    return call == counts[2] || (counts[2] < 0 && fjac != 0) ? -6 : 0;
}

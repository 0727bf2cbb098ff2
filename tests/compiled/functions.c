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

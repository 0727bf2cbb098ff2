/* The functions that the tests of compiled functions fit. */
#include <math.h>
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

/* Takes 2 milliseconds, or as many as user_data says. */
int slow(int m, int n, const double *x, double *fvec, void *user_data)
{
    struct timespec pause = {0, 1000000L * (user_data != 0 ? *(int *)user_data : 2)};
    nanosleep(&pause, 0);
    for (int i = 0; i < m; i++)
        fvec[i] = x[i % n] - 1;
    return 0;
}

/* A line of height x[0] at x[1], x[2] wide, on x[3]. user_data is t. */
int peak(int m, int n, const double *x, double *fvec, void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = (t[i] - x[1]) / x[2];
        fvec[i] = x[0] / (1 + u * u) + x[3];
    }
    return 0;
}

int peak_jacobian(int m, int n, const double *x, double *fjac, int ldfjac,
                  void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = (t[i] - x[1]) / x[2], over = 1 / (1 + u * u);
        double slope = 2 * x[0] * over * over * u / x[2];
        fjac[i] = over;
        fjac[i + ldfjac] = slope;
        fjac[i + 2 * ldfjac] = slope * u;
        fjac[i + 3 * ldfjac] = 1;
    }
    return 0;
}

/* The same with trouble at one of the calls: user_data is {how many calls there are until
 * then, what is returned then or 0 for a number that is NaN, t}. */
static int trouble(double *user_data, double *number)
{
    if (--user_data[0] != 0)
        return 0;
    if (user_data[1] == 0)
        *number = NAN;
    return (int)user_data[1];
}

int troubled_peak(int m, int n, const double *x, double *fvec, void *user_data)
{
    peak(m, n, x, fvec, (double *)user_data + 2);
    return trouble(user_data, fvec + m / 2);
}

int troubled_jacobian(int m, int n, const double *x, double *fjac, int ldfjac,
                      void *user_data)
{
    peak_jacobian(m, n, x, fjac, ldfjac, (double *)user_data + 2);
    return trouble(user_data, fjac + m / 2 + ldfjac);
}

/* plain, which waits until as many threads as user_data[0] says have called it, and stops
 * the fit where they do not come. user_data[1] counts the calls. */
int meeting(int m, int n, const double *x, double *fvec, void *user_data)
{
    int *counts = user_data, waits = 0;
    struct timespec pause = {0, 1000000};
    __atomic_add_fetch(&counts[1], 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&counts[1], __ATOMIC_SEQ_CST) < counts[0] && waits++ < 3000)
        nanosleep(&pause, 0);
    plain(m, n, x, fvec, 0);
    return waits < 3000 ? 0 : -9;
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

/* A C program for MINPACK that calls the parts of its least squares one by one, on
 * matrices of many kinds. */
#include "minpack.h"
#include "report.h"

enum { MOST_M = 40, MOST_N = 8, LDA = MOST_M + 1, LDR = MOST_N + 2 };

/* A sequence that is the same everywhere: numbers from -1 to 1. */
static double next(void)
{
    static unsigned state = 12345;

    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 23) - 1;
}

static void fill(double *to, int count)
{
    while (count-- > 0)
        to[count] = 77;
}

/* --- Matrices -------------------------------------------------------------------- */

typedef struct {
    const char *name;
    double (*entry)(int i, int j, double random);
} kind;

static double well(int i, int j, double random)
{
    return random + (i == j ? 2 : 0);
}

static double hilbert(int i, int j, double random)
{
    (void)random;
    return 1.0 / (i + j + 1);
}

static double nearly_equal(int i, int j, double random)
{
    (void)j;
    return 1.0 / (i + 1) + 1e-11 * random;
}

static double rank_one(int i, int j, double random)
{
    (void)random;
    return (i + 1.0) * (j + 1.0);
}

static double repeated(int i, int j, double random)
{
    (void)random;
    return sin(1 + i + 3.0 * (j / 2));
}

static double zero_column(int i, int j, double random)
{
    return j == 1 ? 0 : well(i, j, random);
}

static double first_zero(int i, int j, double random)
{
    return j == 0 ? 0 : well(i, j, random);
}

static double zero(int i, int j, double random)
{
    (void)i, (void)j, (void)random;
    return 0;
}

static double triangle(int i, int j, double random)
{
    return i > j ? 0 : random;
}

static double large(int i, int j, double random)
{
    return 1e200 * well(i, j, random);
}

static double small(int i, int j, double random)
{
    return 1e-200 * well(i, j, random);
}

static double subnormal(int i, int j, double random)
{
    return 1e-310 * well(i, j, random);
}

static double of_all_sizes(int i, int j, double random)
{
    return random * pow(10, 20 * j - 60 + i % 3);
}

static double signless(int i, int j, double random)
{
    (void)random;
    return i == j ? (i % 2 ? -1 : 1) : -0.0;
}

static const kind kinds[] = {
    {"well-conditioned", well},
    {"hilbert", hilbert},
    {"nearly equal", nearly_equal},
    {"rank one", rank_one},
    {"repeated", repeated},
    {"a column of zeros", zero_column},
    {"first zero", first_zero},
    {"zero", zero},
    {"triangle", triangle},
    {"large", large},
    {"small", small},
    {"subnormal", subnormal},
    {"all sizes", of_all_sizes},
    {"diagonal", signless},
};

/* A matrix and a right-hand side, by columns. */
static void make(const kind *k, int m, int n, double *a, double *b)
{
    fill(a, LDA * MOST_N);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < m; i++)
            a[i + j * LDA] = k->entry(i, j, next());
    for (int i = 0; i < m; i++)
        b[i] = k->entry(i, 0, next()) + k->entry(i, n - 1, next());
}

/* --- Factors, and what is solved with them --------------------------------------- */

typedef struct {
    int n, ipvt[MOST_N];
    double r[LDR * MOST_N], qtb[MOST_N];
} triangular;

static void factor(const kind *k, int m, int n, int pivot, triangular *t)
{
    int lda = LDA, lipvt = pivot ? n : 1;
    double a[LDA * MOST_N], b[MOST_M], rdiag[MOST_N], acnorm[MOST_N], wa[MOST_N];

    make(k, m, n, a, b);
    fill(rdiag, MOST_N), fill(acnorm, MOST_N);
    for (int j = 0; j < MOST_N; j++)
        t->ipvt[j] = 77;
    qrfac_(&m, &n, a, &lda, &pivot, t->ipvt, &lipvt, rdiag, acnorm, wa);
    printf("  ipvt");
    for (int j = 0; j < MOST_N; j++)
        printf(" %d", t->ipvt[j]);
    printf("\n");
    print_numbers("a", a, LDA * MOST_N);
    print_numbers("rdiag", rdiag, MOST_N);
    print_numbers("acnorm", acnorm, MOST_N);

    t->n = n;
    fill(t->r, LDR * MOST_N);
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < j; i++)
            t->r[i + j * LDR] = a[i + j * LDA];
        t->r[j + j * LDR] = rdiag[j];
        t->qtb[j] = b[j];
        if (!pivot)
            t->ipvt[j] = j + 1;
    }
}

static void solve(triangular t, double least, double more)
{
    int ldr = LDR;
    double diag[MOST_N], x[MOST_N], sdiag[MOST_N], wa[MOST_N];

    for (int j = 0; j < MOST_N; j++)
        diag[j] = least + j % 2 * more;
    fill(x, MOST_N), fill(sdiag, MOST_N);
    qrsolv_(&t.n, t.r, &ldr, t.ipvt, diag, t.qtb, x, sdiag, wa);
    printf("  diag %g and %g\n", diag[0], diag[1]);
    print_numbers("qrsolv r", t.r, LDR * MOST_N);
    print_numbers("x", x, MOST_N);
    print_numbers("sdiag", sdiag, MOST_N);
}

static void damp(triangular t, double delta, double par)
{
    int ldr = LDR;
    double diag[MOST_N], x[MOST_N], sdiag[MOST_N], wa1[MOST_N], wa2[MOST_N];

    for (int j = 0; j < MOST_N; j++)
        diag[j] = 1 + j;
    fill(x, MOST_N), fill(sdiag, MOST_N);
    printf("  delta %g, par %g\n", delta, par);
    lmpar_(&t.n, t.r, &ldr, t.ipvt, diag, t.qtb, &delta, &par, x, sdiag, wa1, wa2);
    print_numbers("lmpar par", &par, 1);
    print_numbers("r", t.r, LDR * MOST_N);
    print_numbers("x", x, MOST_N);
    print_numbers("sdiag", sdiag, t.n);
}

/* The triangle, row by row. */
static void update(const kind *k, int m, int n)
{
    int ldr = LDR;
    double a[LDA * MOST_N], b[MOST_M], r[LDR * MOST_N], qtb[MOST_N] = {0}, w[MOST_N];
    double cosines[MOST_N], sines[MOST_N];

    make(k, m, n, a, b);
    fill(r, LDR * MOST_N), fill(cosines, MOST_N), fill(sines, MOST_N);
    for (int j = 0; j < n; j++)
        memset(r + j * LDR, 0, (size_t)(j + 1) * sizeof *r);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            w[j] = a[i + j * LDA];
        rwupdt_(&n, r, &ldr, w, qtb, &b[i], cosines, sines);
        print_numbers("w", w, n);
        print_numbers("alpha", &b[i], 1);
        print_numbers("cosines", cosines, MOST_N);
        print_numbers("sines", sines, MOST_N);
    }
    print_numbers("rwupdt r", r, LDR * MOST_N);
    print_numbers("qtb", qtb, n);
}

static void linear_algebra(void)
{
    static const int sizes[][2] = {{1, 1}, {3, 3}, {5, 5}, {4, 1}, {6, 3}, {40, 8}};
    triangular t;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int pivot = 0; pivot <= 1; pivot++) {
                int m = sizes[s][0], n = sizes[s][1];
                printf("%s, %d by %d, pivot %d\n", kinds[k].name, m, n, pivot);
                factor(&kinds[k], m, n, pivot, &t);
                solve(t, 1, 0), solve(t, 0, 0), solve(t, 0, 3), solve(t, 1e-9, 1e9);
                for (double delta = 1e-3; delta < 1e9; delta *= 100)
                    damp(t, delta, 0), damp(t, delta, 0.5);
                damp(t, 1e-250, 1e3), damp(t, 1e250, 0);
                update(&kinds[k], m, n);
            }
}

/* --- Norms and constants --------------------------------------------------------- */

static void norms(void)
{
    static const double sizes[] = {0, 1e-320, 1e-300, 1e-20, 1, 1e18, 1e20, 1e150, 1e308};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    double x[MOST_M], norm;

    for (int n = 0; n <= MOST_M; n += 1 + n / 4)
        for (int a = 0; a < SIZES; a++)
            for (int b = 0; b < SIZES; b++) {
                for (int i = 0; i < n; i++)
                    x[i] = next() * sizes[i % 3 == 1 ? a : b];
                norm = enorm_(&n, x);
                printf("enorm of %d numbers, %g and %g\n", n, sizes[a], sizes[b]);
                print_numbers("norm", &norm, 1);
            }
    for (int i = 1; i <= 3; i++) {
        norm = dpmpar_(&i);
        printf("dpmpar %d\n", i);
        print_numbers("constant", &norm, 1);
    }
}

/* --- Derivatives ----------------------------------------------------------------- */

static void fcn(int *m, int *n, double *x, double *fvec, int *iflag)
{
    int answer = go_on();

    (void)m, (void)n;
    printf("  iflag %d\n", *iflag);
    print_numbers("at", x, N);
    bard(x, fvec);
    if (answer < 0)
        *iflag = answer;
}

static void differences(double scale, double epsfcn, int stop)
{
    int m = M, n = N, ldfjac = LDFJAC, iflag = 2;
    double x[N] = {scale, 0, -scale}, fvec[M], fjac[LDFJAC * N], wa[M];

    printf("fdjac2 from %g, epsfcn %g, to be stopped at call %d\n", scale, epsfcn, stop);
    calls = 0;
    stop_at = stop;
    bard(x, fvec);
    fill(fjac, LDFJAC * N), fill(wa, M);
    fdjac2_(fcn, &m, &n, x, fvec, fjac, &ldfjac, &iflag, &epsfcn, wa);
    printf("  iflag %d\n", iflag);
    print_numbers("x", x, N);
    print_numbers("fjac", fjac, LDFJAC * N);
    print_numbers("wa", wa, M);
}

/* The Jacobian is wrong in some rows by a part `error`; others are zero, or do not move.
 */
static void check(double scale, double error)
{
    int m = M, n = N, ldfjac = LDFJAC, mode = 1;
    double x[N] = {scale, 0, 3 * scale}, xp[N], fvec[M], fvecp[M], fjac[LDFJAC * N],
           err[M];

    printf("chkder from %g, wrong by %g\n", scale, error);
    fill(xp, N), fill(fvec, M), fill(fvecp, M), fill(fjac, LDFJAC * N), fill(err, M);
    chkder_(&m, &n, x, fvec, fjac, &ldfjac, xp, fvecp, &mode, err);
    print_numbers("xp", xp, N);
    print_numbers("err", err, M);
    bard(x, fvec);
    bard(xp, fvecp);
    bard_jacobian(x, fjac, LDFJAC);
    for (int i = 0; i < M; i += 2)
        fjac[i + i % N * LDFJAC] *= 1 + error;
    fvec[3] = 0, fvecp[4] = 0, fvecp[5] = fvec[5], fvec[6] = fvecp[6] = 0;
    mode = 2;
    chkder_(&m, &n, x, fvec, fjac, &ldfjac, xp, fvecp, &mode, err);
    print_numbers("xp", xp, N);
    print_numbers("err", err, M);
}

int main(void)
{
    linear_algebra();
    norms();
    for (double scale = 1e-3; scale <= 1e3; scale *= 100)
        for (int stop = -1; stop <= N; stop += 2) {
            differences(scale, 0, stop);
            differences(scale, 1e-4, stop);
        }
    for (double scale = 1e-3; scale <= 1e3; scale *= 100)
        for (double error = 1e-12; error <= 10; error *= 10) {
            check(scale, error);
            check(scale, -error);
        }
    return 0;
}

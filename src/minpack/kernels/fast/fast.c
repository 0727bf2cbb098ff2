/* The fast kernels; see lanes.h for why they give the same bits on every processor.
 *
 * The QR factorization goes through the rows once, in blocks that stay in the cache.
 * Each block is annihilated against the triangle R that the rows before it left
 * (sequential TSQR: Golub, Plemmons and Sameh 1988; Demmel, Grigori, Hoemmen and
 * Langou, SIAM J. Sci. Comput. 34, A206-A239, 2012), four reflections at a time
 * (compact WY: Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10, 53-57, 1989).
 * The columns of the triangle are then pivoted as MINPACK's qrfac pivots those of J:
 * J P = Q1 (R1 P) = Q1 Q2 R.
 *
 * Compiled once for each instruction set, with KERNEL(name) its name for it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "fast.h"
#include "lanes.h"

/* The relative rounding error at which MINPACK computes a norm afresh */
#define EPSMCH 2.22044604926e-16

/* Within these bounds on the norms of the columns and of the residuals no product
 * overflows, and what underflows is below the rounding error. Elsewhere the reference
 * kernels work. */
#define SMALLEST_NORM 1e-70
#define LARGEST_NORM 1e70
/* A part of a column whose square is below this is none: less than the rounding error
 * of any column between the bounds. */
#define NEGLIGIBLE_SQUARE 1e-180

enum {
    PANEL = 4,  /* reflections applied together */
    AHEAD = 128 /* numbers from what is worked on to what is fetched */
};

/* --- Sums over rows: m is a multiple of LANES, the last rows may be zeros --------- */

/* Each of these loops also brings m numbers near, `next`, that are needed after it:
 * memory is slow, but need not be waited for. Where nothing is to be fetched, they are
 * some of those at hand. */
INLINE void fetch(const double *next)
{
    __builtin_prefetch(next);
}

/* dot[i][k] = x[i]'a[k] */
INLINE void dots(int nx, int na, int m, const double *const *x, const double *const *a,
                 double dot[][PANEL], const double *next)
{
    lanes total[PANEL][PANEL];

    for (int i = 0; i < nx; i++)
        for (int k = 0; k < na; k++)
            total[i][k] = broadcast(0.0);
    for (int row = 0; row < m; row += LANES) {
        fetch(next + row);
        for (int k = 0; k < na; k++) {
            lanes ak = load(a[k] + row);
            for (int i = 0; i < nx; i++)
                total[i][k] = add_product(total[i][k], load(x[i] + row), ak);
        }
    }
    for (int i = 0; i < nx; i++)
        for (int k = 0; k < na; k++)
            dot[i][k] = sum(total[i][k]);
}

/* dot[k] = x'a[k]. Even and odd lanes are summed apart: one sum after another would wait
 * for each addition. */
INLINE void dots_of_one(int na, int m, const double *x, const double *const *a,
                        double *dot, const double *next)
{
    lanes even[PANEL], odd[PANEL];
    int row;

    for (int k = 0; k < na; k++)
        even[k] = odd[k] = broadcast(0.0);
    for (row = 0; row + LANES < m; row += 2 * LANES) {
        lanes x0 = load(x + row), x1 = load(x + row + LANES);
        fetch(next + row);
        fetch(next + row + LANES);
        for (int k = 0; k < na; k++) {
            even[k] = add_product(even[k], x0, load(a[k] + row));
            odd[k] = add_product(odd[k], x1, load(a[k] + row + LANES));
        }
    }
    if (row < m)
        for (int k = 0; k < na; k++)
            even[k] = add_product(even[k], load(x + row), load(a[k] + row));
    for (int k = 0; k < na; k++)
        dot[k] = sum(add(even[k], odd[k]));
}

/* a[k] -= sum over i of w[i][k] x[i] */
INLINE void subtract(int nx, int na, int m, const double *const *x, double *const *a,
                     double w[][PANEL], const double *next)
{
    /* In registers, for the compiler must think that a store changes what is in memory */
    const double *from[PANEL];
    double *to[PANEL];
    lanes weight[PANEL][PANEL];

    for (int i = 0; i < nx; i++)
        from[i] = x[i];
    for (int k = 0; k < na; k++) {
        to[k] = a[k];
        for (int i = 0; i < nx; i++)
            weight[i][k] = broadcast(w[i][k]);
    }
    for (int row = 0; row < m; row += LANES) {
        lanes xi[PANEL];
        fetch(next + row);
        for (int i = 0; i < nx; i++)
            xi[i] = load(from[i] + row);
        for (int k = 0; k < na; k++) {
            lanes ak = load(to[k] + row);
            for (int i = 0; i < nx; i++)
                ak = subtract_product(ak, xi[i], weight[i][k]);
            store(to[k] + row, ak);
        }
    }
}

/* a[k] -= w[k] x, and then dot[k] = a[0]'a[k], in one pass */
INLINE void subtract_and_dot(int na, int m, const double *x, double *const *a,
                             const double *w, double *dot, const double *next)
{
    lanes total[PANEL], weight[PANEL];
    double *to[PANEL];

    for (int k = 0; k < na; k++) {
        total[k] = broadcast(0.0);
        weight[k] = broadcast(w[k]);
        to[k] = a[k];
    }
    for (int row = 0; row < m; row += LANES) {
        lanes xi = load(x + row), first = xi;
        fetch(next + row);
        for (int k = 0; k < na; k++) {
            lanes ak = subtract_product(load(to[k] + row), xi, weight[k]);
            store(to[k] + row, ak);
            first = k == 0 ? ak : first;
            total[k] = add_product(total[k], first, ak);
        }
    }
    for (int k = 0; k < na; k++)
        dot[k] = sum(total[k]);
}

/* The same for a number of columns that is not known to the compiler. */
static void any_dots(int na, int m, const double *x, const double *const *a, double *dot,
                     const double *next)
{
    switch (na) {
    case 1:
        dots_of_one(1, m, x, a, dot, next);
        break;
    case 2:
        dots_of_one(2, m, x, a, dot, next);
        break;
    case 3:
        dots_of_one(3, m, x, a, dot, next);
        break;
    default:
        dots_of_one(4, m, x, a, dot, next);
        break;
    }
}

static void any_subtract(int na, int m, const double *x, double *const *a, double *w)
{
    double (*row)[PANEL] = (double (*)[PANEL])w;

    switch (na) {
    case 1:
        subtract(1, 1, m, &x, a, row, x);
        break;
    case 2:
        subtract(1, 2, m, &x, a, row, x);
        break;
    case 3:
        subtract(1, 3, m, &x, a, row, x);
        break;
    default:
        subtract(1, 4, m, &x, a, row, x);
        break;
    }
}

static void any_subtract_and_dot(int na, int m, const double *x, double *const *a,
                                 const double *w, double *dot, const double *next)
{
    switch (na) {
    case 1:
        subtract_and_dot(1, m, x, a, w, dot, next);
        break;
    case 2:
        subtract_and_dot(2, m, x, a, w, dot, next);
        break;
    default:
        subtract_and_dot(3, m, x, a, w, dot, next);
        break;
    }
}

/* --- The rows ahead -------------------------------------------------------------- */

/* What is factored, with the residuals as its last column. Column n - 1 may lie apart
 * from those before it. */
typedef struct {
    int m, n;
    const double *fjac; /* (ldfjac, n - 1) */
    int ldfjac;
    const double *last;
    const double *fvec;
    const double *h; /* NULL: the Jacobian; else residuals, and column j of the Jacobian
                        is their difference from fvec over h[j] */
} matrix;

static const double *column_of(const matrix *a, int k)
{
    if (k < a->n - 1)
        return a->fjac + k * (size_t)a->ldfjac;
    return k < a->n ? a->last : a->fvec;
}

/* The block of rows that comes next: while this one is worked on, every loop over its
 * rows brings a column of the next one near. */
typedef struct {
    const matrix *a;
    int start;
    int column; /* that is to be fetched */
} prospect;

static const double *next_column(prospect *p)
{
    const double *column = column_of(p->a, p->column) + p->start;

    if (p->column < p->a->n)
        p->column++;
    return column;
}

/* --- Reflections ----------------------------------------------------------------- */

/* I - g v v' that takes (alpha, x) to (beta, 0): v is (head, x). */
typedef struct {
    double head, g, beta;
} reflection;

static reflection reflection_of(double alpha, double square_of_x)
{
    reflection h = {0.0, 0.0, alpha};
    double square = alpha * alpha + square_of_x;

    if (square > NEGLIGIBLE_SQUARE) {
        double norm = sqrt(square);
        h.beta = alpha < 0 ? norm : -norm; /* MINPACK's signs */
        h.head = alpha - h.beta;
        h.g = 1 / (norm * fabs(h.head));
    }
    return h;
}

/* The first `count` of `width` columns, a reflection at a time. row is R(j,j). */
static void reflect_panel(int count, int width, int m, double *const *column, double *row,
                          size_t ldr, reflection *h, prospect *next)
{
    double dot[PANEL], w[PANEL];

    any_dots(width, m, column[0], (const double *const *)column, dot, next_column(next));
    for (int i = 0; i < count; i++, row += ldr + 1) {
        int rest = width - i - 1;
        h[i] = reflection_of(row[0], dot[0]);
        row[0] = h[i].beta;
        for (int k = 0; k < rest; k++) {
            double *rk = row + (size_t)(k + 1) * ldr;
            w[k] = h[i].g * (h[i].head * *rk + dot[k + 1]);
            *rk -= w[k] * h[i].head;
        }
        if (i + 1 < count)
            any_subtract_and_dot(rest, m, column[i], column + i + 1, w, dot,
                                 next_column(next));
    }
}

/* The PANEL reflections h of x, applied together to one or two columns a behind them;
 * rk is R(j,k), gram[i][l] is x[i]'x[l]. */
INLINE void apply_panel(int two, int m, const double *const *x, const reflection *h,
                        double gram[][PANEL], double *const *a, double *rk, size_t ldr,
                        prospect *next)
{
    double dot[PANEL][PANEL], w[PANEL][PANEL];

    dots(PANEL, 1 + two, m, x, (const double *const *)a, dot, next_column(next));
    for (int c = 0; c <= two; c++, rk += ldr)
        for (int i = 0; i < PANEL; i++) {
            double d = h[i].head * rk[i] + dot[i][c];
            for (int l = 0; l < i; l++)
                d -= w[l][c] * gram[i][l];
            w[i][c] = h[i].g * d;
            rk[i] -= w[i][c] * h[i].head;
        }
    subtract(PANEL, 1 + two, m, x, a, w, next_column(next));
}

/* The block a (m, n + 1), whose last column are residuals, goes into the triangle r
 * (ldr, n + 1), whose last column is Q'f. a is overwritten. */
static void annihilate(int m, int n, double *a, size_t lda, double *r, size_t ldr,
                       prospect *next)
{
    double *column[PANEL], *diagonal = r;
    reflection h[PANEL];
    int j;

    for (j = 0; j + PANEL <= n; j += PANEL, diagonal += PANEL * (ldr + 1)) {
        double gram[PANEL][PANEL];
        for (int i = 0; i < PANEL; i++)
            column[i] = a + (size_t)(j + i) * lda;
        const double *const *x = (const double *const *)column;

        reflect_panel(PANEL, PANEL, m, column, diagonal, ldr, h, next);
        dots_of_one(1, m, x[1], x, gram[1], x[0]);
        dots_of_one(2, m, x[2], x, gram[2], x[0]);
        dots_of_one(3, m, x[3], x, gram[3], x[0]);
        for (int k = j + PANEL; k <= n; k += 2) {
            double *behind[2] = {a + (size_t)k * lda, a + (size_t)(k + 1) * lda};
            if (k < n)
                apply_panel(1, m, x, h, gram, behind, r + j + (size_t)k * ldr, ldr, next);
            else
                apply_panel(0, m, x, h, gram, behind, r + j + (size_t)k * ldr, ldr, next);
        }
    }
    for (int i = 0; j + i <= n; i++)
        column[i] = a + (size_t)(j + i) * lda;
    if (j < n)
        reflect_panel(n - j, n - j + 1, m, column, diagonal, ldr, h, next);
}

/* --- The kernels ----------------------------------------------------------------- */

/* Exchange columns j and k of r, and what belongs to them. */
static void exchange(int j, int k, double *r, size_t ldr, int *ipvt, double *square,
                     double *square_before)
{
    double *rj = r + j * ldr, *rk = r + k * ldr;

    for (size_t i = 0; i < ldr; i++) {
        double swap = rj[i];
        rj[i] = rk[i];
        rk[i] = swap;
    }
    int swap = ipvt[j];
    ipvt[j] = ipvt[k];
    ipvt[k] = swap;
    square[k] = square[j];
    square_before[k] = square_before[j];
}

/* Pivot r (ldr, n + 1) by columns and bring it to triangular form, as qrfac does with J.
 * Its last column becomes Q'f; ldr is a multiple of LANES, rows from m on are zero.
 * square holds the squares of the norms of the columns, v is (ldr) work space. */
static void pivot(int m, int n, double *r, size_t ldr, int *ipvt, double *square,
                  double *square_before, double *v)
{
    for (int j = 0; j < n; j++) {
        ipvt[j] = j + 1;
        square_before[j] = square[j];
    }
    for (int j = 0; j < n; j++) {
        int longest = j;
        int first = j / LANES * LANES; /* rows before it are zero in v */
        int rows = (int)ldr - first;
        double *rj = r + j * ldr;
        double *x = v + first;

        for (int k = j; k < n; k++)
            if (square[k] > square[longest])
                longest = k;
        if (longest != j)
            exchange(j, longest, r, ldr, ipvt, square, square_before);

        store(x, load_after(rj + first, j - first + 1));
        for (int i = LANES; i < rows; i += LANES)
            store(x + i, load(rj + first + i));
        reflection h = {0, 0, 0};
        /* x is the first of the columns that it is multiplied with, and not reflected */
        for (int k = j; k <= n; k += PANEL) {
            int count = n + 1 - k < PANEL ? n + 1 - k : PANEL;
            int own = k == j;
            double *column[PANEL];
            double dot[PANEL], w[PANEL];
            for (int c = 0; c < PANEL; c++)
                column[c] = r + (size_t)(k + c) * ldr + first;
            if (own)
                column[0] = x;
            any_dots(count, rows, x, (const double *const *)column, dot, x);
            if (own) {
                h = reflection_of(rj[j], dot[0]);
                rj[j] = h.beta;
            }
            for (int c = own; c < count; c++)
                w[c] = h.g * (h.head * column[c][j - first] + dot[c]);
            any_subtract(count - own, rows, x, column + own, w + own);
            for (int c = own; c < count; c++)
                column[c][j - first] -= w[c] * h.head;
        }
        for (int k = j + 1; k < n; k++) {
            double *rk = r + (size_t)k * ldr;
            square[k] -= rk[j] * rk[j];
            if (0.05 * square[k] <= EPSMCH * square_before[k]) {
                square[k] = 0;
                for (int i = j + 1; i < m; i++)
                    square[k] += rk[i] * rk[i];
                square_before[k] = square[k];
            }
        }
    }
}

/* Copy the rows of a column, with zeros up to a whole number of lanes. */
static void take_rows(int count, const double *from, double *to)
{
    memcpy(to, from, (size_t)count * sizeof(double));
    for (int i = count; i < (int)lm_padded(count); i++)
        to[i] = 0;
}

/* (f - fvec)/h in the rows of a block, and its sum of squares. fvec is in the block
 * already, with zeros up to a whole number of lanes, as they will be here. */
static double take_differences(int count, const double *f, const double *fvec, double h,
                               double *to)
{
    lanes even = broadcast(0.0), odd = even, inverse = broadcast(1 / h);
    int row;

    for (row = 0; row + 2 * LANES <= count; row += 2 * LANES) {
        lanes a = scaled_difference(load(f + row), load(fvec + row), inverse);
        lanes b =
            scaled_difference(load(f + row + LANES), load(fvec + row + LANES), inverse);
        store(to + row, a);
        store(to + row + LANES, b);
        even = add_product(even, a, a);
        odd = add_product(odd, b, b);
    }
    for (; row < count; row += LANES) {
        int rest = count - row < LANES ? count - row : LANES;
        double last[LANES] = {0};
        memcpy(last, f + row, (size_t)rest * sizeof(double));
        lanes a = scaled_difference(load(last), load(fvec + row), inverse);
        store(to + row, a);
        even = add_product(even, a, a);
    }
    return sum(add(even, odd));
}

/* Whether squares, and products with others of such a norm, stay in range. */
static int is_within_range(double norm)
{
    return norm == 0 || (norm >= SMALLEST_NORM && norm <= LARGEST_NORM);
}

/* The triangle w.r of all rows of a, and, where it holds residuals, the squares of the
 * norms of the columns of the Jacobian. */
static void triangle(workspace w, const matrix *a, double *square)
{
    int n = a->n, rows = lm_block_rows(a->m, n);
    double *fvec = w.block + n * w.lda;

    memset(w.r, 0, w.ldr * (size_t)(n + 1) * sizeof(double));
    for (int k = 0; a->h != NULL && k < n; k++)
        square[k] = 0;
    for (int start = 0; start < a->m; start += rows) {
        int count = a->m - start < rows ? a->m - start : rows;
        prospect next = {a, start + rows, 0};
        take_rows(count, a->fvec + start, fvec);
        for (int k = 0; k < n; k++) {
            const double *from = column_of(a, k) + start;
            double *to = w.block + k * w.lda;
            if (a->h == NULL)
                take_rows(count, from, to);
            else
                square[k] += take_differences(count, from, fvec, a->h[k], to);
        }
        annihilate((int)lm_padded(count), n, w.block, w.lda, w.r, w.ldr, &next);
    }
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
                    const double *fvec, double fnorm, double *qtf, void *scratch)
{
    workspace w = lm_workspace(m, n, scratch);

    int by_reference = m < 2 * LANES /* too few rows to gain anything */
                       || !is_within_range(fnorm);

    *w.signs_open = 0;
    for (int j = 0; j < n; j++)
        by_reference |= !is_within_range(acnorm[j]);
    if (by_reference) {
        minpack_reference_factor(m, n, fjac, ldfjac, ipvt, acnorm, rdiag, work_n, fvec,
                                 fnorm, qtf, scratch);
        return;
    }

    for (int j = 0; j < n; j++)
        rdiag[j] = acnorm[j] * acnorm[j];
    if (m <= SMALL) {
        for (int k = 0; k <= n; k++)
            take_rows(m, k < n ? fjac + k * (size_t)ldfjac : fvec, w.r + k * w.ldr);
        pivot(m, n, w.r, w.ldr, ipvt, rdiag, work_n, w.v);
    } else {
        matrix a = {m, n, fjac, ldfjac, fjac + (n - 1) * (size_t)ldfjac, fvec, NULL};
        triangle(w, &a, NULL);
        for (int j = 0; j < n; j++)
            memcpy(w.top + j * (size_t)n, fjac + j * (size_t)ldfjac,
                   (size_t)n * sizeof(double));
        *w.signs_open = 1;
        pivot(n, n, w.r, w.ldr, ipvt, rdiag, work_n, w.v);
    }

    give_factors(w, n, fjac, ldfjac, qtf);
}

/* The root of a sum of squares; by the reference where a square may have overflowed or
 * underflowed. */
static double norm_or_reference(double square, int m, const double *x)
{
    if (square >= SMALLEST_NORM * SMALLEST_NORM && square <= LARGEST_NORM * LARGEST_NORM)
        return sqrt(square);
    return minpack_reference_norm(m, x);
}

double KERNEL(norm)(int m, const double *x)
{
    lanes even = broadcast(0.0), odd = even;
    int row;

    if (m < LANES) {
        double square = 0;
        for (row = 0; row < m; row++)
            square += x[row] * x[row];
        return norm_or_reference(square, m, x);
    }
    for (row = 0; row + 2 * LANES <= m; row += 2 * LANES) {
        fetch(x + row + AHEAD);
        fetch(x + row + AHEAD + LANES);
        lanes a = load(x + row), b = load(x + row + LANES);
        even = add_product(even, a, a);
        odd = add_product(odd, b, b);
    }
    for (; row < m; row += LANES) {
        lanes a = row + LANES <= m ? load(x + row) : load_tail(x, m, row);
        even = add_product(even, a, a);
    }
    return norm_or_reference(sum(add(even, odd)), m, x);
}

double KERNEL(difference)(int m, const double *f, const double *fvec, double h,
                          double *column)
{
    lanes even = broadcast(0.0), odd = even, inverse = broadcast(1 / h);
    int row;

    if (!(h > DBL_MIN))
        return minpack_reference_difference(m, f, fvec, h, column);
    if (m < LANES) {
        double square = 0;
        for (row = 0; row < m; row++) {
            column[row] = (f[row] - fvec[row]) * (1 / h);
            square += column[row] * column[row];
        }
        return norm_or_reference(square, m, column);
    }
    for (row = 0; row + 2 * LANES <= m; row += 2 * LANES) {
        for (int ahead = AHEAD; ahead < AHEAD + 2 * LANES; ahead += LANES) {
            __builtin_prefetch(f + row + ahead);
            __builtin_prefetch(fvec + row + ahead);
            __builtin_prefetch(column + row + ahead, 1);
        }
        lanes a = scaled_difference(load(f + row), load(fvec + row), inverse);
        lanes b =
            scaled_difference(load(f + row + LANES), load(fvec + row + LANES), inverse);
        store(column + row, a);
        store(column + row + LANES, b);
        even = add_product(even, a, a);
        odd = add_product(odd, b, b);
    }
    for (; row + LANES <= m; row += LANES) {
        lanes a = scaled_difference(load(f + row), load(fvec + row), inverse);
        store(column + row, a);
        even = add_product(even, a, a);
    }
    if (row < m) {
        lanes a = scaled_difference(load(f + m - LANES), load(fvec + m - LANES), inverse);
        store(column + m - LANES, a);
        a = load_tail(column, m, row);
        even = add_product(even, a, a);
    }
    return norm_or_reference(sum(add(even, odd)), m, column);
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
                                double *qtf, void *scratch)
{
    workspace w = lm_workspace(m, n, scratch);
    const double *h = h_to_acnorm;
    matrix a = {m, n, fjac, ldfjac, f_n, fvec, h};
    int in_one_pass = m > SMALL && is_within_range(fnorm);

    for (int j = 0; j < n; j++)
        in_one_pass &= h[j] > DBL_MIN;
    if (in_one_pass)
        triangle(w, &a, rdiag);
    for (int j = 0; in_one_pass && j < n; j++)
        in_one_pass = is_good_norm(sqrt(rdiag[j]), &a, j);
    if (!in_one_pass) {
        if (form_differences(&a, fjac, h_to_acnorm))
            KERNEL(factor)(m, n, fjac, ldfjac, ipvt, h_to_acnorm, rdiag, work_n, fvec,
                           fnorm, qtf, scratch);
        return;
    }

    for (int j = 0; j < n; j++) {
        for (int i = 0; i < n; i++)
            w.top[i + j * (size_t)n] = (column_of(&a, j)[i] - fvec[i]) / h[j];
        h_to_acnorm[j] = sqrt(rdiag[j]);
    }
    *w.signs_open = 1;
    pivot(n, n, w.r, w.ldr, ipvt, rdiag, work_n, w.v);
    give_factors(w, n, fjac, ldfjac, qtf);
}

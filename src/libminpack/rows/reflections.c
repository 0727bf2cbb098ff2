/* R by reflections.
 *
 * The QR factorization goes through the rows once, in blocks that stay in the cache.
 * Each block is annihilated against the triangle R that the rows before it left
 * (sequential TSQR: Golub, Plemmons and Sameh 1988; Demmel, Grigori, Hoemmen and
 * Langou, SIAM J. Sci. Comput. 34, A206-A239, 2012), four reflections at a time
 * (compact WY: Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10, 53-57, 1989).
 * The columns of the triangle are then pivoted as MINPACK's qrfac pivots those of J:
 * J P = Q1 (R1 P) = Q1 Q2 R. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "blocks.h"

/* A part of a column whose square is below this is none: less than the rounding error
 * of any column between the bounds on norms. */
#define NEGLIGIBLE_SQUARE 1e-180

/* --- Sums over rows: m is a multiple of LANES, the last rows may be zeros --------- */

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

    KERNEL(any_dots)(width, m, column[0], (const double *const *)column, dot,
                     next_column(next));
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

/* All rows of a go into the triangle w.r. */
OUTLINE void add_rows(workspace w, const matrix *a)
{
    int n = a->n, rows = lm_block_rows(a->m, n);

    for (int start = 0; start < a->m; start += rows) {
        int count = a->m - start < rows ? a->m - start : rows;
        KERNEL(take_block)(w, a, start, count);
        matrix block = block_of(w, n, count);
        prospect next =
            a->source != NULL ? no_prospect(&block) : prospect_of(a, start, rows);
        annihilate((int)lm_padded(count), n, w.block, w.lda, w.r, w.ldr, &next);
    }
}

void KERNEL(triangle)(workspace w, const matrix *a)
{
    memset(w.r, 0, w.ldr * (size_t)(a->n + 1) * sizeof(double));
    add_rows(w, a);
}

void KERNEL(merge)(workspace w, const matrix *other)
{
    add_rows(w, other);
}

void KERNEL(pivot)(workspace w, int n, int *ipvt, double *square, double *square_before)
{
    double *r = w.r;
    size_t ldr = w.ldr;

    for (int j = 0; j < n; j++) {
        ipvt[j] = j + 1;
        square_before[j] = square[j];
    }
    for (int j = 0; j < n; j++) {
        int longest = longest_column(j, n, square);
        int first = j / LANES * LANES; /* rows before it are zero in v */
        int rows = (int)ldr - first;
        double *rj = r + j * ldr;
        double *x = w.v + first;

        if (longest != j) {
            exchange_columns(j, longest, r, ldr, ldr, ipvt);
            square[longest] = square[j];
            square_before[longest] = square_before[j];
        }

        store(x, load_after(rj + first, j - first + 1));
        for (int i = LANES; i < rows; i += LANES)
            store(x + i, load(rj + first + i));
        reflection h = {0, 0, 0};
        /* x is the first of the columns that it is multiplied with, and not reflected */
        for (int k = j; k <= n; k += PANEL) {
            int count = n + 1 - k < PANEL ? n + 1 - k : PANEL;
            int own = k == j;
            double *column[PANEL];
            double dot[PANEL], weight[PANEL];
            for (int c = 0; c < PANEL; c++)
                column[c] = r + (size_t)(k + c) * ldr + first;
            if (own)
                column[0] = x;
            KERNEL(any_dots)(count, rows, x, (const double *const *)column, dot, x);
            if (own) {
                h = reflection_of(rj[j], dot[0]);
                rj[j] = h.beta;
            }
            for (int c = own; c < count; c++)
                weight[c] = h.g * (h.head * column[c][j - first] + dot[c]);
            any_subtract(count - own, rows, x, column + own, weight + own);
            for (int c = own; c < count; c++)
                column[c][j - first] -= weight[c] * h.head;
        }
        for (int k = j + 1; k < n; k++) {
            double *rk = r + (size_t)k * ldr;
            square[k] -= rk[j] * rk[j];
            if (0.05 * square[k] <= EPSMCH * square_before[k]) {
                square[k] = 0;
                for (int i = j + 1; i < n; i++)
                    square[k] += rk[i] * rk[i];
                square_before[k] = square[k];
            }
        }
    }
}

/* MINPACK's order of operations, to the bit, and faster than one after the other.
 *
 * Sums are added up term by term, so each addition waits for the one before it. But the
 * sums of several columns do not wait for each other, and products, quotients and what is
 * subtracted from a column have no order. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "quotients.h"
#include "blocks.h"

/* MINPACK scales entries below the first and above the second over m, or nearly so.
 * Beside a sum of squares above the third, squares of entries below the first vanish. */
#define SMALLEST_UNSCALED 1e-19
#define LARGEST_UNSCALED 1e19
#define SQUARE_OF_SOME_SIZE 1e-10

/* The weight of a reflection in a column that it has come off already */
#define DONE NAN

enum { BESIDE = 8 }; /* columns whose sums are added up beside each other */

typedef double pair __attribute__((vector_size(16), aligned(8), may_alias));

/* --- Sums ------------------------------------------------------------------------ */

/* total[c] = x'a[c], or where `own` a[c]'a[c], for an even number of columns */
INLINE void add_up(int own, int count, int m, const double *x, const double *const *a,
                   double *total)
{
    const double *column[BESIDE], *by[BESIDE];
    pair both[BESIDE / 2]; /* the sums of two columns */
    int row;

    for (int c = 0; c < count; c++) {
        column[c] = a[c];
        by[c] = own ? a[c] : x;
        both[c / 2] = (pair){0, 0};
    }
    for (row = 0; row + 2 <= m; row += 2)
        for (int c = 0; c < count; c += 2) {
            pair first = *(const pair *)(column[c] + row) * *(const pair *)(by[c] + row);
            pair second =
                *(const pair *)(column[c + 1] + row) * *(const pair *)(by[c + 1] + row);
            both[c / 2] += (pair){first[0], second[0]};
            both[c / 2] += (pair){first[1], second[1]};
        }
    for (int c = 0; c < count; c += 2) {
        if (row < m)
            both[c / 2] +=
                (pair){column[c][row] * by[c][row], column[c + 1][row] * by[c + 1][row]};
        memcpy(total + c, &both[c / 2], sizeof both[c / 2]);
    }
}

/* The same for a number of columns that is not known to the compiler. Where it is odd,
 * there is room for one more. */
INLINE void add_up_any(int own, int count, int m, const double *x, const double **a,
                       double *total)
{
    if (count % 2 == 1)
        a[count] = a[count - 1];
    switch ((count + 1) / 2) {
    case 1:
        add_up(own, 2, m, x, a, total);
        break;
    case 2:
        add_up(own, 4, m, x, a, total);
        break;
    case 3:
        add_up(own, 6, m, x, a, total);
        break;
    default:
        add_up(own, BESIDE, m, x, a, total);
        break;
    }
}

OUTLINE void dots(int count, int m, const double *x, const double **a, double *dot)
{
    add_up_any(0, count, m, x, a, dot);
}

OUTLINE void squares(int count, int m, const double **a, double *square)
{
    add_up_any(1, count, m, NULL, a, square);
}

/* The norm of x, whose squares add up to this unless some need scaling. Those of small
 * entries after others of some size do not count, scaled or not. */
static double norm_or_scaled(double square, int m, const double *x)
{
    double largest = LARGEST_UNSCALED / m, before = 0;
    int some = !(square < largest * largest);

    for (int i = 0; i < m && before < SQUARE_OF_SOME_SIZE; i++) {
        some |= fabs(x[i]) < SMALLEST_UNSCALED && x[i] != 0;
        before += x[i] * x[i];
    }
    return some ? minpack_reference_norm(m, x) : sqrt(square);
}

double KERNEL(norm_in_order)(int m, const double *x)
{
    const double *a[BESIDE] = {x};
    double square[BESIDE];

    squares(1, m, a, square);
    return norm_or_scaled(square[0], m, x);
}

/* --- Reflections ----------------------------------------------------------------- */

/* a -= t v */
OUTLINE void subtract(int m, double t, const double *restrict v, double *restrict a)
{
    for (int i = 0; i < m; i++)
        a[i] -= t * v[i];
}

/* The same, and the norm of a. */
OUTLINE double subtract_and_norm(int m, double t, const double *restrict v,
                                 double *restrict a)
{
    enum { ROWS = 64 };
    double square = 0;

    for (int start = 0; start < m; start += ROWS) {
        int rows = m - start < ROWS ? m - start : ROWS;
        const double *from = v + start;
        double *to = a + start, term[ROWS];
        for (int i = 0; i < rows; i++) {
            to[i] -= t * from[i];
            term[i] = to[i] * to[i];
        }
        for (int i = 0; i < rows; i++)
            square += term[i];
    }
    return norm_or_scaled(square, m, a);
}

/* Column n are the residuals, which become Q'f. While columns are left, rdiag holds the
 * norms of what is left of them, and work what these were when last computed afresh. */
static double *part_of(const factors *f, int k)
{
    return k < f->n ? f->fjac + k * (size_t)f->ldfjac : f->qtf;
}

/* The norms of the columns, none of which is exchanged yet. */
static void start(const factors *f)
{
    for (int j = 0; j < f->n; j += BESIDE) {
        int count = f->n - j < BESIDE ? f->n - j : BESIDE;
        const double *a[BESIDE];
        double square[BESIDE];
        for (int c = 0; c < count; c++)
            a[c] = part_of(f, j + c);
        squares(count, f->m, a, square);
        for (int c = 0; c < count; c++) {
            f->acnorm[j + c] = norm_or_scaled(square[c], f->m, a[c]);
            f->rdiag[j + c] = f->work[j + c] = f->acnorm[j + c];
            f->ipvt[j + c] = j + c + 1;
        }
    }
}

/* Exchange columns j and k. The old norms of column j are not needed again. */
static void exchange(const factors *f, int j, int k)
{
    exchange_columns(j, k, f->fjac, (size_t)f->ldfjac, (size_t)f->m, f->ipvt);
    f->rdiag[k] = f->rdiag[j];
    f->work[k] = f->work[j];
}

/* Column j, of this norm from row j on, becomes the reflection v that takes it to a
 * multiple of a unit vector, which is returned. */
static double make_reflection(const factors *f, int j, double norm)
{
    double *v = part_of(f, j) + j;

    if (v[0] < 0)
        norm = -norm;
    divide_rows(f->m - j, v, norm);
    v[0] += 1;
    return -norm;
}

/* How much of reflection j comes off the columns behind it. */
static void weigh(const factors *f, int j)
{
    const double *v = part_of(f, j) + j;

    for (int k = j + 1; k <= f->n; k += BESIDE) {
        int count = f->n + 1 - k < BESIDE ? f->n + 1 - k : BESIDE;
        const double *a[BESIDE];
        double dot[BESIDE];
        for (int c = 0; c < count; c++)
            a[c] = part_of(f, k + c) + j;
        dots(count, f->m - j, v, a, dot);
        for (int c = 0; c < count; c++)
            f->weight[k + c] = dot[c] / v[0];
    }
}

/* Reflection j in row j of the columns behind, and so the norms of what is left of them.
 * Where an update has lost half of its digits, the whole column is reflected, and its
 * norm computed afresh. */
static void reflect_row(const factors *f, int j)
{
    const double *v = part_of(f, j) + j;

    for (int k = j + 1; k <= f->n; k++) {
        double *a = part_of(f, k) + j;
        a[0] -= f->weight[k] * v[0];
        if (k == f->n || f->rdiag[k] == 0)
            continue;
        double ratio = a[0] / f->rdiag[k], rest = 1 - ratio * ratio;
        f->rdiag[k] *= sqrt(rest > 0 ? rest : 0);
        double kept = f->rdiag[k] / f->work[k];
        if (!(0.05 * (kept * kept) > EPSMCH)) {
            f->rdiag[k] = subtract_and_norm(f->m - j - 1, f->weight[k], v + 1, a + 1);
            f->work[k] = f->rdiag[k];
            f->weight[k] = DONE;
        }
    }
}

/* Reflection j in the other rows. Returns the norm of the column that comes next. */
static double reflect_rest(const factors *f, int j, int next)
{
    const double *v = part_of(f, j) + j;
    int rows = f->m - j - 1;
    double norm = 0;

    for (int k = j + 1; k <= f->n; k++) {
        double *a = part_of(f, k) + j + 1;
        if (isnan(f->weight[k]))
            norm = k == next ? f->rdiag[k] : norm;
        else if (k == next)
            norm = subtract_and_norm(rows, f->weight[k], v + 1, a);
        else
            subtract(rows, f->weight[k], v + 1, a);
    }
    return norm;
}

void KERNEL(factor_in_order)(const factors *f)
{
    int m = f->m, n = f->n;
    size_t ld = (size_t)f->ldfjac;

    memcpy(f->qtf, f->fvec, (size_t)m * sizeof(double));
    start(f);
    int next = longest_column(0, n, f->rdiag);
    double norm = f->rdiag[next];
    for (int j = 0; j < n; j++) {
        if (next != j)
            exchange(f, j, next);
        f->rdiag[j] = -norm;
        if (norm != 0) {
            f->rdiag[j] = make_reflection(f, j, norm);
            weigh(f, j);
            reflect_row(f, j);
        }
        if (j + 1 == n)
            break;
        next = longest_column(j + 1, n, f->rdiag);
        if (norm != 0)
            norm = reflect_rest(f, j, next);
        else
            norm = KERNEL(norm_in_order)(m - j - 1, part_of(f, next) + j + 1);
    }
    for (int j = 0; j < n; j++)
        f->fjac[j + j * ld] = f->rdiag[j];
}

/* R by the normal equations.
 *
 * As P'J'J P = R'R, R is also the Cholesky factor of a matrix of order n, and R'Q'f =
 * P'J'f. That takes half the operations of reflections, and J is only read. But the error
 * of R grows with the square of the condition of J, its columns scaled to one length,
 * where with reflections it grows with the condition (Björck, Numerical Methods for Least
 * Squares Problems, SIAM 1996, sections 2.2 and 2.4). So this is for columns that are far
 * from dependent, which the factor itself tells: each keeps more than a sixteenth of its
 * length beside those before it. There it does not matter, for sums over short blocks
 * have small errors; those of the gradient R'Q'f are smaller than with reflections. */
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "lanes.h"
#include "blocks.h"

/* Columns that a tile of sums is wide: as many as the registers hold */
enum { TILE = WIDTH == 8 ? 4 : 2 };

/* --- (J f)'(J f) ----------------------------------------------------------------- */

/* g(i,k) += x[i]'a[k] over m rows; where a is x (`own`), for i <= k only. The parts of
 * the lanes have their turn one after the other, for all sums to stay in registers. The
 * rows are the last of LANES or more. */
INLINE void add_dots(int own, int nx, int na, int m, const double *const *x,
                     const double *const *a, double *g, size_t ldg, prospect *ahead)
{
    int whole = m - m % LANES;
    const double *from[PANEL], *to[PANEL], *next[PANEL];
    lanes total[PANEL][PANEL];

    for (int i = 0; i < nx; i++) {
        from[i] = x[i];
        next[i] = own ? next_column(ahead) : x[i];
    }
    for (int k = 0; k < na; k++)
        to[k] = a[k];
    for (int e = 0; e < PARTS; e++) {
        part t[PANEL][PANEL];
        for (int i = 0; i < nx; i++)
            for (int k = own ? i : 0; k < na; k++)
                t[i][k] = (part){0};
        for (int row = e * WIDTH; row < whole; row += LANES) {
            part xi[PANEL];
            for (int i = 0; i < nx; i++) {
                if (own)
                    fetch(next[i] + row);
                xi[i] = *(const part *)(from[i] + row);
            }
            for (int k = 0; k < na; k++) {
                part ak = own ? xi[k] : *(const part *)(to[k] + row);
                for (int i = 0; i <= (own ? k : nx - 1); i++)
                    t[i][k] += xi[i] * ak;
            }
        }
        for (int i = 0; i < nx; i++)
            for (int k = own ? i : 0; k < na; k++)
                total[i][k].p[e] = t[i][k];
    }
    if (whole < m) {
        lanes xi[PANEL];
        for (int i = 0; i < nx; i++)
            xi[i] = load_tail(from[i], m, whole);
        for (int k = 0; k < na; k++) {
            lanes ak = own ? xi[k] : load_tail(to[k], m, whole);
            for (int i = 0; i <= (own ? k : nx - 1); i++)
                total[i][k] = add_product(total[i][k], xi[i], ak);
        }
    }
    for (int i = 0; i < nx; i++)
        for (int k = own ? i : 0; k < na; k++)
            g[i + k * ldg] += sum(total[i][k]);
}

/* The same for a number of columns that is not known to the compiler. */
static void add_own_dots(int nx, int m, const double *const *x, double *g, size_t ldg,
                         prospect *ahead)
{
    switch (nx) {
    case 1:
        add_dots(1, 1, 1, m, x, x, g, ldg, ahead);
        break;
    case 2:
        add_dots(1, 2, 2, m, x, x, g, ldg, ahead);
        break;
    case 3:
        add_dots(1, 3, 3, m, x, x, g, ldg, ahead);
        break;
    default:
        add_dots(1, PANEL, PANEL, m, x, x, g, ldg, ahead);
        break;
    }
}

static void add_panel_dots(int na, int m, const double *const *x, const double *const *a,
                           double *g, size_t ldg)
{
    switch (na) {
    case 1:
        add_dots(0, PANEL, 1, m, x, a, g, ldg, NULL);
        break;
    case 2:
        add_dots(0, PANEL, 2, m, x, a, g, ldg, NULL);
        break;
    case 3:
        add_dots(0, PANEL, 3, m, x, a, g, ldg, NULL);
        break;
    default:
        add_dots(0, PANEL, TILE, m, x, a, g, ldg, NULL);
        break;
    }
}

/* g(n + 1, n + 1), above its diagonal, += (J f)'(J f) over a block of rows of J and f */
static void add_products(const matrix *block, double *g, prospect *ahead)
{
    int columns = block->n + 1;
    size_t ldg = (size_t)columns;

    for (int j = 0; j < columns; j += PANEL) {
        int width = columns - j < PANEL ? columns - j : PANEL;
        const double *x[PANEL];
        for (int i = 0; i < width; i++)
            x[i] = column_of(block, j + i);
        add_own_dots(width, block->m, x, g + j + j * ldg, ldg, ahead);
        for (int k = j + PANEL; k < columns; k += TILE) {
            int count = columns - k < TILE ? columns - k : TILE;
            const double *a[TILE];
            for (int c = 0; c < count; c++)
                a[c] = column_of(block, k + c);
            add_panel_dots(count, block->m, x, a, g + j + k * ldg, ldg);
        }
    }
}

void KERNEL(products)(workspace w, const matrix *a)
{
    int n = a->n, rows = lm_block_rows(a->m, n);

    memset(w.gram, 0, (size_t)(n + 1) * (size_t)(n + 1) * sizeof(double));
    for (int start = 0; start < a->m; start += rows) {
        int count = a->m - start < rows ? a->m - start : rows;
        matrix block;
        if (a->h != NULL || a->source != NULL) {
            KERNEL(take_block)(w, a, start, count);
            block = block_of(w, n, count);
        } else {
            block = lm_rows_of(a, start, count);
        }
        prospect next =
            a->source != NULL ? no_prospect(&block) : prospect_of(a, start, rows);
        add_products(&block, w.gram, &next);
    }
}

/* --- Its factor ------------------------------------------------------------------ */

/* g(p,q), of which one half is there. */
static double product_of(const double *g, size_t ldg, int p, int q)
{
    return p < q ? g[p + q * ldg] : g[q + p * ldg];
}

/* Row j of r, from the rows before it; left holds the squares of what is left of the
 * columns. */
static void find_row(workspace w, int n, int j, const int *ipvt, double *left)
{
    double *rj = w.r + j * w.ldr; /* zeros from row j on */
    double diagonal = sqrt(left[j]), inverse = 1 / diagonal;

    for (int k = j + 1; k <= n; k += PANEL) {
        int count = n + 1 - k < PANEL ? n + 1 - k : PANEL;
        const double *column[PANEL];
        double dot[PANEL] = {0};
        for (int c = 0; c < count; c++)
            column[c] = w.r + (size_t)(k + c) * w.ldr;
        if (j > 0)
            KERNEL(any_dots)(count, (int)lm_padded(j), rj, column, dot, rj);
        for (int c = 0; c < count; c++) {
            int q = k + c < n ? ipvt[k + c] - 1 : n;
            double product = product_of(w.gram, (size_t)n + 1, ipvt[j] - 1, q);
            double entry = (product - dot[c]) * inverse;
            w.r[j + (size_t)(k + c) * w.ldr] = entry;
            if (k + c < n)
                left[k + c] -= entry * entry;
        }
    }
    rj[j] = diagonal;
}

int KERNEL(factor_products)(workspace w, int n, int *ipvt, double *square)
{
    double *left = w.v;

    memset(w.r, 0, w.ldr * (size_t)(n + 1) * sizeof(double));
    for (int j = 0; j < n; j++) {
        ipvt[j] = j + 1;
        square[j] = left[j] = w.gram[j + j * (size_t)(n + 1)];
    }
    for (int j = 0; j < n; j++) {
        int longest = longest_column(j, n, left);
        if (longest != j) {
            double swap = left[j];
            left[j] = left[longest];
            left[longest] = swap;
            exchange_columns(j, longest, w.r, w.ldr, (size_t)j, ipvt);
        }
        int p = ipvt[j] - 1;
        if (!(left[j] > LEAST_PART * w.gram[p + p * (size_t)(n + 1)]))
            return 0;
        find_row(w, n, j, ipvt, left);
    }
    return 1;
}

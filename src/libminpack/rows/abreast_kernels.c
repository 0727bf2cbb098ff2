/* Eight fits abreast: the loops over their rows.
 *
 * Number i of fit k is at [8 i + k], so each lane of the registers has a fit of its own,
 * and no sum crosses the lanes. The sums of each fit are added up in the order that its
 * own kernels have: the LANES partial sums of norms.c and normal_equations.c, or
 * MINPACK's. So each fit has the bits that it has alone. */
#include <math.h>
#include <string.h>

#include "abreast.h"
#include "quotients.h"

/* --- Rows ------------------------------------------------------------------------ */

/* m times eight numbers */
void KERNEL(abreast_repeat)(int m, const double *eight, double *to)
{
    lanes v = load(eight);

    for (int i = 0; i < m; i++)
        store(to + (size_t)i * LANES, v);
}

/* From numbers of one fit after the other */
void KERNEL(abreast_transpose)(int m, const double *const *from, double *to)
{
    const double *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    const double *e = from[4], *f = from[5], *g = from[6], *h = from[7];

    for (int i = 0; i < m; i++, to += LANES) {
        to[0] = a[i];
        to[1] = b[i];
        to[2] = c[i];
        to[3] = d[i];
        to[4] = e[i];
        to[5] = f[i];
        to[6] = g[i];
        to[7] = h[i];
    }
}

/* to = a op b; a step is LANES, or 0 for numbers that are the same in all rows. */
INLINE void compute(char op, int m, const double *a, int a_step, const double *b,
                    int b_step, double *to)
{
    for (int i = 0; i < m; i++, a += a_step, b += b_step, to += LANES) {
        lanes u = load(a), v = load(b);
        for (int e = 0; e < PARTS; e++)
            u.p[e] = op == '+'   ? u.p[e] + v.p[e]
                     : op == '-' ? u.p[e] - v.p[e]
                     : op == '*' ? u.p[e] * v.p[e]
                                 : u.p[e] / v.p[e];
        store(to, u);
    }
}

void KERNEL(abreast_compute)(char op, int m, const double *a, int a_step, const double *b,
                             int b_step, double *to)
{
    switch (op) {
    case '+':
        compute('+', m, a, a_step, b, b_step, to);
        break;
    case '-':
        compute('-', m, a, a_step, b, b_step, to);
        break;
    case '*':
        compute('*', m, a, a_step, b, b_step, to);
        break;
    case '/':
        compute('/', m, a, a_step, b, b_step, to);
        break;
    }
}

/* --- Norms ----------------------------------------------------------------------- */

/* As KERNEL(norm) adds them up: whole lanes in turn to even and odd sums, and the last
 * rows to the last of the even ones. */
void KERNEL(abreast_squares)(int m, const double *x, double *square)
{
    int whole = m - m % LANES, pairs = whole - whole % (2 * LANES);

    for (int e = 0; e < PARTS; e++) {
        const double *from = x + e * WIDTH;
        part even[LANES], odd[LANES];
        for (int c = 0; c < LANES; c++)
            even[c] = odd[c] = (part){0};
        for (int row = 0; row < pairs; row += 2 * LANES)
            for (int c = 0; c < LANES; c++) {
                part a = at(from, row + c), b = at(from, row + LANES + c);
                even[c] += a * a;
                odd[c] += b * b;
            }
        for (int row = pairs; row < whole; row++) {
            part a = at(from, row);
            even[row - pairs] += a * a;
        }
        for (int row = whole; row < m; row++) {
            part a = at(from, row);
            even[LANES - m + row] += a * a;
        }
        for (int c = 0; c < LANES; c++)
            even[c] += odd[c];
        put(square + e * WIDTH, 0, sum_of(even));
    }
}

/* The same in MINPACK's order. `usual` becomes 1 in the lanes where the norm is the root
 * of that sum, and 0 where MINPACK may scale some numbers. */
INLINE part squares_in_order(int m, const double *x, mask *usual)
{
    part square = all(0);

    for (int i = 0; i < m; i++)
        square = add_square(square, at(x, i), usual);
    *usual &= is_unscaled(square, m);
    return square;
}

unsigned KERNEL(abreast_norms_in_order)(int m, const double *x, double *norm)
{
    unsigned lanes_usual = 0;

    for (int e = 0; e < PARTS; e++) {
        mask usual = every_lane();
        part square = squares_in_order(m, x + e * WIDTH, &usual);
        put(norm + e * WIDTH, 0, ROOT(square));
        lanes_usual |= set_of(usual) << (e * WIDTH);
    }
    return lanes_usual;
}

/* --- Differences ------------------------------------------------------------------- */

/* Row i of (f - y) w, without y or w where these are NULL */
INLINE lanes weighed(const double *f, const double *y, const double *w, size_t i)
{
    lanes a = load(f + i);

    if (y != NULL) {
        lanes b = load(y + i);
        for (int e = 0; e < PARTS; e++)
            a.p[e] -= b.p[e];
    }
    if (w != NULL) {
        lanes b = load(w + i);
        for (int e = 0; e < PARTS; e++)
            a.p[e] *= b.p[e];
    }
    return a;
}

void KERNEL(abreast_weigh)(int m, const double *f, const double *y, const double *w,
                           double *to)
{
    for (size_t i = 0; i < (size_t)m * LANES; i += LANES)
        store(to + i, weighed(f, y, w, i));
}

/* column = ((f - y) w - fvec)/h, each lane with its own h. The quotients are those of a
 * division; see quotients.h. */
void KERNEL(abreast_difference)(int m, const double *f, const double *y, const double *w,
                                const double *fvec, const double *h, double *column)
{
    size_t count = (size_t)m * LANES, i = 0;
    lanes steps = load(h);
#ifdef FUSED
    int is_ordinary = 1;
    lanes inverse;
    extremes met = {broadcast(1.0), broadcast(0.0)};

    for (int k = 0; k < LANES; k++)
        is_ordinary &= is_ordinary_divisor(h[k]);
    for (int e = 0; e < PARTS; e++)
        inverse.p[e] = 1 / steps.p[e];
    for (; is_ordinary && i < count; i += LANES) {
        lanes a = weighed(f, y, w, i), b = load(fvec + i);
        for (int e = 0; e < PARTS; e++) {
            divisor by = {steps.p[e], inverse.p[e]};
            part difference = a.p[e] - b.p[e], q = difference * by.inverse;
            met.f.p[e] = SMALLER(size_of(a.p[e]), met.f.p[e]);
            met.quotient.p[e] = LARGER(size_of(q), met.quotient.p[e]);
            a.p[e] = corrected(q, difference, by);
        }
        store(column + i, a);
    }
    if (!are_ordinary(met, met))
        i = 0;
#endif
    for (; i < count; i += LANES) {
        lanes a = weighed(f, y, w, i), b = load(fvec + i);
        for (int e = 0; e < PARTS; e++)
            a.p[e] = (a.p[e] - b.p[e]) / steps.p[e];
        store(column + i, a);
    }
}

/* are_clear of lm/information.f90: whether a look at some rows of the quotients shows
 * that all columns are clear. h and least are (n). */
INLINE mask clear_part(int m, int n, const double *fjac, const double *fvec,
                       const double *x, const double *h, const double *least,
                       double rounding)
{
    enum { FEW_ROWS = 8 };
    part size[FEW_ROWS];
    int stride = 1 + (m - 1) / FEW_ROWS, rows = 1 + (m - 1) / stride;
    mask are_clear = every_lane();

    for (int k = 0; k < rows; k++)
        size[k] = size_of(at(fvec, k * stride));
    for (int j = 0; j < n; j++)
        for (int k = 0; k < rows; k++) {
            part term = size_of(at(fjac, j * m + k * stride) * at(x, j));
            size[k] = choose(greater(term, size[k]) & at_most(term, all(DBL_MAX)), term,
                             size[k]);
        }
    for (int j = 0; j < n; j++) {
        part clear = all(0), unclear = all(0);
        for (int k = 0; k < rows; k++) {
            part change = size_of(at(fjac, j * m + k * stride) * at(h, j));
            part error = rounding * size[k];
            mask is_clear = at_least(change, at(least, j) * size[k]);
            error =
                choose(greater(error, change) | ~equal(change, change), error, change);
            clear += choose(is_clear, change, all(0));
            unclear += choose(is_clear, all(0), error);
        }
        are_clear &= ~(equal(clear, all(0)) | less(clear, unclear));
    }
    return are_clear;
}

unsigned KERNEL(abreast_clear)(int m, int n, const double *fjac, const double *fvec,
                               const double *x, const double *h, const double *least,
                               double rounding)
{
    unsigned clear = 0;

    for (int e = 0; e < PARTS; e++) {
        int o = e * WIDTH;
        clear |= set_of(clear_part(m, n, fjac + o, fvec + o, x + o, h + o, least + o,
                                   rounding))
                 << o;
    }
    return clear;
}

/* --- The normal equations ---------------------------------------------------------- */

/* Columns whose products are added up together: as many as the registers hold */
enum { WIDE = 4, TILE = WIDTH == 8 ? 4 : 2 };

/* t[i][k] += x[i] a[k] in one row; where a is x (`own`), for i <= k only. */
INLINE void add_row(int own, int nx, int na, const double *const *x,
                    const double *const *a, int row, part t[][WIDE])
{
    part xi[WIDE];

    for (int i = 0; i < nx; i++)
        xi[i] = at(x[i], row);
    for (int k = 0; k < na; k++) {
        part ak = own ? xi[k] : at(a[k], row);
        for (int i = 0; i <= (own ? k : nx - 1); i++)
            t[i][k] += xi[i] * ak;
    }
}

/* g(i,k) = x[i]'a[k], added up as add_dots of normal_equations.c does it. */
INLINE void find_dots(int own, int nx, int na, int m, const double *const *x,
                      const double *const *a, double *g, size_t ldg)
{
    int whole = m - m % LANES;

    for (int e = 0; e < PARTS; e++) {
        const double *from[WIDE], *to[WIDE];
        part total[WIDE][WIDE][LANES];
        for (int i = 0; i < nx; i++)
            from[i] = x[i] + e * WIDTH;
        for (int k = 0; k < na; k++)
            to[k] = a[k] + e * WIDTH;
        for (int c = 0; c < LANES; c++) {
            part t[WIDE][WIDE];
            memset(t, 0, sizeof t);
            for (int row = c; row < whole; row += LANES)
                add_row(own, nx, na, from, to, row, t);
            /* The last rows, fewer than LANES, belong to the last of the partial sums. */
            if (m - LANES + c >= whole)
                add_row(own, nx, na, from, to, m - LANES + c, t);
            for (int i = 0; i < nx; i++)
                for (int k = own ? i : 0; k < na; k++)
                    total[i][k][c] = t[i][k];
        }
        for (int i = 0; i < nx; i++)
            for (int k = own ? i : 0; k < na; k++)
                put(g + (i + k * ldg) * LANES + e * WIDTH, 0, sum_of(total[i][k]));
    }
}

/* The same for a number of columns that is not known to the compiler. */
OUTLINE void find_own_dots(int nx, int m, const double *const *x, double *g, size_t ldg)
{
    switch (nx) {
    case 1:
        find_dots(1, 1, 1, m, x, x, g, ldg);
        break;
    case 2:
        find_dots(1, 2, 2, m, x, x, g, ldg);
        break;
    case 3:
        find_dots(1, 3, 3, m, x, x, g, ldg);
        break;
    default:
        find_dots(1, WIDE, WIDE, m, x, x, g, ldg);
        break;
    }
}

OUTLINE void find_other_dots(int na, int m, const double *const *x,
                             const double *const *a, double *g, size_t ldg)
{
    switch (na) {
    case 1:
        find_dots(0, WIDE, 1, m, x, a, g, ldg);
        break;
    case 2:
        find_dots(0, WIDE, 2, m, x, a, g, ldg);
        break;
    case 3:
        find_dots(0, WIDE, 3, m, x, a, g, ldg);
        break;
    default:
        find_dots(0, WIDE, TILE, m, x, a, g, ldg);
        break;
    }
}

void KERNEL(abreast_products)(int m, int n, const double *const *column, double *g)
{
    size_t ldg = (size_t)n + 1;

    for (int j = 0; j <= n; j += WIDE) {
        int width = n + 1 - j < WIDE ? n + 1 - j : WIDE;
        find_own_dots(width, m, column + j, g + (j + j * ldg) * LANES, ldg);
        for (int k = j + WIDE; k <= n; k += TILE) {
            int count = n + 1 - k < TILE ? n + 1 - k : TILE;
            find_other_dots(count, m, column + j, column + k, g + (j + k * ldg) * LANES,
                            ldg);
        }
    }
}

/* --- MINPACK's order --------------------------------------------------------------- */

/* The longest of the columns from j on becomes column j, in each lane. */
INLINE void exchange(const factors_abreast *f, int j, int e)
{
    part longest = at(f->rdiag + e * WIDTH, j);
    part next = all(j);

    for (int k = j + 1; k < f->n; k++) {
        part length = at(f->rdiag + e * WIDTH, k);
        mask is_longer = greater(length, longest);
        longest = choose(is_longer, length, longest);
        next = choose(is_longer, all(k), next);
    }
    for (int k = j + 1; k < f->n; k++) {
        mask moves = equal(next, all(k));
        if (set_of(moves) == 0)
            continue;
        double *own = f->a + (size_t)j * f->m * LANES + e * WIDTH;
        double *other = f->a + (size_t)k * f->m * LANES + e * WIDTH;
        for (int i = 0; i < f->m; i++) {
            part a = at(own, i), b = at(other, i);
            put(own, i, choose(moves, b, a));
            put(other, i, choose(moves, a, b));
        }
        double *ipvt = f->ipvt + e * WIDTH;
        part a = at(ipvt, j), b = at(ipvt, k);
        put(ipvt, j, choose(moves, b, a));
        put(ipvt, k, choose(moves, a, b));
        double *rdiag = f->rdiag + e * WIDTH, *work = f->work + e * WIDTH;
        put(rdiag, k, choose(moves, at(rdiag, j), at(rdiag, k)));
        put(work, k, choose(moves, at(work, j), at(work, k)));
    }
}

/* Reflection j in column k: v begins with row j. */
INLINE void reflect(const factors_abreast *f, int j, int k, int e, const double *v,
                    mask *usual)
{
    int rows = f->m - j;
    double *a = f->a + ((size_t)k * f->m + j) * LANES + e * WIDTH;
    part dot = {0};

    for (int i = 0; i < rows; i++)
        dot += at(v, i) * at(a, i);
    part weight = dot / at(v, 0);
    for (int i = 0; i < rows; i++)
        put(a, i, at(a, i) - weight * at(v, i));
    if (k == f->n)
        return;

    /* What is left of the column; computed afresh where the update has lost half of its
     * digits. */
    part before = at(f->rdiag + e * WIDTH, k), work = at(f->work + e * WIDTH, k);
    part ratio = at(a, 0) / before, rest = 1 - ratio * ratio;
    part left = before * ROOT(choose(greater(rest, all(0)), rest, all(0)));
    part kept = left / work;
    mask is_zero = equal(before, all(0));
    mask afresh = ~greater(0.05 * (kept * kept), all(EPSMCH)) & ~is_zero;
    left = choose(is_zero, before, left);
    if (set_of(afresh) != 0) {
        mask seen = every_lane();
        part norm = ROOT(squares_in_order(rows - 1, a + LANES, &seen));
        *usual &= seen | ~afresh;
        left = choose(afresh, norm, left);
        work = choose(afresh, norm, work);
    }
    put(f->rdiag + e * WIDTH, k, left);
    put(f->work + e * WIDTH, k, work);
}

INLINE mask factor_part(const factors_abreast *f, int e)
{
    mask usual = every_lane();

    for (int j = 0; j < f->n; j++) {
        part norm = ROOT(
            squares_in_order(f->m, f->a + (size_t)j * f->m * LANES + e * WIDTH, &usual));
        put(f->acnorm + e * WIDTH, j, norm);
        put(f->rdiag + e * WIDTH, j, norm);
        put(f->work + e * WIDTH, j, norm);
        put(f->ipvt + e * WIDTH, j, all(j + 1));
    }
    for (int j = 0; j < f->n; j++) {
        exchange(f, j, e);
        double *a = f->a + ((size_t)j * f->m + j) * LANES + e * WIDTH;
        double *v = f->v + e * WIDTH;
        part norm = ROOT(squares_in_order(f->m - j, a, &usual));
        usual &= ~equal(norm, all(0)); /* MINPACK does not reflect a column of zeros */
        norm = choose(less(at(a, 0), all(0)), -norm, norm);
        for (int i = 0; i < f->m - j; i++)
            put(v, i, at(a, i) / norm);
        put(v, 0, at(v, 0) + 1);
        put(a, 0, -norm);
        for (int k = j + 1; k <= f->n; k++)
            reflect(f, j, k, e, v, &usual);
    }
    return usual;
}

unsigned KERNEL(abreast_factor_in_order)(const factors_abreast *f)
{
    unsigned usual = 0;

    for (int e = 0; e < PARTS; e++)
        usual |= set_of(factor_part(f, e)) << (e * WIDTH);
    return usual;
}

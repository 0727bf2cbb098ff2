/* Many numbers over one, each rounded as by a division, but in a fraction of its time.
 *
 * A number times the inverse is nearly the quotient. What it leaves of the number is
 * exact, as a fused multiply-add finds it, and so corrects it to the last bit
 * (Brisebarre, Muller and Raina, IEEE Trans. Comput. 53, 1069-1072, 2004), unless
 * something overflows or underflows. Then, and on processors without that instruction, it
 * is a division. */
#ifndef MINPACK_QUOTIENTS_H
#define MINPACK_QUOTIENTS_H

#include <float.h>
#include <math.h>

#include "lanes.h"

/* a b + c and c - a b, rounded once; and the smaller and the larger of two */
#if defined(__AVX512F__)
#define FUSED
#define FUSED_ADD(a, b, c) _mm512_fmadd_pd(a, b, c)
#define FUSED_SUBTRACT(a, b, c) _mm512_fnmadd_pd(a, b, c)
#define SMALLER(a, b) _mm512_min_pd(a, b)
#define LARGER(a, b) _mm512_max_pd(a, b)
#elif defined(__FMA__)
#define FUSED
#define FUSED_ADD(a, b, c) _mm256_fmadd_pd(a, b, c)
#define FUSED_SUBTRACT(a, b, c) _mm256_fnmadd_pd(a, b, c)
#define SMALLER(a, b) _mm256_min_pd(a, b)
#define LARGER(a, b) _mm256_max_pd(a, b)
#elif defined(__aarch64__)
#define FUSED
#define FUSED_ADD(a, b, c) vfmaq_f64(c, a, b)
#define FUSED_SUBTRACT(a, b, c) vfmsq_f64(c, a, b)
#define SMALLER(a, b) vminq_f64(a, b)
#define LARGER(a, b) vmaxq_f64(a, b)
#endif

#ifdef FUSED
/* Nothing that matters underflows where a divisor is between these, and what it divides,
 * or the first of the two whose difference it divides, is not below the third. */
#define SMALLEST_DIVISOR 0x1p-100
#define LARGEST_DIVISOR 0x1p50
#define SMALLEST_DIVIDED 0x1p-840

typedef struct {
    part itself, inverse;
} divisor;

INLINE divisor divisor_of(double h)
{
    divisor by = {(part){0} + h, (part){0} + 1 / h};

    return by;
}

INLINE int is_ordinary_divisor(double h)
{
    return fabs(h) >= SMALLEST_DIVISOR && fabs(h) <= LARGEST_DIVISOR;
}

/* a over h, of which q is a over h nearly */
INLINE part corrected(part q, part a, divisor h)
{
    part left = FUSED_SUBTRACT(q, h.itself, a);

    return FUSED_ADD(left, h.inverse, q);
}

/* --- Differences ----------------------------------------------------------------- */

/* The least |f| of some rows, and the largest quotient. */
typedef struct {
    lanes f, quotient;
} extremes;

INLINE int are_ordinary(extremes a, extremes b)
{
    int64_t all = -1;

    for (int e = 0; e < PARTS; e++) {
        bits f = SMALLER(a.f.p[e], b.f.p[e]) >= SMALLEST_DIVIDED;
        bits quotient = LARGER(a.quotient.p[e], b.quotient.p[e]) <= DBL_MAX;
        bits both = f & quotient;
        for (int i = 0; i < WIDTH; i++)
            all &= both[i];
    }
    return all != 0;
}

/* (f - fvec)/h in LANES rows. What lies `ahead` numbers further is fetched, unless that
 * is 0. */
INLINE void difference_lanes(const double *f, const double *fvec, divisor h, double *to,
                             int ahead, extremes *met)
{
    lanes a = load(f), b = load(fvec);

    if (ahead > 0) {
        fetch(f + ahead);
        fetch(fvec + ahead);
        __builtin_prefetch(to + ahead, 1);
    }
    for (int e = 0; e < PARTS; e++) {
        part difference = a.p[e] - b.p[e], q = difference * h.inverse;
        met->f.p[e] = SMALLER(size_of(a.p[e]), met->f.p[e]);
        met->quotient.p[e] = LARGER(size_of(q), met->quotient.p[e]);
        a.p[e] = corrected(q, difference, h);
    }
    store(to, a);
}

/* The same in all whole lanes of m rows. Returns the number of these rows, or 0 where
 * some number is not ordinary. */
INLINE int difference_whole_lanes(int m, const double *f, const double *fvec, double h,
                                  double *to, int ahead)
{
    /* Each would wait for itself if there was one. */
    extremes even = {broadcast(1.0), broadcast(0.0)}, odd = even;
    divisor by = divisor_of(h);
    int row = 0;

    if (!is_ordinary_divisor(h))
        return 0;
    for (; row + 2 * LANES <= m; row += 2 * LANES) {
        int next = row + LANES;
        difference_lanes(f + row, fvec + row, by, to + row, ahead, &even);
        difference_lanes(f + next, fvec + next, by, to + next, ahead, &odd);
    }
    for (; row + LANES <= m; row += LANES)
        difference_lanes(f + row, fvec + row, by, to + row, ahead, &even);
    return are_ordinary(even, odd) ? row : 0;
}

/* --- A column -------------------------------------------------------------------- */

/* a over h in all whole lanes of m rows; a is not large beside h. Returns the number of
 * these rows, or 0 where some number is not ordinary and a has been left alone. */
INLINE int divide_whole_lanes(int m, double *a, double h)
{
    extremes even = {broadcast(1.0), broadcast(0.0)}, odd = even;
    divisor by = divisor_of(h);
    int row;

    for (row = 0; row + 2 * LANES <= m; row += 2 * LANES) {
        lanes x = load(a + row), y = load(a + row + LANES);
        for (int e = 0; e < PARTS; e++) {
            even.f.p[e] = SMALLER(size_of(x.p[e]), even.f.p[e]);
            odd.f.p[e] = SMALLER(size_of(y.p[e]), odd.f.p[e]);
        }
    }
    for (int i = row; i < m - m % LANES; i++)
        if (!(fabs(a[i]) >= SMALLEST_DIVIDED))
            return 0;
    if (!is_ordinary_divisor(h) || !are_ordinary(even, odd))
        return 0;
    for (row = 0; row + LANES <= m; row += LANES) {
        lanes x = load(a + row);
        for (int e = 0; e < PARTS; e++)
            x.p[e] = corrected(x.p[e] * by.inverse, x.p[e], by);
        store(a + row, x);
    }
    return row;
}
#endif

/* to = (f - fvec)/h in m rows. */
INLINE void difference_rows(int m, const double *f, const double *fvec, double h,
                            double *to, int ahead)
{
    int row = 0;

#ifdef FUSED
    row = m < 4 * LANES ? 0 : difference_whole_lanes(m, f, fvec, h, to, ahead);
#else
    (void)ahead;
#endif
    for (; row < m; row++)
        to[row] = (f[row] - fvec[row]) / h;
}

/* a over h in m rows; a is not large beside h. */
INLINE void divide_rows(int m, double *a, double h)
{
    int row = 0;

#ifdef FUSED
    row = m < 4 * LANES ? 0 : divide_whole_lanes(m, a, h);
#endif
    for (; row < m; row++)
        a[row] /= h;
}

#endif

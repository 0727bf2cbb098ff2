/* Eight numbers that are worked on at once, in the registers of whatever instruction
 * set this is compiled for.
 *
 * Every sum over rows is kept in LANES partial sums, row i in sum i modulo LANES, and
 * these are added in one fixed order. Nothing depends on the width of the registers,
 * and a product is never fused with a sum, so each instruction set gives the same
 * bits. */
#ifndef MINPACK_LANES_H
#define MINPACK_LANES_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "fast.h"

#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#define PARTS (LANES / WIDTH)

#define INLINE static inline __attribute__((always_inline))

typedef double part __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef int64_t bits __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));

typedef struct {
    part p[PARTS];
} lanes;

/* Have these numbers brought near: memory is slow, but need not be waited for. */
INLINE void fetch(const double *next)
{
    __builtin_prefetch(next);
}

INLINE lanes load(const double *x)
{
    lanes v;
    for (int e = 0; e < PARTS; e++)
        v.p[e] = *(const part *)(x + e * WIDTH);
    return v;
}

INLINE void store(double *x, lanes v)
{
    for (int e = 0; e < PARTS; e++)
        *(part *)(x + e * WIDTH) = v.p[e];
}

INLINE lanes broadcast(double s)
{
    lanes v;
    for (int e = 0; e < PARTS; e++)
        v.p[e] = (part){0} + s;
    return v;
}

INLINE lanes add(lanes a, lanes b)
{
    for (int e = 0; e < PARTS; e++)
        a.p[e] += b.p[e];
    return a;
}

/* a + b c */
INLINE lanes add_product(lanes a, lanes b, lanes c)
{
    for (int e = 0; e < PARTS; e++)
        a.p[e] += b.p[e] * c.p[e];
    return a;
}

/* a - b c */
INLINE lanes subtract_product(lanes a, lanes b, lanes c)
{
    for (int e = 0; e < PARTS; e++)
        a.p[e] -= b.p[e] * c.p[e];
    return a;
}

/* a b + c and c - a b, rounded once: only where the result is that of other operations,
 * which processors without these do. And the smaller and the larger of two. */
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
/* Where h and f are not beyond these, nothing below underflows that matters. */
#define SMALLEST_STEP 0x1p-100
#define LARGEST_STEP 0x1p50
#define SMALLEST_RESIDUAL 0x1p-840

/* The least |f| of some rows and the largest quotient. */
typedef struct {
    lanes f, quotient;
} extremes;

/* (f - fvec)/h in LANES rows, rounded as by a division, which is slow: the product with
 * the inverse, and then a correction by what it leaves (Brisebarre, Muller and Raina,
 * IEEE Trans. Comput. 53, 1069-1072, 2004). What is so many numbers ahead is fetched,
 * unless it is 0. */
INLINE void difference_lanes(const double *f, const double *fvec, part h, part inverse,
                             double *to, int ahead, extremes *met)
{
    lanes a = load(f), b = load(fvec);

    if (ahead > 0) {
        fetch(f + ahead);
        fetch(fvec + ahead);
        __builtin_prefetch(to + ahead, 1);
    }
    for (int e = 0; e < PARTS; e++) {
        part d = a.p[e] - b.p[e], q = d * inverse;
        part size = (part)((bits)a.p[e] & INT64_MAX);
        part size_of_q = (part)((bits)q & INT64_MAX);
        part left = FUSED_SUBTRACT(q, h, d);
        met->f.p[e] = SMALLER(size, met->f.p[e]);
        met->quotient.p[e] = LARGER(size_of_q, met->quotient.p[e]);
        a.p[e] = FUSED_ADD(left, inverse, q);
    }
    store(to, a);
}

INLINE int are_ordinary(extremes a, extremes b)
{
    int64_t all = -1;

    for (int e = 0; e < PARTS; e++) {
        bits f = SMALLER(a.f.p[e], b.f.p[e]) >= SMALLEST_RESIDUAL;
        bits quotient = LARGER(a.quotient.p[e], b.quotient.p[e]) <= DBL_MAX;
        bits both = f & quotient;
        for (int i = 0; i < WIDTH; i++)
            all &= both[i];
    }
    return all != 0;
}

/* to = (f - fvec)/h in so many of m rows as are whole lanes, which are returned; in none
 * where there are exceptions. */
INLINE int difference_whole_lanes(int m, const double *f, const double *fvec, double h,
                                  double *to, int ahead)
{
    extremes even = {broadcast(1.0), broadcast(0.0)}, odd = even;
    part h_itself = (part){0} + h, inverse = (part){0} + 1 / h;
    int row = 0;

    if (!(h >= SMALLEST_STEP && h <= LARGEST_STEP))
        return 0;
    for (; row + 2 * LANES <= m; row += 2 * LANES) {
        int next = row + LANES;
        difference_lanes(f + row, fvec + row, h_itself, inverse, to + row, ahead, &even);
        difference_lanes(f + next, fvec + next, h_itself, inverse, to + next, ahead,
                         &odd);
    }
    for (; row + LANES <= m; row += LANES)
        difference_lanes(f + row, fvec + row, h_itself, inverse, to + row, ahead, &even);
    return are_ordinary(even, odd) ? row : 0;
}
#endif

/* to = (f - fvec)/h in m rows. */
INLINE void difference_rows(int m, const double *f, const double *fvec, double h,
                            double *to, int ahead)
{
    int row = 0;

#ifdef FUSED
    row = difference_whole_lanes(m, f, fvec, h, to, ahead);
#else
    (void)ahead;
#endif
    for (; row < m; row++)
        to[row] = (f[row] - fvec[row]) / h;
}

/* Halves are added to each other until one number is left:
 * ((v0 + v4) + (v2 + v6)) + ((v1 + v5) + (v3 + v7)). */
INLINE double sum(lanes v)
{
    typedef double two __attribute__((vector_size(16)));
#if WIDTH == 2
    two s = (v.p[0] + v.p[2]) + (v.p[1] + v.p[3]);
#else
    typedef double four __attribute__((vector_size(32)));
    struct {
        two low, high;
    } quarters;
#if WIDTH == 4
    four t = v.p[0] + v.p[1];
#else
    struct {
        four low, high;
    } halves;
    memcpy(&halves, &v, sizeof v);
    four t = halves.low + halves.high;
#endif
    memcpy(&quarters, &t, sizeof t);
    two s = quarters.low + quarters.high;
#endif
    return s[0] + s[1];
}

/* The first 8 rows of x with zeros for `skip` of them. */
INLINE lanes load_after(const double *x, int skip)
{
    static const int64_t mask[2 * LANES] = {0,  0,  0,  0,  0,  0,  0,  0,
                                            -1, -1, -1, -1, -1, -1, -1, -1};
    lanes v = load(x);
    const int64_t *keep = mask + LANES - skip;
    for (int e = 0; e < PARTS; e++)
        v.p[e] = (part)((bits)v.p[e] & *(const bits *)(keep + e * WIDTH));
    return v;
}

/* The last 8 rows of x(1:m) with zeros for those before row `from`: what remains
 * where the rows are no multiple of 8. m >= 8. */
INLINE lanes load_tail(const double *x, int m, int from)
{
    return load_after(x + m - LANES, LANES - (m - from));
}

#endif

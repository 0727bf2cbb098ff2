/* Eight numbers that are worked on at once, in the registers of whatever instruction
 * set this is compiled for.
 *
 * Every sum over rows is kept in LANES partial sums, row i in sum i modulo LANES, and
 * these are added in one fixed order. Nothing depends on the width of the registers,
 * and a product is never fused with a sum, so each instruction set gives the same
 * bits. */
#ifndef MINPACK_LANES_H
#define MINPACK_LANES_H

#include <stdint.h>
#include <string.h>

#include "kernels.h"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define WIDTH 8
#elif defined(__AVX__)
#define WIDTH 4
#else
#define WIDTH 2
#endif
#define PARTS (LANES / WIDTH)

#define INLINE static inline __attribute__((always_inline))
#define OUTLINE static __attribute__((noinline)) /* there once: copies cost the wheel */

typedef double part __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));
typedef int64_t bits __attribute__((vector_size(8 * WIDTH), aligned(8), may_alias));

typedef struct {
    part p[PARTS];
} lanes;

INLINE part size_of(part a)
{
    return (part)((bits)a & INT64_MAX);
}

/* The square roots of a part */
#if WIDTH == 8
#define ROOT(a) ((part)_mm512_sqrt_pd(a))
#elif WIDTH == 4
#define ROOT(a) ((part)_mm256_sqrt_pd(a))
#elif defined(__SSE2__)
#define ROOT(a) ((part)_mm_sqrt_pd(a))
#elif defined(__aarch64__)
#define ROOT(a) ((part)vsqrtq_f64(a))
#else
INLINE part roots(part a)
{
    return (part){sqrt(a[0]), sqrt(a[1])};
}
#define ROOT(a) roots(a)
#endif

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

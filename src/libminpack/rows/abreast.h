/* Numbers of eight fits abreast, in the lanes of vector registers. */
#ifndef MINPACK_ABREAST_H
#define MINPACK_ABREAST_H

#include "kernels.h"
#include "lanes.h"

/* MINPACK scales entries below the first and above the second over m, or nearly so. */
#define SMALLEST_UNSCALED 1e-19
#define LARGEST_UNSCALED 1e19

/* Number i of a column; x is where its part of the lanes begins. */
INLINE part at(const double *x, int i)
{
    return *(const part *)(x + (size_t)i * LANES);
}

INLINE void put(double *x, int i, part value)
{
    *(part *)(x + (size_t)i * LANES) = value;
}

/* Some of the lanes of a part: those in which a comparison is true. */
#if WIDTH == 8
typedef __mmask8 mask;
#define COMPARE(name, operator, code)                                                    \
    INLINE mask name(part a, part b)                                                     \
    {                                                                                    \
        return _mm512_cmp_pd_mask(a, b, code);                                           \
    }
INLINE part choose(mask lanes, part a, part b)
{
    return _mm512_mask_blend_pd(lanes, b, a);
}

INLINE unsigned set_of(mask lanes)
{
    return lanes;
}

INLINE mask lanes_of(unsigned set, int e)
{
    (void)e; /* 0 */
    return (mask)set;
}
#else
typedef bits mask;
#define COMPARE(name, operator, code)                                                    \
    INLINE mask name(part a, part b)                                                     \
    {                                                                                    \
        return a operator b;                                                             \
    }
INLINE part choose(mask lanes, part a, part b)
{
    return (part)((lanes & (bits)a) | (~lanes & (bits)b));
}

/* The lanes as the bits of a number */
INLINE unsigned set_of(mask lanes)
{
#if WIDTH == 4
    return (unsigned)_mm256_movemask_pd((part)lanes);
#else
    return (unsigned)(lanes[0] & 1) | (unsigned)(lanes[1] & 2);
#endif
}

/* The same back, of part e of the lanes */
INLINE mask lanes_of(unsigned set, int e)
{
    bits lanes = {0};

    for (int i = 0; i < WIDTH; i++)
        lanes[i] = -(int64_t)(set >> (e * WIDTH + i) & 1);
    return lanes;
}
#endif
COMPARE(less, <, _CMP_LT_OQ)
COMPARE(at_most, <=, _CMP_LE_OQ)
COMPARE(equal, ==, _CMP_EQ_OQ)

INLINE mask greater(part a, part b)
{
    return less(b, a);
}

INLINE mask at_least(part a, part b)
{
    return at_most(b, a);
}

INLINE part all(double s)
{
    return (part){0} + s;
}

INLINE mask every_lane(void)
{
    return equal(all(0), all(0));
}

/* square + a²; `usual` loses the lanes in which MINPACK may scale a. */
INLINE part add_square(part square, part a, mask *usual)
{
    *usual &= at_least(size_of(a), all(SMALLEST_UNSCALED)) | equal(a, all(0));
    return square + a * a;
}

/* The lanes in which MINPACK scales none of the m numbers with this sum of squares for
 * its size. */
INLINE mask is_unscaled(part square, int m)
{
    part largest = all(LARGEST_UNSCALED / m);

    return less(square, largest * largest);
}

/* Partial sums in the order of sum() in lanes.h */
INLINE part sum_of(const part *v)
{
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

#endif

/* Norms and differences, in one pass each. */
#include <float.h>
#include <math.h>

#include "fast.h"
#include "lanes.h"

/* MINPACK scales what is not between these, or not far from them. */
#define SMALLEST_UNSCALED 1e-19
#define LARGEST_UNSCALED 1e17

enum { AHEAD = 128 }; /* numbers from what is worked on to what is fetched */

/* The root of a sum of squares; by the reference where a square may have overflowed or
 * underflowed. */
static double norm_or_reference(double square, int m, const double *x)
{
    if (square >= SMALLEST_NORM * SMALLEST_NORM && square <= LARGEST_NORM * LARGEST_NORM)
        return sqrt(square);
    return minpack_reference_norm(m, x);
}

/* MINPACK's norm, to the bit: one sum of squares, unless some need scaling. */
static double norm_of_few(int m, const double *x)
{
    double square = 0;
    int scaled = 0;

    for (int i = 0; i < m; i++) {
        double size = fabs(x[i]);
        square += size * size;
        scaled |= !(size < LARGEST_UNSCALED) || (size < SMALLEST_UNSCALED && size != 0);
    }
    return scaled ? minpack_reference_norm(m, x) : sqrt(square);
}

double KERNEL(norm)(int m, const double *x)
{
    lanes even = broadcast(0.0), odd = even;
    int row;

    if (m < FEW)
        return norm_of_few(m, x);
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
    if (m < FEW) {
        for (row = 0; row < m; row++)
            column[row] = (f[row] - fvec[row]) / h;
        return norm_of_few(m, column);
    }
    row = difference_pairs(m, f, fvec, inverse, column, &even, &odd, AHEAD);
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

/* Norms and differences, in one pass each. */
#include <math.h>

#include "kernels.h"
#include "lanes.h"
#include "quotients.h"

enum { AHEAD = 128 }; /* numbers from what is worked on to what is fetched */

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

    if (m < FEW)
        return minpack_reference_norm(m, x);
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

void KERNEL(difference)(int m, const double *f, const double *fvec, double h,
                        double *column)
{
    difference_rows(m, f, fvec, h, column, AHEAD);
}

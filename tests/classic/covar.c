/* Reads n, ldr, tol, ipvt and R by columns, and prints what covar makes of them. Debian's
 * MINPACK has no covar to compare with. */
#include "minpack.h"
#include "report.h"

enum { MOST = 10 };

int main(void)
{
    int n, ldr, ipvt[MOST];
    double tol, r[MOST * MOST], wa[MOST];

    if (scanf("%d %d %la", &n, &ldr, &tol) != 3 || n > MOST || ldr > MOST)
        return 1;
    for (int j = 0; j < n; j++)
        if (scanf("%d", &ipvt[j]) != 1)
            return 1;
    for (int k = 0; k < ldr * n; k++)
        if (scanf("%la", &r[k]) != 1)
            return 1;
    covar_(&n, r, &ldr, ipvt, &tol, wa);
    print_numbers("r", r, ldr * n);
    return 0;
}

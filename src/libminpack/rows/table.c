/* The kernels of one instruction set. */
#include "kernels.h"

/* The set whose kernels in order serve this one: wider registers gain nothing there. */
#ifndef IN_ORDER_SET
#define IN_ORDER_SET INSTRUCTION_SET
#endif

double JOIN(IN_ORDER_SET, norm_in_order)(int m, const double *x);
void JOIN(IN_ORDER_SET, factor_in_order)(const factors *f);

const lm_kernels KERNEL(kernels) = {
    .norm = KERNEL(norm),
    .norm_in_order = JOIN(IN_ORDER_SET, norm_in_order),
    .difference = KERNEL(difference),
    .products = KERNEL(products),
    .factor_products = KERNEL(factor_products),
    .triangle = KERNEL(triangle),
    .merge = KERNEL(merge),
    .pivot = KERNEL(pivot),
    .factor_in_order = JOIN(IN_ORDER_SET, factor_in_order),
    .abreast_repeat = KERNEL(abreast_repeat),
    .abreast_transpose = KERNEL(abreast_transpose),
    .abreast_compute = KERNEL(abreast_compute),
    .abreast_weigh = KERNEL(abreast_weigh),
    .abreast_squares = KERNEL(abreast_squares),
    .abreast_norms_in_order = KERNEL(abreast_norms_in_order),
    .abreast_difference = KERNEL(abreast_difference),
    .abreast_clear = KERNEL(abreast_clear),
    .abreast_products = KERNEL(abreast_products),
    .abreast_factor_in_order = KERNEL(abreast_factor_in_order),
    .abreast_factor_products = KERNEL(abreast_factor_products),
    .abreast_first_points = KERNEL(abreast_first_points),
    .abreast_propose = KERNEL(abreast_propose),
    .abreast_judge = KERNEL(abreast_judge),
};

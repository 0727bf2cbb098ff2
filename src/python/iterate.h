/* What is known at an iterate: for observers, and for the result of least_squares. */
#ifndef MINPACK_ITERATE_H
#define MINPACK_ITERATE_H

#include "fit.h"

double cost(const lm_state *s);

/* The largest entry of the projected gradient; grad(n) is set where it is not NULL. */
double optimality(const lm_state *s, double *grad);

/* Call the observer, which says whether to stop. For `observe` of a fit. */
int observe_iterate(fit *self);

#endif

/* What is known at an iterate: for observers, and for the result of least_squares. */
#ifndef MINPACK_ITERATE_H
#define MINPACK_ITERATE_H

#include "fit.h"

double cost(const lm_fit *lm);

/* The largest entry of the projected gradient; grad(n) is set where it is not NULL. */
double optimality(const lm_fit *lm, double *grad);

/* Call the observer. Returns 0, FIT_STOPPED or FIT_FAILED. */
int show_iterate(fit *self);

#endif

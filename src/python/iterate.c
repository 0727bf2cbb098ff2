#include "iterate.h"

#include <math.h>

/* The residuals that belong to fjac: with a loss both are weighted. */
static const double *residuals_of_jacobian(const lm_state *s)
{
    return s->weighted ? s->fvec_weighted : s->fvec;
}

static double gradient_entry(const lm_state *s, npy_intp j)
{
    const double *f = residuals_of_jacobian(s);
    const double *column = s->fjac + j * s->ldfjac;
    double sum = 0;

    for (npy_intp i = 0; i < s->m; i++)
        sum += column[i] * f[i];
    return sum;
}

/* Whether a step against g would take x[j] out of its bounds at once. */
static int is_blocked(const lm_state *s, npy_intp j, double g)
{
    return s->lower != NULL
           && ((g > 0 && s->x[j] == s->lower[j]) || (g < 0 && s->x[j] == s->upper[j]));
}

double optimality(const lm_state *s, double *grad)
{
    double largest = 0;

    for (npy_intp j = 0; j < s->n; j++) {
        double g = gradient_entry(s, j);
        if (grad != NULL)
            grad[j] = g;
        if (!is_blocked(s, j, g) && !(fabs(g) <= largest)) /* a NaN stays */
            largest = fabs(g);
    }
    return largest;
}

/* fnorm, which has been scaled and rooted, would give it with two more roundings. */
double cost(const lm_state *s)
{
    double sum = 0;

    if (s->weighted)
        return 0.5 * s->fnorm * s->fnorm;
    for (npy_intp i = 0; i < s->m; i++)
        sum += s->fvec[i] * s->fvec[i];
    return 0.5 * sum;
}

int observe_iterate(fit *self)
{
    lm_state *s = &self->state;
    PyObject *x = PyArray_NewCopy(self->x, NPY_CORDER);       /* new */
    PyObject *fvec = PyArray_NewCopy(self->fvec, NPY_CORDER); /* new */
    PyObject *answer = NULL;
    int stop = -1;

    if (x != NULL && fvec != NULL)
        answer =
            PyObject_CallFunction(self->observer, "OOdiid", x, fvec, cost(s), s->iter - 1,
                                  s->nfev, optimality(s, NULL)); /* new */
    if (answer != NULL)
        stop = PyObject_IsTrue(answer);
    Py_XDECREF(x);
    Py_XDECREF(fvec);
    Py_XDECREF(answer);
    return stop;
}

#include "iterate.h"

#include <math.h>

/* The residuals that belong to fjac: with a loss both are weighted. */
static const double *residuals_of_jacobian(const lm_rows *rows)
{
    return rows->weighted ? rows->fvec_weighted : rows->fvec;
}

static double gradient_entry(const lm_rows *rows, npy_intp j)
{
    const double *f = residuals_of_jacobian(rows);
    const double *column = rows->fjac + j * rows->ldfjac;
    double sum = 0;

    for (npy_intp i = 0; i < rows->m; i++)
        sum += column[i] * f[i];
    return sum;
}

/* Whether a step against g would take x[j] out of its bounds at once. */
static int is_blocked(const lm_state *s, npy_intp j, double g)
{
    return s->lower != NULL
           && ((g > 0 && s->x[j] == s->lower[j]) || (g < 0 && s->x[j] == s->upper[j]));
}

double optimality(const lm_fit *lm, double *grad)
{
    const lm_state *s = &lm->state;
    double largest = 0;

    for (npy_intp j = 0; j < s->n; j++) {
        double g = gradient_entry(&lm->rows, j);
        if (grad != NULL)
            grad[j] = g;
        if (!is_blocked(s, j, g) && !(fabs(g) <= largest)) /* a NaN stays */
            largest = fabs(g);
    }
    return largest;
}

/* fnorm, which has been scaled and rooted, would give it with two more roundings. */
double cost(const lm_fit *lm)
{
    const lm_rows *rows = &lm->rows;
    double sum = 0;

    if (rows->weighted)
        return 0.5 * lm->state.fnorm * lm->state.fnorm;
    for (npy_intp i = 0; i < rows->m; i++)
        sum += rows->fvec[i] * rows->fvec[i];
    return 0.5 * sum;
}

int show_iterate(fit *self)
{
    const lm_state *s = &self->lm.state;
    PyObject *x = PyArray_NewCopy(self->x, NPY_CORDER);       /* new */
    PyObject *fvec = PyArray_NewCopy(self->fvec, NPY_CORDER); /* new */
    PyObject *answer = NULL;
    int stop = -1;

    if (x != NULL && fvec != NULL)
        answer = PyObject_CallFunction(self->observer, "OOdiid", x, fvec, cost(&self->lm),
                                       s->iter - 1, s->nfev,
                                       optimality(&self->lm, NULL)); /* new */
    if (answer != NULL)
        stop = PyObject_IsTrue(answer);
    Py_XDECREF(x);
    Py_XDECREF(fvec);
    Py_XDECREF(answer);
    return stop < 0 ? FIT_FAILED : stop ? FIT_STOPPED : 0;
}

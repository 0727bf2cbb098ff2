#include "result.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Whether equal bounds fix parameter j. */
static int is_fixed(const lm_state *s, int j)
{
    return s->lower != NULL && s->lower[j] == s->upper[j];
}

/* m less the number of parameters that are not fixed. */
static double degrees_of_freedom(const lm_state *s, double m)
{
    double freedom = m - s->n;

    for (int j = 0; j < s->n; j++)
        freedom += is_fixed(s, j);
    return freedom;
}

/* Whether the fit has ended with the factors of a Jacobian. */
static int has_factors(const lm_fit *lm)
{
    /* Below LM_BAD_INPUT is what a compiled function stopped the fit with. */
    return lm->state.info > LM_BAD_INPUT && lm->state.info != LM_NOT_FINITE;
}

int fit_finish(fit *self)
{
    lm_state *s = &self->lm.state;
    npy_intp n = s->n;

    self->ipvt = (PyArrayObject *)PyArray_ZEROS(1, &n, NPY_INT, 0);   /* new */
    self->qtf = (PyArrayObject *)PyArray_ZEROS(1, &n, NPY_DOUBLE, 0); /* new */
    if (self->ipvt == NULL || self->qtf == NULL)
        return -1;
    if (has_factors(&self->lm)) {
        int *ipvt = PyArray_DATA(self->ipvt);
        lm_finish(&self->lm);
        memcpy(doubles(self->qtf), s->qtf, (size_t)n * sizeof(double));
        for (int j = 0; j < s->n; j++) /* SciPy counts columns from 0 */
            ipvt[j] = s->ipvt[j] - 1;
    } else {
        PyArray_FILLWBYTE(self->fjac, 0);
    }
    return 0;
}

PyObject *fit_active_mask(fit *self)
{
    npy_intp n = PyArray_DIM(self->x, 0);
    PyObject *mask = PyArray_ZEROS(1, &n, NPY_INTP, 0); /* new */
    if (mask != NULL && self->lower != NULL) {
        npy_intp *to = PyArray_DATA((PyArrayObject *)mask);
        for (npy_intp j = 0; j < n; j++)
            to[j] = self->lm.state.active[j];
    }
    return mask;
}

/* Whether a covariance has not overflowed, and a variance has not underflowed. */
static int is_in_range(const lm_state *s, const double *cov)
{
    npy_intp n = s->n;

    for (npy_intp i = 0; i < n * n; i++)
        if (!isfinite(cov[i]))
            return 0;
    for (int j = 0; j < s->n; j++)
        if (cov[j * (n + 1)] == 0 && s->fnorm != 0 && !is_fixed(s, j))
            return 0;
    return 1;
}

enum covariance_state covariance_of(const lm_state *s, double m, int scales, double *cov,
                                    double *work)
{
    double scale = 1, variance = 1, freedom = degrees_of_freedom(s, m);
    int singular = 1;

    if (s->info < LM_FTOL || s->info > LM_GTOL)
        return COVARIANCE_OPEN;
    if (scales && freedom <= 0)
        return COVARIANCE_NO_FREEDOM;
    if (scales)
        variance = s->fnorm * s->fnorm / freedom;
    if (s->fnorm != 0 && !(variance >= DBL_MIN && variance <= DBL_MAX)) {
        scale = s->fnorm / sqrt(freedom);
        variance = 1;
    }
    lm_covariance(s, scale, cov, work, &singular);
    if (singular)
        return COVARIANCE_OPEN;
    for (npy_intp i = 0; i < (npy_intp)s->n * s->n; i++)
        cov[i] *= variance;
    return is_in_range(s, cov) ? COVARIANCE_KNOWN : COVARIANCE_OUT_OF_RANGE;
}

PyObject *fit_covariance(fit *self, double m, int scales, enum covariance_state *state)
{
    npy_intp n = self->lm.rows.n, shape[2] = {n, n};
    PyObject *cov = PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
    double *work = PyMem_New(double, n *n);

    if (work == NULL)
        PyErr_NoMemory();
    if (cov == NULL || work == NULL) {
        Py_CLEAR(cov);
        goto done;
    }
    *state =
        covariance_of(&self->lm.state, m, scales, doubles((PyArrayObject *)cov), work);
    if (*state == COVARIANCE_OPEN || *state == COVARIANCE_NO_FREEDOM)
        Py_SETREF(cov, Py_NewRef(Py_None));
done:
    PyMem_Free(work);
    return cov;
}

double fit_progress(const fit *self)
{
    const lm_state *s = &self->lm.state;

    return s->fnorm > 0 ? s->lowered : 1;
}

/* Whether column k of R is zero, and so that of J from which it comes. */
static int is_zero_column(const lm_state *s, int k)
{
    for (int i = 0; i <= k; i++)
        if (s->r[i + k * (size_t)s->ldr] != 0)
            return 0;
    return 1;
}

PyObject *fit_idle_parameters(fit *self)
{
    const lm_state *s = &self->lm.state;
    PyObject *idle = PyList_New(0); /* new */

    for (int k = 0; idle != NULL && has_factors(&self->lm) && k < s->n; k++) {
        int j = s->ipvt[k] - 1;
        if (is_fixed(s, j) || !is_zero_column(s, k))
            continue;
        PyObject *number = PyLong_FromLong(j); /* new */
        if (number == NULL || PyList_Append(idle, number) < 0)
            Py_CLEAR(idle);
        Py_XDECREF(number);
    }
    if (idle == NULL || PyList_Sort(idle) < 0) {
        Py_XDECREF(idle);
        return NULL;
    }
    PyObject *tuple = PyList_AsTuple(idle); /* new */
    Py_DECREF(idle);
    return tuple;
}

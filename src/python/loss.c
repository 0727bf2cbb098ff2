#include "loss.h"

#include <float.h>
#include <math.h>

/* The least 1 + 2 z rho''/rho'. The true one vanishes or is negative for outliers, which
 * would take their rows out of the factorization. Of bounds from 1e-8 to 1, those around
 * this one need the fewest evaluations, and lead into the best of several minima more
 * often than smaller ones. */
#define LEAST_CURVATURE 0.8

/* --- The losses with a name -------------------------------------------------- */

static double soft_l1_value(double z)
{
    return 2 * z / (sqrt(1 + z) + 1); /* 2 (sqrt(1 + z) - 1) without cancellation */
}

static double soft_l1_slope(double z)
{
    return 1 / sqrt(1 + z);
}

static double soft_l1_curvature(double z)
{
    return 1 / (1 + z);
}

static double huber_value(double z)
{
    return z <= 1 ? z : 2 * sqrt(z) - 1;
}

static double huber_slope(double z)
{
    return z <= 1 ? 1 : 1 / sqrt(z);
}

static double huber_curvature(double z)
{
    return z <= 1;
}

static double cauchy_slope(double z)
{
    return 1 / (1 + z);
}

static double cauchy_curvature(double z)
{
    return (1 - z) / (1 + z);
}

static double arctan_slope(double z)
{
    return 1 / (1 + z * z);
}

static double arctan_curvature(double z)
{
    return (1 - 3 * z * z) / (1 + z * z);
}

static const named_loss LOSSES[] = {
    {"soft_l1", soft_l1_value, soft_l1_slope, soft_l1_curvature},
    {"huber", huber_value, huber_slope, huber_curvature},
    {"cauchy", log1p, cauchy_slope, cauchy_curvature},
    {"arctan", atan, arctan_slope, arctan_curvature},
};

/* --- A loss ------------------------------------------------------------------ */

static int init_named(loss *self, PyObject *name)
{
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++) {
        if (PyUnicode_CompareWithASCIIString(name, LOSSES[i].name) == 0) {
            self->named = &LOSSES[i];
            return 0;
        }
    }
    if (PyUnicode_CompareWithASCIIString(name, "linear") == 0)
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "loss must be 'linear', 'soft_l1', 'huber', 'cauchy', 'arctan' or a "
                 "callable, not %R",
                 name);
    return -1;
}

int loss_init(loss *self, PyObject *object, PyObject *scale, PyObject *no_args)
{
    self->scale = PyFloat_AsDouble(scale);
    if (self->scale == -1.0 && PyErr_Occurred())
        return -1;
    if (!(self->scale > 0 && self->scale <= DBL_MAX)) {
        PyErr_Format(PyExc_ValueError, "f_scale must be a positive number, not %S",
                     scale);
        return -1;
    }
    if (PyUnicode_Check(object))
        return init_named(self, object);
    return callback_init(&self->function, "loss", object, no_args, NULL);
}

void loss_clear(loss *self)
{
    callback_clear(&self->function);
    PyMem_Free(self->z);
}

static double squared(const loss *self, double f)
{
    return (f / self->scale) * (f / self->scale);
}

/* Call the user's function; its answer is at self->z + m. */
static int call_function(loss *self, npy_intp m, const double *fvec)
{
    if (self->z == NULL) {
        self->z = PyMem_New(double, 4 * m);
        if (self->z == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (npy_intp i = 0; i < m; i++)
        self->z[i] = squared(self, fvec[i]);
    PyObject *answer = callback_call(&self->function, m, self->z); /* new */
    if (answer == NULL)
        return -1;
    int status = take_loss(&self->function, answer, m, self->z + m);
    Py_DECREF(answer);
    return status;
}

int loss_norm(loss *self, npy_intp m, const double *fvec, double *norm)
{
    double sum = 0;

    *norm = HUGE_VAL;
    for (npy_intp i = 0; i < m; i++)
        if (!isfinite(fvec[i]))
            return 0;
    if (self->named != NULL) {
        for (npy_intp i = 0; i < m; i++)
            sum += self->named->value(squared(self, fvec[i]));
    } else {
        if (call_function(self, m, fvec) < 0)
            return -1;
        for (npy_intp i = 0; i < m; i++)
            sum += self->z[m + i];
    }
    *norm = self->scale * sqrt(sum);
    return 0;
}

/* With w = rho' + 2 z rho'', row i of J is multiplied by sqrt(w), f by rho'/sqrt(w): then
 * J'f is the gradient of the cost, and J'J its Hessian without the second derivatives of
 * f. Source: B. Triggs, P. McLauchlan, R. Hartley and A. Fitzgibbon, Bundle adjustment -
 * a modern synthesis (2000), section 4.3; the bound below w is ours. */
int loss_weigh(loss *self, npy_intp m, npy_intp n, const double *fvec, double *fjac,
               double *fvec_weighted)
{
    enum { BLOCK = 64 };
    double root[BLOCK];

    if (self->named == NULL && call_function(self, m, fvec) < 0)
        return -1;
    for (npy_intp start = 0; start < m; start += BLOCK) {
        npy_intp end = start + BLOCK < m ? start + BLOCK : m;
        for (npy_intp i = start; i < end; i++) {
            double slope, curvature;
            if (self->named != NULL) {
                double z = squared(self, fvec[i]);
                slope = self->named->slope(z);
                curvature = self->named->curvature(z);
            } else {
                slope = self->z[2 * m + i];
                curvature = 1 + 2 * self->z[i] * (self->z[3 * m + i] / slope);
            }
            if (!(curvature > LEAST_CURVATURE)) /* NaN too, where there are 0 and inf */
                curvature = LEAST_CURVATURE;
            root[i - start] = sqrt(slope * curvature);
            fvec_weighted[i] = sqrt(slope / curvature) * fvec[i];
        }
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp i = start; i < end; i++)
                fjac[i + j * m] *= root[i - start];
    }
    return 0;
}

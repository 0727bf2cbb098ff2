#include "loss.h"

#include <float.h>
#include <math.h>

/* The least 1 + 2 z rho''/rho'. The true one vanishes or is negative for outliers, which
 * would take their rows out of the factorization. Of bounds from 1e-8 to 1, those around
 * this one need the fewest evaluations, and lead into the best of several minima more
 * often than smaller ones. */
#define LEAST_CURVATURE 0.8

/* From here on z = u u may overflow; 1 + z is z long before. */
#define LARGE_U 1e150
/* A sum of z below this may have lost terms to underflow. */
#define SMALL_SUM 1e-280

/* --- The losses with a name, as functions of u = |f/C|, z = u u ------------------ */

static double soft_l1_value(double u)
{
    /* 2 (sqrt(1 + z) - 1) without cancellation */
    return u < LARGE_U ? 2 * (u * u) / (sqrt(1 + u * u) + 1) : 2 * u;
}

static double soft_l1_slope(double u)
{
    return 1 / (u < LARGE_U ? sqrt(1 + u * u) : u);
}

static double soft_l1_curvature(double u)
{
    return 1 / (1 + u * u);
}

static double huber_value(double u)
{
    return u <= 1 ? u * u : 2 * u - 1;
}

static double huber_slope(double u)
{
    return u <= 1 ? 1 : 1 / u;
}

static double huber_curvature(double u)
{
    return u <= 1;
}

static double cauchy_value(double u)
{
    return u < LARGE_U ? log1p(u * u) : 2 * log1p(u);
}

static double cauchy_slope(double u)
{
    return 1 / (1 + u * u);
}

static double cauchy_curvature(double u)
{
    double z = u * u;
    return (1 - z) / (1 + z);
}

static double arctan_value(double u)
{
    return atan(u * u);
}

static double arctan_slope(double u)
{
    double z = u * u;
    return 1 / (1 + z * z);
}

static double arctan_curvature(double u)
{
    double z = u * u;
    return (1 - 3 * z * z) / (1 + z * z);
}

static const named_loss LOSSES[] = {
    {"soft_l1", soft_l1_value, soft_l1_slope, soft_l1_curvature},
    {"huber", huber_value, huber_slope, huber_curvature},
    {"cauchy", cauchy_value, cauchy_slope, cauchy_curvature},
    {"arctan", arctan_value, arctan_slope, arctan_curvature},
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

int loss_init(loss *self, PyObject *object, PyObject *scale)
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
    return callback_init(&self->function, "loss", object, NULL, NULL);
}

void loss_clear(loss *self)
{
    callback_clear(&self->function);
    PyMem_Free(self->z);
}

static double relative(const loss *self, double f)
{
    return fabs(f / self->scale);
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
    for (npy_intp i = 0; i < m; i++) {
        double u = relative(self, fvec[i]);
        self->z[i] = u * u;
    }
    PyObject *answer = callback_call(&self->function, m, self->z); /* new */
    if (answer == NULL)
        return -1;
    int status = take_loss(&self->function, answer, m, self->z + m);
    Py_DECREF(answer);
    return status;
}

/* The root of the sum of slope[i] f[i]**2, without slopes of the sum of f[i]**2, where
 * squares may underflow. */
static double small_norm(npy_intp m, const double *f, const double *slope)
{
    double largest = 0, sum = 0;

    for (npy_intp i = 0; i < m; i++)
        largest = fmax(largest, fabs(f[i]));
    for (npy_intp i = 0; largest > 0 && i < m; i++)
        sum += (slope != NULL ? slope[i] : 1) * (f[i] / largest) * (f[i] / largest);
    return largest * sqrt(sum);
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
            sum += self->named->value(relative(self, fvec[i]));
    } else {
        if (call_function(self, m, fvec) < 0)
            return -1;
        for (npy_intp i = 0; i < m; i++)
            sum += self->z[m + i];
    }
    if (sum < SMALL_SUM) /* where rho(z) is rho'(0) z */
        *norm = small_norm(m, fvec, self->named == NULL ? self->z + 2 * m : NULL);
    else
        *norm = self->scale * sqrt(sum);
    return 0;
}

double loss_of_block(void *who, int count, const double *fvec)
{
    double norm;

    loss_norm(who, count, fvec, &norm);
    return norm;
}

/* What a residual f and its row of J are multiplied by. */
typedef struct {
    double of_f, of_row;
} weights;

static weights weights_of(const loss *self, npy_intp m, npy_intp i, double f,
                          double least)
{
    if (self->named != NULL) {
        double u = relative(self, f), slope = self->named->slope(u);
        double curvature = self->named->curvature(u);
        if (!(curvature > least)) /* NaN too, where there are 0 and inf */
            curvature = least;
        return (weights){sqrt(slope / curvature), sqrt(slope * curvature)};
    }
    double slope = self->z[2 * m + i];
    double w = slope + 2 * self->z[i] * self->z[3 * m + i];
    if (!(w > least * slope))
        w = least * slope;
    return (weights){w > 0 ? slope / sqrt(w) : 0, sqrt(w)};
}

/* With w = rho' + 2 z rho'', row i of J is multiplied by sqrt(w), f by rho'/sqrt(w): then
 * J'f is the gradient of the cost, and J'J its Hessian without the second derivatives of
 * f. Source: B. Triggs, P. McLauchlan, R. Hartley and A. Fitzgibbon, Bundle adjustment -
 * a modern synthesis (2000), section 4.3; the bound below w is ours. */
int loss_weigh(loss *self, npy_intp m, npy_intp n, const double *fvec, double *fjac,
               npy_intp ldfjac, double *fvec_weighted)
{
    enum { BLOCK = 64 };
    double root[BLOCK];

    if (self->named == NULL && call_function(self, m, fvec) < 0)
        return -1;
    for (npy_intp start = 0; start < m; start += BLOCK) {
        npy_intp end = start + BLOCK < m ? start + BLOCK : m;
        for (npy_intp i = start; i < end; i++) {
            weights w = weights_of(self, m, i, fvec[i], LEAST_CURVATURE);
            root[i - start] = w.of_row;
            fvec_weighted[i] = w.of_f * fvec[i];
        }
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp i = start; i < end; i++)
                fjac[i + j * ldfjac] *= root[i - start];
    }
    return 0;
}

int loss_show_curvature(loss *self, npy_intp m, npy_intp n, const double *fvec,
                        double *fjac, npy_intp ldfjac, double *fvec_weighted)
{
    if (self->named == NULL && call_function(self, m, fvec) < 0)
        return -1;
    for (npy_intp i = 0; i < m; i++) {
        weights had = weights_of(self, m, i, fvec[i], LEAST_CURVATURE);
        weights w = weights_of(self, m, i, fvec[i], DBL_EPSILON);
        double factor = had.of_row > 0 ? w.of_row / had.of_row : 1;
        if (factor == 1)
            continue;
        fvec_weighted[i] = w.of_f * fvec[i];
        for (npy_intp j = 0; j < n; j++)
            fjac[i + j * ldfjac] *= factor;
    }
    return 0;
}

#include "model.h"

#include "arguments.h"

#include <math.h>

/* 1/sigma for each of the m data as a new array, or NULL. */
static PyArrayObject *reciprocals(PyObject *sigma /* borrowed */, npy_intp m)
{
    PyArrayObject *weights = NULL;
    PyArrayObject *errors = vector_argument(sigma, "sigma", 1); /* new */

    if (errors != NULL)
        weights = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
    npy_intp step = errors != NULL && PyArray_SIZE(errors) != 1;
    for (npy_intp i = 0; weights != NULL && i < m; i++) {
        double error = doubles(errors)[i * step];
        doubles(weights)[i] = 1.0 / error;
        if (!isfinite(doubles(weights)[i])) {
            PyObject *number = PyFloat_FromDouble(error); /* new */
            if (number != NULL)
                PyErr_Format(PyExc_ValueError,
                             "sigma must hold numbers that one can divide by, not %R in "
                             "place %zd",
                             number, (Py_ssize_t)(i * step));
            Py_XDECREF(number);
            Py_CLEAR(weights);
        }
    }
    Py_XDECREF(errors);
    return weights;
}

int model_init(model *self, PyObject *ydata, PyObject *sigma, PyObject *factor)
{
    const int plain = NPY_ARRAY_CARRAY_RO | NPY_ARRAY_ENSUREARRAY;

    self->y = (PyArrayObject *)PyArray_FROMANY(ydata, NPY_DOUBLE, 0, 1,
                                               plain | NPY_ARRAY_ENSURECOPY); /* new */
    if (self->y == NULL)
        return -1;
    if (sigma != Py_None) {
        self->weights = reciprocals(sigma, PyArray_SIZE(self->y)); /* new */
        if (self->weights == NULL)
            return -1;
    }
    if (factor != Py_None) {
        self->factor =
            (PyArrayObject *)PyArray_FROMANY(factor, NPY_DOUBLE, 2, 2, plain); /* new */
        if (self->factor == NULL)
            return -1;
    }
    return 0;
}

void model_clear(model *self)
{
    Py_CLEAR(self->y);
    Py_CLEAR(self->weights);
    Py_CLEAR(self->factor);
}

static void wrong_shape(const char *name, PyArrayObject *values /* borrowed */,
                        npy_intp data)
{
    PyObject *text = shape_text(values); /* new */
    if (text == NULL)
        return;
    if (data == 1)
        PyErr_Format(PyExc_ValueError, "%s must return a 1-D array; it returned shape %U",
                     name, text);
    else
        PyErr_Format(PyExc_ValueError,
                     "%s must return an array of shape (%zd,), one value for each entry "
                     "of ydata; it returned shape %U",
                     name, (Py_ssize_t)data, text);
    Py_DECREF(text);
}

/* m values, or m times the one there is, in an array that is ours alone and 1-D: the same
 * one where it is so already. Returns a new reference, or NULL. */
static PyArrayObject *own_values(PyArrayObject *values /* stolen */, npy_intp m)
{
    npy_intp step = PyArray_SIZE(values) == m;

    if (step && PyArray_NDIM(values) == 1 && is_ours_alone(values))
        return values;
    PyArrayObject *own = (PyArrayObject *)PyArray_SimpleNew(1, &m, NPY_DOUBLE); /* new */
    for (npy_intp i = 0; own != NULL && i < m; i++)
        doubles(own)[i] = doubles(values)[i * step];
    Py_DECREF(values);
    return own;
}

/* r := (r - y)*w, in one pass; there may be no w, and one y for all. */
static void subtract_and_weigh(npy_intp m, double *r, const double *y, npy_intp y_step,
                               const double *w)
{
    if (w == NULL && y_step == 1) {
        for (npy_intp i = 0; i < m; i++)
            r[i] -= y[i];
    } else if (y_step == 1) {
        for (npy_intp i = 0; i < m; i++)
            r[i] = (r[i] - y[i]) * w[i];
    } else {
        double weight = w != NULL ? *w : 1.0;
        for (npy_intp i = 0; i < m; i++)
            r[i] = (r[i] - *y) * weight;
    }
}

/* b := L^-1 b for the columns of b, by columns of L too: so the inner loop is a vector's,
 * and L is read once. */
static void substitute_forward(npy_intp m, const double *factor, npy_intp columns,
                               double *b, npy_intp ldb)
{
    for (npy_intp j = 0; j < m; j++) {
        const double *l = factor + j * m;
        for (npy_intp c = 0; c < columns; c++) {
            double *z = b + c * ldb;
            double z_j = z[j] /= l[j];
            for (npy_intp i = j + 1; i < m; i++)
                z[i] -= z_j * l[i];
        }
    }
}

void model_weigh_values(const model *self, npy_intp m, double *values)
{
    subtract_and_weigh(m, values, doubles(self->y), PyArray_SIZE(self->y) == m,
                       self->weights != NULL ? doubles(self->weights) : NULL);
    if (self->factor != NULL)
        substitute_forward(m, doubles(self->factor), 1, values, m);
}

void model_weigh_derivatives(const model *self, npy_intp m, npy_intp n, double *fjac,
                             npy_intp ldfjac)
{
    if (self->factor != NULL)
        substitute_forward(m, doubles(self->factor), n, fjac, ldfjac);
    if (self->weights == NULL)
        return;
    const double *w = doubles(self->weights);
    npy_intp step = PyArray_SIZE(self->weights) != 1;
    for (npy_intp j = 0; j < n; j++)
        for (npy_intp i = 0; i < m; i++)
            fjac[i + j * ldfjac] *= w[i * step];
}

/* Whether to give up the lock for a substitution: all that it touches is ours alone. */
static int is_worth_unlocking(const model *self, npy_intp m, npy_intp columns)
{
    return self->factor != NULL && (double)m * m * columns >= WORTH_UNLOCKING;
}

PyArrayObject *model_residuals(const model *self, const callback *f, PyObject *answer,
                               double *epsilon)
{
    int type_num = NPY_DOUBLE;
    npy_intp data = PyArray_SIZE(self->y);
    PyArrayObject *r = (PyArrayObject *)answer; /* owned */

    if (!is_plain_vector(answer)) {
        r = real_array(f, answer, NPY_ARRAY_CARRAY_RO, &type_num); /* new */
        Py_DECREF(answer);
        if (r == NULL)
            return NULL;
    }
    if (epsilon != NULL)
        *epsilon = relative_spacing(type_num);
    npy_intp size = PyArray_SIZE(r), m = data == 1 ? size : data;
    if (PyArray_NDIM(r) > 1 || (size != m && size != 1)
        || (self->factor != NULL && m != PyArray_DIM(self->factor, 0))) {
        wrong_shape(f->name, r, data);
        Py_DECREF(r);
        return NULL;
    }
    r = own_values(r /* steals */, m); /* new */
    if (r == NULL)
        return NULL;
    if (is_worth_unlocking(self, m, 1)) {
        Py_BEGIN_ALLOW_THREADS
        model_weigh_values(self, m, doubles(r));
        Py_END_ALLOW_THREADS
    } else {
        model_weigh_values(self, m, doubles(r));
    }
    return r;
}

void model_weigh_jacobian(const model *self, npy_intp m, npy_intp n, double *fjac,
                          npy_intp ldfjac)
{
    if (is_worth_unlocking(self, m, n)) {
        Py_BEGIN_ALLOW_THREADS
        model_weigh_derivatives(self, m, n, fjac, ldfjac);
        Py_END_ALLOW_THREADS
    } else {
        model_weigh_derivatives(self, m, n, fjac, ldfjac);
    }
}

#include "data.h"

#include "arguments.h"

#include <float.h>
#include <math.h>
#include <string.h>

int are_finite(npy_intp m, const double *x)
{
    int bad = 0;

    for (npy_intp i = 0; i < m; i++)
        bad |= !(fabs(x[i]) <= DBL_MAX);
    return !bad;
}

/* Whether 1/x is finite for all of x(m). */
static int have_reciprocals(npy_intp m, const double *x)
{
    int bad = 0;

    for (npy_intp i = 0; i < m; i++)
        bad |= !(fabs(1.0 / x[i]) <= DBL_MAX);
    return !bad;
}

/* Whether all entries of sigma have reciprocals; -1 with an exception set. */
static int check_sigma(PyArrayObject *sigma)
{
    const double *errors = doubles(sigma);
    npy_intp i = 0, size = PyArray_SIZE(sigma);

    if (have_reciprocals(size, errors))
        return 0;
    while (isfinite(1.0 / errors[i]))
        i++;
    PyObject *number = PyFloat_FromDouble(errors[i]); /* new */
    if (number != NULL)
        PyErr_Format(
            PyExc_ValueError,
            "sigma must hold numbers that one can divide by, not %R in place %zd", number,
            (Py_ssize_t)i);
    Py_XDECREF(number);
    return -1;
}

/* 1/sigma as a new array, or NULL. */
static PyArrayObject *reciprocals(PyArrayObject *sigma /* borrowed */)
{
    npy_intp size = PyArray_SIZE(sigma);
    PyArrayObject *weights =
        (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE); /* new */

    for (npy_intp i = 0; weights != NULL && i < size; i++)
        doubles(weights)[i] = 1.0 / doubles(sigma)[i];
    return weights;
}

/* The weights, or where they are taken row by row sigma. */
static int take_sigma(data *self, PyObject *object, int called)
{
    PyArrayObject *sigma = vector_argument(object, "sigma", 1); /* new */
    int status = -1;

    if (sigma == NULL || check_sigma(sigma) < 0)
        goto done;
    if (called || PyArray_SIZE(sigma) == 1) {
        self->weights = reciprocals(sigma); /* new */
        status = self->weights != NULL ? 0 : -1;
        goto done;
    }
    self->sigma = (PyArrayObject *)Py_NewRef(sigma);
    status = 0;
done:
    Py_XDECREF(sigma);
    return status;
}

int data_init(data *self, PyObject *ydata, PyObject *sigma, PyObject *factor, int called)
{
    const int plain = NPY_ARRAY_CARRAY_RO | NPY_ARRAY_ENSUREARRAY;
    const int own = called ? plain | NPY_ARRAY_ENSURECOPY : plain;

    self->y = (PyArrayObject *)PyArray_FROMANY(ydata, NPY_DOUBLE, 0, 1, own); /* new */
    if (self->y == NULL)
        return -1;
    if (sigma != Py_None && take_sigma(self, sigma, called) < 0)
        return -1;
    if (factor != Py_None) {
        self->factor =
            (PyArrayObject *)PyArray_FROMANY(factor, NPY_DOUBLE, 2, 2, plain); /* new */
        if (self->factor == NULL)
            return -1;
    }
    return 0;
}

void data_clear(data *self)
{
    Py_CLEAR(self->y);
    Py_CLEAR(self->weights);
    Py_CLEAR(self->sigma);
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

void weigh_residuals(npy_intp points, const double *f, const double *y, const double *w,
                     const npy_bool *mask, double *to)
{
    if (mask != NULL) {
        for (npy_intp j = 0; j < points; j++)
            if (!mask[j]) {
                double difference = f[j] - *y++;
                *to++ = w != NULL ? difference * *w++ : difference;
            }
    } else if (w != NULL) {
        for (npy_intp j = 0; j < points; j++)
            to[j] = (f[j] - y[j]) * w[j];
    } else {
        for (npy_intp j = 0; j < points; j++)
            to[j] = f[j] - y[j];
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

/* Rows of weights that are taken together, in the cache */
enum { STRIP = 256 };

/* The weights of `count` rows: where they are, or in `own`. NULL: there are none. */
static const double *weights_of(const data *self, npy_intp first, npy_intp count,
                                double *own)
{
    int is_one = self->weights != NULL && PyArray_SIZE(self->weights) == 1;

    if (self->weights != NULL && !is_one)
        return doubles(self->weights) + first;
    if (self->weights == NULL && self->sigma == NULL)
        return NULL;
    for (npy_intp i = 0; i < count; i++)
        own[i] = is_one ? *doubles(self->weights) : 1.0 / doubles(self->sigma)[first + i];
    return own;
}

void data_weigh_value_rows(const data *self, npy_intp m, npy_intp first, npy_intp count,
                           double *values)
{
    const double *y = doubles(self->y);
    double own[STRIP];

    if (PyArray_SIZE(self->y) != m) { /* one datum for all values */
        double weight = self->weights != NULL ? *doubles(self->weights) : 1.0;
        for (npy_intp i = 0; i < count; i++)
            values[i] = (values[i] - *y) * weight;
        return;
    }
    for (npy_intp i = 0; i < count; i += STRIP) {
        npy_intp rows = count - i < STRIP ? count - i : STRIP;
        const double *w = weights_of(self, first + i, rows, own);
        weigh_residuals(rows, values + i, y + first + i, w, NULL, values + i);
    }
}

void data_fetch_rows(const data *self, npy_intp first, npy_intp count)
{
    PyArrayObject *arrays[] = {self->y, self->weights, self->sigma};

    for (int k = 0; k < 3; k++)
        if (arrays[k] != NULL && PyArray_SIZE(arrays[k]) > 1)
            fetch_bytes(doubles(arrays[k]) + first, count * (npy_intp)sizeof(double));
}

void data_weigh_values(const data *self, npy_intp m, double *values)
{
    data_weigh_value_rows(self, m, 0, m, values);
    if (self->factor != NULL)
        substitute_forward(m, doubles(self->factor), 1, values, m);
}

void data_weigh_derivative_rows(const data *self, npy_intp first, npy_intp count,
                                npy_intp n, double *fjac, npy_intp ldfjac)
{
    double own[STRIP];

    for (npy_intp i = 0; i < count; i += STRIP) {
        npy_intp rows = count - i < STRIP ? count - i : STRIP;
        const double *w = weights_of(self, first + i, rows, own);
        for (npy_intp j = 0; w != NULL && j < n; j++)
            for (npy_intp k = 0; k < rows; k++)
                fjac[i + k + j * ldfjac] *= w[k];
    }
}

void data_weigh_derivatives(const data *self, npy_intp m, npy_intp n, double *fjac,
                            npy_intp ldfjac)
{
    if (self->factor != NULL)
        substitute_forward(m, doubles(self->factor), n, fjac, ldfjac);
    data_weigh_derivative_rows(self, 0, m, n, fjac, ldfjac);
}

/* Whether to give up the lock for a substitution: all that it touches is ours alone. */
static int is_worth_unlocking(const data *self, npy_intp m, npy_intp columns)
{
    return self->factor != NULL && (double)m * m * columns >= WORTH_UNLOCKING;
}

int data_can_put(const data *self, PyObject *answer, npy_intp m)
{
    return self->factor == NULL && PyArray_SIZE(self->y) == m && is_plain_vector(answer)
           && PyArray_SIZE((PyArrayObject *)answer) == m;
}

void data_put_rows(const data *self, const double *f, npy_intp first, npy_intp count,
                   double *to)
{
    const double *y = doubles(self->y);
    double own[STRIP];

    for (npy_intp i = first; i < first + count; i += STRIP) {
        npy_intp rows = first + count - i < STRIP ? first + count - i : STRIP;
        weigh_residuals(rows, f + i, y + i, weights_of(self, i, rows, own), NULL, to + i);
    }
}

PyArrayObject *data_residuals(const data *self, const callback *f, PyObject *answer,
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
        data_weigh_values(self, m, doubles(r));
        Py_END_ALLOW_THREADS
    } else {
        data_weigh_values(self, m, doubles(r));
    }
    return r;
}

void data_weigh_jacobian(const data *self, npy_intp m, npy_intp n, double *fjac,
                         npy_intp ldfjac)
{
    if (is_worth_unlocking(self, m, n)) {
        Py_BEGIN_ALLOW_THREADS
        data_weigh_derivatives(self, m, n, fjac, ldfjac);
        Py_END_ALLOW_THREADS
    } else {
        data_weigh_derivatives(self, m, n, fjac, ldfjac);
    }
}

/* --- Rows of many data sets ---------------------------------------------------- */

void read_row(PyArrayObject *array, npy_intp i, npy_intp points, const npy_bool *mask,
              double *to)
{
    const char *from = row_of(array, i);
    npy_intp stride = PyArray_STRIDE(array, 1);
    int is_float = PyArray_TYPE(array) == NPY_FLOAT;

    if (mask == NULL && !is_float && stride == sizeof(double)) {
        memcpy(to, from, (size_t)points * sizeof(double));
        return;
    }
    for (npy_intp j = 0; j < points; j++, from += stride)
        if (mask == NULL || !mask[j])
            *to++ = is_float ? *(const float *)from : *(const double *)from;
}

/* The entries of one column, `row` bytes apart, of the points that are not masked, times
 * w, to `to`: how many they are. */
static npy_intp weigh_entries(npy_intp points, const char *from, npy_intp row,
                              const double *w, const npy_bool *mask, double *to)
{
    npy_intp kept = 0;

    if (mask != NULL) {
        for (npy_intp j = 0; j < points; j++, from += row)
            if (!mask[j]) {
                double d = *(const double *)from;
                to[kept] = w != NULL ? d * w[kept] : d;
                kept++;
            }
        return kept;
    }
    if (w != NULL) {
        for (npy_intp j = 0; j < points; j++, from += row)
            to[j] = *(const double *)from * w[j];
    } else {
        for (npy_intp j = 0; j < points; j++, from += row)
            to[j] = *(const double *)from;
    }
    return points;
}

void weigh_derivatives(npy_intp points, npy_intp n, const char *from, npy_intp row,
                       npy_intp column, const double *w, const npy_bool *mask,
                       double *fjac, npy_intp ldfjac)
{
    enum { BLOCK = 64 }; /* points whose rows, read once for each column, stay in cache */
    npy_intp i = 0, kept = 0;

    for (npy_intp start = 0; start < points; start += BLOCK, i += kept) {
        npy_intp count = points - start < BLOCK ? points - start : BLOCK;
        for (npy_intp p = 0; p < n; p++)
            kept = weigh_entries(
                count, from + start * row + p * column, row, w != NULL ? w + i : NULL,
                mask != NULL ? mask + start : NULL, fjac + i + p * ldfjac);
    }
}

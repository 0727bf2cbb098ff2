#include "answers.h"

#include <float.h>
#include <string.h>

/* The spacing of float16 next to 1, as NumPy's finfo has it. */
#define HALF_EPSILON 0x1p-10

/* The elements of an object array, each by float(). float() would read text, and NumPy
 * would make NaN of None: here they are errors. */
static PyArrayObject *floats_of_objects(const callback *self,
                                        PyArrayObject *objects /* borrowed */)
{
    PyArrayObject *floats = NULL;
    /* The array may be the user's, of any strides, and a __float__ may change it: the
     * copy is contiguous and has its own references. */
    PyArrayObject *own = (PyArrayObject *)PyArray_NewCopy(objects, NPY_CORDER); /* new */
    if (own == NULL)
        return NULL;
    floats = (PyArrayObject *)PyArray_SimpleNew(PyArray_NDIM(own), PyArray_DIMS(own),
                                                NPY_DOUBLE); /* new */
    if (floats == NULL)
        goto done;
    double *to = PyArray_DATA(floats);
    PyObject **from = PyArray_DATA(own);
    for (npy_intp i = 0; i < PyArray_SIZE(own); i++) {
        PyObject *item = from[i]; /* borrowed */
        if (PyUnicode_Check(item) || PyBytes_Check(item)) {
            PyErr_SetNone(PyExc_TypeError);
        } else {
            to[i] = PyFloat_AsDouble(item);
            if (to[i] != -1.0 || !PyErr_Occurred())
                continue;
        }
        if (PyErr_ExceptionMatches(PyExc_TypeError) && PyArray_NDIM(objects) == 0)
            PyErr_Format(self->shape_error,
                         "%s must return real numbers in an array or a sequence, not an "
                         "object of type %.200s",
                         self->name, Py_TYPE(item)->tp_name);
        else if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError,
                         "%s must return real numbers; item %zd is of type %.200s",
                         self->name, (Py_ssize_t)i, Py_TYPE(item)->tp_name);
        else if (PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_Format(PyExc_OverflowError,
                         "%s must return numbers that fit float64; item %zd is too large",
                         self->name, (Py_ssize_t)i);
        Py_CLEAR(floats);
        goto done;
    }
done:
    Py_DECREF(own);
    return floats;
}

PyArrayObject *real_array(const callback *self, PyObject *answer, int flags,
                          int *type_num)
{
    PyArrayObject *floats = NULL;
    PyArrayObject *natural = natural_array(answer, self->name); /* new */
    if (natural == NULL)
        return NULL;

    PyArray_Descr *type = PyArray_DESCR(natural); /* borrowed */
    int is_array = PyArray_Check(answer);
    flags |= NPY_ARRAY_ENSUREARRAY;
    if (type_num != NULL)
        *type_num = type->type_num;
    if (PyArray_CanCastSafely(type->type_num, NPY_DOUBLE) && type->type_num != NPY_OBJECT
        && !PyTypeNum_ISSTRING(type->type_num)) {
        floats = (PyArrayObject *)PyArray_FROMANY((PyObject *)natural, NPY_DOUBLE, 0, 0,
                                                  flags);
    } else if (type->type_num == NPY_OBJECT && !is_array) {
        floats = floats_of_objects(self, natural);
    } else if (type->type_num == NPY_LONGDOUBLE && !is_array) {
        floats = (PyArrayObject *)PyArray_FROMANY((PyObject *)natural, NPY_DOUBLE, 0, 0,
                                                  flags | NPY_ARRAY_FORCECAST);
    } else {
        PyErr_Format(PyExc_TypeError,
                     "%s must return real numbers that fit float64; it returned %s "
                     "(dtype %S)",
                     self->name, kind_of_number(natural), (PyObject *)type);
    }
    Py_DECREF(natural);
    return floats;
}

double relative_spacing(int type_num)
{
    return type_num == NPY_FLOAT  ? FLT_EPSILON
           : type_num == NPY_HALF ? HALF_EPSILON
                                  : DBL_EPSILON;
}

PyArrayObject *strided_array(const callback *self, PyObject *answer, double *epsilon)
{
    int type_num = NPY_DOUBLE;
    PyArrayObject *array = (PyArrayObject *)answer; /* the caller's reference */

    if (!PyArray_CheckExact(answer) || PyArray_TYPE(array) != NPY_DOUBLE
        || !PyArray_ISBEHAVED_RO(array)) {
        array = real_array(self, answer, NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED,
                           &type_num); /* new */
        Py_DECREF(answer);
    }
    if (array != NULL && epsilon != NULL)
        *epsilon = relative_spacing(type_num);
    return array;
}

PyArrayObject *residuals_array(const callback *self, PyObject *answer, npy_intp n,
                               double *epsilon)
{
    int type_num = NPY_DOUBLE;

    if (is_plain_vector(answer)) {
        if (epsilon != NULL)
            *epsilon = DBL_EPSILON;
        return (PyArrayObject *)answer; /* the caller's reference */
    }

    PyArrayObject *array = real_array(self, answer, NPY_ARRAY_CARRAY_RO, &type_num);
    Py_DECREF(answer);
    if (array == NULL)
        return NULL;
    if (epsilon != NULL)
        *epsilon = relative_spacing(type_num);
    if (PyArray_NDIM(array) == 0) {
        npy_intp one = 1;
        PyArray_Dims shape = {&one, 1};
        Py_SETREF(array, (PyArrayObject *)PyArray_Newshape(array, &shape, NPY_CORDER));
    } else if (PyArray_NDIM(array) > 1) {
        PyObject *text = shape_text(array); /* new */
        if (text != NULL)
            PyErr_Format(PyArray_DIM(array, 0) < n ? self->shape_error : PyExc_ValueError,
                         "%s must return a 1-D array of m residuals, m >= n = %zd; it "
                         "returned shape %U",
                         self->name, (Py_ssize_t)n, text);
        Py_XDECREF(text);
        Py_CLEAR(array);
    }
    return array;
}

/* fjac(i,j) = the entry at from + i*row + j*column, in blocks of rows that stay in
 * the cache. */
static void copy_by_columns(const char *from, npy_intp row, npy_intp column, npy_intp m,
                            npy_intp n, double *fjac, npy_intp ldfjac)
{
    enum { BLOCK = 64 };

    if (row == sizeof(double)) {
        for (npy_intp j = 0; j < n; j++)
            memcpy(fjac + j * ldfjac, from + j * column, (size_t)m * sizeof(double));
        return;
    }
    for (npy_intp start = 0; start < m; start += BLOCK) {
        npy_intp end = start + BLOCK < m ? start + BLOCK : m;
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp i = start; i < end; i++)
                fjac[i + j * ldfjac] = *(const double *)(from + i * row + j * column);
    }
}

int take_jacobian(const callback *self, PyObject *answer, int col_deriv, npy_intp m,
                  npy_intp n, double *fjac, npy_intp ldfjac, int first)
{
    npy_intp rows = col_deriv ? n : m, columns = col_deriv ? m : n;
    int good = 0;
    PyArrayObject *array = real_array(
        self, answer, NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED, NULL); /* new */
    if (array == NULL)
        return -1;

    int ndim = PyArray_NDIM(array);
    npy_intp *dims = PyArray_DIMS(array), *strides = PyArray_STRIDES(array);
    if (ndim == 2 && dims[0] == rows && dims[1] == columns) {
        good = 1;
        copy_by_columns(PyArray_BYTES(array), strides[col_deriv ? 1 : 0],
                        strides[col_deriv ? 0 : 1], m, n, fjac, ldfjac);
    } else if (n == 1 && (ndim == 1 || ndim == 2) && PyArray_SIZE(array) == m) {
        /* With one parameter a vector of m numbers will do. */
        int along = ndim == 2 && dims[0] == 1;
        good = dims[along] == m;
        if (good)
            copy_by_columns(PyArray_BYTES(array), strides[along], 0, m, 1, fjac, ldfjac);
    }
    if (!good) {
        PyObject *text = shape_text(array); /* new */
        if (text != NULL)
            PyErr_Format(first ? self->shape_error : PyExc_ValueError,
                         "%s must return the Jacobian with shape (%zd, %zd), one row for "
                         "each of the %s, at every call; it returned shape %U",
                         self->name, (Py_ssize_t)rows, (Py_ssize_t)columns,
                         col_deriv ? "n parameters (col_deriv is true)" : "m residuals",
                         text);
        Py_XDECREF(text);
    }
    Py_DECREF(array);
    return good ? 0 : -1;
}

/* The error for an array of a wrong shape. */
static void wrong_shape(const callback *self, PyArrayObject *array, const char *wanted)
{
    PyObject *text = shape_text(array); /* new */
    if (text != NULL)
        PyErr_Format(PyExc_ValueError, "%s must return %s; it returned shape %U",
                     self->name, wanted, text);
    Py_XDECREF(text);
}

int take_imaginary(const callback *self, PyObject *answer, npy_intp m, int repeats,
                   double h, double *column)
{
    PyArrayObject *array = natural_array(answer, self->name); /* new */
    if (array == NULL)
        return -1;
    if (!PyArray_ISCOMPLEX(array)) {
        PyErr_Format(
            PyExc_TypeError,
            "with jac='cs' %s must return complex numbers where x is complex; it "
            "returned dtype %S",
            self->name, (PyObject *)PyArray_DESCR(array));
        goto fail;
    }
    Py_SETREF(array, (PyArrayObject *)PyArray_FROMANY(
                         (PyObject *)array, NPY_CDOUBLE, 0, 0,
                         NPY_ARRAY_CARRAY_RO | NPY_ARRAY_ENSUREARRAY
                             | NPY_ARRAY_FORCECAST)); /* from clongdouble too */
    if (array == NULL)
        return -1;
    npy_intp step = PyArray_SIZE(array) == m;
    if (PyArray_NDIM(array) > 1 || (!step && !(repeats && PyArray_SIZE(array) == 1))) {
        wrong_shape(self, array, "as many numbers where x is complex as elsewhere");
        goto fail;
    }
    const double *parts = PyArray_DATA(array);
    for (npy_intp i = 0; i < m; i++)
        column[i] = parts[2 * i * step + 1] / h;
    Py_DECREF(array);
    return 0;
fail:
    Py_DECREF(array);
    return -1;
}

int take_loss(const callback *self, PyObject *answer, npy_intp m, double *rho)
{
    PyArrayObject *array = real_array(self, answer, NPY_ARRAY_CARRAY_RO, NULL); /* new */
    if (array == NULL)
        return -1;
    if (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != 3
        || PyArray_DIM(array, 1) != m) {
        wrong_shape(self, array, "rho and its first two derivatives, shape (3, m)");
        goto fail;
    }
    memcpy(rho, PyArray_DATA(array), (size_t)(3 * m) * sizeof(double));
    for (npy_intp i = 0; i < 2 * m; i++) {
        if (rho[i] < 0) {
            PyErr_Format(PyExc_ValueError,
                         "%s must return a rho that is not negative and does not fall: "
                         "row %zd of what it returned is negative at %zd",
                         self->name, (Py_ssize_t)(i / m), (Py_ssize_t)(i % m));
            goto fail;
        }
    }
    Py_DECREF(array);
    return 0;
fail:
    Py_DECREF(array);
    return -1;
}

#include "arguments.h"

#include <limits.h>

int real_argument(PyObject *object, const char *name, double *value)
{
    *value = PyFloat_AsDouble(object);
    if (*value != -1.0 || !PyErr_Occurred())
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be a real number, not %.200s", name,
                     Py_TYPE(object)->tp_name);
    else if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_Format(PyExc_OverflowError, "%s is too large for float64", name);
    return -1;
}

int count_argument(PyObject *object, const char *name, int *value)
{
    int overflow = 0;
    long number = 0;

    if (PyFloat_Check(object) && PyFloat_AS_DOUBLE(object) == 0.0) {
        *value = 0;
        return 0;
    }
    PyObject *integer = PyNumber_Index(object); /* new */
    if (integer == NULL) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s must be an integer, not %.200s", name,
                         Py_TYPE(object)->tp_name);
        return -1;
    }
    number = PyLong_AsLongAndOverflow(integer, &overflow);
    if (overflow || number > INT_MAX || number < INT_MIN) {
        PyErr_Format(PyExc_OverflowError, "%s must be at most %d in size, not %S", name,
                     INT_MAX, integer);
        Py_DECREF(integer);
        return -1;
    }
    Py_DECREF(integer);
    *value = number > 0 ? (int)number : 0;
    return 0;
}

PyArrayObject *vector_argument(PyObject *object, const char *name, int flatten)
{
    PyArrayObject *vector = NULL;

    if (is_plain_vector(object))
        return (PyArrayObject *)Py_NewRef(object);
    PyArrayObject *natural = natural_array(object, name); /* new */
    if (natural == NULL)
        return NULL;

    int type_num = PyArray_TYPE(natural);
    if (!PyArray_CanCastSafely(type_num, NPY_DOUBLE) || type_num == NPY_OBJECT
        || PyTypeNum_ISSTRING(type_num)) {
        PyErr_Format(PyExc_TypeError,
                     "%s must be real numbers that fit float64, not %s (dtype %S)", name,
                     kind_of_number(natural), (PyObject *)PyArray_DESCR(natural));
    } else if (!flatten && PyArray_NDIM(natural) != 1) {
        PyObject *text = shape_text(natural); /* new */
        if (text != NULL)
            PyErr_Format(PyExc_ValueError, "%s must be 1-D, not of shape %U", name, text);
        Py_XDECREF(text);
    } else {
        PyArrayObject *floats = (PyArrayObject *)PyArray_FROMANY(
            (PyObject *)natural, NPY_DOUBLE, 0, 0,
            NPY_ARRAY_CARRAY_RO | NPY_ARRAY_ENSUREARRAY); /* new */
        if (floats != NULL)
            vector = (PyArrayObject *)PyArray_Ravel(floats, NPY_CORDER); /* new */
        Py_XDECREF(floats);
    }
    Py_DECREF(natural);
    return vector;
}

int read_vector(PyObject *object, const char *name, PyArrayObject **vector)
{
    *vector = object == Py_None ? NULL : vector_argument(object, name, 0);
    return PyErr_Occurred() ? -1 : 0;
}

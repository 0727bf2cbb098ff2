#include "arrays.h"

int is_ours_alone(PyArrayObject *array)
{
#ifdef Py_GIL_DISABLED
    (void)array; /* a count of 1 says less there */
    return 0;
#else
    PyObject *object = (PyObject *)array;
    PyObject **weak_references =
        (PyObject **)((char *)object + Py_TYPE(object)->tp_weaklistoffset);
    return Py_REFCNT(object) == 1 && *weak_references == NULL
           && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA | NPY_ARRAY_WRITEABLE);
#endif
}

PyArrayObject *array_to_fill(PyArrayObject **kept, int ndim, npy_intp *shape, int type)
{
    PyArrayObject *array = *kept;
    int same = array != NULL && is_ours_alone(array) && PyArray_TYPE(array) == type
               && PyArray_NDIM(array) == ndim && PyArray_ISCARRAY(array);

    for (int axis = 0; same && axis < ndim; axis++)
        same = PyArray_DIM(array, axis) == shape[axis];
    if (!same) {
        array = (PyArrayObject *)PyArray_SimpleNew(ndim, shape, type); /* new */
        Py_XSETREF(*kept, array);
    }
    return array;
}

int is_plain_vector(PyObject *object)
{
    if (!PyArray_CheckExact(object))
        return 0;
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_NDIM(array) == 1
           && PyArray_ISCARRAY_RO(array);
}

/* Whether a subclass of arrays has a mask that hides some entries; -1 with an exception
 * set. */
static int is_masked(PyObject *object)
{
    if (!PyArray_Check(object) || PyArray_CheckExact(object))
        return 0;
    PyObject *mask = PyObject_GetAttrString(object, "mask"); /* new */
    if (mask == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    PyObject *any = PyObject_CallMethod(mask, "any", NULL); /* new */
    int is = any != NULL ? PyObject_IsTrue(any) : -1;
    Py_DECREF(mask);
    Py_XDECREF(any);
    return is;
}

PyArrayObject *natural_array(PyObject *object, const char *name)
{
    int masked = is_masked(object);

    if (masked > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s: some of the numbers are masked, and there is no residual "
                     "without a value; leave them out, or give them one by filled()",
                     name);
    if (masked != 0)
        return NULL;
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_O(object); /* new */

    if (array == NULL && (PyList_Check(object) || PyTuple_Check(object))
        && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Format(PyExc_ValueError,
                     "%s: sequences of different lengths are no array of numbers", name);
    return array;
}

const char *kind_of_number(PyArrayObject *array)
{
    switch (PyArray_DESCR(array)->kind) {
    case 'c':
        return "complex numbers";
    case 'f':
        return "numbers too wide for float64";
    case 'U':
    case 'S':
    case 'T':
        return "text";
    case 'M':
    case 'm':
        return "dates or times";
    case 'V':
        return "records";
    default:
        return "Python objects";
    }
}

PyObject *shape_text(PyArrayObject *array)
{
    PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array));
    PyObject *text = shape ? PyObject_Repr(shape) : NULL; /* new */
    Py_XDECREF(shape);
    return text;
}

int find_strides(PyArrayObject *array, int ndim, const npy_intp *shape, int broadcasts,
                 npy_intp *strides)
{
    int missing = ndim - PyArray_NDIM(array);

    if (missing < 0 || (missing > 0 && !broadcasts))
        return 0;
    for (int axis = 0; axis < ndim; axis++) {
        npy_intp size = axis < missing ? 1 : PyArray_DIM(array, axis - missing);
        if (size != shape[axis] && (size != 1 || !broadcasts))
            return 0;
        strides[axis] = size == 1 ? 0 : PyArray_STRIDE(array, axis - missing);
        if (size == 1
            && shape[axis] == 1) /* any stride will do: that of contiguous rows */
            strides[axis] = sizeof(double);
    }
    return 1;
}

/* What a program is given: parameters, constants and data. */
#include "program_parts.h"

#include <limits.h>
#include <string.h>

static char type_of(PyArrayObject *array)
{
    switch (PyArray_TYPE(array)) {
    case NPY_BOOL:
        return '?';
    case NPY_FLOAT:
        return 'f';
    case NPY_DOUBLE:
        return 'd';
    case NPY_LONG:
    case NPY_LONGLONG:
        return PyArray_ITEMSIZE(array) == sizeof(npy_int64) ? 'l' : 0;
    default:
        return 0;
    }
}

static int read_constant(operand *o, PyArrayObject *array)
{
    int ndim = PyArray_NDIM(array);

    o->kind = ndim == 2 ? MATRIX : CONSTANT;
    o->type = type_of(array);
    o->is_scalar = ndim == 0;
    o->address = PyArray_BYTES(array);
    if (ndim > 2 || o->type == 0 || (ndim == 2 && o->type != 'd')
        || !PyArray_ISBEHAVED_RO(array)) {
        PyErr_SetString(PyExc_TypeError,
                        "program: a constant is an aligned array, in native byte order, "
                        "of bool, int64, float32 or float64, and of float64 where it has "
                        "two dimensions");
        return -1;
    }
    if (ndim == 1) {
        o->length = PyArray_DIM(array, 0);
        o->stride = PyArray_STRIDE(array, 0);
    }
    return 0;
}

static int read_data(program *p, operand *o, PyObject *leaf)
{
    Py_ssize_t array, place, stride;
    const char *type;

    if (!PyArg_ParseTuple(leaf,
                          "nnnsp;program: a leaf is an array or (k, offset, stride, "
                          "type, is_scalar)",
                          &array, &place, &stride, &type, &o->is_scalar))
        return -1;
    npy_intp size = strlen(type) == 1 ? size_of_type(*type) : 0;
    if (size == 0 || array < 0 || array >= INT_MAX || place % size != 0
        || stride % size != 0 || stride < -NPY_MAX_INTP)
        return program_wrong(
            "a leaf of data has a type of ?, d, f and l, and offset and stride "
            "in whole numbers of it");
    o->kind = DATA;
    o->type = *type == 'q' ? 'l' : *type;
    o->array = (int)array;
    o->place = place;
    o->stride = o->is_scalar ? 0 : stride;
    o->length = o->is_scalar; /* of a vector: when it is used */
    if (array >= p->narrays)
        p->narrays = (int)array + 1;
    return 0;
}

int program_add_leaves(program *p, PyObject *leaves)
{
    for (int j = 0; j < p->n; j++) {
        operand *o = program_add_operand(p);
        o->kind = PARAMETER;
        o->type = 'd';
        o->is_scalar = 1;
    }
    p->nleaves = (int)PyTuple_GET_SIZE(leaves);
    for (Py_ssize_t i = 0; i < p->nleaves; i++) {
        PyObject *leaf = PyTuple_GET_ITEM(leaves, i); /* borrowed */
        operand *o = program_add_operand(p);
        int status = -1;
        if (PyArray_Check(leaf))
            status = read_constant(o, (PyArrayObject *)leaf);
        else if (PyTuple_Check(leaf))
            status = read_data(p, o, leaf);
        else
            PyErr_Format(PyExc_TypeError,
                         "program: a leaf is an array or a tuple, not %.200s",
                         Py_TYPE(leaf)->tp_name);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* --- Arrays of data -------------------------------------------------------- */

static int too_short(int k)
{
    PyErr_Format(PyExc_ValueError,
                 "program: array %d does not hold the aligned numbers that the program "
                 "reads",
                 k);
    return -1;
}

int program_check_array(const program *p, int k, PyArrayObject *array, int first_axis)
{
    npy_intp low = 0, high = PyArray_ITEMSIZE(array); /* bytes that belong to the array */

    for (int axis = first_axis; axis < PyArray_NDIM(array); axis++) {
        npy_intp size = PyArray_DIM(array, axis);
        npy_intp span = (size - 1) * PyArray_STRIDE(array, axis);
        if (size == 0)
            high = low;
        else if (span < 0)
            low += span;
        else
            high += span;
    }
    for (int i = p->n; i < p->n + p->nleaves; i++) {
        const operand *o = &p->operands[i];
        if (o->kind != DATA || o->array != k || o->length == 0)
            continue;
        npy_intp size = size_of_type(o->type), room = high - low - size;
        npy_intp distance = o->stride < 0 ? -o->stride : o->stride;
        if (room < 0 || o->place > high
            || (distance > 0 && o->length - 1 > room / distance))
            return too_short(k);
        npy_intp span = (o->length - 1) * o->stride;
        npy_intp least = o->place + (span < 0 ? span : 0);
        npy_intp most = o->place + (span > 0 ? span : 0) + size;
        if (o->place < low || o->place > high || least < low || most > high
            || (npy_intp)PyArray_DATA(array) % size != 0)
            return too_short(k);
        for (int axis = 0; axis < first_axis; axis++)
            if (PyArray_STRIDE(array, axis) % size != 0)
                return too_short(k);
    }
    return 0;
}

#include "callback.h"

#include <string.h>

#include <numpy/arrayscalars.h>

/* The values of the keywords onto the stack, and their names. */
static int push_keywords(callback *self, PyObject *kwargs)
{
    PyObject **to = self->stack + 1 + self->nargs;
    PyObject *key, *value; /* borrowed */
    Py_ssize_t position = 0, i = 0;

    self->keywords = PyTuple_New(PyDict_GET_SIZE(kwargs)); /* new */
    if (self->keywords == NULL)
        return -1;
    while (PyDict_Next(kwargs, &position, &key, &value)) {
        if (!PyUnicode_Check(key)) {
            PyErr_Format(PyExc_TypeError, "the keys of kwargs must be text, not %R", key);
            return -1;
        }
        PyTuple_SET_ITEM(self->keywords, i, Py_NewRef(key)); /* steals */
        to[i++] = value;
    }
    return 0;
}

/* What both kinds have in common: a stack for nargs arguments and `named` keywords. */
static int prepare(callback *self, const char *name, PyObject *callable, Py_ssize_t nargs,
                   Py_ssize_t named)
{
    self->name = name;
    self->shape_error = PyExc_ValueError;
    self->callable = callable;
    self->nargs = nargs;
    self->stack = self->small;
    if (!PyCallable_Check(callable)) {
        PyErr_Format(PyExc_TypeError, "%s must be callable, not %.200s", name,
                     Py_TYPE(callable)->tp_name);
        return -1;
    }
    if (1 + nargs + named > (Py_ssize_t)(sizeof self->small / sizeof *self->small)) {
        self->stack = PyMem_New(PyObject *, 1 + nargs + named);
        if (self->stack == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

int callback_init(callback *self, const char *name, PyObject *callable, PyObject *args,
                  PyObject *kwargs)
{
    Py_ssize_t extra = args != NULL ? PyTuple_GET_SIZE(args) : 0;
    Py_ssize_t named = kwargs != NULL ? PyDict_GET_SIZE(kwargs) : 0;

    if (prepare(self, name, callable, 1 + extra, named) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < extra; i++)
        self->stack[2 + i] = PyTuple_GET_ITEM(args, i); /* borrowed */
    return named > 0 ? push_keywords(self, kwargs) : 0;
}

int callback_init_model(callback *self, const char *name, PyObject *callable,
                        PyObject *data, npy_intp n)
{
    if (prepare(self, name, callable, 1 + n, 0) < 0)
        return -1;
    self->stack[1] = data;
    memset(self->stack + 2, 0, (size_t)n * sizeof *self->stack);
    self->numbers = n;
    return 0;
}

void callback_clear(callback *self)
{
    for (Py_ssize_t i = 0; i < self->numbers; i++)
        Py_CLEAR(self->stack[2 + i]);
    self->numbers = 0;
    if (self->stack != self->small) /* NULL where it was never initialized */
        PyMem_Free(self->stack);
    self->stack = NULL;
    Py_CLEAR(self->keywords);
    Py_CLEAR(self->x);
}

/* Nobody else has this number, which nobody can refer to weakly. */
static int is_unshared(PyObject *number)
{
#ifdef Py_GIL_DISABLED
    (void)number;
    return 0;
#else
    return Py_REFCNT(number) == 1;
#endif
}

/* Put x(n) on the stack as numbers, each in the object of the last call if the function
 * has not kept it. */
static int push_numbers(callback *self, npy_intp n, const double *x)
{
    PyObject **numbers = self->stack + 2;

    for (npy_intp i = 0; i < n; i++) {
        if (numbers[i] == NULL || !is_unshared(numbers[i])) {
            PyObject *number = PyArrayScalar_New(Double); /* new */
            if (number == NULL)
                return -1;
            Py_XSETREF(numbers[i], number);
        }
        PyArrayScalar_ASSIGN(numbers[i], Double, x[i]);
    }
    return 0;
}

/* Call with what is on the stack, a new reference to the answer or NULL. */
static PyObject *call(callback *self)
{
    PyObject *answer = PyObject_Vectorcall(
        self->callable, self->stack + 1,
        (size_t)self->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, self->keywords); /* new */
    /* A compiled function runs no bytecode, so nobody else looks for Ctrl-C. */
    if (answer != NULL && PyErr_CheckSignals() < 0)
        Py_CLEAR(answer);
    return answer;
}

/* Call with x, a new reference to the answer or NULL. */
static PyObject *call_at(callback *self, PyObject *x /* borrowed */)
{
    self->stack[1] = x;
    return call(self);
}

PyObject *callback_call(callback *self, npy_intp n, const double *x)
{
    if (self->numbers > 0)
        return push_numbers(self, n, x) < 0 ? NULL : call(self);
    PyArrayObject *own = array_to_fill(&self->x, 1, &n, NPY_DOUBLE); /* borrowed */
    if (own == NULL)
        return NULL;
    memcpy(PyArray_DATA(own), x, (size_t)n * sizeof(double));
    return call_at(self, (PyObject *)own);
}

/* Put x(count, n) on the stack as n columns. */
static int push_columns(callback *self, npy_intp n, npy_intp count, const double *x)
{
    npy_intp shape[2] = {count, 1};

    for (npy_intp j = 0; j < n; j++) {
        PyArrayObject **kept = (PyArrayObject **)&self->stack[2 + j];
        PyArrayObject *column = array_to_fill(kept, 2, shape, NPY_DOUBLE); /* borrowed */
        if (column == NULL)
            return -1;
        for (npy_intp k = 0; k < count; k++)
            doubles(column)[k] = x[k * n + j];
    }
    return 0;
}

PyObject *callback_call_at_points(callback *self, npy_intp n, npy_intp count,
                                  const double *x)
{
    npy_intp shape[2] = {n, count};

    if (self->numbers > 0)
        return push_columns(self, n, count, x) < 0 ? NULL : call(self);
    PyArrayObject *own = array_to_fill(&self->x, 2, shape, NPY_DOUBLE); /* borrowed */
    if (own == NULL)
        return NULL;
    for (npy_intp j = 0; j < n; j++)
        for (npy_intp k = 0; k < count; k++)
            doubles(own)[j * count + k] = x[k * n + j];
    return call_at(self, (PyObject *)own);
}

/* (data, x1, ..., xn) for a model, the numbers complex: a new tuple, or NULL. */
static PyObject *complex_arguments(const callback *self, const double *parts)
{
    PyObject *arguments = PyTuple_New(1 + self->numbers); /* new */

    if (arguments == NULL)
        return NULL;
    PyTuple_SET_ITEM(arguments, 0, Py_NewRef(self->stack[1])); /* steals */
    for (Py_ssize_t k = 0; k < self->numbers; k++) {
        PyObject *number = PyArrayScalar_New(CDouble); /* new */
        if (number == NULL) {
            Py_DECREF(arguments);
            return NULL;
        }
        memcpy(&PyArrayScalar_VAL(number, CDouble), parts + 2 * k, 2 * sizeof(double));
        PyTuple_SET_ITEM(arguments, 1 + k, number); /* steals */
    }
    return arguments;
}

PyObject *callback_call_complex(callback *self, npy_intp n, const double *x, npy_intp j,
                                double h)
{
    PyObject *answer = NULL;
    PyObject *point = PyArray_SimpleNew(1, &n, NPY_CDOUBLE); /* new */
    if (point == NULL)
        return NULL;
    double *parts = PyArray_DATA((PyArrayObject *)point);
    for (npy_intp k = 0; k < n; k++) {
        parts[2 * k] = x[k];
        parts[2 * k + 1] = k == j ? h : 0.0;
    }
    if (self->numbers > 0) {
        PyObject *arguments = complex_arguments(self, parts); /* new */
        if (arguments != NULL)
            answer = PyObject_CallObject(self->callable, arguments); /* new */
        Py_XDECREF(arguments);
    } else {
        answer = call_at(self, point); /* new */
    }
    Py_DECREF(point);
    return answer;
}

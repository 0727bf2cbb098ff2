#include "question.h"

#include <string.h>

#include "worker.h"

/* The rows of xdata that belong to the fits; a row that is there is not read again, and
 * so the function must not change it. */
static int fill_x_rows(worker *w, question *q, int count)
{
    batch *b = w->batch;
    npy_intp shape[2] = {count, b->points};
    PyArrayObject *before = q->arrays[0];

    if (before != NULL && Py_REFCNT(before) == 1)
        PyArray_ENABLEFLAGS(before, NPY_ARRAY_WRITEABLE);
    PyArrayObject *x = array_to_fill(&q->arrays[0], 2, shape, NPY_DOUBLE);
    if (x == NULL)
        return -1;
    for (int k = 0; k < count; k++) {
        npy_intp fit = w->slots[w->asking[k]].fit;
        if (x == before && q->holds[k] == fit)
            continue;
        read_row(b->x_rows, fit, b->points, NULL, doubles(x) + k * b->points);
        q->holds[k] = fit;
    }
    PyArray_CLEARFLAGS(x, NPY_ARRAY_WRITEABLE);
    q->stack[1] = (PyObject *)x;
    return 0;
}

/* f(xdata, *parameters), each of them a column */
static int fill_curve(worker *w, question *q, int count, int at_trial)
{
    npy_intp shape[2] = {count, 1};
    int n = w->batch->fit.rows.n;

    if (w->batch->x_rows != NULL && fill_x_rows(w, q, count) < 0)
        return -1;
    for (int p = 0; p < n; p++) {
        PyArrayObject *column = array_to_fill(&q->arrays[1 + p], 2, shape, NPY_DOUBLE);
        if (column == NULL)
            return -1;
        double *to = doubles(column);
        for (int k = 0; k < count; k++) {
            const lm_state *s = &w->slots[w->asking[k]].lm.state;
            to[k] = (at_trial ? s->x_trial : s->x)[p];
        }
        q->stack[2 + p] = (PyObject *)column;
    }
    return 0;
}

/* func(x, rows, *args) */
static int fill_residuals(worker *w, question *q, int count, int at_trial)
{
    int n = w->batch->fit.rows.n;
    npy_intp shape[2] = {count, n};
    PyArrayObject *x = array_to_fill(&q->arrays[0], 2, shape, NPY_DOUBLE);
    PyArrayObject *rows = array_to_fill(&q->arrays[1], 1, shape, NPY_INTP);

    if (x == NULL || rows == NULL)
        return -1;
    for (int k = 0; k < count; k++) {
        const slot *own = &w->slots[w->asking[k]];
        const lm_state *s = &own->lm.state;
        memcpy(doubles(x) + (npy_intp)k * n, at_trial ? s->x_trial : s->x,
               (size_t)n * sizeof(double));
        ((npy_intp *)PyArray_DATA(rows))[k] = own->fit;
    }
    q->stack[1] = (PyObject *)x;
    q->stack[2] = (PyObject *)rows;
    return 0;
}

/* `object` is stolen. */
static int take_answer(answer *a, PyObject *object, const question *q, int ndim,
                       const npy_intp *shape, int broadcasts)
{
    a->array = strided_array(&q->function, object /* steals */, &a->epsilon); /* new */
    if (a->array == NULL)
        return -1;
    if (find_strides(a->array, ndim, shape, broadcasts, a->strides))
        return 0;

    PyObject *wanted = PyArray_IntTupleFromIntp(ndim, shape); /* new */
    PyObject *came = PyArray_IntTupleFromIntp(PyArray_NDIM(a->array),
                                              PyArray_DIMS(a->array)); /* new */
    if (wanted != NULL && came != NULL)
        PyErr_Format(PyExc_ValueError,
                     "%s must return an array %s %R, with a row for each fit that it is "
                     "called for; it returned shape %R",
                     q->function.name, broadcasts ? "that broadcasts to" : "of shape",
                     wanted, came);
    Py_XDECREF(wanted);
    Py_XDECREF(came);
    Py_CLEAR(a->array);
    return -1;
}

/* (values, Jacobian), stolen: the values to *a, the Jacobian to w->derivatives_too. */
static int take_pair(worker *w, PyObject *pair, const npy_intp *shape, answer *a)
{
    int broadcasts = w->batch->is_curve, status = -1;

    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(
            PyExc_TypeError,
            "%s must return a tuple of its values and their Jacobian, as %s=True "
            "says, not %s",
            w->residuals.function.name, broadcasts ? "jac" : "Dfun",
            Py_TYPE(pair)->tp_name);
        goto done;
    }
    PyObject *values = Py_NewRef(PyTuple_GET_ITEM(pair, 0));
    PyObject *derivatives = Py_NewRef(PyTuple_GET_ITEM(pair, 1));
    status = take_answer(a, values /* steals */, &w->residuals, 2, shape, broadcasts);
    if (status < 0) {
        Py_DECREF(derivatives);
        goto done;
    }
    status = take_answer(&w->derivatives_too, derivatives /* steals */, &w->jacobian, 3,
                         shape, broadcasts);
    if (status < 0)
        Py_CLEAR(a->array);
done:
    Py_DECREF(pair);
    return status;
}

void question_init(question *q, const batch *b, PyObject *callable, const char *name)
{
    q->function.callable = callable;
    q->function.name = name;
    q->function.shape_error = PyExc_TypeError; /* as leastsq and curve_fit */
    if (b->is_curve) {
        q->stack[1] = PyTuple_GET_ITEM(b->args, 0); /* borrowed */
        return;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(b->args); i++)
        q->stack[3 + i] = PyTuple_GET_ITEM(b->args, i); /* borrowed */
}

void question_clear(question *q)
{
    for (Py_ssize_t i = 0; i < q->narrays; i++)
        Py_CLEAR(q->arrays[i]);
}

int question_ask(question *q, worker *w, int count, int is_jacobian, answer *a)
{
    const batch *b = w->batch;
    npy_intp shape[3] = {count, b->points, b->fit.rows.n};

    if ((b->is_curve ? fill_curve : fill_residuals)(w, q, count, !is_jacobian) < 0)
        return -1;
    PyObject *object = PyObject_Vectorcall(
        q->function.callable, q->stack + 1,
        (size_t)q->nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL); /* new */
    if (object == NULL)
        return -1;
    if (b->is_pair)
        return take_pair(w, object /* steals */, shape, a);
    return take_answer(a, object /* steals */, q, 2 + is_jacobian, shape, b->is_curve);
}

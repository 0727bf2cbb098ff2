#include "points.h"

#include <string.h>

/* --- Arguments ----------------------------------------------------------------- */

int points_read(fit *self, PyObject *vectorized, PyObject *map, const char *jac_name,
                int is_compiled)
{
    const char *option = map == Py_None ? "vectorized=True" : "workers";

    self->vectorized = PyObject_IsTrue(vectorized);
    if (self->vectorized < 0)
        return -1;
    if (map != Py_None)
        self->map = map;
    if (!self->vectorized && self->map == NULL)
        return 0;
    if (self->vectorized && self->map != NULL)
        PyErr_SetString(PyExc_ValueError,
                        "vectorized=True leaves nothing to workers: all points of a "
                        "Jacobian are evaluated in one call");
    else if (is_compiled)
        PyErr_Format(PyExc_ValueError,
                     "%s needs a Python %s: a compiled one takes one point in each call",
                     option, self->func.name);
    else if (self->complex_steps)
        PyErr_Format(PyExc_ValueError, "%s is for differences, not for jac='cs'", option);
    else if (self->analytic)
        PyErr_Format(PyExc_ValueError,
                     "%s is for differences: with %s there are none to evaluate", option,
                     jac_name);
    return PyErr_Occurred() ? -1 : 0;
}

/* --- The points of an iterate ------------------------------------------------------ */

/* Their x in rows(count, n), unless it is NULL. Returns their number. */
static npy_intp list_points(lm_fit *lm, double *rows)
{
    npy_intp count = 0, n = lm->rows.n;

    for (int k = lm_next_point(lm, -1); k >= 0; k = lm_next_point(lm, k), count++)
        if (rows != NULL) {
            lm_move_to(lm, k);
            memcpy(rows + count * n, lm->state.x_trial, (size_t)n * sizeof(double));
        }
    return count;
}

/* --- Vectorized functions ------------------------------------------------------------
 */

/* What came back for `count` points, with m residuals for each. */
typedef struct {
    PyArrayObject *array; /* ours */
    npy_intp m, count;
    npy_intp of_row, of_point; /* strides; 0 where one value stands for all */
} answers;

static void wrong_shape(const fit *self, const answers *a)
{
    PyObject *came = shape_text(a->array); /* new */
    PyObject *rows = a->m < 0 ? PyUnicode_FromString("m")
                              : PyUnicode_FromFormat("%zd", (Py_ssize_t)a->m); /* new */

    if (came != NULL && rows != NULL && self->data != NULL)
        PyErr_Format(PyExc_ValueError,
                     "%s must return an array that broadcasts to shape (%zd, %U), with a "
                     "row for each point that it is called for (vectorized is true); it "
                     "returned shape %U",
                     self->func.name, (Py_ssize_t)a->count, rows, came);
    else if (came != NULL && rows != NULL)
        PyErr_Format(
            PyExc_ValueError,
            "%s must return an array of shape (%U, %zd), with a column for each "
            "point that it is called for (vectorized is true); it returned shape "
            "%U",
            self->func.name, rows, (Py_ssize_t)a->count, came);
    Py_XDECREF(came);
    Py_XDECREF(rows);
}

/* Whether a->array holds what func is to return: values of a model, (count, m) by
 * broadcasting, or residuals, (m, count). */
static int has_right_shape(const fit *self, answers *a)
{
    int ndim = PyArray_NDIM(a->array);
    npy_intp strides[2];

    if (self->data == NULL) {
        npy_intp m = a->m < 0 && ndim == 2 ? PyArray_DIM(a->array, 0) : a->m;
        npy_intp shape[2] = {m, a->count};
        if (!find_strides(a->array, 2, shape, 0, strides))
            return 0;
        a->m = m;
        a->of_row = strides[0];
        a->of_point = strides[1];
        return 1;
    }
    npy_intp data = PyArray_SIZE(self->data->y);
    if (a->m < 0)
        a->m = data != 1 ? data : ndim > 0 ? PyArray_DIM(a->array, ndim - 1) : 1;
    npy_intp shape[2] = {a->count, a->m};
    if (!find_strides(a->array, 2, shape, 1, strides))
        return 0;
    a->of_point = strides[0];
    a->of_row = strides[1];
    return self->data->factor == NULL || a->m == PyArray_DIM(self->data->factor, 0);
}

/* Call func at the points rows(count, n); m is -1 where it is not known yet. Returns 0,
 * or -1 with an exception set. */
static int ask(fit *self, npy_intp n, npy_intp count, const double *rows, npy_intp m,
               answers *a, double *epsilon)
{
    PyObject *object = callback_call_at_points(&self->func, n, count, rows); /* new */

    *a = (answers){.m = m, .count = count};
    if (object == NULL)
        return -1;
    a->array = strided_array(&self->func, object /* steals */, epsilon); /* new */
    if (a->array == NULL)
        return -1;
    if (has_right_shape(self, a))
        return 0;
    wrong_shape(self, a);
    Py_CLEAR(a->array);
    return -1;
}

/* The residuals of point k, from what func returned, to fvec(m). */
static void read_point(const fit *self, const answers *a, npy_intp k, double *fvec)
{
    const char *from = PyArray_BYTES(a->array) + k * a->of_point;

    for (npy_intp i = 0; i < a->m; i++)
        fvec[i] = *(const double *)(from + i * a->of_row);
    if (self->data != NULL)
        data_weigh_values(self->data, a->m, fvec);
}

PyArrayObject *points_vectorized_residuals(fit *self, npy_intp n, const double *x,
                                           double *epsilon)
{
    answers a;
    npy_intp m = self->lm.rows.m > 0 ? self->lm.rows.m : -1;

    if (ask(self, n, 1, x, m, &a, epsilon) < 0)
        return NULL;
    PyArrayObject *fvec =
        (PyArrayObject *)PyArray_SimpleNew(1, &a.m, NPY_DOUBLE); /* new */
    if (fvec != NULL)
        read_point(self, &a, 0, doubles(fvec));
    Py_DECREF(a.array);
    return fvec;
}

int points_vectorized(void *who, lm_fit *lm)
{
    fit *self = who;
    npy_intp n = lm->rows.n, m = lm->rows.m, count = list_points(lm, NULL), i = 0;
    answers a;
    int status = FIT_FAILED;

    if (count == 0)
        return 0;
    npy_intp size = m + count * n;
    PyArrayObject *room =
        (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE); /* new */
    if (room == NULL)
        return FIT_FAILED;
    double *fvec = doubles(room);
    list_points(lm, fvec + m);
    if (ask(self, n, count, fvec + m, m, &a, NULL) < 0)
        goto done;
    for (int k = lm_next_point(lm, -1); k >= 0; k = lm_next_point(lm, k)) {
        read_point(self, &a, i++, fvec);
        lm_take_point(lm, k, fvec);
    }
    Py_DECREF(a.array);
    status = 0;
done:
    Py_DECREF(room);
    return status;
}

/* --- A map ------------------------------------------------------------------------- */

/* A list of the points' x as new arrays: a new reference, or NULL. */
static PyObject *points_list(lm_fit *lm)
{
    npy_intp n = lm->rows.n;
    Py_ssize_t i = 0;
    PyObject *list = PyList_New(list_points(lm, NULL)); /* new */

    for (int k = lm_next_point(lm, -1); list != NULL && k >= 0;
         k = lm_next_point(lm, k)) {
        PyObject *x = PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
        if (x == NULL) {
            Py_CLEAR(list);
            break;
        }
        lm_move_to(lm, k);
        memcpy(doubles((PyArrayObject *)x), lm->state.x_trial,
               (size_t)n * sizeof(double));
        PyList_SET_ITEM(list, i++, x); /* steals */
    }
    return list;
}

/* The answers at these points as a new tuple or list, or NULL. */
static PyObject *map_points(const fit *self, PyObject *list /* borrowed */)
{
    PyObject *fast = NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    PyObject *object = PyObject_CallOneArg(self->map, list); /* new */

    if (object == NULL)
        return NULL;
    fast = PySequence_Fast(object, "workers must return an iterable"); /* new */
    Py_DECREF(object);
    if (fast != NULL && PySequence_Fast_GET_SIZE(fast) != count) {
        PyErr_Format(PyExc_ValueError,
                     "workers must return one result for each of the %zd points that it "
                     "gets; it returned %zd",
                     count, PySequence_Fast_GET_SIZE(fast));
        Py_CLEAR(fast);
    }
    return fast;
}

int points_mapped(void *who, lm_fit *lm)
{
    fit *self = who;
    PyObject *answers = NULL, *list = points_list(lm); /* new */
    Py_ssize_t i = 0;
    int status = FIT_FAILED;

    if (list == NULL)
        return FIT_FAILED;
    if (PyList_GET_SIZE(list) > 0)
        answers = map_points(self, list); /* new */
    if (answers == NULL)
        goto done;
    for (int k = lm_next_point(lm, -1); k >= 0; k = lm_next_point(lm, k)) {
        PyObject *answer = PySequence_Fast_GET_ITEM(answers, i++); /* borrowed */
        if (fit_take_answer(self, Py_NewRef(answer) /* steals */, NULL) < 0)
            goto done;
        lm_take_point(lm, k, doubles(self->trial));
    }
done:
    if (!PyErr_Occurred())
        status = 0;
    Py_DECREF(list);
    Py_XDECREF(answers);
    return status;
}

#include "callback.h"

#include <float.h>
#include <string.h>

#include <numpy/arrayscalars.h>

/* The spacing of float16 next to 1, as NumPy's finfo has it. */
#define HALF_EPSILON 0x1p-10

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
    Py_ssize_t extra = PyTuple_GET_SIZE(args);
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

PyObject *callback_call_complex(callback *self, npy_intp n, const double *x, npy_intp j,
                                double h)
{
    PyObject *point = PyArray_SimpleNew(1, &n, NPY_CDOUBLE); /* new */
    if (point == NULL)
        return NULL;
    double *parts = PyArray_DATA((PyArrayObject *)point);
    for (npy_intp k = 0; k < n; k++) {
        parts[2 * k] = x[k];
        parts[2 * k + 1] = k == j ? h : 0.0;
    }
    PyObject *answer = call_at(self, point); /* new */
    Py_DECREF(point);
    return answer;
}

int is_plain_vector(PyObject *object)
{
    if (!PyArray_CheckExact(object))
        return 0;
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_TYPE(array) == NPY_DOUBLE && PyArray_NDIM(array) == 1
           && PyArray_ISCARRAY_RO(array);
}

/* NumPy's array of `object`, a new reference. A ragged sequence is an error that names
 * it; what the object's own methods raise passes unchanged. */
static PyArrayObject *natural_array(PyObject *object /* borrowed */, const char *name)
{
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_O(object); /* new */

    if (array == NULL && (PyList_Check(object) || PyTuple_Check(object))
        && PyErr_ExceptionMatches(PyExc_ValueError))
        PyErr_Format(PyExc_ValueError,
                     "%s: sequences of different lengths are no array of numbers", name);
    return array;
}

static const char *kind_of_number(PyArrayObject *array)
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

PyObject *shape_text(PyArrayObject *array)
{
    PyObject *shape = PyArray_IntTupleFromIntp(PyArray_NDIM(array), PyArray_DIMS(array));
    PyObject *text = shape ? PyObject_Repr(shape) : NULL; /* new */
    Py_XDECREF(shape);
    return text;
}

double relative_spacing(int type_num)
{
    return type_num == NPY_FLOAT  ? FLT_EPSILON
           : type_num == NPY_HALF ? HALF_EPSILON
                                  : DBL_EPSILON;
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
                            npy_intp n, double *fjac)
{
    enum { BLOCK = 64 };

    if (row == sizeof(double)) {
        for (npy_intp j = 0; j < n; j++)
            memcpy(fjac + j * m, from + j * column, (size_t)m * sizeof(double));
        return;
    }
    for (npy_intp start = 0; start < m; start += BLOCK) {
        npy_intp end = start + BLOCK < m ? start + BLOCK : m;
        for (npy_intp j = 0; j < n; j++)
            for (npy_intp i = start; i < end; i++)
                fjac[i + j * m] = *(const double *)(from + i * row + j * column);
    }
}

int take_jacobian(const callback *self, PyObject *answer, int col_deriv, npy_intp m,
                  npy_intp n, double *fjac, int first)
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
                        strides[col_deriv ? 0 : 1], m, n, fjac);
    } else if (n == 1 && (ndim == 1 || ndim == 2) && PyArray_SIZE(array) == m) {
        /* With one parameter every vector of m numbers says what it must. */
        int along = ndim == 2 && dims[0] == 1;
        good = dims[along] == m;
        if (good)
            copy_by_columns(PyArray_BYTES(array), strides[along], 0, m, 1, fjac);
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

int take_imaginary(const callback *self, PyObject *answer, npy_intp m, double h,
                   double *column)
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
    if (PyArray_NDIM(array) > 1 || PyArray_SIZE(array) != m) {
        wrong_shape(self, array, "as many residuals where x is complex as elsewhere");
        goto fail;
    }
    const double *parts = PyArray_DATA(array);
    for (npy_intp i = 0; i < m; i++)
        column[i] = parts[2 * i + 1] / h;
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

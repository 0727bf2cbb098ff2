/* Programs as Python sees them. */
#include "program.h"

#include <fenv.h>
#include <limits.h>
#include <string.h>

#include "arguments.h"

static const char CAPSULE[] = "minpack.program";
static const char RESIDUALS[] = "int (int, int, double *, double *, void *)";
static const char JACOBIAN[] = "int (int, int, double *, double *, int, void *)";

/* --- The program ------------------------------------------------------------- */

static void free_program(PyObject *capsule)
{
    program_free(PyCapsule_GetPointer(capsule, CAPSULE));
}

program *program_of(PyObject *object)
{
    if (!PyCapsule_IsValid(object, CAPSULE))
        return NULL;
    return PyCapsule_GetPointer(object, CAPSULE);
}

PyObject *program_new(PyObject *module, PyObject *args)
{
    Py_ssize_t n, split;
    PyObject *leaves, *scalars, *segments; /* borrowed */
    int has_poles = 0;

    (void)module;
    if (!PyArg_ParseTuple(args, "nO!O!nO!|p:program", &n, &PyTuple_Type, &leaves,
                          &PyTuple_Type, &scalars, &split, &PyTuple_Type, &segments,
                          &has_poles))
        return NULL;
    program *p = program_build(n, leaves, scalars, split, segments);
    if (p == NULL)
        return NULL;
    p->has_poles = has_poles;
    PyObject *capsule = PyCapsule_New(p, CAPSULE, free_program); /* new; owns p */
    if (capsule == NULL)
        program_free(p);
    return capsule;
}

/* --- A run on arrays --------------------------------------------------------- */

/* Give a run array k of those of a tuple. */
static int take_array(program_run *run, int k, PyObject *object /* borrowed */)
{
    PyArrayObject *array = (PyArrayObject *)object;

    if (!PyArray_Check(object)) {
        PyErr_Format(PyExc_TypeError,
                     "arrays holds a %.200s, something else than an array",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (program_check_array(run->program, k, array, 0) < 0)
        return -1;
    program_run_base(run, k, PyArray_BYTES(array));
    return 0;
}

program_run *program_run_on(const program *p, PyObject *arrays)
{
    if (PyTuple_GET_SIZE(arrays) < p->narrays) {
        PyErr_Format(PyExc_ValueError, "program reads %d arrays, and %zd were given",
                     p->narrays, PyTuple_GET_SIZE(arrays));
        return NULL;
    }
    program_run *run = program_run_new(p);
    for (int k = 0; run != NULL && k < p->narrays; k++)
        if (take_array(run, k, PyTuple_GET_ITEM(arrays, k)) < 0) {
            program_run_free(run);
            return NULL;
        }
    return run;
}

/* The program, a run of it on the arrays, which stay alive with the run, and x. */
typedef struct {
    program *program; /* borrowed */
    program_run *run;
    PyArrayObject *x;
} arguments;

static int read_arguments(arguments *self, PyObject *capsule, PyObject *arrays,
                          PyObject *x)
{
    program *p = program_of(capsule);

    memset(self, 0, sizeof *self);
    self->program = p;
    if (p == NULL) {
        PyErr_Format(PyExc_TypeError,
                     "program must be what _minpack.program made, not %R", capsule);
        return -1;
    }
    self->x = vector_argument(x, "x", 0); /* new */
    if (self->x == NULL)
        return -1;
    if (PyArray_DIM(self->x, 0) != p->n) {
        PyErr_Format(PyExc_ValueError, "x has %zd parameters, and the program %d",
                     (Py_ssize_t)PyArray_DIM(self->x, 0), p->n);
        return -1;
    }
    self->run = program_run_on(p, arrays);
    if (self->run == NULL)
        return -1;
    self->run->keeps = PyTuple_Pack(2, capsule, arrays); /* new */
    if (self->run->keeps == NULL)
        return -1;
    return 0;
}

static void clear_arguments(arguments *self)
{
    program_run_free(self->run);
    Py_XDECREF(self->x);
}

/* From this many computed numbers on, giving up the lock costs little. */
static const double WORTHWHILE = 20000;

static PyThreadState *give_up_lock(const program *p, int rows)
{
    int is_worth_it = (double)rows * p->ninstructions > WORTHWHILE;

    return is_worth_it ? PyEval_SaveThread() : NULL;
}

static void take_lock(PyThreadState *thread)
{
    if (thread != NULL)
        PyEval_RestoreThread(thread);
}

/* Rows of the values into fvec, or where there is none the derivatives into fjac: 0, or
 * -1 with an exception set, for a loop may take the lock and set one. NumPy's loops leave
 * floating-point flags behind; here they stay as they were found. */
static int evaluate(const arguments *a, int first, int count, double *fvec, double *fjac)
{
    const program *p = a->program;
    PyThreadState *thread = give_up_lock(p, count);
    int raised = fetestexcept(FE_ALL_EXCEPT);
    fexcept_t flags;

    fegetexceptflag(&flags, FE_ALL_EXCEPT);
    if (fvec != NULL) {
        program_values_at(a->run, doubles(a->x));
        program_value_rows(a->run, first, count, fvec);
    } else {
        program_jacobian(p->m, p->n, doubles(a->x), fjac, p->m, a->run);
    }
    if (fetestexcept(FE_ALL_EXCEPT) != raised) /* to set them takes 50 ns */
        fesetexceptflag(&flags, FE_ALL_EXCEPT);
    take_lock(thread);
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *program_values(PyObject *module, PyObject *args)
{
    PyObject *capsule, *arrays, *x; /* borrowed */
    PyArrayObject *values = NULL;
    arguments a;
    int first = 0, count = -1;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO!O|ii:program_values", &capsule, &PyTuple_Type,
                          &arrays, &x, &first, &count))
        return NULL;
    if (read_arguments(&a, capsule, arrays, x) < 0)
        goto done;
    if (count < 0)
        count = a.program->m;
    if (first < 0 || count > a.program->m - first) {
        PyErr_Format(PyExc_ValueError, "rows %d to %d are not among the program's %d",
                     first, first + count, a.program->m);
        goto done;
    }
    npy_intp rows = count;
    values = (PyArrayObject *)PyArray_SimpleNew(1, &rows, NPY_DOUBLE); /* new */
    if (values != NULL && evaluate(&a, first, count, doubles(values), NULL) < 0)
        Py_CLEAR(values);
done:
    clear_arguments(&a);
    return (PyObject *)values;
}

PyObject *program_derivatives(PyObject *module, PyObject *args)
{
    PyObject *capsule, *arrays, *x; /* borrowed */
    PyArrayObject *columns = NULL;
    arguments a;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO!O:program_jacobian", &capsule, &PyTuple_Type, &arrays,
                          &x))
        return NULL;
    if (read_arguments(&a, capsule, arrays, x) < 0)
        goto done;
    if (!a.program->has_jacobian) {
        PyErr_SetString(PyExc_ValueError, "program has no derivatives");
        goto done;
    }
    npy_intp shape[] = {a.program->m, a.program->n};
    columns = (PyArrayObject *)PyArray_EMPTY(2, shape, NPY_DOUBLE, 1); /* new */
    if (columns != NULL && evaluate(&a, 0, a.program->m, NULL, doubles(columns)) < 0)
        Py_CLEAR(columns);
done:
    clear_arguments(&a);
    return (PyObject *)columns;
}

/* --- Binding ----------------------------------------------------------------- */

/* The run dies with the last of its capsules. */
static void free_bound(PyObject *capsule)
{
    program_run *run = PyCapsule_GetContext(capsule);

    if (run != NULL && atomic_fetch_sub(&run->owners, 1) == 1)
        program_run_free(run);
}

static PyObject *bound_capsule(program_run *run, void *function, const char *signature)
{
    PyObject *capsule = PyCapsule_New(function, signature, free_bound); /* new */

    if (capsule == NULL)
        return NULL;
    PyCapsule_SetContext(capsule, run); /* which cannot fail */
    atomic_fetch_add(&run->owners, 1);
    return capsule;
}

/* Whether the values at x are these; any NaN is any other. -1 with an exception set. */
static int are_values(const arguments *a, PyObject *values)
{
    npy_intp m = a->program->m;

    if (!is_plain_vector(values) || PyArray_DIM((PyArrayObject *)values, 0) != m) {
        PyErr_Format(PyExc_ValueError,
                     "values must be None or a contiguous vector of %zd float64 numbers",
                     (Py_ssize_t)m);
        return -1;
    }
    double *own = PyMem_Malloc((size_t)m * sizeof *own);
    if (own == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    const double *given = doubles((PyArrayObject *)values);
    int same = evaluate(a, 0, a->program->m, own, NULL) < 0 ? -1 : 1;
    for (npy_intp i = 0; same > 0 && i < m; i++)
        same = own[i] == given[i] || (isnan(own[i]) && isnan(given[i]));
    PyMem_Free(own);
    return same;
}

PyObject *program_bind(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *residuals = NULL, *jacobian = NULL, *pair = NULL;
    arguments a;

    (void)module;
    if (count < 4 || count > 5 || !PyTuple_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "program_bind takes a program, a tuple of "
                                         "arrays, x, values and a number of workers");
        return NULL;
    }
    long workers = count == 5 ? PyLong_AsLong(args[4]) : 1;
    if (workers == -1 && PyErr_Occurred())
        return NULL;
    int same = read_arguments(&a, args[0], args[1], args[2]) < 0 ? -1 : 1;
    if (same > 0 && args[3] != Py_None)
        same = are_values(&a, args[3]);
    if (same < 0)
        goto done;
    if (!same) {
        pair = Py_NewRef(Py_None);
        goto done;
    }
    residuals = bound_capsule(a.run, (void *)program_residuals, RESIDUALS); /* new */
    if (residuals == NULL)
        goto done;
    program_run *run = a.run;
    run->workers = workers < INT_MAX ? (int)workers : INT_MAX;
    a.run = NULL; /* from here on it is its capsules' */
    jacobian = !a.program->has_jacobian
                   ? Py_NewRef(Py_None)
                   : bound_capsule(run, (void *)program_jacobian, JACOBIAN); /* new */
    if (jacobian != NULL)
        pair = PyTuple_Pack(2, residuals, jacobian); /* new */
done:
    Py_XDECREF(residuals);
    Py_XDECREF(jacobian);
    clear_arguments(&a);
    return pair;
}

#include "batch.h"

#include <fenv.h>
#include <limits.h>
#include <string.h>

#include "arguments.h"
#include "abreast.h"

static const char CAPSULE[] = "minpack.batch";

static void batch_free(PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    Py_XDECREF(b->func);
    Py_XDECREF(b->Dfun);
    Py_XDECREF(b->args);
    compiled_clear(&b->residuals);
    compiled_clear(&b->jacobian);
    Py_XDECREF(b->x_rows);
    Py_XDECREF(b->ydata);
    Py_XDECREF(b->weights);
    Py_XDECREF(b->sigma);
    Py_XDECREF(b->mask);
    Py_XDECREF(b->lower);
    Py_XDECREF(b->upper);
    Py_XDECREF(b->data);
    Py_XDECREF(b->diff_step);
    loss_clear(&b->loss);
    Py_XDECREF(b->x);
    Py_XDECREF(b->cov);
    Py_XDECREF(b->cost);
    Py_XDECREF(b->nfev);
    Py_XDECREF(b->ier);
    Py_XDECREF(b->active);
    PyMem_Free(b);
}

/* An "O&" converter: an array as a new reference, or NULL for None. */
static int array_or_none(PyObject *object, void *place)
{
    if (object != Py_None && !PyArray_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "_minpack.batch takes arrays");
        return 0;
    }
    *(PyArrayObject **)place =
        object == Py_None ? NULL : (PyArrayObject *)Py_NewRef(object);
    return 1;
}

/* A program, whose Jacobian is used where Dfun is the same one, and its data: 0, or -1
 * with an exception set. */
static int take_program(batch *b)
{
    const program *p = b->program;

    b->is_compiled = 1;
    b->residuals.address = (void *)program_residuals;
    b->jacobian.address = (void *)program_jacobian;
    if (b->analytic && (b->Dfun != b->func || !p->has_jacobian)) {
        PyErr_SetString(PyExc_ValueError, "Dfun must be the program, with derivatives");
        return -1;
    }
    if (p->m != b->fit.rows.m || p->n != PyArray_DIM(b->x, 1)
        || PyTuple_GET_SIZE(b->args) < p->narrays) {
        PyErr_Format(PyExc_ValueError,
                     "the program has m = %d, n = %d and reads %d arrays; the batch has "
                     "m = %d, n = %zd and %zd arrays",
                     p->m, p->n, p->narrays, b->fit.rows.m,
                     (Py_ssize_t)PyArray_DIM(b->x, 1), PyTuple_GET_SIZE(b->args));
        return -1;
    }
    for (int k = 0; k < p->narrays; k++) {
        PyArrayObject *rows =
            (PyArrayObject *)PyTuple_GET_ITEM(b->args, k); /* borrowed */
        if (!PyArray_Check(rows) || PyArray_NDIM(rows) < 1
            || PyArray_DIM(rows, 0) != PyArray_DIM(b->x, 0)) {
            PyErr_Format(PyExc_ValueError, "args[%d] must be an array of a row a fit", k);
            return -1;
        }
        if (program_check_array(p, k, rows, 1) < 0)
            return -1;
    }
    return 0;
}

/* Whether the functions are compiled. Both of them must be, or none. */
static int take_functions(batch *b, PyObject *func, PyObject *Dfun)
{
    b->analytic = Dfun != Py_None;
    b->is_pair = Dfun == Py_True;
    b->func = Py_NewRef(func);
    b->Dfun = Py_NewRef(Dfun);
    b->program = program_of(func);
    if (b->program != NULL)
        return take_program(b);
    b->is_compiled = compiled_take_both(
        &b->residuals, func, b->is_curve ? "f" : "func", COMPILED_RESIDUALS, &b->jacobian,
        b->is_pair ? Py_None : Dfun, b->is_curve ? "jac" : "Dfun");
    return b->is_compiled < 0 ? -1 : 0;
}

PyObject *batch_new(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {
        "func",         "Dfun",        "args",       "is_curve", "m",      "chunk",
        "x_rows",       "ydata",       "weights",    "sigma",    "mask",   "lower",
        "upper",        "user_data",   "x",          "cov",      "cost",   "nfev",
        "ier",          "active",      "scales_cov", "ftol",     "xtol",   "gtol",
        "maxfev",       "trials_only", "loss",       "f_scale",  "epsfcn", "diff_step",
        "acceleration", NULL,
    };
    PyObject *func, *Dfun, *extra, *loss, *f_scale, *epsfcn, *capsule = NULL;
    batch *b = PyMem_Calloc(1, sizeof *b);

    (void)module;
    if (b == NULL)
        return PyErr_NoMemory();
    capsule = PyCapsule_New(b, CAPSULE, batch_free); /* new; owns b */
    if (capsule == NULL) {
        PyMem_Free(b);
        return NULL;
    }
    lm_state *s = &b->fit.state;
    lm_rows *rows = &b->fit.rows;
    lm_defaults(&b->fit, 0, 0);
    if (!PyArg_ParseTupleAndKeywords(
            args, keywords, "OOO!piiO&O&O&O&O&O&O&O&O&O&O&O&O&O&pdddipOOOO&p", names,
            &func, &Dfun, &PyTuple_Type, &extra, &b->is_curve, &rows->m, &b->chunk,
            array_or_none, &b->x_rows, array_or_none, &b->ydata, array_or_none,
            &b->weights, array_or_none, &b->sigma, array_or_none, &b->mask, array_or_none,
            &b->lower, array_or_none, &b->upper, array_or_none, &b->data, array_or_none,
            &b->x, array_or_none, &b->cov, array_or_none, &b->cost, array_or_none,
            &b->nfev, array_or_none, &b->ier, array_or_none, &b->active, &b->scales_cov,
            &s->ftol, &s->xtol, &s->gtol, &s->maxfev, &b->fit.differences.uncounted,
            &loss, &f_scale, &epsfcn, array_or_none, &b->diff_step, &s->accelerates))
        goto fail;
    b->args = Py_NewRef(extra);
    if (take_functions(b, func, Dfun) < 0 || loss_init(&b->loss, loss, f_scale) < 0)
        goto fail;
    b->has_epsfcn = epsfcn != Py_None;
    if (b->has_epsfcn && real_argument(epsfcn, "epsfcn", &b->fit.differences.epsfcn) < 0)
        goto fail;
    rows->n = (int)PyArray_DIM(b->x, 1);
    rows->ldfjac = rows->m;
    rows->weighted = rows->keeps = !is_linear(&b->loss);
    rows->defers = !b->analytic && !rows->keeps;
    if (b->diff_step != NULL)
        b->fit.differences.diff_step = doubles(b->diff_step);
    if (b->lower != NULL) { /* each fit has its own; until then for lm_lay_out */
        s->lower = doubles(b->lower);
        s->upper = doubles(b->upper);
    }
    b->count = PyArray_DIM(b->x, 0);
    b->points = rows->m;
    if (b->is_compiled) {
        b->chunk = b->chunk < LM_ABREAST ? b->chunk : LM_ABREAST;
        b->chunk = batch_goes_abreast(b) ? b->chunk : 1;
    }
    atomic_store(&b->allowed, INT_MAX);
    return capsule;
fail:
    Py_DECREF(capsule);
    return NULL;
}

PyObject *batch_work(PyObject *module, PyObject *capsule)
{
    worker w;
    int status = -1;
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    memset(&w, 0, sizeof w);
    if (b == NULL || worker_init(&w, b) < 0)
        goto fail;
    if (b->is_compiled) {
        fexcept_t flags; /* as found, whatever the functions do to them */
        Py_BEGIN_ALLOW_THREADS
        fegetexceptflag(&flags, FE_ALL_EXCEPT);
        work_without_python(&w);
        fesetexceptflag(&flags, FE_ALL_EXCEPT);
        Py_END_ALLOW_THREADS
        status = PyErr_Occurred() ? -1 : 0; /* a function may have taken the lock */
    } else {
        status = work_with_python(&w);
    }
fail:
    worker_clear(&w);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *batch_stop(PyObject *module, PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    if (b == NULL)
        return NULL;
    atomic_store_explicit(&b->stops, 1, memory_order_relaxed);
    Py_RETURN_NONE;
}

PyObject *batch_done(PyObject *module, PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    return b == NULL ? NULL : PyLong_FromLongLong(atomic_load(&b->done));
}

PyObject *batch_served(PyObject *module, PyObject *capsule)
{
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);

    (void)module;
    return b == NULL ? NULL : PyLong_FromLongLong(atomic_load(&b->served));
}

PyObject *batch_allow(PyObject *module, PyObject *args)
{
    PyObject *capsule; /* borrowed */
    int workers;

    (void)module;
    if (!PyArg_ParseTuple(args, "Oi:batch_allow", &capsule, &workers))
        return NULL;
    batch *b = PyCapsule_GetPointer(capsule, CAPSULE);
    if (b == NULL)
        return NULL;
    atomic_store(&b->allowed, workers);
    Py_RETURN_NONE;
}

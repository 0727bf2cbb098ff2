#include "fit.h"

#include "crew.h"

#include <limits.h>
#include <string.h>

/* From this size on NumPy asks for huge pages: such a Jacobian is an array of its own
 * even where it is not shown. */
#define LARGE_ARRAY 4194304.0 /* bytes */

#define SHARE 500000.0 /* numbers of rows that are worth a thread to add them up */

int fit_lay_out(fit *self, PyArrayObject *diag)
{
    lm_fit *lm = &self->lm;

    lm->state.x = doubles(self->x);
    if (self->lower != NULL) {
        lm->state.lower = doubles(self->lower);
        lm->state.upper = doubles(self->upper);
    }
    if (self->diff_step != NULL)
        lm->differences.diff_step = doubles(self->diff_step);
    self->memory = PyMem_Malloc(lm_lay_out(lm, NULL));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    lm_lay_out(lm, self->memory);
    lm->state.mode = diag != NULL ? 2 : 1;
    if (diag != NULL)
        memcpy(lm->state.diag, doubles(diag), (size_t)lm->rows.n * sizeof(double));
    return 0;
}

int fit_open_crew(fit *self, npy_intp worth, int most)
{
    self->threads = crew_size(worth, most);
    if (self->threads > 1)
        self->crew = crew_new(self->threads - 1);
    return self->threads < 0 ? -1 : 0;
}

static void spread(void *who, int count, void (*part)(void *context, int k, int worker),
                   void *context)
{
    const fit *self = who;

    crew_each(self->crew, count, part, context);
}

/* Threads that add up rows in memory, where they are worth it. */
static int allocate_crew(fit *self, npy_intp m, npy_intp n)
{
    double worth = (double)m * (double)(n + 1) / SHARE;

    if (self->threads == 0 && fit_open_crew(self, (npy_intp)worth, self->workers) < 0)
        return -1;
    if (self->crew != NULL) {
        self->lm.rows.workers = self->threads;
        self->lm.rows.spread = spread;
        self->lm.rows.source_who = self;
    }
    return 0;
}

int fit_allocate(fit *self, npy_intp m, PyArrayObject *diag)
{
    lm_fit *lm = &self->lm;
    npy_intp n = PyArray_DIM(self->x, 0), shape[2] = {n, m};

    if (m > INT_MAX || n > INT_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "%s returned %zd residuals; at most %d are possible",
                     self->func.name, (Py_ssize_t)m, INT_MAX);
        return -1;
    }
    lm->rows.m = (int)m;
    lm->rows.n = (int)n;
    lm->rows.defers =
        !self->analytic && !self->vectorized && self->observer == NULL && !lm->rows.keeps;
    int in_memory = lm->rows.source == NULL;
    if (in_memory && allocate_crew(self, m, n) < 0)
        return -1;
    if (in_memory
        && (self->shows_arrays || (double)m * n * sizeof(double) >= LARGE_ARRAY)) {
        self->fjac = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE); /* new */
        if (self->fjac == NULL)
            return -1;
        lm->rows.fjac = doubles(self->fjac);
        lm->rows.ldfjac = (int)m;
    }
    if (in_memory && lm->rows.fvec == NULL
        && (self->shows_arrays || self->observer != NULL))
        lm->rows.fvec = doubles(self->trial); /* until the first iterate */
    int makes_fvec = lm->rows.fvec == NULL;
    if (fit_lay_out(self, diag) < 0)
        return -1;
    if (makes_fvec)
        self->own_fvec = lm->rows.fvec;
    return 0;
}

/* --- Arguments ------------------------------------------------------------------ */

int fit_read_start(fit *self, PyObject *x0)
{
    lm_state *s = &self->lm.state;
    PyArrayObject *start = vector_argument(x0, "x0", 1); /* new */

    if (start == NULL)
        return -1;
    npy_intp n = PyArray_DIM(start, 0);
    self->x = (PyArrayObject *)PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */
    if (self->x != NULL)
        memcpy(doubles(self->x), doubles(start), (size_t)n * sizeof(double));
    Py_DECREF(start);
    if (s->maxfev == 0)
        s->maxfev =
            (int)((self->analytic ? 100 : 200) * (n < 10000000 ? n + 1 : 10000000));
    return self->x != NULL ? 0 : -1;
}

int fit_read_differences(fit *self, PyObject *jac, int is_compiled)
{
    if (!PyUnicode_Check(jac))
        return 0;
    self->complex_steps = PyUnicode_CompareWithASCIIString(jac, "cs") == 0;
    if (self->complex_steps && is_compiled) {
        PyErr_Format(PyExc_ValueError,
                     "jac='cs' needs a Python %s, which can take complex numbers: a "
                     "compiled one takes real ones alone",
                     self->func.name);
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(jac, "3-point") == 0)
        self->lm.differences.points = 3;
    self->analytic = self->complex_steps;
    if (self->analytic || self->lm.differences.points == 3
        || PyUnicode_CompareWithASCIIString(jac, "2-point") == 0)
        return 1;
    PyErr_Format(PyExc_ValueError,
                 "jac must be '2-point', '3-point', 'cs' or a callable, not %R", jac);
    return -1;
}

int fit_read_loss(fit *self, PyObject *loss, PyObject *scale)
{
    if (loss_init(&self->loss, loss, scale) < 0)
        return -1;
    self->lm.rows.weighted = !is_linear(&self->loss);
    if (self->lm.rows.weighted)
        self->lm.rows.keeps = 1; /* the Jacobian is weighed again at the end */
    return 0;
}

int fit_read_workers(fit *self, PyObject *workers)
{
    return workers == Py_None ? 0 : count_argument(workers, "workers", &self->workers);
}

int fit_read_kernels(fit *self, PyObject *name)
{
    static const char FAST[] = "fast:";
    const char *text =
        PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL; /* borrowed */
    const lm_kernels *kernels = NULL;

    if (text != NULL && strcmp(text, "fast") == 0)
        return 0; /* by default */
    if (text != NULL) {
        if (strncmp(text, FAST, strlen(FAST)) == 0)
            text += strlen(FAST);
        kernels = lm_kernels_named(text);
    }
    if (kernels != NULL) {
        self->lm.rows.kernels = kernels;
        self->lm.state.mends = strcmp(text, "reference") != 0;
        return 0;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "kernels must be 'fast' or 'reference', not %R",
                     name);
    return -1;
}

int fit_read_acceleration(fit *self, PyObject *acceleration)
{
    int is_on = PyObject_IsTrue(acceleration);

    self->lm.state.accelerates = is_on;
    return is_on < 0 ? -1 : 0;
}

PyArrayObject *fit_read_diag(PyObject *object, npy_intp n)
{
    PyArrayObject *diag = object == Py_None ? NULL : vector_argument(object, "diag", 0);

    if (diag != NULL && PyArray_DIM(diag, 0) != n) {
        PyErr_Format(PyExc_ValueError,
                     "diag must have one entry for each of the %zd parameters, not %zd",
                     (Py_ssize_t)n, (Py_ssize_t)PyArray_DIM(diag, 0));
        Py_CLEAR(diag);
    }
    return diag;
}

void fit_init(fit *self)
{
    memset(self, 0, sizeof *self);
    lm_defaults(&self->lm, 0, 0);
    self->lm.state.maxfev = 0; /* its default depends on n */
    self->lm.brings = 1;
}

void fit_clear(fit *self)
{
    callback_clear(&self->func);
    callback_clear(&self->Dfun);
    loss_clear(&self->loss);
    Py_CLEAR(self->x);
    Py_CLEAR(self->fvec);
    Py_CLEAR(self->fjac);
    Py_CLEAR(self->ipvt);
    Py_CLEAR(self->qtf);
    Py_CLEAR(self->trial);
    Py_CLEAR(self->lower);
    Py_CLEAR(self->upper);
    Py_CLEAR(self->diff_step);
    crew_free(self->crew);
    PyMem_Free(self->memory);
}

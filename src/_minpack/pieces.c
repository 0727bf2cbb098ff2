/* Rows become pieces, and pieces are merged. */
#include "pieces.h"

#include <fenv.h>
#include <limits.h>
#include <string.h>

#include "curve_fit.h"
#include "program.h"

static const callback MODEL = {.name = "f"};

PyObject *pieces_check_finite(PyObject *module, PyObject *args)
{
    PyObject *array; /* borrowed */
    const char *name;

    (void)module;
    if (!PyArg_ParseTuple(args, "Os:check_finite", &array, &name)
        || check_finite(array, name) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- Residuals ------------------------------------------------------------------- */

/* The residuals of values of f as a new array of as many numbers as there are data. */
static PyArrayObject *residuals_of(const data *measured, PyObject *values /* borrowed */,
                                   double *epsilon)
{
    PyArrayObject *r = /* new */
        data_residuals(measured, &MODEL, Py_NewRef(values) /* steals */, epsilon);

    /* One datum stands for any number of them, but not in a block of one. */
    if (r != NULL && PyArray_DIM(r, 0) != PyArray_SIZE(measured->y)) {
        PyErr_Format(PyExc_ValueError,
                     "f must return one value for each entry of ydata; for one it "
                     "returned %zd",
                     (Py_ssize_t)PyArray_DIM(r, 0));
        Py_CLEAR(r);
    }
    return r;
}

PyObject *pieces_residuals(PyObject *module, PyObject *args)
{
    PyObject *values, *ydata, *sigma, *answer = NULL; /* the first three are borrowed */
    PyArrayObject *r = NULL;
    data measured = {0};
    double epsilon;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOO:block_residuals", &values, &ydata, &sigma))
        return NULL;
    if (data_init(&measured, ydata, sigma, Py_None, 0) < 0)
        goto fail;
    r = residuals_of(&measured, values, &epsilon); /* new */
    if (r != NULL)
        answer = Py_BuildValue("Od", r, epsilon);
fail:
    Py_XDECREF(r);
    data_clear(&measured);
    return answer;
}

/* --- A block becomes a piece ---------------------------------------------------------
 */

typedef struct {
    data data;
    loss loss;
    lm_fit lm;            /* of the rows of this block alone */
    PyArrayObject *fvec;  /* (m,) */
    double *memory;       /* ours: for the next three */
    double *fjac;         /* (m, n) */
    double *weighted;     /* (m) the residuals that go with fjac */
    void *scratch;        /* of lm_block_triangle */
    PyArrayObject *moves; /* (n,) steps of differences, or NULL */
} block;

static void clear_block(block *self)
{
    data_clear(&self->data);
    loss_clear(&self->loss);
    Py_XDECREF(self->fvec);
    Py_XDECREF(self->moves);
    PyMem_Free(self->memory);
}

static int read_block(block *self, PyObject *ydata, PyObject *sigma, PyObject *loss,
                      PyObject *scale, Py_ssize_t n)
{
    if (data_init(&self->data, ydata, sigma, Py_None, 0) < 0
        || loss_init(&self->loss, loss, scale) < 0)
        return -1;
    npy_intp m = PyArray_SIZE(self->data.y);
    if (self->loss.function.name != NULL || n < 1 || n > INT_MAX || m > INT_MAX) {
        PyErr_SetString(PyExc_ValueError,
                        "reduce_block takes losses by their name, one parameter or more, "
                        "and rows and parameters that an int counts");
        return -1;
    }
    lm_defaults(&self->lm, (int)m, (int)n);
    return 0;
}

static int allocate_jacobian(block *self)
{
    lm_rows *rows = &self->lm.rows;
    size_t m = (size_t)rows->m, n = (size_t)rows->n;
    size_t scratch = lm_piece_scratch(rows->m, rows->n);

    self->memory = PyMem_Malloc((m * n + m) * sizeof(double) + scratch);
    if (self->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->fjac = rows->fjac = self->memory;
    self->weighted = self->fjac + m * n;
    self->scratch = self->weighted + m;
    rows->ldfjac = rows->m;
    return 0;
}

/* Column j of the Jacobian, from what f returned where parameter j had moved, or of zeros
 * where it had not. */
static int take_move(block *self, int j, PyObject *values /* borrowed */)
{
    lm_rows *rows = &self->lm.rows;

    if (values == Py_None) {
        memset(self->fjac + j * (size_t)rows->m, 0, (size_t)rows->m * sizeof(double));
        return 0;
    }
    PyArrayObject *r = residuals_of(&self->data, values, NULL); /* new */
    if (r == NULL)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    lm_take_point(&self->lm, j, doubles(r));
    Py_END_ALLOW_THREADS
    Py_DECREF(r);
    return 0;
}

static int take_moves(block *self, PyObject *list /* borrowed */, PyObject *steps)
{
    int n = self->lm.rows.n;

    self->moves = vector_argument(steps, "steps", 0); /* new */
    if (self->moves == NULL)
        return -1;
    if (!PyList_Check(list) || PyList_GET_SIZE(list) != n
        || PyArray_DIM(self->moves, 0) != n) {
        PyErr_SetString(PyExc_ValueError,
                        "with steps, derivatives must be a list of values at n points");
        return -1;
    }
    self->lm.differences.h = doubles(self->moves);
    for (int j = 0; j < n; j++)
        if (take_move(self, j, PyList_GET_ITEM(list, j) /* borrowed */) < 0)
            return -1;
    return 0;
}

static int take_derivatives(block *self, PyObject *derivatives)
{
    const callback jac = {.name = "jac", .shape_error = PyExc_TypeError};
    npy_intp m = self->lm.rows.m, n = self->lm.rows.n;

    if (take_jacobian(&jac, derivatives, 0, m, n, self->fjac, m, 1) < 0)
        return -1;
    data_weigh_jacobian(&self->data, m, n, self->fjac, m);
    return 0;
}

/* Needs no lock. */
static void reduce(block *self, int ends, double *triangle)
{
    const lm_rows *rows = &self->lm.rows;
    const double *fvec = rows->fvec;
    int m = rows->m, n = rows->n;

    if (!is_linear(&self->loss)) {
        loss_weigh(&self->loss, m, n, fvec, self->fjac, m, self->weighted);
        if (ends)
            loss_show_curvature(&self->loss, m, n, fvec, self->fjac, m, self->weighted);
        fvec = self->weighted;
    }
    lm_block_triangle(rows->kernels, m, n, self->fjac, m, fvec, triangle, self->scratch);
}

static double norm_of(block *self)
{
    const lm_rows *rows = &self->lm.rows;

    return is_linear(&self->loss) ? lm_block_norm(rows, rows->m, rows->fvec)
                                  : loss_of_block(&self->loss, rows->m, rows->fvec);
}

PyObject *pieces_reduce(PyObject *module, PyObject *args)
{
    /* All but the piece are borrowed. */
    PyObject *values, *ydata, *sigma, *derivatives, *steps, *loss, *scale;
    PyArrayObject *piece = NULL;
    Py_ssize_t n;
    int ends;
    block self;

    (void)module;
    memset(&self, 0, sizeof self);
    if (!PyArg_ParseTuple(args, "OOOnOOOOp:reduce_block", &values, &ydata, &sigma, &n,
                          &derivatives, &steps, &loss, &scale, &ends))
        return NULL;
    int has_triangle = derivatives != Py_None;
    if (read_block(&self, ydata, sigma, loss, scale, n) < 0)
        goto fail;
    self.fvec = residuals_of(&self.data, values, NULL); /* new */
    if (self.fvec == NULL)
        goto fail;
    self.lm.rows.fvec = doubles(self.fvec);
    if (has_triangle
        && (allocate_jacobian(&self) < 0
            || (steps != Py_None ? take_moves(&self, derivatives, steps)
                                 : take_derivatives(&self, derivatives))
                   < 0))
        goto fail;
    npy_intp size = piece_size(n, has_triangle);
    piece = (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE); /* new */
    if (piece == NULL)
        goto fail;
    Py_BEGIN_ALLOW_THREADS
    doubles(piece)[0] = norm_of(&self);
    if (has_triangle)
        reduce(&self, ends, doubles(piece) + 1);
    Py_END_ALLOW_THREADS
fail:
    clear_block(&self);
    return (PyObject *)piece;
}

/* --- A traced model ------------------------------------------------------------------
 */

enum { STRIP = 2048 }; /* rows that are in the cache together */

/* What a strip is computed in. */
typedef struct {
    program_run *run;
    double *fvec, *fjac, *weighted; /* in memory, as the next two */
    double *triangle;               /* (n, n + 1) */
    void *scratch;                  /* of lm_block_triangle and lm_merge */
    double *memory;                 /* ours */
} strip;

static int allocate_strip(strip *self, int n)
{
    size_t columns = (size_t)n + 1;
    int rows = n > STRIP ? n : STRIP; /* for lm_merge too */

    self->memory = PyMem_Malloc(((columns + 1) * STRIP + n * columns) * sizeof(double)
                                + lm_piece_scratch(rows, n));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->fvec = self->memory;
    self->weighted = self->fvec + STRIP;
    self->fjac = self->weighted + STRIP;
    self->triangle = self->fjac + (size_t)n * STRIP;
    self->scratch = self->triangle + n * columns;
    return 0;
}

/* The piece of some rows: its norm, and its triangle to w->triangle. */
static double reduce_strip(block *self, strip *w, int first, int count, int has_triangle,
                           int ends)
{
    int m = (int)PyArray_SIZE(self->data.y), n = self->lm.rows.n;

    self->lm.rows.m = self->lm.rows.ldfjac = count;
    self->lm.rows.fvec = w->fvec;
    self->fjac = w->fjac;
    self->weighted = w->weighted;
    self->scratch = w->scratch;
    if (has_triangle)
        program_rows(w->run, first, count, w->fvec, w->fjac, count);
    else
        program_value_rows(w->run, first, count, w->fvec);
    data_weigh_value_rows(&self->data, m, first, count, w->fvec);
    if (has_triangle)
        data_weigh_derivative_rows(&self->data, first, count, n, w->fjac, count);
    double norm = norm_of(self);
    if (has_triangle)
        reduce(self, ends, w->triangle);
    return norm;
}

/* The piece of all rows. Needs no lock. */
static void reduce_strips(block *self, strip *w, int has_triangle, int ends,
                          double *piece)
{
    int m = (int)PyArray_SIZE(self->data.y), n = self->lm.rows.n;
    size_t size = (size_t)piece_size(n, 1) - 1;

    for (int first = 0; first < m; first += STRIP) {
        int count = m - first < STRIP ? m - first : STRIP;
        double norms[] = {piece[0],
                          reduce_strip(self, w, first, count, has_triangle, ends)};
        piece[0] = first > 0 ? lm_block_norm(&self->lm.rows, 2, norms) : norms[1];
        if (has_triangle && first > 0)
            lm_merge(self->lm.rows.kernels, n, piece + 1, w->triangle, w->scratch);
        else if (has_triangle)
            memcpy(piece + 1, w->triangle, size * sizeof(double));
    }
}

PyObject *pieces_reduce_program(PyObject *module, PyObject *args)
{
    PyObject *capsule, *arrays, *params, *ydata, *sigma, *loss, *scale; /* borrowed */
    PyArrayObject *x = NULL, *piece = NULL;
    int has_triangle, ends;
    fexcept_t flags; /* as found, whatever the loops do to them */
    strip w;
    block self;

    (void)module;
    memset(&self, 0, sizeof self);
    memset(&w, 0, sizeof w);
    if (!PyArg_ParseTuple(args, "OO!OOOpOOp:reduce_program", &capsule, &PyTuple_Type,
                          &arrays, &params, &ydata, &sigma, &has_triangle, &loss, &scale,
                          &ends))
        return NULL;
    const program *p = program_of(capsule);
    if (p == NULL) {
        PyErr_Format(PyExc_TypeError, "program must be one, not %R", capsule);
        return NULL;
    }
    if (program_has_full(p) || !p->has_jacobian)
        Py_RETURN_NONE;
    x = vector_argument(params, "x", 0); /* new */
    if (x == NULL || read_block(&self, ydata, sigma, loss, scale, p->n) < 0
        || allocate_strip(&w, p->n) < 0)
        goto fail;
    if (PyTuple_GET_SIZE(arrays) < p->narrays || PyArray_DIM(x, 0) != p->n) {
        PyErr_SetString(PyExc_ValueError, "the program reads more arrays or parameters");
        goto fail;
    }
    w.run = program_run_on(p, arrays); /* which outlive it */
    if (w.run == NULL)
        goto fail;
    if (PyArray_SIZE(self.data.y) != p->m) {
        PyErr_Format(PyExc_ValueError, "ydata has %zd entries, and the program %d values",
                     (Py_ssize_t)PyArray_SIZE(self.data.y), p->m);
        goto fail;
    }
    npy_intp size = piece_size(p->n, has_triangle);
    piece = (PyArrayObject *)PyArray_SimpleNew(1, &size, NPY_DOUBLE); /* new */
    if (piece == NULL)
        goto fail;
    fegetexceptflag(&flags, FE_ALL_EXCEPT);
    Py_BEGIN_ALLOW_THREADS
    doubles(piece)[0] = 0;
    program_at(w.run, doubles(x));
    reduce_strips(&self, &w, has_triangle, ends, doubles(piece));
    Py_END_ALLOW_THREADS
    fesetexceptflag(&flags, FE_ALL_EXCEPT);
    if (PyErr_Occurred()) /* a loop may take the lock and set one */
        Py_CLEAR(piece);
fail:
    Py_XDECREF(x);
    program_run_free(w.run);
    PyMem_Free(w.memory);
    clear_block(&self);
    return (PyObject *)piece;
}

/* --- Two pieces become one -----------------------------------------------------------
 */

/* A piece as a new array, or NULL. It may have come from another process, in memory that
 * is read-only. */
static PyArrayObject *take_piece(PyObject *object /* borrowed */, npy_intp n)
{
    PyArrayObject *piece = vector_argument(object, "piece", 0); /* new */

    if (piece == NULL)
        return NULL;
    npy_intp size = PyArray_SIZE(piece);
    if (size != piece_size(n, 0) && size != piece_size(n, 1)) {
        PyErr_Format(PyExc_ValueError, "a piece of %zd parameters has no %zd numbers",
                     (Py_ssize_t)n, (Py_ssize_t)size);
        Py_CLEAR(piece);
    }
    return piece;
}

/* merged, a copy of the one, := that of both. */
static int merge(PyArrayObject *merged, const double *other, int n)
{
    double norms[] = {doubles(merged)[0], other[0]};
    void *scratch;
    lm_fit lm;

    lm_defaults(&lm, 0, n);
    doubles(merged)[0] = lm_block_norm(&lm.rows, 2, norms);
    if (PyArray_SIZE(merged) == 1)
        return 0;
    scratch = PyMem_Malloc(lm_piece_scratch(n, n));
    if (scratch == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS
    lm_merge(lm.rows.kernels, n, doubles(merged) + 1, other + 1, scratch);
    Py_END_ALLOW_THREADS
    PyMem_Free(scratch);
    return 0;
}

PyObject *pieces_merge(PyObject *module, PyObject *args)
{
    PyObject *objects[2]; /* borrowed */
    PyArrayObject *a = NULL, *b = NULL, *merged = NULL;
    Py_ssize_t n;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOn:merge_pieces", &objects[0], &objects[1], &n))
        return NULL;
    a = take_piece(objects[0], n);                    /* new */
    b = a != NULL ? take_piece(objects[1], n) : NULL; /* new */
    if (b == NULL)
        goto fail;
    if (n < 1 || n > INT_MAX || PyArray_SIZE(a) != PyArray_SIZE(b)) {
        PyErr_SetString(PyExc_ValueError, "merge_pieces takes two pieces of one kind");
        goto fail;
    }
    merged = (PyArrayObject *)PyArray_NewCopy(a, NPY_CORDER); /* new */
    if (merged != NULL && merge(merged, doubles(b), (int)n) < 0)
        Py_CLEAR(merged);
fail:
    Py_XDECREF(a);
    Py_XDECREF(b);
    return (PyObject *)merged;
}

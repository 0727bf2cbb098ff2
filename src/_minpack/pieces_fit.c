/* The fit itself: lm_step, driven by pieces that Python brings.
 *
 * Differences need steps, and longer ones where a parameter is nearly 0. lm_fit finds
 * them from rows in memory: here these are a sample of the rows, while all else is found
 * from the pieces. */
#include "pieces.h"

#include <string.h>

#include "curve_fit.h"
#include "iterate.h"

/* What is asked of `evaluate`. */
enum { NORM, TRIANGLE, TRUE_CURVATURE, BEND };

typedef struct {
    fit fit;            /* rows.m counts those of the sample */
    PyObject *evaluate; /* borrowed */
    PyObject *sample;   /* borrowed; NULL where derivatives are exact */
    double m;           /* how many residuals there are */
    int weighted;       /* there is a loss */
    int knows;         /* the triangle of the last trial point, with the steps `guess`, */
    int unused;        /* and nobody has needed it */
    double *memory;    /* ours: for the next five */
    double *triangle;  /* (n, n + 1) */
    double *guess;     /* (n) */
    double *minpacks;  /* (n) MINPACK's own steps */
    double *x_scratch; /* (n) */
    double *watch;     /* (4n) */
} driver;

/* --- What Python is asked ------------------------------------------------------ */

static PyObject *new_vector(npy_intp n, const double *from)
{
    PyObject *vector = PyArray_SimpleNew(1, &n, NPY_DOUBLE); /* new */

    if (vector != NULL)
        memcpy(doubles((PyArrayObject *)vector), from, (size_t)n * sizeof(double));
    return vector;
}

/* What evaluate returns, `size` numbers in a new array, or NULL. */
static PyArrayObject *call(const driver *self, const double *x, const double *h, int what,
                           const double *ahead /* or NULL */, npy_intp size)
{
    npy_intp n = self->fit.lm.rows.n;
    int moves = what != NORM && self->sample != NULL;
    PyObject *point = new_vector(n, x);                                  /* new */
    PyObject *steps = moves ? new_vector(n, h) : Py_NewRef(Py_None);     /* new */
    PyObject *other = ahead ? new_vector(n, ahead) : Py_NewRef(Py_None); /* new */
    PyObject *answer = NULL;
    PyArrayObject *numbers = NULL;

    if (point != NULL && steps != NULL && other != NULL)
        answer = PyObject_CallFunction(self->evaluate, "OOiO", point, steps, what,
                                       other); /* new */
    if (answer != NULL)
        numbers = vector_argument(answer, "piece", 0); /* new */
    if (numbers != NULL && PyArray_SIZE(numbers) != size) {
        PyErr_SetString(PyExc_ValueError, "evaluate must return a piece");
        Py_CLEAR(numbers);
    }
    Py_XDECREF(point);
    Py_XDECREF(steps);
    Py_XDECREF(other);
    Py_XDECREF(answer);
    return numbers;
}

/* The piece of all rows at x: its norm and, unless this alone is asked for, its triangle.
 */
static int ask(driver *self, const double *x, const double *h, int what, double *norm)
{
    npy_intp size = piece_size(self->fit.lm.rows.n, what != NORM);
    PyArrayObject *piece = call(self, x, h, what, NULL, size); /* new */

    if (piece == NULL)
        return -1;
    *norm = doubles(piece)[0];
    memcpy(self->triangle, doubles(piece) + 1, (size_t)(size - 1) * sizeof(double));
    Py_DECREF(piece);
    return 0;
}

/* The residuals of the sample at x as a new array, or NULL. */
static PyArrayObject *ask_sample(const driver *self, const double *x)
{
    const lm_rows *rows = &self->fit.lm.rows;
    PyObject *answer = NULL, *point = new_vector(rows->n, x); /* new */
    PyArrayObject *residuals = NULL;

    if (point != NULL)
        answer = PyObject_CallOneArg(self->sample, point); /* new */
    if (answer != NULL)
        residuals = vector_argument(answer, "sample", 0); /* new */
    if (residuals != NULL && PyArray_SIZE(residuals) != rows->m) {
        PyErr_SetString(PyExc_ValueError, "sample must return as many residuals always");
        Py_CLEAR(residuals);
    }
    Py_XDECREF(point);
    Py_XDECREF(answer);
    return residuals;
}

/* --- The steps of the differences ---------------------------------------------- */

static int move_sample(driver *self)
{
    lm_fit *lm = &self->fit.lm;
    int k = lm_next_point(lm, -1);

    for (; k >= 0; k = lm_next_point(lm, k)) {
        lm_move_to(lm, k);
        PyArrayObject *r = ask_sample(self, lm->state.x_trial); /* new */
        if (r == NULL)
            return -1;
        lm_take_point(lm, k, doubles(r));
        Py_DECREF(r);
    }
    return 0;
}

/* Whether the sample shows an effect of parameter j. */
static int is_shown(const lm_rows *rows, int j)
{
    const double *column = rows->fjac + j * (size_t)rows->ldfjac;

    for (int i = 0; i < rows->m; i++)
        if (column[i] != 0)
            return 1;
    return 0;
}

/* The steps at x. Of a parameter that has no effect on the sample they are MINPACK's: on
 * other rows it may have one. */
static int find_steps(driver *self)
{
    lm_fit *lm = &self->fit.lm;
    double *h = lm->differences.h;
    PyArrayObject *r = ask_sample(self, lm->state.x); /* new */

    if (r == NULL)
        return -1;
    memcpy(lm->rows.fvec, doubles(r), (size_t)lm->rows.m * sizeof(double));
    Py_DECREF(r);
    lm_first_points(lm);
    memcpy(self->minpacks, h, (size_t)lm->rows.n * sizeof(double));
    do
        if (move_sample(self) < 0)
            return -1;
    while (lm_more_points(lm));
    for (int j = 0; j < lm->rows.n; j++)
        if (!is_shown(&lm->rows, j))
            h[j] = self->minpacks[j];
    return 0;
}

/* self->guess := the steps that the trial point will most likely have as the next x. */
static void guess_steps(driver *self, int is_start)
{
    lm_fit later = self->fit.lm;
    size_t n = (size_t)later.rows.n;

    memcpy(self->watch, later.differences.watch, 4 * n * sizeof(double));
    later.differences.watch = self->watch;
    later.differences.h = self->guess;
    later.state.x = later.state.x_trial;
    later.state.x_trial = self->x_scratch;
    later.state.iter += !is_start;
    lm_first_points(&later);
}

/* --- What the algorithm asks --------------------------------------------------- */

/* Most trial points become the next x: the triangle is found along, which spares a pass
 * over the data. */
static int try_point(driver *self, int is_start)
{
    lm_state *s = &self->fit.lm.state;

    self->knows = !self->unused;
    self->unused = 1;
    if (self->knows && self->sample != NULL)
        guess_steps(self, is_start);
    return ask(self, s->x_trial, self->guess, self->knows ? TRIANGLE : NORM,
               &s->fnorm_trial);
}

static int has_guessed(const driver *self)
{
    const lm_fit *lm = &self->fit.lm;

    return self->sample == NULL
           || memcmp(self->guess, lm->differences.h, (size_t)lm->rows.n * sizeof(double))
                  == 0;
}

/* Show an iterate to the observer: 0, FIT_STOPPED or -1. */
static int show(const driver *self)
{
    const fit *f = &self->fit;
    const lm_state *s = &f->lm.state;
    npy_intp n = f->lm.rows.n;
    lm_fit rows = f->lm; /* as if they were those of the triangle: J'f is the same */
    int stop = -1;

    rows.rows = (lm_rows){.m = (int)n,
                          .n = (int)n,
                          .ldfjac = (int)n,
                          .fjac = self->triangle,
                          .fvec = self->triangle + n * n};
    PyObject *x = new_vector(n, s->x), *answer = NULL; /* new */
    if (x != NULL)
        answer = PyObject_CallFunction(f->observer, "OOdiid", x, Py_None,
                                       0.5 * s->fnorm * s->fnorm, s->iter - 1, s->nfev,
                                       optimality(&rows, NULL)); /* new */
    if (answer != NULL)
        stop = PyObject_IsTrue(answer);
    Py_XDECREF(x);
    Py_XDECREF(answer);
    return stop > 0 ? FIT_STOPPED : stop;
}

static int linearize(driver *self)
{
    lm_fit *lm = &self->fit.lm;
    lm_state *s = &lm->state;
    double norm;

    if (self->sample != NULL && find_steps(self) < 0)
        return -1;
    lm->njev += self->fit.analytic;
    if (!(s->moved && self->knows && has_guessed(self))
        && ask(self, s->x, lm->differences.h, TRIANGLE, &norm) < 0)
        return -1;
    self->knows = self->unused = 0;
    Py_BEGIN_ALLOW_THREADS
    lm_pivot(s, self->triangle);
    Py_END_ALLOW_THREADS
    return self->fit.observer != NULL ? show(self) : 0;
}

/* f(x + h v) = f + h J v + h²/2 f_vv, but for what is of third order. */
static int bend(driver *self)
{
    lm_fit *lm = &self->fit.lm;
    lm_state *s = &lm->state;
    PyArrayObject *sums = /* new: J'(f(x + h v) - f - h J v) */
        call(self, s->x, lm->differences.h, BEND, s->x_trial, lm->rows.n);

    if (sums == NULL)
        return -1;
    for (int j = 0; j < lm->rows.n; j++)
        s->second[j] = 2 / (LM_AHEAD * LM_AHEAD) * doubles(sums)[j];
    Py_DECREF(sums);
    return 0;
}

/* The factors at the solution, by the curvature of the loss. */
static int end_weighted(driver *self)
{
    lm_fit *lm = &self->fit.lm;
    lm_state *s = &lm->state;
    double norm;

    if (!self->weighted || !has_jacobian_at_end(s))
        return 0;
    if (s->moved) {
        if (self->sample != NULL && find_steps(self) < 0)
            return -1;
        lm->njev += self->fit.analytic;
    }
    if (ask(self, s->x, lm->differences.h, TRUE_CURVATURE, &norm) < 0)
        return -1;
    lm_pivot(s, self->triangle);
    return 0;
}

static int run(driver *self)
{
    lm_state *s = &self->fit.lm.state;
    int status = 0, is_start = 1;

    lm_start(s);
    do {
        Py_BEGIN_ALLOW_THREADS
        lm_step(s);
        Py_END_ALLOW_THREADS
        if (s->request == LM_RESIDUALS) {
            status = try_point(self, is_start);
            is_start = 0;
        } else if (s->request == LM_LINEARIZE) {
            status = linearize(self);
        } else if (s->request == LM_ACCELERATE) {
            status = bend(self);
        }
    } while (status == 0 && s->request != LM_DONE);
    self->fit.stopped = status == FIT_STOPPED;
    return status == 0 ? end_weighted(self) : status < 0 ? -1 : 0;
}

/* --- Arguments and result ------------------------------------------------------ */

static int allocate(driver *self, int rows, PyArrayObject *diag /* or NULL */)
{
    fit *f = &self->fit;
    size_t n = (size_t)PyArray_DIM(f->x, 0);

    f->lm.rows.m = rows;
    f->lm.rows.n = (int)n;
    if (fit_lay_out(f, diag) < 0)
        return -1;
    self->memory = PyMem_Calloc(n * (n + 1) + 7 * n, sizeof(double));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->triangle = self->memory;
    self->guess = self->triangle + n * (n + 1);
    self->minpacks = self->guess + n;
    self->x_scratch = self->minpacks + n;
    self->watch = self->x_scratch + n;
    return 0;
}

static int read_vectors(fit *f, PyObject *x0, PyObject *lower, PyObject *upper,
                        PyObject *diff_step)
{
    if (fit_read_start(f, x0) < 0 || read_vector(lower, "lower", &f->lower) < 0
        || read_vector(upper, "upper", &f->upper) < 0
        || read_vector(diff_step, "diff_step", &f->diff_step) < 0)
        return -1;
    npy_intp n = PyArray_DIM(f->x, 0);
    PyArrayObject *const others[] = {f->lower, f->upper, f->diff_step};
    for (int k = 0; k < 3; k++)
        if (others[k] != NULL && PyArray_DIM(others[k], 0) != n)
            n = 0;
    if (n > 0 && (f->lower == NULL) == (f->upper == NULL))
        return 0;
    PyErr_SetString(PyExc_ValueError,
                    "x0 must not be empty, and bounds and steps be as long as it is");
    return -1;
}

/* Returns a new tuple, or NULL. */
static PyObject *result(fit *f, double m, int absolute_sigma)
{
    const lm_state *s = &f->lm.state;
    enum covariance_state known;
    PyObject *answer = NULL, *cov = curve_covariance(f, m, absolute_sigma, &known);
    PyObject *idle = fit_idle_parameters(f);                                     /* new */
    PyObject *info = f->stopped ? Py_NewRef(Py_None) : PyLong_FromLong(s->info); /* new */
    PyObject *active =
        f->lower != NULL ? fit_active_mask(f) : Py_NewRef(Py_None); /* new */

    if (cov != NULL && idle != NULL && info != NULL && active != NULL)
        answer = Py_BuildValue("OOOiOddiiO", f->x, cov, info, (int)known, idle,
                               fit_progress(f), s->fnorm, s->nfev, f->lm.njev, active);
    Py_XDECREF(cov);
    Py_XDECREF(idle);
    Py_XDECREF(info);
    Py_XDECREF(active);
    return answer;
}

PyObject *solve_in_pieces(PyObject *module, PyObject *args)
{
    /* All are borrowed. */
    PyObject *sample, *x0, *lower, *upper, *ftol, *xtol, *gtol, *maxfev, *epsfcn, *factor;
    PyObject *diag, *diff_step, *observer;
    PyArrayObject *scale = NULL;
    PyObject *answer = NULL;
    int rows, absolute_sigma;
    driver self;

    (void)module;
    memset(&self, 0, sizeof self);
    fit_init(&self.fit);
    lm_state *s = &self.fit.lm.state;
    lm_differences *d = &self.fit.lm.differences;
    if (!PyArg_ParseTuple(args, "OOiddOOOppOOOOOOOOpOp:fit_in_pieces", &self.evaluate,
                          &sample, &rows, &d->rounding, &self.m, &x0, &lower, &upper,
                          &absolute_sigma, &self.weighted, &ftol, &xtol, &gtol, &maxfev,
                          &epsfcn, &factor, &diag, &diff_step, &d->uncounted, &observer,
                          &s->accelerates))
        return NULL;
    self.fit.analytic = sample == Py_None;
    self.sample = self.fit.analytic ? NULL : sample;
    self.fit.observer = observer != Py_None ? observer : NULL;
    d->epsfcn = d->rounding;
    if (real_argument(ftol, "ftol", &s->ftol) < 0
        || real_argument(xtol, "xtol", &s->xtol) < 0
        || real_argument(gtol, "gtol", &s->gtol) < 0
        || real_argument(factor, "factor", &s->factor) < 0
        || (epsfcn != Py_None && real_argument(epsfcn, "epsfcn", &d->epsfcn) < 0)
        || count_argument(maxfev, "maxfev", &s->maxfev) < 0
        || read_vectors(&self.fit, x0, lower, upper, diff_step) < 0)
        goto fail;
    npy_intp n = PyArray_DIM(self.fit.x, 0);
    scale = fit_read_diag(diag, n); /* new */
    if (PyErr_Occurred() || allocate(&self, rows, scale) < 0 || run(&self) < 0)
        goto fail;
    answer = result(&self.fit, self.m, absolute_sigma);
fail:
    Py_XDECREF(scale);
    PyMem_Free(self.memory);
    fit_clear(&self.fit);
    return answer;
}

#include "groups.h"

#include <float.h>
#include <string.h>

#include "abreast.h"

/* With more residuals the function takes nearly all the time. */
enum { MOST_ROWS = 100 };

struct groups {
    int count;
    char *memory;
    unsigned *alone; /* (count) lanes that evaluate more points of the differences */
    abreast all[];
};

int batch_goes_in_groups(const batch *b)
{
    return !b->is_compiled && b->mask == NULL && b->chunk >= LM_ABREAST
           && b->fit.rows.m <= MOST_ROWS && lm_go_abreast(&b->fit);
}

/* --- Memory ---------------------------------------------------------------------- */

groups *groups_new(worker *w)
{
    const batch *b = w->batch;
    size_t count = ((size_t)b->chunk + LM_ABREAST - 1) / LM_ABREAST;
    groups *self = PyMem_Calloc(1, sizeof *self + count * sizeof *self->all);
    abreast empty = {.slots = NULL};
    size_t size = abreast_lay_out(&empty, b, NULL);

    if (self == NULL)
        return (groups *)PyErr_NoMemory();
    self->count = (int)count;
    self->memory = PyMem_Calloc(count, size + sizeof *self->alone);
    if (self->memory == NULL) {
        groups_free(self);
        return (groups *)PyErr_NoMemory();
    }
    for (size_t k = 0; k < count; k++) {
        self->all[k].slots = w->slots + k * LM_ABREAST;
        abreast_lay_out(&self->all[k], b, self->memory + k * size);
    }
    self->alone = (unsigned *)(self->memory + count * size);
    return self;
}

void groups_free(groups *self)
{
    if (self == NULL)
        return;
    PyMem_Free(self->memory);
    PyMem_Free(self);
}

/* --- Questions --------------------------------------------------------------------- */

/* Where a function is called */
enum { AT_TRIAL, AT_X, MOVED, ALONE };

/* Those of group i that ask; j is the parameter that has moved. */
static unsigned lanes_that_ask(const groups *all, int i, int where, int j)
{
    const lm_abreast *rows = &all->all[i].rows;

    return where == AT_TRIAL ? rows->asks[LM_RESIDUALS]
           : where == AT_X   ? rows->asks[LM_LINEARIZE]
           : where == MOVED  ? lm_moved_abreast(rows, j)
                             : all->alone[i];
}

/* The point of fit k, to its own state */
static void show_point(abreast *g, int k, int where, int j)
{
    lm_state *s = &g->slots[k].lm.state;
    const double *from = where == AT_TRIAL ? g->rows.x_trial : g->rows.x;
    double *to = where == AT_X ? s->x : s->x_trial;

    if (where == ALONE) /* it is there */
        return;
    for (int i = 0; i < g->rows.n; i++)
        to[i] = from[i * LM_ABREAST + k];
    if (where == MOVED)
        to[j] = g->rows.moved_x[j * LM_ABREAST + k];
}

/* One call for all fits that ask for it: how many they are, or -1. */
static int ask(worker *w, int where, int j, answer *a)
{
    groups *all = w->groups;
    int count = 0;

    for (int i = 0; i < all->count; i++) {
        unsigned lanes = lanes_that_ask(all, i, where, j);
        for (int k = 0; k < LM_ABREAST; k++)
            if (has_lane(lanes, k)) {
                show_point(&all->all[i], k, where, j);
                w->asking[count++] = i * LM_ABREAST + k;
            }
    }
    if (count == 0 || worker_is_stopped(w))
        return 0;
    return worker_ask(w, count, where == AT_X, a) < 0 ? -1 : count;
}

/* to(8, m) := what was returned for these fits, from `first` bytes on in each row. The
 * other lanes have numbers that nobody needs. */
static void fill_lanes(const abreast *g, const answer *a, npy_intp first, unsigned lanes,
                       double *to)
{
    const char *from[LM_ABREAST], *any = NULL;
    npy_intp stride = a->strides[1];

    if (lanes == 0)
        return;
    for (int k = LM_ABREAST - 1; k >= 0; k--)
        if (has_lane(lanes, k))
            any = from[k] =
                PyArray_BYTES(a->array) + g->slots[k].row * a->strides[0] + first;
    for (int k = 0; k < LM_ABREAST; k++)
        from[k] = has_lane(lanes, k) ? from[k] : any;
    if (stride == sizeof(double))
        lm_transpose_abreast(g->rows.kernels, g->rows.m, (const double *const *)from, to);
    else
        for (int i = 0; i < g->rows.m; i++)
            for (int k = 0; k < LM_ABREAST; k++)
                to[i * LM_ABREAST + k] = *(const double *)(from[k] + i * stride);
}

/* --- What the answers let the fits of group i do ----------------------------------- */

typedef void use(worker *w, int i, const answer *a, unsigned lanes, int j);

static void use_trial(worker *w, int i, const answer *a, unsigned lanes, int j)
{
    abreast *g = &w->groups->all[i];

    (void)j;
    fill_lanes(g, a, 0, lanes, g->values);
    abreast_judge(g, w->batch, g->values);
}

static void use_exact(worker *w, int i, const answer *a, unsigned lanes, int j)
{
    abreast *g = &w->groups->all[i];
    size_t column = (size_t)g->rows.m * LM_ABREAST;

    for (j = 0; j < g->rows.n; j++)
        fill_lanes(g, a, j * a->strides[2], lanes, g->rows.fjac + (size_t)j * column);
    abreast_weigh_derivatives(g);
}

/* Let fit k evaluate the next point by itself, or be done with them. */
static void go_alone(worker *w, int i, int k, int point)
{
    abreast *g = &w->groups->all[i];
    slot *own = &g->slots[k];

    if (worker_ask_point(own, point))
        return;
    w->groups->alone[i] &= ~(1u << k);
    lm_end_alone(&g->rows, k, 0);
}

static void use_moved(worker *w, int i, const answer *a, unsigned lanes, int j)
{
    abreast *g = &w->groups->all[i];

    fill_lanes(g, a, 0, lanes, g->values);
    unsigned unclear = abreast_take_moved(g, j, g->values);
    w->groups->alone[i] = unclear;
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(unclear, k))
            go_alone(w, i, k, j);
}

static void use_alone(worker *w, int i, const answer *a, unsigned lanes, int j)
{
    abreast *g = &w->groups->all[i];

    (void)j;
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(lanes, k)) {
            slot *own = &g->slots[k];
            lm_take_point(&own->lm, own->point, worker_residuals(w, own, a, own->row));
            go_alone(w, i, k, own->point);
        }
}

/* --- Rounds ------------------------------------------------------------------------ */

/* Let all groups use an answer, which is released: 0, or -1 after Ctrl-C. A group may
 * have asked nothing where a parameter has moved that its bounds fix. */
static int use_answer(worker *w, answer *a, int where, int j, use *part)
{
    groups *all = w->groups;

    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < all->count; i++) {
        unsigned lanes = lanes_that_ask(all, i, where, j);
        if (lanes != 0 || (where == MOVED && all->all[i].rows.asks[LM_LINEARIZE] != 0))
            part(w, i, a, lanes, j);
    }
    Py_END_ALLOW_THREADS
    Py_CLEAR(a->array);
    /* A compiled function runs no bytecode, so nobody else looks for Ctrl-C. */
    return PyErr_CheckSignals();
}

/* Ask, and use the answer: how many fits have asked, or -1. */
static int serve(worker *w, int where, int j, use *part)
{
    answer a = {.array = NULL};
    int count = ask(w, where, j, &a);

    if (count < 0 || worker_is_stopped(w)) {
        Py_CLEAR(a.array);
        return count < 0 ? -1 : 0;
    }
    atomic_fetch_add_explicit(&w->batch->served, count, memory_order_relaxed);
    return use_answer(w, &a, where, j, part) < 0 ? -1 : count;
}

/* The Jacobians of the fits that have moved: 0, or -1. */
static int differentiate(worker *w)
{
    int count;

    if (w->batch->analytic)
        return serve(w, AT_X, 0, use_exact);
    for (int j = 0; j < w->batch->fit.rows.n; j++)
        if (serve(w, MOVED, j, use_moved) < 0)
            return -1;
    do
        count = serve(w, ALONE, 0, use_alone);
    while (count > 0);
    return count;
}

/* The first answer: 0, or -1; or 1 where fits cannot go in groups, for their differences
 * have other steps than those of float64. */
static int take_first(worker *w)
{
    answer a = {.array = NULL};
    int count = ask(w, AT_TRIAL, 0, &a);

    if (count <= 0)
        return count;
    if (a.epsilon == DBL_EPSILON)
        return use_answer(w, &a, AT_TRIAL, 0, use_trial);
    groups_free(w->groups);
    w->groups = NULL;
    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < count; k++)
        use_residuals(w, &w->slots[w->asking[k]], &a, k);
    Py_END_ALLOW_THREADS
    Py_CLEAR(a.array);
    return 1;
}

/* Linearize, and take steps: 0, or -1. */
static int end_round(worker *w)
{
    if (differentiate(w) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < w->groups->count; i++)
        abreast_step(w, &w->groups->all[i]);
    Py_END_ALLOW_THREADS
    return 0;
}

int work_in_groups(worker *w)
{
    groups *all = w->groups;

    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < w->batch->chunk; k++)
        abreast_refill(w, &all->all[k / LM_ABREAST], k % LM_ABREAST);
    Py_END_ALLOW_THREADS
    int count = take_first(w);
    if (count != 0)
        return count;
    do {
        if (end_round(w) < 0)
            return -1;
        count = serve(w, AT_TRIAL, 0, use_trial);
    } while (count > 0);
    return count;
}

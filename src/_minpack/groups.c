#include "groups.h"

#include <float.h>
#include <string.h>

/* With more residuals the function takes nearly all the time. */
enum { MOST_ROWS = 100 };

typedef struct {
    lm_abreast rows;
    slot *slots;     /* its eight, or fewer, of the worker's */
    double *f;       /* (8, m) what the function returned */
    double *y;       /* (8, m) the data of a curve, or NULL */
    double *weights; /* (8, m) or NULL */
    unsigned alone;  /* the lanes that evaluate more points of the differences */
    unsigned here;   /* those that are linearized from their lanes */
} group;

struct groups {
    int count;
    void *memory;
    group all[];
};

int batch_goes_in_groups(const batch *b)
{
    return !b->is_compiled && b->mask == NULL && b->chunk >= LM_ABREAST
           && b->fit.rows.m <= MOST_ROWS && lm_go_abreast(&b->fit);
}

/* --- Memory ---------------------------------------------------------------------- */

static void lay_out(group *g, const batch *b, char *memory)
{
    size_t column = (size_t)b->fit.rows.m * LM_ABREAST * sizeof(double);

    g->f = (double *)memory;
    if (b->is_curve)
        g->y = (double *)(memory + column);
    if (b->weights != NULL || b->sigma != NULL)
        g->weights = (double *)(memory + 2 * column);
    lm_lay_out_abreast(&g->rows, memory + 3 * column);
}

groups *groups_new(worker *w)
{
    const batch *b = w->batch;
    int count = (b->chunk + LM_ABREAST - 1) / LM_ABREAST;
    groups *self = PyMem_Calloc(1, sizeof *self + (size_t)count * sizeof *self->all);
    lm_abreast rows = {.m = b->fit.rows.m, .n = b->fit.rows.n};

    if (self == NULL)
        return (groups *)PyErr_NoMemory();
    self->count = count;
    rows.kernels = b->fit.rows.kernels;
    size_t size = lm_lay_out_abreast(&rows, NULL);
    size = (size + 3 * (size_t)rows.m * LM_ABREAST * sizeof(double) + 63) / 64 * 64;
    self->memory = PyMem_Calloc((size_t)count, size);
    if (self->memory == NULL) {
        groups_free(self);
        return (groups *)PyErr_NoMemory();
    }
    for (int k = 0; k < count; k++) {
        self->all[k].rows = rows;
        self->all[k].slots = w->slots + k * LM_ABREAST;
        lay_out(&self->all[k], b, (char *)self->memory + (size_t)k * size);
    }
    return self;
}

void groups_free(groups *self)
{
    if (self == NULL)
        return;
    PyMem_Free(self->memory);
    PyMem_Free(self);
}

/* --- A lane ------------------------------------------------------------------------ */

static int has_lane(unsigned lanes, int k)
{
    return (int)(lanes >> k & 1);
}

static void fill_lane(int m, const double *from, int k, double *to)
{
    for (int i = 0; i < m; i++)
        to[i * LM_ABREAST + k] = from[i];
}

/* Let fits that have ended give their lane to the next ones, until one asks for residuals
 * or none is left. */
static void refill_lane(worker *w, group *g, int k)
{
    slot *own = &g->slots[k];
    int m = g->rows.m;

    do {
        if (g->rows.fit[k] != NULL) {
            lm_leave_lane(&g->rows, k);
            worker_end_fit(w, own);
        }
        if (!worker_take_fit(w, own))
            return;
        own->point = -1;
        if (g->y != NULL)
            fill_lane(m, own->y, k, g->y);
        if (g->weights != NULL)
            fill_lane(m, own->w, k, g->weights);
        lm_enter_lane(&g->rows, k, &own->lm);
    } while (has_lane(g->rows.asks[LM_DONE], k));
}

/* --- Questions --------------------------------------------------------------------- */

/* Where a function is called */
enum { AT_TRIAL, AT_X, MOVED, ALONE };

static unsigned lanes_that_ask(const group *g, int where)
{
    return where == AT_TRIAL ? g->rows.asks[LM_RESIDUALS]
           : where == ALONE  ? g->alone
                             : g->rows.asks[LM_LINEARIZE];
}

/* The point of the fit in lane k, to its own state: x, or where parameter j has moved. */
static void show_point(group *g, int k, int where, int j)
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
    int count = 0, is_jacobian = where == AT_X;

    for (int i = 0; i < all->count; i++) {
        group *g = &all->all[i];
        unsigned lanes = lanes_that_ask(g, where);
        for (int k = 0; k < LM_ABREAST; k++)
            if (has_lane(lanes, k)) {
                show_point(g, k, where, j);
                w->asking[count++] = i * LM_ABREAST + k;
            }
    }
    if (count == 0 || worker_is_stopped(w))
        return 0;
    if (worker_ask(w, is_jacobian ? &w->jacobian : &w->residuals, count, is_jacobian, a)
        < 0)
        return -1;
    return count;
}

/* to(8, m) := what was returned for these fits, from `first` bytes on in each row. The
 * other lanes have numbers that nobody needs. */
static void fill_lanes(group *g, const answer *a, npy_intp first, unsigned lanes,
                       double *to)
{
    const char *from[LM_ABREAST], *any = NULL;
    npy_intp stride = a->strides[1];

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

static void take_values(group *g, const answer *a, unsigned lanes)
{
    fill_lanes(g, a, 0, lanes, g->f);
}

static void take_derivatives(group *g, const answer *a, unsigned lanes)
{
    size_t column = (size_t)g->rows.m * LM_ABREAST;

    for (int j = 0; j < g->rows.n; j++) {
        double *to = g->rows.fjac + (size_t)j * column;
        fill_lanes(g, a, j * a->strides[2], lanes, to);
        for (size_t i = 0; g->weights != NULL && i < column; i++)
            to[i] *= g->weights[i];
    }
}

/* --- What the answers let the fits of a group do ----------------------------------- */

typedef void use(worker *w, group *g, const answer *a, unsigned lanes, int j);

static void use_trial(worker *w, group *g, const answer *a, unsigned lanes, int j)
{
    (void)w;
    (void)j;
    take_values(g, a, lanes);
    lm_take_residuals_abreast(&g->rows, g->f, g->y, g->weights);
    lm_norms_abreast(&g->rows);
    lm_judge_abreast(&g->rows);
    g->here = g->rows.asks[LM_LINEARIZE];
    if (g->here != 0 && !w->batch->analytic)
        lm_first_points_abreast(&g->rows);
}

static void use_exact(worker *w, group *g, const answer *a, unsigned lanes, int j)
{
    (void)w;
    (void)j;
    take_derivatives(g, a, lanes);
}

/* Let fit k evaluate more points by itself, or be done with them. */
static void go_alone(group *g, int k, int point)
{
    slot *own = &g->slots[k];

    if (worker_ask_point(own, point))
        return;
    own->point = -1;
    g->alone &= ~(1u << k);
    lm_end_alone(&g->rows, k);
}

static void use_moved(worker *w, group *g, const answer *a, unsigned lanes, int j)
{
    (void)w;
    take_values(g, a, lanes);
    lm_take_point_abreast(&g->rows, j, g->f, g->y, g->weights);
    if (j + 1 < g->rows.n)
        return;
    g->alone = lm_unclear_abreast(&g->rows);
    g->here &= ~g->alone;
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(g->alone, k)) {
            lm_begin_alone(&g->rows, k);
            go_alone(g, k, j);
        }
}

static void use_alone(worker *w, group *g, const answer *a, unsigned lanes, int j)
{
    (void)j;
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(lanes, k)) {
            slot *own = &g->slots[k];
            lm_take_point(&own->lm, own->point, worker_residuals(w, own, a, own->row));
            go_alone(g, k, own->point);
        }
}

/* The rest of a round */
static void step(worker *w, group *g)
{
    if (g->here != 0)
        lm_linearize_abreast(&g->rows, g->here);
    g->here = 0;
    lm_propose_abreast(&g->rows);
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(g->rows.asks[LM_DONE], k))
            refill_lane(w, g, k);
}

/* --- Rounds ------------------------------------------------------------------------ */

/* Use an answer, which is released: 0, or -1 after Ctrl-C. */
static int use_answer(worker *w, answer *a, int where, int j, use *part)
{
    groups *all = w->groups;

    Py_BEGIN_ALLOW_THREADS
    for (int i = 0; i < all->count; i++) {
        unsigned lanes = lanes_that_ask(&all->all[i], where);
        if (lanes != 0)
            part(w, &all->all[i], a, lanes, j);
    }
    Py_END_ALLOW_THREADS
    Py_CLEAR(a->array);
    /* A compiled function runs no bytecode, so nobody else looks for Ctrl-C. */
    return PyErr_CheckSignals();
}

/* Ask, and use the answer: how many fits have asked, or -1. */
static int serve(worker *w, int where, int j, use *part)
{
    answer a;
    int count = ask(w, where, j, &a);

    if (count > 0 && use_answer(w, &a, where, j, part) < 0)
        return -1;
    if (count > 0)
        atomic_fetch_add_explicit(&w->batch->served, count, memory_order_relaxed);
    return count;
}

/* The Jacobians of the fits that have moved: 0, or -1. */
static int differentiate(worker *w)
{
    int count = 1;

    if (w->batch->analytic)
        return serve(w, AT_X, 0, use_exact);
    for (int j = 0; j < w->batch->fit.rows.n && count > 0; j++)
        count = serve(w, MOVED, j, use_moved);
    while (count > 0)
        count = serve(w, ALONE, 0, use_alone);
    return count;
}

/* The first answer: 1 where fits cannot go in groups, for their differences would have
 * other steps than those of float64. */
static int take_first(worker *w)
{
    answer a;
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
        step(w, &w->groups->all[i]);
    Py_END_ALLOW_THREADS
    return 0;
}

int work_in_groups(worker *w)
{
    groups *all = w->groups;

    Py_BEGIN_ALLOW_THREADS
    for (int k = 0; k < w->batch->chunk; k++)
        refill_lane(w, &all->all[k / LM_ABREAST], k % LM_ABREAST);
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

#include "block_fit.h"

#include <fenv.h>
#include <stdatomic.h>
#include <string.h>

#include "curve_fit.h"
#include "row_team.h"

enum {
    FEWEST =
        1024,    /* with no more residuals MINPACK's order of operations may be wanted */
    STRIP = 512, /* rows that are weighed together */
    FAR = 200000 /* rows of which the data do not stay in the cache */
};

typedef struct {
    fit *fit;
    row_team team;
    int looks;            /* 1: whether data are finite is found out in this pass */
    atomic_int is_bad[2]; /* those of fit->finite that are not */
    int ends; /* 1: weigh the rows by the curvature of the loss itself, see loss.h */
    double *linearized; /* (n) where the factors are from */
} blocks;

int fit_takes_blocks(const fit *self, const compiled_part *part, npy_intp m)
{
    return m > FEWEST && self->analytic && !has_covariance(self->data)
           && self->observer == NULL && self->loss.function.name == NULL
           && self->lm.state.mends && !self->lm.state.accelerates
           && computes_derivatives(part);
}

/* --- Rows -------------------------------------------------------------------------- */

static int takes_loss(const blocks *b)
{
    return b->fit->lm.rows.weighted;
}

/* Let the data of the next block come from memory while this one is computed: blocks are
 * so short that the processor does not see them coming. */
static void fetch(const blocks *b, int worker, int first, int count)
{
    int left = b->fit->lm.rows.m - first;

    if (count > left)
        count = left;
    if (b->team.programs != NULL)
        program_fetch_rows(b->team.programs[worker], first, count);
    if (b->fit->data != NULL)
        data_fetch_rows(b->fit->data, first, count);
}

/* Residuals, and where fjac is not NULL the Jacobian, without the loss. */
static void evaluate(blocks *b, int worker, int first, int count, double *fvec,
                     double *fjac, int ldfjac)
{
    const fit *self = b->fit;
    int m = self->lm.rows.m, n = self->lm.rows.n;

    team_rows(&b->team, worker, first, count, fvec, fjac, ldfjac);
    if (self->data == NULL)
        return;
    data_weigh_value_rows(self->data, m, first, count, fvec);
    if (fjac != NULL)
        data_weigh_derivative_rows(self->data, first, count, n, fjac, ldfjac);
}

/* Weigh rows as the loss wants it. */
static void weigh(const blocks *b, int count, double *fvec, double *fjac, int ldfjac)
{
    loss *own = &b->fit->loss;
    int n = b->fit->lm.rows.n;
    double residuals[STRIP];

    for (int first = 0; first < count; first += STRIP) {
        int rows = count - first < STRIP ? count - first : STRIP;
        double *f = fvec + first;
        memcpy(residuals, f, (size_t)rows * sizeof *f);
        loss_weigh(own, rows, n, residuals, fjac + first, ldfjac, f);
        if (b->ends)
            loss_show_curvature(own, rows, n, residuals, fjac + first, ldfjac, f);
    }
}

/* Look at data that must be finite, while they are near. */
static void look_at_data(blocks *b, int first, int count)
{
    for (int k = 0; k < 2; k++) {
        PyArrayObject *array = b->fit->finite[k].array;
        if (array != NULL && !are_finite(count, doubles(array) + first))
            atomic_store_explicit(&b->is_bad[k], 1, memory_order_relaxed);
    }
}

static double rows_of_team(void *who, int worker, int first, int count, double *fvec,
                           double *fjac, int ldfjac)
{
    blocks *b = who;
    fit *self = b->fit;

    if (self->lm.rows.m >= FAR)
        fetch(b, worker, first + count, count);
    evaluate(b, worker, first, count, fvec, fjac, ldfjac);
    if (b->looks)
        look_at_data(b, first, count);
    if (!takes_loss(b))
        return lm_block_norm(&self->lm.rows, count, fvec);
    double norm = loss_of_block(&self->loss, count, fvec);
    if (fjac != NULL)
        weigh(b, count, fvec, fjac, ldfjac);
    return norm;
}

static void spread(void *who, int count, void (*part)(void *context, int k, int worker),
                   void *context)
{
    const blocks *b = who;

    crew_each(b->team.crew, count, part, context);
}

/* --- Hooks ------------------------------------------------------------------------- */

static blocks *blocks_of(const lm_fit *lm)
{
    return lm->rows.source_who;
}

/* Whether to go on: 0, or what ends the fit. */
static int goes_on(const blocks *b)
{
    return b->team.status < 0                 ? b->team.status
           : interrupt_came(b->fit->unlocked) ? FIT_FAILED
                                              : 0;
}

static int has_bad_data(const blocks *b)
{
    return b->is_bad[0] || b->is_bad[1];
}

/* lm_run asks for the rows at x itself: first for all of those at the start. */
static int residuals(void *who, lm_fit *lm, const double *x)
{
    blocks *b = blocks_of(lm);

    (void)who;
    if (has_bad_data(b))
        return FIT_FAILED;
    b->looks = lm->state.nfev == 1;
    team_move(&b->team, x);
    return goes_on(b);
}

static int jacobian(void *who, lm_fit *lm)
{
    blocks *b = blocks_of(lm);

    (void)who;
    if (has_bad_data(b))
        return FIT_FAILED;
    b->looks = 0;
    memcpy(b->linearized, lm->state.x, (size_t)lm->rows.n * sizeof(double));
    team_move(&b->team, lm->state.x);
    return goes_on(b);
}

/* --- What the caller asks to see --------------------------------------------------- */

/* Whole arrays */
typedef struct {
    blocks *blocks;
    double *fvec, *fjac, *fvec_weighted;
} picture;

static void draw(void *context, int k, int worker)
{
    const picture *p = context;
    blocks *b = p->blocks;
    int m = b->fit->lm.rows.m, first = k * TEAM_STRIP;
    int count = m - first < TEAM_STRIP ? m - first : TEAM_STRIP;
    double *fjac = p->fjac != NULL ? p->fjac + first : NULL;

    evaluate(b, worker, first, count, p->fvec + first, fjac, m);
    if (p->fvec_weighted == NULL)
        return;
    memcpy(p->fvec_weighted + first, p->fvec + first, (size_t)count * sizeof(double));
    weigh(b, count, p->fvec_weighted + first, fjac, m);
}

static void draw_at(blocks *b, const double *x, picture p)
{
    team_move(&b->team, x);
    p.blocks = b;
    team_each(&b->team, b->fit->lm.rows.m, draw, &p);
}

/* New arrays of the residuals and the Jacobian, where they are shown. */
static int allocate_arrays(fit *self)
{
    lm_rows *rows = &self->lm.rows;
    npy_intp shape[] = {rows->n, rows->m};

    self->fvec = (PyArrayObject *)PyArray_SimpleNew(1, shape + 1, NPY_DOUBLE); /* new */
    self->fjac = (PyArrayObject *)PyArray_SimpleNew(2, shape, NPY_DOUBLE);     /* new */
    if (rows->weighted)
        self->trial = /* new */
            (PyArrayObject *)PyArray_SimpleNew(1, shape + 1, NPY_DOUBLE);
    if (self->fvec == NULL || self->fjac == NULL
        || (rows->weighted && self->trial == NULL))
        return -1;
    rows->fvec = doubles(self->fvec);
    rows->fjac = doubles(self->fjac);
    rows->fvec_weighted = rows->weighted ? doubles(self->trial) : NULL;
    rows->ldfjac = rows->m;
    return 0;
}

/* Fill them. Where the Jacobian is kept it is that at x, else the one that has been
 * factored. */
static void fill_arrays(blocks *b)
{
    fit *self = b->fit;
    lm_rows *rows = &self->lm.rows;
    const lm_state *s = &self->lm.state;
    picture all = {
        .fvec = rows->fvec, .fjac = rows->fjac, .fvec_weighted = rows->fvec_weighted};

    if (s->info <= LM_BAD_INPUT) { /* or the function has stopped the fit */
        fill_nan(rows->fvec, rows->m);
        memset(rows->fjac, 0, (size_t)rows->m * (size_t)rows->n * sizeof(double));
        return;
    }
    if (rows->keeps) {
        self->lm.njev += s->moved;
        draw_at(b, s->x, all);
        return;
    }
    draw_at(b, b->linearized, all);
    draw_at(b, s->x, (picture){.fvec = rows->fvec});
}

/* --- The whole --------------------------------------------------------------------- */

/* The factors at the solution, by the curvature of the loss. */
static void end_weighted(blocks *b)
{
    lm_fit *lm = &b->fit->lm;

    if (!takes_loss(b) || !has_jacobian_at_end(&lm->state))
        return;
    b->ends = 1;
    team_move(&b->team, lm->state.x);
    lm_linearize(lm);
}

int fit_run_blocks(fit *self, const compiled_part *part, npy_intp m, PyArrayObject *diag)
{
    interrupt signals;
    fexcept_t flags; /* as found, whatever the loops do to them */
    lm_hooks hooks = {.residuals = residuals, .jacobian = jacobian};
    blocks b = {.fit = self, .looks = 0};
    lm_rows *rows = &self->lm.rows;
    npy_intp n = PyArray_DIM(self->x, 0);
    int status = -1;

    b.linearized = PyMem_Calloc((size_t)n, sizeof(double));
    if (b.linearized == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    if (team_open(&b.team, self, part, m) < 0)
        goto done;
    rows->source = rows_of_team;
    rows->spread = spread;
    rows->source_who = &b;
    rows->workers = b.team.count;
    if (fit_allocate(self, m, diag) < 0)
        goto done;
    self->unlocked = &signals;
    fegetexceptflag(&flags, FE_ALL_EXCEPT);
    interrupt_start(&signals);
    lm_run(&self->lm, &hooks, self);
    if (!has_bad_data(&b) && b.team.status == 0)
        end_weighted(&b);
    if (b.team.status < 0)
        self->lm.state.info = b.team.status;
    interrupt_end(&signals);
    for (int k = 0; k < 2 && !PyErr_Occurred(); k++)
        if (b.is_bad[k])
            not_finite(self->finite[k].name);
    if (!PyErr_Occurred() && self->shows_arrays && allocate_arrays(self) == 0) {
        Py_BEGIN_ALLOW_THREADS
        fill_arrays(&b);
        Py_END_ALLOW_THREADS
        if (b.team.status < 0)
            self->lm.state.info = b.team.status;
    }
    fesetexceptflag(&flags, FE_ALL_EXCEPT);
    status = PyErr_Occurred() ? -1 : 0;
done:
    rows->source_who = NULL;
    self->unlocked = NULL;
    team_close(&b.team);
    PyMem_Free(b.linearized);
    return status;
}

#include "abreast.h"

#include <stdint.h>
#include <string.h>

#include "abreast_sources.h"

/* With more the loops for one fit are as fast, and what they need stays in the cache. The
 * values of compiled functions, and m n derivatives, are moved to their lanes besides. */
enum { MOST_ROWS = 200, MOST_COMPILED_ROWS = 150, MOST_COMPILED_DERIVATIVES = 1000 };

_Static_assert((int)ABREAST == (int)LM_ABREAST, "a program runs for as many fits");

static int are_small(const batch *b)
{
    int m = b->fit.rows.m;

    if (b->program != NULL)
        return m <= MOST_ROWS && program_goes_abreast(b->program);
    return m <= MOST_COMPILED_ROWS && m * b->fit.rows.n <= MOST_COMPILED_DERIVATIVES;
}

int batch_goes_abreast(const batch *b)
{
    return b->is_compiled && b->chunk > 1 && b->mask == NULL && lm_go_abreast(&b->fit)
           && are_small(b);
}

/* --- Memory ---------------------------------------------------------------------- */

abreast *abreast_new(worker *w)
{
    const batch *b = w->batch;
    abreast *self = PyMem_Calloc(1, sizeof *self);
    size_t column = (size_t)b->fit.rows.m * ABREAST;
    size_t columns = (3 + (size_t)b->fit.rows.n) * column * sizeof(double);

    if (self == NULL)
        return (abreast *)PyErr_NoMemory();
    self->rows.m = b->fit.rows.m;
    self->rows.n = b->fit.rows.n;
    self->rows.kernels = b->fit.rows.kernels;
    self->memory = PyMem_Calloc(1, columns + lm_lay_out_abreast(&self->rows, NULL));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        goto fail;
    }
    self->values = self->memory;
    if (b->is_curve)
        self->y = self->values + column;
    if (b->weights != NULL || b->sigma != NULL)
        self->weights = self->values + 2 * column;
    self->alone = self->values + 3 * column;
    lm_lay_out_abreast(&self->rows, (char *)self->memory + columns);
    self->source = b->program != NULL ? &PROGRAM_SOURCE : &COMPILED_SOURCE;
    if (b->program == NULL)
        return self;
    self->run = program_abreast_new(b->program, b->fit.rows.kernels, !b->analytic);
    if (self->run == NULL)
        goto fail;
    program_columns_abreast(self->run, self->rows.fjac);
    return self;
fail:
    abreast_free(self);
    return NULL;
}

void abreast_free(abreast *self)
{
    if (self == NULL)
        return;
    program_abreast_free(self->run);
    PyMem_Free(self->memory);
    PyMem_Free(self);
}

/* --- A lane ------------------------------------------------------------------------ */

static void fill_lane(int m, const double *from, int k, double *to)
{
    for (int i = 0; i < m; i++)
        to[i * ABREAST + k] = from[i];
}

/* The data of the fit that slot k has taken. */
static void load_lane(worker *w, int k)
{
    abreast *a = w->abreast;
    const slot *own = &w->slots[k];

    a->source->load(w, k);
    if (a->y != NULL)
        fill_lane(a->rows.m, own->y, k, a->y);
    if (a->weights != NULL)
        fill_lane(a->rows.m, own->w, k, a->weights);
}

/* Let fits that have ended give their lane to the next ones, until one asks for residuals
 * or none is left. */
static void refill_lane(worker *w, int k)
{
    abreast *a = w->abreast;
    slot *own = &w->slots[k];

    do {
        if (a->rows.fit[k] != NULL) {
            lm_leave_lane(&a->rows, k);
            worker_end_fit(w, own);
        }
        if (!worker_take_fit(w, own))
            return;
        load_lane(w, k);
        lm_enter_lane(&a->rows, k, &own->lm);
    } while (own->lm.state.request == LM_DONE);
}

/* The lanes whose fits ask for this. */
static unsigned lanes_that_ask(const abreast *a, int request)
{
    unsigned lanes = 0;

    for (int k = 0; k < ABREAST; k++)
        if (a->rows.fit[k] != NULL && a->rows.fit[k]->state.request == request)
            lanes |= 1u << k;
    return lanes;
}

/* --- All lanes: those that go on are left in `lanes` ------------------------------- */

/* The residuals at x_trial, and their norms */
static void evaluate(worker *w, unsigned *lanes)
{
    abreast *a = w->abreast;

    lm_take_residuals_abreast(&a->rows, a->source->values(w, lanes), a->y, a->weights);
    lm_norms_abreast(&a->rows, *lanes);
}

static void differentiate_exactly(worker *w, unsigned *lanes)
{
    abreast *a = w->abreast;
    size_t column = (size_t)a->rows.m * ABREAST;

    for (int k = 0; k < ABREAST; k++)
        if (has_lane(*lanes, k))
            a->rows.fit[k]->njev++;
    a->source->jacobian(w, lanes);
    for (int j = 0; a->weights != NULL && j < a->rows.n; j++)
        for (size_t i = 0; i < column; i++)
            a->rows.fjac[(size_t)j * column + i] *= a->weights[i];
}

/* Column j of the Jacobians by differences. A parameter that is not moved, for its bounds
 * are equal, has a column of zeros. */
static void difference_column(worker *w, unsigned *lanes, int j)
{
    abreast *a = w->abreast;
    double h[ABREAST];
    unsigned moved = 0;

    for (int k = 0; k < ABREAST; k++) {
        lm_fit *fit = a->rows.fit[k];
        h[k] = 1;
        if (!has_lane(*lanes, k) || fit->differences.h[j] == 0)
            continue;
        lm_move_to(fit, j);
        h[k] = fit->differences.h[j];
        moved |= 1u << k;
    }
    unsigned fixed = *lanes & ~moved;
    lm_take_point_abreast(&a->rows, j, h, a->source->moved(w, &moved, j), a->y,
                          a->weights);
    for (int k = 0; k < ABREAST; k++)
        for (int i = 0; has_lane(fixed, k) && i < a->rows.m; i++)
            a->rows.fjac[((size_t)j * (size_t)a->rows.m + (size_t)i) * ABREAST + k] = 0;
    *lanes = moved | fixed;
}

/* The rest of a Jacobian that needs longer steps, and its factors. */
static void finish_alone(worker *w, unsigned *lanes, int k)
{
    lm_fit *fit = w->abreast->rows.fit[k];

    w->user_data = worker_user_data(w, w->slots[k].fit);
    lm_copy_rows_of_lane(&w->abreast->rows, k);
    while (lm_more_points(fit))
        for (int i = lm_next_point(fit, -1); i >= 0; i = lm_next_point(fit, i)) {
            lm_move_to(fit, i);
            int status = worker_evaluate(w, &w->slots[k], fit->state.x_trial);
            if (!abreast_goes_on(w, lanes, k, status))
                return;
            lm_take_point(fit, i, fit->own_trial);
        }
    lm_linearize_lane(&w->abreast->rows, k);
}

/* Returns the lanes whose factors are there already. */
static unsigned differentiate(worker *w, unsigned *lanes)
{
    abreast *a = w->abreast;

    for (int k = 0; k < ABREAST; k++)
        if (has_lane(*lanes, k))
            lm_first_points(a->rows.fit[k]);
    for (int j = 0; j < a->rows.n; j++)
        difference_column(w, lanes, j);
    unsigned alone = *lanes & ~lm_clear_abreast(&a->rows, *lanes);
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(*lanes & alone, k))
            finish_alone(w, lanes, k);
    return alone;
}

/* The answers to LM_LINEARIZE, at the points that have just become x */
static void linearize(worker *w, unsigned *lanes)
{
    unsigned done = 0;

    if (w->batch->analytic)
        differentiate_exactly(w, lanes);
    else
        done = differentiate(w, lanes);
    lm_linearize_abreast(&w->abreast->rows, *lanes & ~done);
}

/* A round: every fit has a trial point evaluated, and those that go on from there are
 * linearized. */
static void go_round(worker *w, unsigned lanes)
{
    abreast *a = w->abreast;
    unsigned moved = 0;

    evaluate(w, &lanes);
    lm_step_abreast(&a->rows, lanes);
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(lanes, k) && a->rows.fit[k]->state.moved)
            moved |= 1u << k;
    if (moved != 0)
        lm_accept_abreast(&a->rows, moved);
    lanes = lanes_that_ask(a, LM_LINEARIZE);
    if (lanes != 0) {
        linearize(w, &lanes);
        lm_step_abreast(&a->rows, lanes);
    }
}

void work_abreast(worker *w)
{
    abreast *a = w->abreast;

    for (int k = 0; k < w->batch->chunk; k++)
        refill_lane(w, k);
    while (!worker_is_stopped(w)) {
        unsigned lanes = lanes_that_ask(a, LM_RESIDUALS);
        if (lanes == 0)
            return;
        go_round(w, lanes);
        lanes = lanes_that_ask(a, LM_DONE);
        for (int k = 0; k < ABREAST; k++)
            if (has_lane(lanes, k))
                refill_lane(w, k);
    }
}

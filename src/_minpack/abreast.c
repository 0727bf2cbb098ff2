#include "abreast.h"

#include <stdint.h>
#include <string.h>

#include "program_abreast.h"

/* With more residuals the loops for one fit are as fast, and what they need stays in the
 * cache. */
enum { MOST_ROWS = 200 };

_Static_assert((int)ABREAST == (int)LM_ABREAST, "a program runs for as many fits");

struct abreast {
    lm_abreast rows;
    program_abreast *run;
    double *y;       /* (8, m) the data of a curve, or NULL */
    double *weights; /* (8, m) or NULL */
    void *memory;
};

int batch_goes_abreast(const batch *b)
{
    return b->program != NULL && b->mask == NULL && b->fit.rows.m <= MOST_ROWS
           && b->count > 1 && lm_go_abreast(&b->fit) && program_goes_abreast(b->program);
}

/* --- Memory ---------------------------------------------------------------------- */

abreast *abreast_new(worker *w)
{
    const batch *b = w->batch;
    abreast *self = PyMem_Calloc(1, sizeof *self);
    size_t column = (size_t)b->fit.rows.m * ABREAST * sizeof(double);
    int has_weights = b->weights != NULL || b->sigma != NULL;

    if (self == NULL)
        return (abreast *)PyErr_NoMemory();
    self->rows.m = b->fit.rows.m;
    self->rows.n = b->fit.rows.n;
    self->rows.kernels = b->fit.rows.kernels;
    self->memory = PyMem_Calloc(1, 2 * column + lm_lay_out_abreast(&self->rows, NULL));
    if (self->memory == NULL) {
        PyErr_NoMemory();
        goto fail;
    }
    if (b->is_curve) {
        self->y = self->memory;
        self->weights = has_weights ? (double *)((char *)self->memory + column) : NULL;
    }
    lm_lay_out_abreast(&self->rows, (char *)self->memory + 2 * column);
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

static int has_lane(unsigned lanes, int k)
{
    return (int)(lanes >> k & 1);
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
    const batch *b = w->batch;
    abreast *a = w->abreast;
    const slot *own = &w->slots[k];

    for (int i = 0; i < b->program->narrays; i++)
        program_abreast_base(
            a->run, k, i,
            row_of((PyArrayObject *)PyTuple_GET_ITEM(b->args, i), own->fit));
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
    } while (has_lane(a->rows.asks[LM_DONE], k));
}

/* --- All lanes --------------------------------------------------------------------- */

/* The residuals at x_trial, and their norms */
static void evaluate(abreast *a)
{
    memcpy(program_abreast_x(a->run), a->rows.x_trial,
           (size_t)a->rows.n * ABREAST * sizeof(double));
    lm_take_residuals_abreast(&a->rows, program_values_abreast(a->run), a->y, a->weights);
    lm_norms_abreast(&a->rows);
}

static void differentiate_exactly(abreast *a)
{
    size_t column = (size_t)a->rows.m * ABREAST;

    program_jacobian_abreast(a->run);
    for (int j = 0; a->weights != NULL && j < a->rows.n; j++)
        for (size_t i = 0; i < column; i++)
            a->rows.fjac[(size_t)j * column + i] *= a->weights[i];
}

/* The rest of a Jacobian that needs longer steps, and its factors. */
static void finish_alone(worker *w, int k)
{
    lm_fit *fit = w->abreast->rows.fit[k];

    lm_begin_alone(&w->abreast->rows, k);
    while (lm_more_points(fit))
        for (int i = lm_next_point(fit, -1); i >= 0; i = lm_next_point(fit, i)) {
            lm_move_to(fit, i);
            w->user_data = worker_user_data(w, w->slots[k].fit);
            worker_evaluate(w, &w->slots[k], fit->state.x_trial);
            lm_take_point(fit, i, fit->own_trial);
        }
    lm_end_alone(&w->abreast->rows, k);
}

/* Returns the lanes that are not linearized yet. */
static unsigned differentiate(worker *w)
{
    abreast *a = w->abreast;
    unsigned lanes = a->rows.asks[LM_LINEARIZE];

    lm_first_points_abreast(&a->rows);
    for (int j = 0; j < a->rows.n; j++) {
        memcpy(program_abreast_moved_x(a->run) + j * ABREAST,
               a->rows.moved_x + j * ABREAST, ABREAST * sizeof(double));
        lm_take_point_abreast(&a->rows, j, program_moved_abreast(a->run, j), a->y,
                              a->weights);
    }
    unsigned unclear = lm_unclear_abreast(&a->rows);
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(unclear, k))
            finish_alone(w, k);
    return lanes & ~unclear;
}

/* The answers to LM_LINEARIZE, at the points that have just become x */
static void linearize(worker *w)
{
    abreast *a = w->abreast;
    unsigned lanes = a->rows.asks[LM_LINEARIZE];

    if (lanes == 0)
        return;
    if (w->batch->analytic)
        differentiate_exactly(a);
    else
        lanes = differentiate(w);
    lm_linearize_abreast(&a->rows, lanes);
}

void work_abreast(worker *w)
{
    abreast *a = w->abreast;

    for (int k = 0; k < ABREAST; k++)
        refill_lane(w, k);
    while (!worker_is_stopped(w) && a->rows.asks[LM_RESIDUALS] != 0) {
        evaluate(a);
        lm_judge_abreast(&a->rows);
        linearize(w);
        lm_propose_abreast(&a->rows);
        for (int k = 0; k < ABREAST; k++)
            if (has_lane(a->rows.asks[LM_DONE], k))
                refill_lane(w, k);
    }
}

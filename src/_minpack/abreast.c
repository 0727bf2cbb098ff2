#include "abreast.h"

#include <stdint.h>
#include <string.h>

#include "abreast_sources.h"

/* With more the loops for one fit are as fast, and what they need stays in the cache. The
 * derivatives of compiled functions are moved to their lanes besides: m n at most. */
enum { MOST_ROWS = 200, MOST_COMPILED_DERIVATIVES = 1000 };

_Static_assert((int)ABREAST == (int)LM_ABREAST, "a program runs for as many fits");

static int are_small(const batch *b)
{
    int m = b->fit.rows.m;

    if (m > MOST_ROWS)
        return 0;
    return b->program != NULL ? program_goes_abreast(b->program)
                              : m * b->fit.rows.n <= MOST_COMPILED_DERIVATIVES;
}

int batch_goes_abreast(const batch *b)
{
    return b->is_compiled && b->chunk > 1 && b->mask == NULL && lm_go_abreast(&b->fit)
           && are_small(b);
}

/* --- Memory ---------------------------------------------------------------------- */

size_t abreast_lay_out(abreast *self, const batch *b, char *memory)
{
    size_t column = (size_t)b->fit.rows.m * ABREAST * sizeof(double);
    lm_abreast *rows = &self->rows;

    rows->m = b->fit.rows.m;
    rows->n = b->fit.rows.n;
    rows->kernels = b->fit.rows.kernels;
    if (memory != NULL) {
        memory = (char *)(((uintptr_t)memory + 63) / 64 * 64);
        self->values = (double *)memory;
        if (b->is_curve)
            self->y = (double *)(memory + column);
        if (b->weights != NULL || b->sigma != NULL)
            self->weights = (double *)(memory + 2 * column);
        lm_lay_out_abreast(rows, memory + 3 * column);
    }
    return 64 + (3 * column + lm_lay_out_abreast(rows, NULL) + 63) / 64 * 64;
}

abreast *abreast_new(worker *w)
{
    const batch *b = w->batch;
    abreast empty = {.slots = w->slots}, *self;
    size_t own = (sizeof *self + 63) / 64 * 64, rows = abreast_lay_out(&empty, b, NULL);
    size_t apart = (size_t)b->fit.rows.m * (size_t)b->fit.rows.n * ABREAST;
    char *memory = PyMem_Calloc(1, own + rows + apart * sizeof(double));

    if (memory == NULL)
        return (abreast *)PyErr_NoMemory();
    self = (abreast *)memory;
    *self = empty;
    abreast_lay_out(self, b, memory + own);
    self->apart = (double *)(memory + own + rows);
    self->source = b->program != NULL ? &PROGRAM_SOURCE : &COMPILED_SOURCE;
    if (b->program == NULL)
        return self;
    self->run = program_abreast_new(b->program, b->fit.rows.kernels, !b->analytic);
    if (self->run == NULL) {
        abreast_free(self);
        return NULL;
    }
    program_columns_abreast(self->run, self->rows.fjac);
    return self;
}

void abreast_free(abreast *self)
{
    if (self == NULL)
        return;
    program_abreast_free(self->run);
    PyMem_Free(self);
}

/* --- A lane ------------------------------------------------------------------------ */

static void fill_lane(int m, const double *from, int k, double *to)
{
    for (int i = 0; i < m; i++)
        to[i * ABREAST + k] = from[i];
}

/* The data of the fit that slot k has taken. */
static void load_lane(worker *w, abreast *a, int k)
{
    const slot *own = &a->slots[k];

    if (a->source != NULL)
        a->source->load(w, k);
    if (a->y != NULL)
        fill_lane(a->rows.m, own->y, k, a->y);
    if (a->weights != NULL)
        fill_lane(a->rows.m, own->w, k, a->weights);
}

void abreast_refill(worker *w, abreast *a, int k)
{
    slot *own = &a->slots[k];

    do {
        if (a->rows.fit[k] != NULL) {
            lm_leave_lane(&a->rows, k);
            worker_end_fit(w, own);
        }
        if (!worker_take_fit(w, own))
            return;
        own->point = -1;
        load_lane(w, a, k);
        lm_enter_lane(&a->rows, k, &own->lm);
    } while (has_lane(a->rows.asks[LM_DONE], k));
}

/* --- The parts of a round ---------------------------------------------------------- */

void abreast_judge(abreast *a, const batch *b, const double *values)
{
    lm_take_residuals_abreast(&a->rows, values, a->y, a->weights);
    lm_norms_abreast(&a->rows);
    lm_judge_abreast(&a->rows);
    a->here = a->rows.asks[LM_LINEARIZE];
    if (a->here != 0 && !b->analytic)
        lm_first_points_abreast(&a->rows);
}

unsigned abreast_take_moved(abreast *a, int j, const double *values)
{
    lm_take_point_abreast(&a->rows, j, values, a->y, a->weights);
    if (j + 1 < a->rows.n)
        return 0;
    unsigned unclear = lm_unclear_abreast(&a->rows);
    a->here &= ~unclear;
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(unclear, k))
            lm_begin_alone(&a->rows, k);
    return unclear;
}

void abreast_weigh_derivatives(abreast *a)
{
    size_t column = (size_t)a->rows.m * ABREAST;

    for (int j = 0; a->weights != NULL && j < a->rows.n; j++)
        for (size_t i = 0; i < column; i++)
            a->rows.fjac[(size_t)j * column + i] *= a->weights[i];
}

void abreast_step(worker *w, abreast *a)
{
    /* a function may have stopped some */
    unsigned here = a->here & a->rows.asks[LM_LINEARIZE];

    if (here != 0)
        lm_linearize_abreast(&a->rows, here);
    a->here = 0;
    lm_propose_abreast(&a->rows);
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(a->rows.asks[LM_DONE], k))
            abreast_refill(w, a, k);
}

/* --- The rounds of a program or compiled functions --------------------------------- */

/* The rest of a Jacobian that needs longer steps, and its factors. */
static void finish_alone(worker *w, int k)
{
    lm_abreast *rows = &w->abreast->rows;
    lm_fit *fit = rows->fit[k];

    w->user_data = worker_user_data(w, w->slots[k].fit);
    while (lm_more_points(fit))
        for (int i = lm_next_point(fit, -1); i >= 0; i = lm_next_point(fit, i)) {
            lm_move_to(fit, i);
            int status = worker_evaluate(w, &w->slots[k], fit->state.x_trial);
            if (status < 0) {
                lm_end_alone(rows, k, status);
                return;
            }
            lm_take_point(fit, i, fit->own_trial);
        }
    lm_end_alone(rows, k, 0);
}

/* The answers to LM_LINEARIZE, at the points that have just become x */
static void differentiate(worker *w)
{
    abreast *a = w->abreast;
    unsigned unclear = 0;

    if (w->batch->analytic) {
        a->source->jacobian(w);
        abreast_weigh_derivatives(a);
        return;
    }
    for (int j = 0; j < a->rows.n; j++)
        unclear = abreast_take_moved(a, j, a->source->moved(w, j));
    for (int k = 0; k < ABREAST; k++)
        if (has_lane(unclear, k))
            finish_alone(w, k);
}

void work_abreast(worker *w)
{
    abreast *a = w->abreast;

    for (int k = 0; k < w->batch->chunk; k++)
        abreast_refill(w, a, k);
    while (!worker_is_stopped(w) && a->rows.asks[LM_RESIDUALS] != 0) {
        abreast_judge(a, w->batch, a->source->values(w));
        if (a->here != 0)
            differentiate(w);
        abreast_step(w, a);
    }
}

#include "abreast_sources.h"

#include <string.h>

int abreast_goes_on(worker *w, unsigned *lanes, int k, int status)
{
    lm_state *s = &w->abreast->rows.fit[k]->state;

    if (worker_is_stopped(w)) {
        *lanes = 0;
    } else if (status < 0) {
        s->request = LM_DONE;
        s->info = status;
        *lanes &= ~(1u << k);
    }
    return has_lane(*lanes, k);
}

/* --- A program: all lanes at once ----------------------------------------------------
 */

static void load_for_program(worker *w, int k)
{
    const batch *b = w->batch;

    for (int i = 0; i < b->program->narrays; i++)
        program_abreast_base(
            w->abreast->run, k, i,
            row_of((PyArrayObject *)PyTuple_GET_ITEM(b->args, i), w->slots[k].fit));
}

static const double *values_of_program(worker *w, unsigned *lanes)
{
    const abreast *a = w->abreast;

    (void)lanes;
    memcpy(program_abreast_x(a->run), a->rows.x_trial,
           (size_t)a->rows.n * LM_ABREAST * sizeof(double));
    return program_values_abreast(a->run);
}

static const double *moved_of_program(worker *w, unsigned *lanes, int j)
{
    const abreast *a = w->abreast;
    const double *x = program_abreast_x(a->run) + j * LM_ABREAST;
    double *moved = program_abreast_moved_x(a->run) + j * LM_ABREAST;

    for (int k = 0; k < LM_ABREAST; k++)
        moved[k] = has_lane(*lanes, k) ? a->rows.fit[k]->state.x_trial[j] : x[k];
    return program_moved_abreast(a->run, j);
}

static void jacobian_of_program(worker *w, unsigned *lanes)
{
    (void)lanes;
    program_jacobian_abreast(w->abreast->run);
}

const abreast_source PROGRAM_SOURCE = {
    .load = load_for_program,
    .values = values_of_program,
    .moved = moved_of_program,
    .jacobian = jacobian_of_program,
};

/* --- Compiled functions: one lane after the other ------------------------------------
 */

static void load_for_compiled(worker *w, int k)
{
    w->abreast->user_data[k] = worker_user_data(w, w->slots[k].fit);
}

/* to(8, count) := from(count, 8) */
static void transpose(npy_intp count, const double *from, double *to)
{
    for (npy_intp i = 0; i < count; i++)
        for (int k = 0; k < LM_ABREAST; k++)
            to[i * LM_ABREAST + k] = from[i + k * count];
}

/* The values at x of fit k */
static void call_residuals(worker *w, unsigned *lanes, int k, const double *x)
{
    const abreast *a = w->abreast;
    lm_residuals f = (lm_residuals)w->batch->residuals.address;
    int m = a->rows.m;

    abreast_goes_on(w, lanes, k, f(m, a->rows.n, x, a->alone + k * m, a->user_data[k]));
}

static const double *values_of_compiled(worker *w, unsigned *lanes)
{
    const abreast *a = w->abreast;
    double x[LM_MOST_ABREAST];

    for (int k = 0; k < LM_ABREAST; k++) {
        if (!has_lane(*lanes, k))
            continue;
        for (int j = 0; j < a->rows.n; j++)
            x[j] = a->rows.x_trial[j * LM_ABREAST + k];
        call_residuals(w, lanes, k, x);
    }
    transpose(a->rows.m, a->alone, a->values);
    return a->values;
}

static const double *moved_of_compiled(worker *w, unsigned *lanes, int j)
{
    const abreast *a = w->abreast;

    (void)j;
    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(*lanes, k))
            call_residuals(w, lanes, k, a->rows.fit[k]->state.x_trial);
    transpose(a->rows.m, a->alone, a->values);
    return a->values;
}

static void jacobian_of_compiled(worker *w, unsigned *lanes)
{
    const abreast *a = w->abreast;
    lm_jacobian f = (lm_jacobian)w->batch->jacobian.address;
    int m = a->rows.m, n = a->rows.n, size = m * n;

    for (int k = 0; k < LM_ABREAST; k++)
        if (has_lane(*lanes, k))
            abreast_goes_on(w, lanes, k,
                            f(m, n, a->rows.fit[k]->state.x, a->alone + k * size, m,
                              a->user_data[k]));
    transpose(size, a->alone, a->rows.fjac);
}

const abreast_source COMPILED_SOURCE = {
    .load = load_for_compiled,
    .values = values_of_compiled,
    .moved = moved_of_compiled,
    .jacobian = jacobian_of_compiled,
};

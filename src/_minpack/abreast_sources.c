#include "abreast_sources.h"

/* --- A program: all lanes at once ------------------------------------------------- */

static void load_for_program(worker *w, int k)
{
    const batch *b = w->batch;

    for (int i = 0; i < b->program->narrays; i++)
        program_abreast_base(
            w->abreast->run, k, i,
            row_of((PyArrayObject *)PyTuple_GET_ITEM(b->args, i), w->slots[k].fit));
}

static const double *values_of_program(worker *w)
{
    return program_values_abreast(w->abreast->run, w->abreast->rows.x_trial);
}

static const double *moved_of_program(worker *w, int j)
{
    return program_moved_abreast(w->abreast->run, w->abreast->rows.moved_x, j);
}

static void jacobian_of_program(worker *w)
{
    program_jacobian_abreast(w->abreast->run);
}

const abreast_source PROGRAM_SOURCE = {
    .load = load_for_program,
    .values = values_of_program,
    .moved = moved_of_program,
    .jacobian = jacobian_of_program,
};

/* --- Compiled functions: one lane after the other ---------------------------------- */

static void load_for_compiled(worker *w, int k)
{
    w->abreast->user_data[k] = worker_user_data(w, w->slots[k].fit);
}

/* to(8, count) := apart(count, 8) */
static void transpose(const abreast *a, int count, double *to)
{
    const double *from[LM_ABREAST];

    for (int k = 0; k < LM_ABREAST; k++)
        from[k] = a->apart + (size_t)k * (size_t)count;
    lm_transpose_abreast(a->rows.kernels, count, from, to);
}

/* x of lane k from numbers of all, and of parameter j from others; -1: none */
static void take_x(const abreast *a, int k, const double *from, int j, double *x)
{
    for (int i = 0; i < a->rows.n; i++)
        x[i] = from[i * LM_ABREAST + k];
    if (j >= 0)
        x[j] = a->rows.moved_x[j * LM_ABREAST + k];
}

/* The values of some fits; see take_x. */
static const double *call_residuals(worker *w, unsigned lanes, const double *from, int j)
{
    abreast *a = w->abreast;
    lm_residuals f = (lm_residuals)w->batch->residuals.address;
    int m = a->rows.m, n = a->rows.n;
    double x[LM_MOST_ABREAST];

    for (int k = 0; k < LM_ABREAST && !worker_is_stopped(w); k++) {
        if (!has_lane(lanes, k))
            continue;
        take_x(a, k, from, j, x);
        int status = f(m, n, x, a->apart + k * m, a->user_data[k]);
        if (status < 0)
            lm_stop_lane(&a->rows, k, status);
    }
    transpose(a, m, a->values);
    return a->values;
}

static const double *values_of_compiled(worker *w)
{
    const lm_abreast *rows = &w->abreast->rows;

    return call_residuals(w, rows->asks[LM_RESIDUALS], rows->x_trial, -1);
}

static const double *moved_of_compiled(worker *w, int j)
{
    const lm_abreast *rows = &w->abreast->rows;

    return call_residuals(w, lm_moved_abreast(rows, j), rows->x, j);
}

static void jacobian_of_compiled(worker *w)
{
    abreast *a = w->abreast;
    lm_jacobian f = (lm_jacobian)w->batch->jacobian.address;
    int m = a->rows.m, n = a->rows.n;
    double x[LM_MOST_ABREAST];

    for (int k = 0; k < LM_ABREAST && !worker_is_stopped(w); k++) {
        if (!has_lane(a->rows.asks[LM_LINEARIZE], k))
            continue;
        take_x(a, k, a->rows.x, -1, x);
        int status = f(m, n, x, a->apart + k * m * n, m, a->user_data[k]);
        if (status < 0)
            lm_stop_lane(&a->rows, k, status);
    }
    transpose(a, m * n, a->rows.fjac);
}

const abreast_source COMPILED_SOURCE = {
    .load = load_for_compiled,
    .values = values_of_compiled,
    .moved = moved_of_compiled,
    .jacobian = jacobian_of_compiled,
};

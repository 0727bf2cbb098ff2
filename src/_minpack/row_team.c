#include "row_team.h"

#include <math.h>
#include <string.h>

#define SHARE 32768 /* rows that are worth a thread */

int computes_rows(const compiled_part *part)
{
    return compiled_part_program(part) != NULL || part->func.kind == COMPILED_RANGE;
}

int computes_derivatives(const compiled_part *part)
{
    const program_run *run = compiled_part_program(part);

    return run != NULL ? run->program->has_jacobian : part->func.kind == COMPILED_RANGE;
}

/* --- Threads ------------------------------------------------------------------------ */

/* Threads for m rows: how many, or -1 with an exception set. */
static int open_crew(fit *fit, const compiled_part *part, npy_intp m)
{
    const program_run *run = compiled_part_program(part);
    int most = run == NULL ? fit->workers : run->workers;

    if (run != NULL && program_has_full(run->program))
        most = 1;
    return fit_open_crew(fit, m / SHARE, most) < 0 ? -1 : fit->threads;
}

/* A run of the program for each thread. */
static int add_programs(row_team *self, program_run *run, int wanted)
{
    self->programs = PyMem_Calloc((size_t)wanted, sizeof(program_run *));
    if (self->programs == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->programs[0] = run;
    for (self->count = 1; self->count < wanted; self->count++) {
        self->programs[self->count] = program_run_again(run);
        if (self->programs[self->count] == NULL)
            return -1;
    }
    return 0;
}

int team_open(row_team *self, fit *fit, const compiled_part *part, npy_intp m)
{
    npy_intp n = PyArray_DIM(fit->x, 0);
    int wanted = open_crew(fit, part, m);

    self->n = (int)n;
    if (wanted < 0)
        return -1;
    if (compiled_part_program(part) != NULL) {
        if (add_programs(self, compiled_part_program(part), wanted) < 0)
            return -1;
    } else {
        self->function = (compiled_range)part->func.address;
        self->user_data = compiled_part_user_data(part);
        self->count = wanted;
        self->x = PyMem_Malloc((size_t)wanted * (size_t)n * sizeof(double));
        if (self->x == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    self->crew = fit->crew;
    return 0;
}

void team_close(row_team *self)
{
    for (int k = 1; self->programs != NULL && k < self->count; k++)
        program_run_free(self->programs[k]);
    PyMem_Free(self->programs);
    PyMem_Free(self->x);
}

/* --- Rows -------------------------------------------------------------------------- */

void team_move(row_team *self, const double *x)
{
    size_t n = (size_t)self->n;

    for (int k = 0; k < self->count; k++)
        if (self->programs != NULL)
            program_at(self->programs[k], x);
        else
            memcpy(self->x + (size_t)k * n, x, n * sizeof *x);
}

/* Rows of a fit that has been stopped. */
static void give_up(int n, int count, double *fvec, double *fjac, int ldfjac)
{
    for (int i = 0; i < count; i++)
        fvec[i] = NAN;
    for (int j = 0; fjac != NULL && j < n; j++)
        for (int i = 0; i < count; i++)
            fjac[i + (size_t)j * (size_t)ldfjac] = NAN;
}

static void call_function(row_team *self, int worker, int first, int count, double *fvec,
                          double *fjac, int ldfjac)
{
    int status = atomic_load_explicit(&self->status, memory_order_relaxed), none = 0;

    if (status == 0)
        status = self->function(first, count, self->n,
                                self->x + (size_t)worker * (size_t)self->n, fvec, fjac,
                                ldfjac, self->user_data);
    if (status >= 0)
        return;
    atomic_compare_exchange_strong(&self->status, &none, status);
    give_up(self->n, count, fvec, fjac, ldfjac);
}

void team_rows(row_team *self, int worker, int first, int count, double *fvec,
               double *fjac, int ldfjac)
{
    if (self->programs == NULL)
        call_function(self, worker, first, count, fvec, fjac, fjac != NULL ? ldfjac : 0);
    else if (fjac != NULL)
        program_rows(self->programs[worker], first, count, fvec, fjac, ldfjac);
    else
        program_value_rows(self->programs[worker], first, count, fvec);
}

void team_each(row_team *self, int m, void (*part)(void *context, int k, int worker),
               void *context)
{
    crew_each(self->crew, m / TEAM_STRIP + (m % TEAM_STRIP != 0), part, context);
}

/* Whole arrays */
typedef struct {
    row_team *team;
    int m, ldfjac;
    double *fvec, *fjac;
} arrays;

static void fill_strip(void *context, int k, int worker)
{
    const arrays *a = context;
    int first = k * TEAM_STRIP, left = a->m - first;

    team_rows(a->team, worker, first, left < TEAM_STRIP ? left : TEAM_STRIP,
              a->fvec + first, a->fjac != NULL ? a->fjac + first : NULL, a->ldfjac);
}

int team_fill(row_team *self, int m, const double *x, double *fvec, double *fjac,
              int ldfjac)
{
    arrays all = {self, m, ldfjac, fvec, fjac};

    team_move(self, x);
    team_each(self, m, fill_strip, &all);
    return self->status;
}

/* Eight fits abreast: the answers to what they ask for, and their steps.
 *
 * The kernels work on all lanes. What they cannot do with the bits that the fit has alone
 * is done for that fit alone, with its own arrays: norms that need scaling, columns that
 * are nearly dependent, steps in which something is unusual, and all steps within bounds.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lm/stages.h"
#include "rows/rows.h"
#include "work.h"

static int has_lane(unsigned lanes, int k)
{
    return (int)(lanes >> k & 1);
}

/* Lane k of `count` numbers of eight fits, to a column and back */
static void take_lane(int count, const double *from, int k, double *to)
{
    for (int i = 0; i < count; i++)
        to[i] = from[i * LANES + k];
}

static void fill_lane(int count, const double *from, int k, double *to)
{
    for (int i = 0; i < count; i++)
        to[i * LANES + k] = from[i];
}

static double *column_of_all(const lm_abreast *a, int j)
{
    return a->fjac + (size_t)j * (size_t)a->m * LANES;
}

int lm_go_abreast(const lm_fit *fit)
{
    const lm_rows *rows = &fit->rows;

    return !rows->kernels->is_reference && rows->source == NULL && !rows->weighted
           && rows->m >= rows->n && rows->m <= MANY && rows->n <= LM_MOST_ABREAST
           && fit->differences.points != 3 && !fit->state.accelerates;
}

/* --- Memory ---------------------------------------------------------------------- */

typedef struct {
    char *memory;
    size_t used;
} divider;

/* So many numbers of eight fits */
static double *numbers(divider *d, size_t count)
{
    double *part = d->memory != NULL ? (double *)(d->memory + d->used) : NULL;

    d->used += count * LANES * sizeof(double);
    return part;
}

/* The numbers of the steps: one of each fit, or n. */
static void divide_steps(steps_abreast *s, const lm_abreast *a, divider *d)
{
    size_t n = (size_t)a->n;

    s->n = a->n;
    s->x = a->x;
    s->x_trial = a->x_trial;
    s->diag = numbers(d, n);
    s->qtf = numbers(d, n);
    s->acnorm = numbers(d, n);
    s->step = numbers(d, n);
    s->ipvt = numbers(d, n);
    s->r = numbers(d, n * n);
    s->fnorm = numbers(d, 1);
    s->fnorm_trial = numbers(d, 1);
    s->xnorm = numbers(d, 1);
    s->pnorm = numbers(d, 1);
    s->gnorm = numbers(d, 1);
    s->delta = numbers(d, 1);
    s->par = numbers(d, 1);
    s->iter = numbers(d, 1);
    s->moved = numbers(d, 1);
    s->actred = numbers(d, 1);
    s->prered = numbers(d, 1);
    s->ratio = numbers(d, 1);
}

size_t lm_lay_out_abreast(lm_abreast *a, void *memory)
{
    size_t m = (size_t)a->m, n = (size_t)a->n, columns = n + 1;
    size_t in_order = m * (columns + 1) + 4 * n, products = columns * columns;
    lm_abreast own = *a;
    steps_abreast steps;
    divider d = {NULL, 0};

    if (memory != NULL)
        d.memory = (char *)(((uintptr_t)memory + 63) / 64 * 64);
    own.x = numbers(&d, n);
    own.x_trial = numbers(&d, n);
    own.fvec = numbers(&d, m);
    own.trial = numbers(&d, m);
    own.fjac = numbers(&d, m * n);
    divide_steps(&steps, &own, &d);
    own.scratch = numbers(&d, in_order > products ? in_order : products);
    own.steps = numbers(&d, (sizeof steps - 1) / (LANES * sizeof(double)) + 1);
    if (memory != NULL) {
        *(steps_abreast *)own.steps = steps;
        *a = own;
    }
    return d.used + 64;
}

/* --- Lanes ----------------------------------------------------------------------- */

/* Whether the fits take their steps in the lanes. */
static int steps_abreast_too(const lm_state *s)
{
    return s->lower == NULL && s->mode != 2 && s->mends;
}

/* What the state of fit k holds, to its lane */
static void fill_state(const lm_abreast *a, int k)
{
    const lm_state *s = &a->fit[k]->state;
    const steps_abreast *to = a->steps;

    fill_lane(a->n, s->x, k, to->x);
    fill_lane(a->n, s->x_trial, k, to->x_trial);
    fill_lane(a->n, s->diag, k, to->diag);
    fill_lane(a->n, s->step, k, to->step);
    to->fnorm[k] = s->fnorm;
    to->xnorm[k] = s->xnorm;
    to->pnorm[k] = s->pnorm;
    to->gnorm[k] = s->gnorm;
    to->delta[k] = s->delta;
    to->par[k] = s->par;
    to->iter[k] = s->iter;
}

static void fill_factors(const lm_abreast *a, int k)
{
    const lm_state *s = &a->fit[k]->state;
    const steps_abreast *to = a->steps;

    fill_lane(a->n, s->qtf, k, to->qtf);
    fill_lane(a->n, s->acnorm, k, to->acnorm);
    for (int j = 0; j < a->n; j++) {
        to->ipvt[j * LANES + k] = s->ipvt[j];
        fill_lane(j + 1, s->r + j * (size_t)s->ldr, k, to->r + j * a->n * LANES);
    }
}

/* The same back: the factors, and all of it */
static void take_factors(const lm_abreast *a, int k)
{
    lm_state *s = &a->fit[k]->state;
    const steps_abreast *from = a->steps;

    take_lane(a->n, from->qtf, k, s->qtf);
    take_lane(a->n, from->acnorm, k, s->acnorm);
    for (int j = 0; j < a->n; j++) {
        s->ipvt[j] = (int)from->ipvt[j * LANES + k];
        take_lane(j + 1, from->r + j * a->n * LANES, k, s->r + j * (size_t)s->ldr);
    }
}

static void take_state(const lm_abreast *a, int k)
{
    lm_state *s = &a->fit[k]->state;
    const steps_abreast *from = a->steps;

    take_lane(a->n, from->x, k, s->x);
    take_lane(a->n, from->x_trial, k, s->x_trial);
    take_lane(a->n, from->diag, k, s->diag);
    take_lane(a->n, from->step, k, s->step);
    s->xnorm = from->xnorm[k];
    s->pnorm = from->pnorm[k];
    s->gnorm = from->gnorm[k];
    s->delta = from->delta[k];
    s->par = from->par[k];
    take_factors(a, k);
}

void lm_enter_lane(lm_abreast *a, int k, lm_fit *fit)
{
    a->fit[k] = fit;
    lm_start_fit(fit);
    lm_step(&fit->state);
    if (fit->state.request == LM_DONE)
        return;
    ((steps_abreast *)a->steps)->factor = fit->state.factor;
    ((steps_abreast *)a->steps)->gtol = fit->state.gtol;
    fill_state(a, k);
}

void lm_leave_lane(lm_abreast *a, int k)
{
    lm_state *s = &a->fit[k]->state;

    if (steps_abreast_too(s) && s->nfev > 1)
        take_state(a, k);
    a->fit[k] = NULL;
}

void lm_copy_rows_of_lane(const lm_abreast *a, int k)
{
    lm_rows *rows = &a->fit[k]->rows;

    take_lane(a->m, a->fvec, k, rows->fvec);
    for (int j = 0; j < a->n; j++)
        take_lane(a->m, column_of_all(a, j), k, rows->fjac + j * (size_t)rows->ldfjac);
}

void lm_take_residuals_abreast(lm_abreast *a, const double *f, const double *y,
                               const double *w)
{
    a->kernels->abreast_weigh(a->m, f, y, w, a->trial);
}

void lm_repeat_abreast(const lm_kernels *kernels, int m, const double *eight, double *to)
{
    kernels->abreast_repeat(m, eight, to);
}

/* --- Norms ------------------------------------------------------------------------- */

static double norm_alone(const lm_abreast *a, int k)
{
    lm_rows *rows = &a->fit[k]->rows;

    take_lane(a->m, a->trial, k, rows->work_m);
    return lm_rows_norm(rows, rows->work_m);
}

/* Those of the lanes whose rows are added up in any order, not in MINPACK's */
static unsigned free_lanes(const lm_abreast *a, unsigned lanes)
{
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k) && a->fit[k]->rows.path != FREE)
            lanes &= ~(1u << k);
    return lanes;
}

void lm_norms_abreast(lm_abreast *a, unsigned lanes)
{
    double square[LANES], in_order[LANES];
    const steps_abreast *steps = a->steps;
    unsigned usual = 0, freely = free_lanes(a, lanes);

    if (freely != 0)
        a->kernels->abreast_squares(a->m, a->trial, square);
    if (freely != lanes)
        usual = a->kernels->abreast_norms_in_order(a->m, a->trial, in_order);
    for (int k = 0; k < LANES; k++) {
        if (!has_lane(lanes, k))
            continue;
        double norm;
        if (!has_lane(freely, k))
            norm = has_lane(usual, k) ? in_order[k] : norm_alone(a, k);
        else if (square[k] >= SMALLEST_NORM * SMALLEST_NORM
                 && square[k] <= LARGEST_NORM * LARGEST_NORM)
            norm = sqrt(square[k]);
        else
            norm = norm_alone(a, k);
        a->fit[k]->state.fnorm_trial = steps->fnorm_trial[k] = norm;
    }
}

void lm_accept_abreast(lm_abreast *a, unsigned lanes)
{
    double *before = a->fvec;

    a->fvec = a->trial;
    a->trial = before;
    for (int k = 0; k < LANES; k++)
        if (a->fit[k] != NULL && !has_lane(lanes, k)) /* these stay */
            for (int i = 0; i < a->m; i++)
                a->fvec[i * LANES + k] = before[i * LANES + k];
}

/* --- Differences ------------------------------------------------------------------- */

void lm_take_point_abreast(lm_abreast *a, int j, const double *h, const double *f,
                           const double *y, const double *w)
{
    a->kernels->abreast_difference(a->m, f, y, w, a->fvec, h, column_of_all(a, j));
}

/* Of the watch that longer_steps.f90 keeps */
enum { KEPT = 2, LEAST = 3 };

unsigned lm_clear_abreast(const lm_abreast *a, unsigned lanes)
{
    double h[LM_MOST_ABREAST * LANES], least[LM_MOST_ABREAST * LANES], rounding = 0;
    unsigned watched = 0;

    for (int k = 0; k < LANES; k++) {
        if (!has_lane(lanes, k))
            continue;
        const lm_differences *d = &a->fit[k]->differences;
        if (!d->watching)
            continue;
        watched |= 1u << k;
        rounding = d->rounding;
        fill_lane(a->n, d->h, k, h);
        fill_lane(a->n, d->watch + LEAST * a->n, k, least);
        for (int j = 0; j < a->n; j++)
            if (d->watch[KEPT * a->n + j] > 0)
                lanes &= ~(1u << k);
    }
    if (watched == 0)
        return lanes;
    return lanes
           & (~watched
              | a->kernels->abreast_clear(a->m, a->n, a->fjac, a->fvec, a->x, h, least,
                                          rounding));
}

/* --- Factors ----------------------------------------------------------------------- */

void lm_linearize_lane(lm_abreast *a, int k)
{
    lm_linearize(a->fit[k]); /* which may find fnorm in another order */
    ((steps_abreast *)a->steps)->fnorm[k] = a->fit[k]->state.fnorm;
    if (steps_abreast_too(&a->fit[k]->state))
        fill_factors(a, k);
}

static void factor_alone(lm_abreast *a, unsigned lanes)
{
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k)) {
            lm_copy_rows_of_lane(a, k);
            lm_linearize_lane(a, k);
        }
}

/* By the normal equations: those of the lanes where that does. */
static unsigned factor_freely(lm_abreast *a, unsigned lanes)
{
    const double *column[LM_MOST_ABREAST + 1];

    for (int j = 0; j < a->n; j++)
        column[j] = column_of_all(a, j);
    column[a->n] = a->fvec;
    a->kernels->abreast_products(a->m, a->n, column, a->scratch);
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k) && a->fit[k]->rows.dependent)
            lanes &= ~(1u << k);
    return a->kernels->abreast_factor_products(a->steps, a->scratch, lanes);
}

/* In MINPACK's order: those of the lanes where that did. */
static unsigned factor_in_order(lm_abreast *a, unsigned lanes)
{
    size_t column = (size_t)a->m * LANES, n = (size_t)a->n, numbers_of = n * LANES;
    factors_abreast f = {.m = a->m, .n = a->n, .a = a->scratch};
    const steps_abreast *to = a->steps;

    f.v = f.a + (n + 1) * column;
    f.acnorm = f.v + column;
    f.rdiag = f.acnorm + numbers_of;
    f.work = f.rdiag + numbers_of;
    f.ipvt = f.work + numbers_of;
    memcpy(f.a, a->fjac, n * column * sizeof(double));
    memcpy(f.a + n * column, a->fvec, column * sizeof(double));
    lanes &= a->kernels->abreast_factor_in_order(&f);
    for (int k = 0; k < LANES; k++) {
        if (!has_lane(lanes, k))
            continue;
        for (size_t j = 0; j < n; j++) {
            size_t own = j * LANES + k;
            for (size_t i = 0; i <= j; i++)
                to->r[(i + j * n) * LANES + k] = f.a[i * LANES + j * column + k];
            to->acnorm[own] = f.acnorm[own];
            to->ipvt[own] = f.ipvt[own];
            to->qtf[own] = f.a[n * column + own];
        }
    }
    return lanes;
}

void lm_linearize_abreast(lm_abreast *a, unsigned lanes)
{
    unsigned freely = free_lanes(a, lanes), in_order = lanes & ~freely, done = 0;

    if (freely != 0)
        done |= factor_freely(a, freely);
    if (in_order != 0)
        done |= factor_in_order(a, in_order);
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k)) {
            a->fit[k]->rows.signs_open = 0;
            if (has_lane(done, k) && !steps_abreast_too(&a->fit[k]->state))
                take_factors(a, k);
        }
    factor_alone(a, lanes & ~done);
}

/* --- Steps ------------------------------------------------------------------------- */

/* A step that is not for the lanes. */
static void step_alone(lm_abreast *a, int k)
{
    take_state(a, k);
    lm_step(&a->fit[k]->state);
    fill_state(a, k);
}

/* verdict of judge.f90 */
static int verdict(const lm_state *s, double actred, double prered, double ratio,
                   double gnorm)
{
    double most = fabs(actred) > prered ? fabs(actred) : prered;
    int info = 0, is_good = 0.5 * ratio <= 1;

    if (most <= s->ftol && is_good)
        info = LM_FTOL;
    if (s->delta <= s->xtol * s->xnorm)
        info = info == LM_FTOL ? LM_FTOL_XTOL : LM_XTOL;
    if (info != 0)
        return info;
    if (s->nfev >= s->maxfev)
        info = LM_MAXFEV;
    if (most <= EPSMCH && is_good)
        info = LM_FTOL_TOO_SMALL;
    if (s->delta <= EPSMCH * s->xnorm)
        info = LM_XTOL_TOO_SMALL;
    if (gnorm <= EPSMCH)
        info = LM_GTOL_TOO_SMALL;
    return info;
}

/* The judgements of trial points. Returns the lanes that take another step from where
 * they are. */
static unsigned judge(lm_abreast *a, unsigned lanes, steps_abreast *steps)
{
    unsigned usual = a->kernels->abreast_judge(steps, lanes), again = 0;

    for (int k = 0; k < LANES; k++) {
        if (!has_lane(usual, k))
            continue;
        lm_state *s = &a->fit[k]->state;
        s->request = LM_DONE;
        s->moved = steps->moved[k] != 0;
        s->trusted = fabs(steps->ratio[k] - 1) <= 0.001;
        s->delta = steps->delta[k];
        if (s->moved) {
            take_lane(a->n, a->x, k, s->x);
            s->fnorm = steps->fnorm[k] = s->fnorm_trial;
            s->xnorm = steps->xnorm[k];
            s->lowered = steps->actred[k];
            steps->iter[k] = ++s->iter;
        }
        s->info = verdict(s, steps->actred[k], steps->prered[k], steps->ratio[k],
                          steps->gnorm[k]);
        if (s->info != LM_BAD_INPUT) {
            s->stage = LM_STAGE_ENDED;
        } else if (s->moved) {
            s->request = LM_LINEARIZE;
            s->stage = LM_STAGE_LINEARIZED;
        } else {
            s->stage = LM_STAGE_PROPOSE;
            again |= 1u << k;
        }
    }
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes & ~usual, k))
            step_alone(a, k);
    return again;
}

static void propose(lm_abreast *a, unsigned lanes, unsigned tests, steps_abreast *steps)
{
    unsigned usual = a->kernels->abreast_propose(steps, lanes, tests);

    for (int k = 0; k < LANES; k++) {
        if (!has_lane(lanes, k))
            continue;
        lm_state *s = &a->fit[k]->state;
        if (has_lane(usual, k)) {
            s->moved = 0;
            s->info = LM_BAD_INPUT;
            s->nfev++;
            s->request = LM_RESIDUALS;
            s->stage = LM_STAGE_TRIED;
        } else {
            step_alone(a, k);
        }
    }
}

/* The lanes whose fits are at this stage */
static unsigned lanes_at(const lm_abreast *a, unsigned lanes, int stage)
{
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k) && a->fit[k]->state.stage != stage)
            lanes &= ~(1u << k);
    return lanes;
}

void lm_step_abreast(lm_abreast *a, unsigned lanes)
{
    unsigned tried = 0, linearized = 0;
    steps_abreast *steps = a->steps;

    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k) && steps_abreast_too(&a->fit[k]->state)) {
            tried = lanes_at(a, lanes, LM_STAGE_TRIED);
            linearized = lanes_at(a, lanes, LM_STAGE_LINEARIZED);
        }
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes & ~(tried | linearized), k)) {
            lm_state *s = &a->fit[k]->state;
            lm_step(s);
            fill_lane(a->n, s->x, k, a->x);
            fill_lane(a->n, s->x_trial, k, a->x_trial);
            steps->fnorm[k] = s->fnorm;
        }
    if (tried != 0)
        linearized |= judge(a, tried, steps);
    if (linearized != 0)
        propose(a, linearized, lanes_at(a, linearized, LM_STAGE_LINEARIZED), steps);
}

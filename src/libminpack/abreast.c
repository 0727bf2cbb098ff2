/* Eight fits abreast: the answers to what they ask for, and their steps.
 *
 * The kernels work on all lanes. What they cannot do with the bits that the fit has alone
 * is done for that fit alone, with its own arrays: norms that need scaling, columns that
 * are nearly dependent, steps in which something is unusual, and all steps within bounds.
 *
 * The state of a fit is in its lane, and its own lm_state is out of date, but for what it
 * does alone: then the one is copied to the other and back. With bounds it is in its
 * lm_state always. */
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

    memset(s, 0, sizeof *s);
    s->n = a->n;
    s->x = a->x;
    s->x_trial = a->x_trial;
    s->moved_x = a->moved_x;
    s->diag = numbers(d, n);
    s->qtf = numbers(d, n);
    s->acnorm = numbers(d, n);
    s->step = numbers(d, n);
    s->ipvt = numbers(d, n);
    s->r = numbers(d, n * n);
    s->h = numbers(d, n);
    s->watch = numbers(d, 4 * n);
    s->fnorm = numbers(d, 1);
    s->fnorm_trial = numbers(d, 1);
    s->xnorm = numbers(d, 1);
    s->pnorm = numbers(d, 1);
    s->gnorm = numbers(d, 1);
    s->delta = numbers(d, 1);
    s->par = numbers(d, 1);
    s->iter = numbers(d, 1);
    s->nfev = numbers(d, 1);
    s->points = numbers(d, 1);
    s->lowered = numbers(d, 1);
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
    own.moved_x = numbers(&d, n);
    own.fvec = numbers(&d, m);
    own.trial = numbers(&d, m);
    own.fjac = numbers(&d, m * n);
    divide_steps(&steps, &own, &d);
    own.scratch = numbers(&d, in_order > products ? in_order : products);
    own.steps = numbers(&d, (sizeof steps - 1) / (LANES * sizeof(double)) + 1);
    if (memory != NULL) {
        for (size_t i = 0; i < n * LANES; i++) /* empty lanes divide by them too */
            steps.h[i] = 1;
        *(steps_abreast *)own.steps = steps;
        *a = own;
    }
    return d.used + 64;
}

/* --- Lanes ----------------------------------------------------------------------- */

/* Whether fits like this one take their steps in the lanes. */
static int steps_in_lanes(const lm_state *s)
{
    return s->lower == NULL && s->mode != 2 && s->mends;
}

/* How the rows of fit k are added up, which it finds out as it goes. */
static void note_path(steps_abreast *to, const lm_fit *fit, int k)
{
    unsigned lane = 1u << k;

    to->in_order &= ~lane;
    to->dependent &= ~lane;
    if (fit->rows.path != FREE)
        to->in_order |= lane;
    if (fit->rows.dependent)
        to->dependent |= lane;
}

/* What is the same in all fits */
static void note_options(steps_abreast *to, const lm_fit *fit)
{
    const lm_state *s = &fit->state;
    const lm_differences *d = &fit->differences;

    to->in_lanes = steps_in_lanes(s);
    to->factor = s->factor;
    to->ftol = s->ftol;
    to->xtol = s->xtol;
    to->gtol = s->gtol;
    to->maxfev = s->maxfev;
    to->rounding = d->rounding;
    to->counted = d->uncounted ? 0 : to->n;
    /* relative_step of lm/longer_steps.f90 */
    double relative = sqrt(d->epsfcn > EPSMCH ? d->epsfcn : EPSMCH);
    for (int j = 0; j < to->n; j++)
        to->relative[j] = d->diff_step != NULL ? fabs(d->diff_step[j]) : relative;
}

/* What the state of fit k holds, to its lane */
static void fill_state(const lm_abreast *a, int k)
{
    const lm_state *s = &a->fit[k]->state;
    const steps_abreast *to = a->steps;

    fill_lane(a->n, s->x, k, to->x);
    fill_lane(a->n, s->x_trial, k, to->x_trial);
    to->fnorm[k] = s->fnorm;
    if (!to->in_lanes)
        return;
    fill_lane(a->n, s->diag, k, to->diag);
    fill_lane(a->n, s->step, k, to->step);
    to->xnorm[k] = s->xnorm;
    to->pnorm[k] = s->pnorm;
    to->gnorm[k] = s->gnorm;
    to->delta[k] = s->delta;
    to->par[k] = s->par;
    to->iter[k] = s->iter;
    to->nfev[k] = s->nfev;
    to->points[k] = a->fit[k]->differences.count;
    to->lowered[k] = s->lowered;
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

    s->fnorm_trial = from->fnorm_trial[k];
    if (!from->in_lanes)
        return;
    take_lane(a->n, from->x, k, s->x);
    take_lane(a->n, from->x_trial, k, s->x_trial);
    take_lane(a->n, from->diag, k, s->diag);
    take_lane(a->n, from->step, k, s->step);
    s->fnorm = from->fnorm[k];
    s->xnorm = from->xnorm[k];
    s->pnorm = from->pnorm[k];
    s->gnorm = from->gnorm[k];
    s->delta = from->delta[k];
    s->par = from->par[k];
    s->iter = (int)from->iter[k];
    s->nfev = (int)from->nfev[k];
    s->lowered = from->lowered[k];
    a->fit[k]->differences.count = (int)from->points[k];
}

/* A step of fit k by itself, from this stage on where its state is in the lane. Returns
 * whether its trial point has become x. */
static int step_alone(lm_abreast *a, int k, int stage)
{
    lm_state *s = &a->fit[k]->state;

    take_state(a, k);
    if (((steps_abreast *)a->steps)->in_lanes) {
        s->stage = stage;
        if (stage != LM_STAGE_FIRST_RESIDUALS) /* before there are any */
            take_factors(a, k);
    }
    lm_step(s);
    fill_state(a, k);
    a->asks[s->request] |= 1u << k;
    return s->moved;
}

void lm_enter_lane(lm_abreast *a, int k, lm_fit *fit)
{
    steps_abreast *to = a->steps;

    a->fit[k] = fit;
    lm_start_fit(fit);
    note_options(to, fit);
    note_path(to, fit, k);
    to->first |= 1u << k;
    lm_step(&fit->state);
    fill_state(a, k);
    a->asks[fit->state.request] |= 1u << k;
}

void lm_leave_lane(lm_abreast *a, int k)
{
    const steps_abreast *from = a->steps;

    if (from->in_lanes && from->nfev[k] > 1) {
        take_state(a, k);
        take_factors(a, k);
    }
    a->asks[LM_DONE] &= ~(1u << k);
    a->fit[k] = NULL;
}

void lm_stop_lane(lm_abreast *a, int k, int info)
{
    unsigned lane = 1u << k;

    a->asks[LM_RESIDUALS] &= ~lane;
    a->asks[LM_LINEARIZE] &= ~lane;
    a->asks[LM_DONE] |= lane;
    a->fit[k]->state.info = info;
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

void lm_transpose_abreast(const lm_kernels *kernels, int m, const double *const *from,
                          double *to)
{
    kernels->abreast_transpose(m, from, to);
}

void lm_compute_abreast(const lm_kernels *kernels, char op, int m, const double *a,
                        int a_step, const double *b, int b_step, double *to)
{
    kernels->abreast_compute(op, m, a, a_step, b, b_step, to);
}

/* --- Norms ------------------------------------------------------------------------- */

static double norm_alone(const lm_abreast *a, int k)
{
    lm_rows *rows = &a->fit[k]->rows;

    take_lane(a->m, a->trial, k, rows->work_m);
    return lm_rows_norm(rows, rows->work_m);
}

/* Their sums of squares are added up in any order, or in MINPACK's. */
void lm_norms_abreast(lm_abreast *a)
{
    double square[LANES], in_order[LANES];
    const steps_abreast *steps = a->steps;
    unsigned lanes = a->asks[LM_RESIDUALS], usual = 0, freely = lanes & ~steps->in_order;

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
        steps->fnorm_trial[k] = norm;
    }
}

/* --- Differences ------------------------------------------------------------------- */

/* Columns of the watch that lm/longer_steps.f90 keeps */
enum { KEPT = 2, LEAST = 3 };

/* The steps of a fit with bounds */
static void first_points_alone(const lm_abreast *a, int k)
{
    lm_fit *fit = a->fit[k];
    const lm_differences *d = &fit->differences;
    steps_abreast *s = a->steps;

    lm_first_points(fit);
    if (d->watching)
        s->watched |= 1u << k;
    fill_lane(a->n, d->watch + LEAST * a->n, k, s->watch + LEAST * a->n * LANES);
    for (int j = 0; j < a->n; j++) {
        int is_fixed = d->h[j] == 0;
        if (!is_fixed)
            lm_move_to(fit, j);
        s->h[j * LANES + k] = is_fixed ? 1 : d->h[j];
        s->moved_x[j * LANES + k] = is_fixed ? fit->state.x[j] : fit->state.x_trial[j];
        if (d->watching && d->watch[KEPT * a->n + j] > 0)
            s->kept |= 1u << k;
    }
}

void lm_first_points_abreast(lm_abreast *a)
{
    steps_abreast *s = a->steps;
    unsigned lanes = a->asks[LM_LINEARIZE];

    if (s->in_lanes) {
        a->kernels->abreast_first_points(s, lanes);
        return;
    }
    s->watched = s->kept = 0;
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes, k))
            first_points_alone(a, k);
}

unsigned lm_moved_abreast(const lm_abreast *a, int j)
{
    const steps_abreast *s = a->steps;
    unsigned lanes = a->asks[LM_LINEARIZE];

    for (int k = 0; k < LANES && !s->in_lanes; k++)
        if (has_lane(lanes, k) && a->fit[k]->differences.h[j] == 0)
            lanes &= ~(1u << k);
    return lanes;
}

void lm_take_point_abreast(lm_abreast *a, int j, const double *f, const double *y,
                           const double *w)
{
    const steps_abreast *s = a->steps;
    double *column = column_of_all(a, j);
    unsigned fixed = a->asks[LM_LINEARIZE] & ~lm_moved_abreast(a, j);

    a->kernels->abreast_difference(a->m, f, y, w, a->fvec, s->h + j * LANES, column);
    for (int k = 0; k < LANES && fixed != 0; k++)
        for (int i = 0; has_lane(fixed, k) && i < a->m; i++)
            column[i * LANES + k] = 0;
}

unsigned lm_unclear_abreast(const lm_abreast *a)
{
    const steps_abreast *s = a->steps;

    if (s->watched == 0)
        return 0;
    return a->asks[LM_LINEARIZE]
           & ((s->watched
               & ~a->kernels->abreast_clear(a->m, a->n, a->fjac, a->fvec, a->x, s->h,
                                            s->watch + LEAST * a->n * LANES, s->rounding))
              | s->kept);
}

/* The points of fit k, as lm_first_points leaves them */
static void take_points(const lm_abreast *a, int k)
{
    lm_fit *fit = a->fit[k];
    lm_differences *d = &fit->differences;
    const steps_abreast *s = a->steps;

    take_lane(a->n, s->h, k, d->h);
    take_lane(4 * a->n, s->watch, k, d->watch);
    memcpy(fit->state.x_trial, fit->state.x, (size_t)a->n * sizeof(double));
    d->only = d->gathered = 0;
    d->tries = d->moved = -1;
    d->watching = 1;
}

/* --- Factors ----------------------------------------------------------------------- */

/* The rows of fit k to its own arrays, and what lm_linearize needs of its state */
static void take_rows(const lm_abreast *a, int k)
{
    lm_rows *rows = &a->fit[k]->rows;

    take_state(a, k);
    take_lane(a->m, a->fvec, k, rows->fvec);
    for (int j = 0; j < a->n; j++)
        take_lane(a->m, column_of_all(a, j), k, rows->fjac + j * (size_t)rows->ldfjac);
}

static void factor_alone(lm_abreast *a, int k)
{
    lm_linearize(a->fit[k]); /* which may find fnorm in another order */
    note_path(a->steps, a->fit[k], k);
    fill_state(a, k);
    if (((steps_abreast *)a->steps)->in_lanes)
        fill_factors(a, k);
}

void lm_begin_alone(lm_abreast *a, int k)
{
    take_rows(a, k);
    if (((steps_abreast *)a->steps)->in_lanes)
        take_points(a, k);
}

void lm_end_alone(lm_abreast *a, int k, int info)
{
    const lm_differences *d = &a->fit[k]->differences;
    const steps_abreast *s = a->steps;

    if (info < 0) {
        fill_state(a, k);
        lm_stop_lane(a, k, info);
        return;
    }
    if (s->in_lanes)
        fill_lane(4 * a->n, d->watch, k, s->watch);
    factor_alone(a, k);
}

/* By the normal equations: those of the lanes where that does. */
static unsigned factor_freely(lm_abreast *a, unsigned lanes)
{
    const double *column[LM_MOST_ABREAST + 1];

    for (int j = 0; j < a->n; j++)
        column[j] = column_of_all(a, j);
    column[a->n] = a->fvec;
    a->kernels->abreast_products(a->m, a->n, column, a->scratch);
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
    const steps_abreast *s = a->steps;
    unsigned in_order = lanes & s->in_order, freely = lanes & ~s->in_order, done = 0;

    if (freely != 0)
        done |= factor_freely(a, freely & ~s->dependent);
    if ((in_order & (in_order - 1)) != 0) /* one fit is faster alone */
        done |= factor_in_order(a, in_order);
    for (int k = 0; k < LANES; k++) {
        if (has_lane(done, k) && !s->in_lanes)
            take_factors(a, k);
        if (has_lane(lanes & ~done, k)) {
            take_rows(a, k);
            factor_alone(a, k);
        }
    }
}

/* --- Steps ------------------------------------------------------------------------- */

/* verdict of judge.f90 */
static int verdict(const steps_abreast *s, int k)
{
    double actred = fabs(s->actred[k]), prered = s->prered[k];
    double most = actred > prered ? actred : prered;
    int info = 0, is_good = 0.5 * s->ratio[k] <= 1;

    if (most <= s->ftol && is_good)
        info = LM_FTOL;
    if (s->delta[k] <= s->xtol * s->xnorm[k])
        info = info == LM_FTOL ? LM_FTOL_XTOL : LM_XTOL;
    if (info != 0)
        return info;
    if (s->nfev[k] >= s->maxfev)
        info = LM_MAXFEV;
    if (most <= EPSMCH && is_good)
        info = LM_FTOL_TOO_SMALL;
    if (s->delta[k] <= EPSMCH * s->xnorm[k])
        info = LM_XTOL_TOO_SMALL;
    if (s->gnorm[k] <= EPSMCH)
        info = LM_GTOL_TOO_SMALL;
    return info;
}

/* fvec := trial, of the fits that have moved. */
static void accept(lm_abreast *a, unsigned moved)
{
    double *before = a->fvec;

    if (moved == 0)
        return;
    a->fvec = a->trial;
    a->trial = before;
    for (int k = 0; k < LANES; k++)
        if (a->fit[k] != NULL && !has_lane(moved, k)) /* these stay */
            for (int i = 0; i < a->m; i++)
                a->fvec[i * LANES + k] = before[i * LANES + k];
}

void lm_judge_abreast(lm_abreast *a)
{
    steps_abreast *s = a->steps;
    unsigned lanes = a->asks[LM_RESIDUALS], tried = s->in_lanes ? lanes & ~s->first : 0;
    unsigned usual = 0, moved = 0;

    a->asks[LM_RESIDUALS] = 0;
    if (tried != 0) {
        usual = a->kernels->abreast_judge(s, tried);
        moved = s->moved;
        s->rejected = usual & ~(moved | s->ended);
        a->asks[LM_LINEARIZE] |= moved & ~s->ended;
        a->asks[LM_DONE] |= s->ended;
    }
    for (int k = 0; k < LANES; k++) {
        if (has_lane(usual & s->ended, k))
            a->fit[k]->state.info = verdict(s, k);
        if (has_lane(lanes & ~usual, k)
            && step_alone(
                a, k, has_lane(s->first, k) ? LM_STAGE_FIRST_RESIDUALS : LM_STAGE_TRIED))
            moved |= 1u << k;
    }
    s->first = 0;
    accept(a, moved);
}

void lm_propose_abreast(lm_abreast *a)
{
    steps_abreast *s = a->steps;
    unsigned tests = a->asks[LM_LINEARIZE], lanes = tests | s->rejected, usual = 0;

    a->asks[LM_LINEARIZE] = s->rejected = 0;
    if (s->in_lanes && lanes != 0)
        usual = a->kernels->abreast_propose(s, lanes, tests);
    a->asks[LM_RESIDUALS] |= usual;
    for (int k = 0; k < LANES; k++)
        if (has_lane(lanes & ~usual, k))
            step_alone(a, k, has_lane(tests, k) ? LM_STAGE_LINEARIZED : LM_STAGE_PROPOSE);
}

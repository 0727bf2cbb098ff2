/* The loop around the algorithm, for fits whose residuals and Jacobian are in memory. */
#include <string.h>

#include "lm/stages.h"
#include "work.h"

/* A computation of fewer multiplications is over sooner than a driver could see to
 * others; a pass over the residuals counts as some. */
#define LONG 200000.0
#define PASS 4.0

void lm_start_fit(lm_fit *fit)
{
    lm_state *s = &fit->state;

    s->n = fit->rows.n;
    lm_start(s);
    fit->njev = fit->differences.count = 0;
    if (fit->rows.m < s->n || fit->rows.ldfjac < fit->rows.m)
        s->stage = LM_STAGE_ENDED; /* with info LM_BAD_INPUT */
    else
        lm_start_rows(fit);
}

/* --- The parts of a fit that compute ------------------------------------------------ */

static void step(lm_fit *fit)
{
    lm_step(&fit->state);
}

static void find_norm(lm_fit *fit)
{
    fit->state.fnorm_trial = lm_rows_norm(&fit->rows, fit->trial);
}

static void take_point(lm_fit *fit)
{
    lm_take_point(fit, fit->point, fit->trial);
}

/* The hooks of a fit under way */
typedef struct {
    const lm_hooks *hooks;
    void *who;
} driver;

static void compute(const driver *d, lm_fit *fit, void (*part)(lm_fit *),
                    double operations, int reads_trial)
{
    if (operations >= LONG && d->hooks->compute != NULL)
        d->hooks->compute(d->who, fit, part, reads_trial);
    else
        part(fit);
}

/* --- What the algorithm asks for: 0, or what a hook returned -------------------------
 */

static int evaluate(const driver *d, lm_fit *fit)
{
    fit->trial = fit->own_trial;
    return d->hooks->residuals(d->who, fit, fit->state.x_trial);
}

static int try_point(const driver *d, lm_fit *fit)
{
    int status = evaluate(d, fit);

    if (status != 0)
        return status;
    if (d->hooks->measure != NULL)
        return d->hooks->measure(d->who, fit);
    if (fit->rows.source != NULL)
        lm_try_rows(fit);
    else
        compute(d, fit, find_norm, PASS * fit->rows.m, 1);
    return 0;
}

static int bend(const driver *d, lm_fit *fit)
{
    int status = evaluate(d, fit);

    if (status != 0)
        return status;
    compute(d, fit, lm_slope, PASS * fit->rows.m, 1);
    if (d->hooks->weigh_slope != NULL)
        status = d->hooks->weigh_slope(d->who, fit);
    if (status == 0)
        compute(d, fit, lm_bend, 2.0 * fit->rows.m * fit->rows.n, 0);
    return status;
}

static int accept(const driver *d, lm_fit *fit)
{
    if (fit->rows.source != NULL)
        return 0;
    if (d->hooks->accept != NULL)
        return d->hooks->accept(d->who, fit);
    memcpy(fit->rows.fvec, fit->trial, (size_t)fit->rows.m * sizeof(double));
    return 0;
}

/* The points of the differences, one after the other. */
static int each_point(const driver *d, lm_fit *fit)
{
    double *own = fit->own_trial;
    int k = lm_next_point(fit, -1);

    for (; k >= 0; k = lm_next_point(fit, k)) {
        lm_move_to(fit, k);
        double *column = lm_raw_column(fit, k);
        fit->own_trial = column != NULL ? column : own;
        int status = evaluate(d, fit);
        fit->own_trial = own;
        if (status != 0)
            return status;
        fit->point = k;
        compute(d, fit, take_point, PASS * fit->rows.m, 1);
    }
    return 0;
}

static int differentiate(const driver *d, lm_fit *fit)
{
    int status;

    lm_first_points(fit);
    do
        status =
            d->hooks->points != NULL ? d->hooks->points(d->who, fit) : each_point(d, fit);
    while (status == 0 && lm_more_points(fit));
    return status;
}

int lm_evaluate_jacobian(lm_fit *fit, const lm_hooks *hooks, void *who)
{
    driver d = {hooks, who};
    int status;

    if (hooks->jacobian != NULL) {
        fit->njev++;
        status = hooks->jacobian(who, fit);
    } else {
        status = differentiate(&d, fit);
    }
    if (status == 0 && hooks->iterate != NULL)
        status = hooks->iterate(who, fit);
    return status;
}

static int linearize(const driver *d, lm_fit *fit)
{
    if (d->hooks->linearize != NULL)
        return d->hooks->linearize(d->who, fit);
    int status = lm_evaluate_jacobian(fit, d->hooks, d->who);
    if (status == 0)
        compute(d, fit, lm_linearize, (double)fit->rows.m * fit->rows.n * fit->rows.n,
                fit->rows.last != NULL);
    return status;
}

int lm_run(lm_fit *fit, const lm_hooks *hooks, void *who)
{
    driver d = {hooks, who};
    lm_state *s = &fit->state;
    double cube = (double)fit->rows.n * fit->rows.n * fit->rows.n;
    int status = 0;

    lm_start_fit(fit);
    do {
        compute(&d, fit, step, cube, 0);
        if (s->moved)
            status = accept(&d, fit);
        if (status == 0 && s->request == LM_RESIDUALS)
            status = try_point(&d, fit);
        else if (status == 0 && s->request == LM_LINEARIZE)
            status = linearize(&d, fit);
        else if (status == 0 && s->request == LM_ACCELERATE)
            status = bend(&d, fit);
    } while (status == 0 && s->request != LM_DONE);
    fit->rows.knows = 0;
    if (status < 0)
        s->info = status;
    return status;
}

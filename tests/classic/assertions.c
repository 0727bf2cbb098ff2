/* A fit by lm_step to which its driver does what no driver may do: the argument says
 * what. Linked with a debug build of the library. */
#include <stdlib.h>

#include "minpack.h"
#include "report.h"

static double norm(int n, const double *x)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static double arrays[7][N], r[N * N], bounds[2][N], work_bounds[1000];
static int ipvt[N], active[5 * N];

/* Of the residuals x - 1, as many as parameters: J is the identity. */
static void answer(lm_state *s)
{
    for (int j = 0; j < N; j++) {
        s->qtf[j] = (s->request == LM_LINEARIZE ? s->x : s->x_trial)[j] - 1;
        s->acnorm[j] = 1;
        s->ipvt[j] = j + 1;
        for (int i = 0; i < N; i++)
            s->r[i + j * N] = i == j;
    }
    *(s->request == LM_LINEARIZE ? &s->fnorm : &s->fnorm_trial) = norm(N, s->qtf);
}

static lm_state fit(void)
{
    lm_state s = {
        .n = N, .ldr = N, .maxfev = 100, .ftol = 1e-8, .xtol = 1e-8, .factor = 100};

    for (int j = 0; j < N; j++) {
        arrays[0][j] = 10;
        bounds[0][j] = -20, bounds[1][j] = 20;
    }
    s.x = arrays[0], s.x_trial = arrays[1], s.diag = arrays[2], s.qtf = arrays[3];
    s.step = arrays[4], s.work = arrays[5], s.work_lmpar = arrays[6];
    s.acnorm = s.x_trial;
    s.r = r, s.ipvt = ipvt;
    s.lower = bounds[0], s.upper = bounds[1], s.active = active;
    s.work_bounds = work_bounds;
    s.norm = norm;
    lm_start(&s);
    return s;
}

static int is(const char *what, const char *name)
{
    return strcmp(what, name) == 0;
}

/* What can be wrong from the start */
static void break_arrays(lm_state *s, const char *what)
{
    double **const all[] = {&s->x,          &s->x_trial,    &s->diag, &s->r,
                            &s->qtf,        &s->acnorm,     &s->step, &s->work,
                            &s->work_lmpar, &s->work_bounds};
    static const char *const names[] = {"x",          "x_trial",    "diag", "r",
                                        "qtf",        "acnorm",     "step", "work",
                                        "work_lmpar", "work_bounds"};

    for (int k = 0; k < 10; k++)
        if (is(what, names[k]))
            *all[k] = NULL;
    if (is(what, "ipvt"))
        s->ipvt = NULL;
    if (is(what, "active"))
        s->active = NULL;
    if (is(what, "lower"))
        s->lower = NULL;
    if (is(what, "upper"))
        s->upper = NULL;
    if (is(what, "stage"))
        memset(s, 0xff, sizeof *s);
}

/* What can be wrong after an answer */
static void break_answer(lm_state *s, const char *what, int request)
{
    if (request == LM_RESIDUALS) {
        if (is(what, "fnorm_trial"))
            s->fnorm_trial = -1;
        if (is(what, "outside"))
            s->x[1] = 30;
        return;
    }
    if (is(what, "fnorm"))
        s->fnorm = -1;
    if (is(what, "negative-acnorm"))
        s->acnorm[2] = -1;
    if (is(what, "twice"))
        s->ipvt[2] = 1;
    if (is(what, "from-0"))
        for (int j = 0; j < N; j++)
            s->ipvt[j] = j;
    if (is(what, "n"))
        s->n = 0;
    if (is(what, "ldr"))
        s->ldr = N - 1;
    if (is(what, "norm"))
        s->norm = NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    lm_state s = fit();

    if (is(what, "bad-input"))
        s.n = 0;
    break_arrays(&s, what);
    for (;;) {
        lm_step(&s);
        if (s.request == LM_DONE)
            break;
        answer(&s);
        break_answer(&s, what, s.request);
    }
    printf("info %d\n", s.info);
    return 0;
}

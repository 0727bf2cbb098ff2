/* leastsq: SciPy's arguments and SciPy's tuple. */
#include "leastsq.h"

#include <string.h>

#include "compiled_fit.h"
#include "points.h"
#include "result.h"

/* The arguments of _minpack.leastsq, in their order. */
enum {
    FUNC,
    X0,
    ARGS,
    DFUN,
    FULL_OUTPUT,
    COL_DERIV,
    FTOL,
    XTOL,
    GTOL,
    MAXFEV,
    EPSFCN,
    FACTOR,
    DIAG,
    KERNELS,
    M,
    USER_DATA,
    WORKERS,
    VECTORIZED,
    ACCELERATION,
    ARGUMENTS
};

/* The functions and the options; extra is the tuple of their further arguments. */
static int read_options(fit *self, PyObject *const *args, PyObject *extra /* borrowed */,
                        int is_compiled)
{
    lm_state *s = &self->lm.state;

    self->analytic = args[DFUN] != Py_None;
    self->col_deriv = PyObject_IsTrue(args[COL_DERIV]);
    if (self->col_deriv < 0)
        return -1;
    if (!is_compiled
        && (callback_init(&self->func, "func", args[FUNC], extra, NULL) < 0
            || (self->analytic
                && callback_init(&self->Dfun, "Dfun", args[DFUN], extra, NULL) < 0)))
        return -1;
    if (real_argument(args[FTOL], "ftol", &s->ftol) < 0
        || real_argument(args[XTOL], "xtol", &s->xtol) < 0
        || real_argument(args[GTOL], "gtol", &s->gtol) < 0
        || count_argument(args[MAXFEV], "maxfev", &s->maxfev) < 0
        || fit_read_workers(self, args[WORKERS]) < 0
        || real_argument(args[FACTOR], "factor", &s->factor) < 0
        || fit_read_kernels(self, args[KERNELS]) < 0
        || fit_read_acceleration(self, args[ACCELERATION]) < 0)
        return -1;
    self->func.name = "func";
    self->func.shape_error = self->Dfun.shape_error = PyExc_TypeError; /* as SciPy */
    if (points_read(self, args[VECTORIZED], Py_None, "Dfun", is_compiled) < 0)
        return -1;
    if (self->analytic || args[EPSFCN] == Py_None) /* not used, or known from func */
        return 0;
    return real_argument(args[EPSFCN], "epsfcn", &self->lm.differences.epsfcn);
}

/* Returns a new reference, or NULL. */
static PyObject *result(fit *self)
{
    lm_state *s = &self->lm.state;

    if (!self->shows_arrays)
        return s->info >= LM_FTOL && s->info <= LM_GTOL
                   ? Py_BuildValue("Oi", self->x, s->info)
                   : Py_BuildValue("Oid", self->x, s->info, fit_progress(self));
    enum covariance_state known;
    PyObject *answer = NULL;
    PyObject *cov = fit_covariance(self, self->lm.rows.m, 0, &known); /* new */
    PyObject *idle = fit_idle_parameters(self);                       /* new */
    if (cov != NULL && idle != NULL && fit_finish(self) == 0)
        answer = Py_BuildValue("OidOOiiOOOOi", self->x, s->info, fit_progress(self), cov,
                               self->fvec, s->nfev, self->lm.njev, self->fjac, self->ipvt,
                               self->qtf, idle, s->beyond);
    Py_XDECREF(cov);
    Py_XDECREF(idle);
    return answer;
}

PyObject *solve_leastsq(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    fit self;
    PyArrayObject *diag = NULL;
    PyObject *extra = NULL, *answer = NULL;
    compiled_part part;
    int is_compiled = 0, count = 0;

    (void)module;
    fit_init(&self);
    memset(&part, 0, sizeof part);
    if (nargs != ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError,
                        "_minpack.leastsq is called by minpack.leastsq only");
        return NULL;
    }

    /* Everything is checked before the first call. */
    self.shows_arrays = PyObject_IsTrue(args[FULL_OUTPUT]);
    extra = PyTuple_Check(args[ARGS]) ? Py_NewRef(args[ARGS])
                                      : PyTuple_Pack(1, args[ARGS]); /* new */
    if (self.shows_arrays < 0 || extra == NULL)
        goto fail;
    is_compiled = compiled_part_take(&part, args[FUNC], "func", args[DFUN], "Dfun",
                                     args[USER_DATA]);
    if (is_compiled < 0
        || read_residual_count(args[M], "func", is_compiled, PyTuple_GET_SIZE(extra) > 0,
                               &count)
               < 0
        || read_options(&self, args, extra, is_compiled) < 0
        || fit_read_start(&self, args[X0]) < 0)
        goto fail;
    diag = fit_read_diag(args[DIAG], PyArray_DIM(self.x, 0)); /* new */
    if (PyErr_Occurred())
        goto fail;

    if (fit_run_residuals(&self, &part, is_compiled, count, diag, args[EPSFCN] != Py_None)
        < 0)
        goto fail;
    answer = result(&self);
fail:
    Py_XDECREF(extra);
    Py_XDECREF(diag);
    compiled_part_clear(&part);
    fit_clear(&self);
    return answer;
}

/* A model f(xdata, a, b, ...) of measured ydata: from its values to weighted residuals.
 * With errors sigma they are (f - ydata)/sigma; with a covariance C = L L' of the data
 * they are the solution z of L z = f - ydata. Functions return 0, or -1 with an
 * exception set. */
#ifndef MINPACK_MODEL_H
#define MINPACK_MODEL_H

#include "numpy_api.h"

#include "answers.h"

/* From so many multiplications on, other threads may run meanwhile; below it, giving up
 * the lock costs more than it gains. */
#define WORTH_UNLOCKING 200000.0

/* Filled with zeros first. All references are ours and so is the memory: what f does to
 * the user's arrays changes nothing here. */
typedef struct {
    PyArrayObject *y;       /* (m,), or (1,) for any number of values */
    PyArrayObject *weights; /* 1/sigma, as long as y, or NULL */
    PyArrayObject *factor;  /* (m, m), row j is column j of L; or NULL */
} model;

/* sigma (one number or as many as ydata has) and factor, which nobody else changes, may
 * be None. Of ydata, which has one dimension at most, a copy is taken. */
int model_init(model *self, PyObject *ydata, PyObject *sigma, PyObject *factor);
void model_clear(model *self);

/* The residuals of what f returned, as a new array that is 1-D, float64 and ours alone:
 * the memory of the answer itself where nobody else has it. NULL on error. *epsilon,
 * where there is one, is set to the relative spacing of the type that f computes in. */
PyArrayObject *model_residuals(const model *self, const callback *f,
                               PyObject *answer /* stolen */, double *epsilon);

/* Weigh the m rows of the derivatives of f in fjac(ldfjac, n), stored by columns. */
void model_weigh_jacobian(const model *self, npy_intp m, npy_intp n, double *fjac,
                          npy_intp ldfjac);

/* The arithmetic of the two, which needs no lock: on m values of f, where they are, and
 * on the derivatives. */
void model_weigh_values(const model *self, npy_intp m, double *values);
void model_weigh_derivatives(const model *self, npy_intp m, npy_intp n, double *fjac,
                             npy_intp ldfjac);

#endif

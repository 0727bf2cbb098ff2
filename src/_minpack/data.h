/* Measured data, for one fit and for many: from the values of a model f(xdata, a, b, ...)
 * to weighted residuals.
 * With errors sigma they are (f - ydata)/sigma; with a covariance C = L L' of the data
 * they are the solution z of L z = f - ydata. Functions return 0, or -1 with an
 * exception set. */
#ifndef MINPACK_DATA_H
#define MINPACK_DATA_H

#include "numpy_api.h"

#include "answers.h"

/* For this many multiplications other threads may run meanwhile; for fewer, giving up the
 * lock costs more than it gains. */
#define WORTH_UNLOCKING 200000.0

/* Filled with zeros first. All references are ours. */
typedef struct {
    PyArrayObject *y;       /* (m,), or (1,) for any number of values */
    PyArrayObject *weights; /* 1/sigma, one or as many as y, or NULL */
    PyArrayObject *sigma;   /* of which the weights are taken row by row, or NULL */
    PyArrayObject *factor;  /* (m, m), row j is column j of L; or NULL */
} data;

/* Whether the data have errors that belong together; data may be NULL. */
static inline int has_covariance(const data *self)
{
    return self != NULL && self->factor != NULL;
}

/* sigma (one number or as many as ydata has) and factor, which nobody else changes, may
 * be None. Of ydata, which has one dimension at most, and of sigma copies are taken where
 * a function is to be `called`: what it does to the user's arrays must change nothing
 * here. Else there are no arrays of order m beside the user's. */
int data_init(data *self, PyObject *ydata, PyObject *sigma, PyObject *factor, int called);
void data_clear(data *self);

/* The residuals of what f returned, as a new array that is 1-D, float64 and ours alone:
 * the memory of the answer itself where nobody else has it. NULL on error. *epsilon,
 * where there is one, is set to the relative spacing of the type that f computes in. */
PyArrayObject *data_residuals(const data *self, const callback *f,
                              PyObject *answer /* stolen */, double *epsilon);

/* The same row by row, of the plain vector that f returned, to the same rows of `to`; and
 * whether that can be done. */
int data_can_put(const data *self, PyObject *answer /* borrowed */, npy_intp m);
void data_put_rows(const data *self, const double *f, npy_intp first, npy_intp count,
                   double *to);

/* Weigh the m rows of the derivatives of f in fjac(ldfjac, n), stored by columns. */
void data_weigh_jacobian(const data *self, npy_intp m, npy_intp n, double *fjac,
                         npy_intp ldfjac);

/* The arithmetic of the two, which needs no lock: on m values of f, where they are, and
 * on the derivatives. */
void data_weigh_values(const data *self, npy_intp m, double *values);
/* The same on some of the rows, where there is no covariance of the data. */
void data_weigh_value_rows(const data *self, npy_intp m, npy_intp first, npy_intp count,
                           double *values);
void data_weigh_derivative_rows(const data *self, npy_intp first, npy_intp count,
                                npy_intp n, double *fjac, npy_intp ldfjac);
void data_weigh_derivatives(const data *self, npy_intp m, npy_intp n, double *fjac,
                            npy_intp ldfjac);

/* Let the processor begin to read what these rows need. */
void data_fetch_rows(const data *self, npy_intp first, npy_intp count);

/* Whether x(m) holds neither NaN nor infinity. */
int are_finite(npy_intp m, const double *x);

/* --- Rows of many data sets ------------------------------------------------------ */

/* (f - y) w of the points that are not masked, to `to`, which may be f; f has them all, y
 * and w those alone. w and mask may be NULL. */
void weigh_residuals(npy_intp points, const double *f, const double *y, const double *w,
                     const npy_bool *mask, double *to);

/* The derivatives at `from`, with these strides, times w, of the points that are not
 * masked, to fjac(ldfjac, n), which may be where they are. */
void weigh_derivatives(npy_intp points, npy_intp n, const char *from, npy_intp row,
                       npy_intp column, const double *w, const npy_bool *mask,
                       double *fjac, npy_intp ldfjac);

static inline const char *row_of(PyArrayObject *array, npy_intp i)
{
    return PyArray_BYTES(array) + i * PyArray_STRIDE(array, 0);
}

/* The points of row i of a float64 or float32 array that are not masked, as float64. */
void read_row(PyArrayObject *array, npy_intp i, npy_intp points, const npy_bool *mask,
              double *to);

#endif

/* What a user's function returned, as numbers. Functions return 0, or -1 with an
 * exception set that names the function. */
#ifndef MINPACK_ANSWERS_H
#define MINPACK_ANSWERS_H

#include "callback.h"

/* What self returned as a float64 array of any shape, by NumPy's safe casts; a sequence
 * may also hold anything that float() takes, but text. `flags` says what memory is
 * wanted; type_num, where it is not NULL, is set to the type before the cast. Returns a
 * new reference, or NULL. */
PyArrayObject *real_array(const callback *self, PyObject *answer /* borrowed */,
                          int flags, int *type_num);

/* The same with any strides, and the answer itself where it is such an array already. The
 * answer is stolen. Where epsilon is not NULL, it is set to the relative spacing of the
 * type that the function computes in. */
PyArrayObject *strided_array(const callback *self, PyObject *answer /* stolen */,
                             double *epsilon);

/* Of the type that a function computes in: the spacing of its numbers next to 1. */
double relative_spacing(int type_num);

/* What self returned, as a float64 array that is 1-D, contiguous and aligned: the
 * answer itself where it is one already. `answer` is stolen, a new reference is
 * returned, or NULL. n is the number of parameters. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that the function computes in. */
PyArrayObject *residuals_array(const callback *self, PyObject *answer /* stolen */,
                               npy_intp n, double *epsilon);

/* Copy the Jacobian that self returned into fjac(ldfjac, n), m by n by columns. */
int take_jacobian(const callback *self, PyObject *answer /* borrowed */, int col_deriv,
                  npy_intp m, npy_intp n, double *fjac, npy_intp ldfjac, int first);

/* column(m) := the imaginary part of what callback_call_complex returned, over h. One
 * value may stand for all where it `repeats`. */
int take_imaginary(const callback *self, PyObject *answer /* borrowed */, npy_intp m,
                   int repeats, double h, double *column);

/* rho(3, m) := what a loss returned, where the first two rows are not negative. */
int take_loss(const callback *self, PyObject *answer /* borrowed */, npy_intp m,
              double *rho);

#endif

/* Calling a user's function and taking its answer: the only code that calls user
 * Python. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_CALLBACK_H
#define MINPACK_CALLBACK_H

#include "numpy_api.h"

/* A function f(x, *args) or a model f(data, x1, ..., xn), ready for many calls. */
typedef struct {
    const char *name;      /* "func", for messages */
    PyObject *shape_error; /* borrowed: what a first answer of a wrong shape raises */
    PyObject *callable;    /* borrowed from the caller of the fit */
    Py_ssize_t nargs;      /* positional arguments, x included */
    PyObject *keywords;    /* ours: the tuple of the keywords' names, or NULL */
    PyObject **stack;      /* a free slot, x, args, keywords' values; all borrowed, but
                              a model's parameters */
    PyObject *small[8];    /* the stack, where it fits */
    PyArrayObject *x;      /* ours: the x of the last call if func has not kept it */
    Py_ssize_t numbers;    /* n of a model, else 0: the last so many of stack are ours */
} callback;

/* args and kwargs outlive the callback and don't change; kwargs may be NULL. */
int callback_init(callback *self, const char *name, PyObject *callable,
                  PyObject *args /* tuple */, PyObject *kwargs /* dict */);
int callback_init_model(callback *self, const char *name, PyObject *callable,
                        PyObject *data /* borrowed */, npy_intp n);
void callback_clear(callback *self);

/* Nobody else can see or change this array. */
int is_ours_alone(PyArrayObject *array);

/* *kept, if nobody else has it and it still is as wanted, or else a new array in its
 * place: half of what a call costs is making the array. Borrowed, or NULL. */
PyArrayObject *array_to_fill(PyArrayObject **kept, int ndim, npy_intp *shape, int type);

/* Call with a copy of x(n) that is the function's to keep; a model gets n NumPy scalars.
 * Returns a new reference, or NULL. */
PyObject *callback_call(callback *self, npy_intp n, const double *x);

/* The same at x + i h e_j, an array of complex numbers. */
PyObject *callback_call_complex(callback *self, npy_intp n, const double *x, npy_intp j,
                                double h);

/* Ready to be read as double[size] where it is. */
int is_plain_vector(PyObject *object);

/* "(10, 2)" as a new string, or NULL. */
PyObject *shape_text(PyArrayObject *array /* borrowed */);

/* What self returned as a float64 array of any shape, by NumPy's safe casts; a sequence
 * may also hold anything that float() takes, but text. `flags` says what memory is
 * wanted; type_num, where it is not NULL, is set to the type before the cast. Returns a
 * new reference, or NULL. */
PyArrayObject *real_array(const callback *self, PyObject *answer /* borrowed */,
                          int flags, int *type_num);

/* Of the type that a function computes in: the spacing of its numbers next to 1. */
double relative_spacing(int type_num);

/* What self returned, as a float64 array that is 1-D, contiguous and aligned: the
 * answer itself where it is one already. `answer` is stolen, a new reference is
 * returned, or NULL. n is the number of parameters. Where epsilon is not NULL, it is
 * set to the relative spacing of the type that the function computes in. */
PyArrayObject *residuals_array(const callback *self, PyObject *answer /* stolen */,
                               npy_intp n, double *epsilon);

/* Copy the Jacobian that self returned into fjac, m by n by columns. */
int take_jacobian(const callback *self, PyObject *answer /* borrowed */, int col_deriv,
                  npy_intp m, npy_intp n, double *fjac, int first);

/* column(m) := the imaginary part of what callback_call_complex returned, over h. */
int take_imaginary(const callback *self, PyObject *answer /* borrowed */, npy_intp m,
                   double h, double *column);

/* rho(3, m) := what a loss returned, where the first two rows are not negative. */
int take_loss(const callback *self, PyObject *answer /* borrowed */, npy_intp m,
              double *rho);

/* `object` as a float64 array, 1-D, contiguous and aligned, where NumPy casts its
 * type safely. Returns a new reference, or NULL with an error that names it. */
PyArrayObject *vector_argument(PyObject *object, const char *name, int flatten);

#endif

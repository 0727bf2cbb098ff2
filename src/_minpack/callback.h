/* Calling a user's function, one fit at a time; question.c calls it for many. Functions
 * return 0, or -1 with an exception set. */
#ifndef MINPACK_CALLBACK_H
#define MINPACK_CALLBACK_H

#include "arrays.h"

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
    Py_ssize_t numbers;    /* n of a model, else 0: the last n of stack are ours,
                              NumPy scalars or columns, in all calls the same */
} callback;

/* args and kwargs outlive the callback and don't change; both may be NULL. */
int callback_init(callback *self, const char *name, PyObject *callable,
                  PyObject *args /* tuple */, PyObject *kwargs /* dict */);
int callback_init_model(callback *self, const char *name, PyObject *callable,
                        PyObject *data /* borrowed */, npy_intp n);
void callback_clear(callback *self);

/* Call with a copy of x(n) that is the function's to keep; a model gets n NumPy scalars.
 * Returns a new reference, or NULL. */
PyObject *callback_call(callback *self, npy_intp n, const double *x);

/* The same once for all `count` points of x(count, n): with an array of shape (n, count),
 * one column for each point; a model gets n arrays of shape (count, 1). */
PyObject *callback_call_at_points(callback *self, npy_intp n, npy_intp count,
                                  const double *x);

/* At x + i h e_j, an array of complex numbers. */
PyObject *callback_call_complex(callback *self, npy_intp n, const double *x, npy_intp j,
                                double h);

#endif

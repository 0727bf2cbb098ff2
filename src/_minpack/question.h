/* One call of a user's function for many fits: its arguments, a row for each fit, and
 * what it returned. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_QUESTION_H
#define MINPACK_QUESTION_H

#include "answers.h"

struct batch;
struct worker;

/* The arguments of a function, which are used again in the next call unless the function
 * has kept them. */
typedef struct {
    callback function; /* who it is; the arguments are here */
    Py_ssize_t nargs;
    PyObject **stack;       /* a free slot, then the arguments; all borrowed */
    PyArrayObject **arrays; /* those of the arguments that are ours */
    Py_ssize_t narrays;
    npy_intp *holds; /* (chunk) whose x each row of x_rows is */
} question;

/* What came back: one row for each fit that asked. */
typedef struct {
    PyArrayObject *array; /* ours */
    npy_intp strides[3];  /* of the fits, the points and the parameters, 0: repeated */
    double epsilon;       /* relative spacing of the type that it was computed in */
} answer;

/* What a question needs of a worker's memory, and what its arguments are from the start.
 */
void question_init(question *self, const struct batch *b, PyObject *callable,
                   const char *name);
void question_clear(question *self);

/* Call the function for `count` fits: those of worker->asking, at their trial points or,
 * for a Jacobian, at x. A pair's Jacobian goes to worker->derivatives_too. */
int question_ask(question *self, struct worker *w, int count, int is_jacobian, answer *a);

#endif

/* A fit whose rows are elsewhere: in blocks that are computed one by one, on any machine.
 * A piece is what the fit must know of some rows: an array of the norm of their residuals
 * and, where it has derivatives, of their triangle (see "Rows in pieces" in minpack.h).
 */
#ifndef MINPACK_PIECES_H
#define MINPACK_PIECES_H

#include "numpy_api.h"

/* The numbers in a piece of n parameters with and without derivatives. */
static inline npy_intp piece_size(npy_intp n, int has_triangle)
{
    return has_triangle ? 1 + n * (n + 1) : 1;
}

/* Entry points: see minpack/_minpack.pyi for the arguments and the results. */
PyObject *pieces_check_finite(PyObject *module, PyObject *args);
PyObject *pieces_residuals(PyObject *module, PyObject *args);
PyObject *pieces_reduce(PyObject *module, PyObject *args);
PyObject *pieces_reduce_program(PyObject *module, PyObject *args);
PyObject *pieces_merge(PyObject *module, PyObject *args);
PyObject *solve_in_pieces(PyObject *module, PyObject *args);

#endif

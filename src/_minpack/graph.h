/* The record of a function under way: its nodes, and the graph that makes each once. The
 * classes in minpack/_traced are their subclasses; see minpack/_minpack.pyi. */
#ifndef MINPACK_GRAPH_H
#define MINPACK_GRAPH_H

#include "numpy_api.h"

typedef struct {
    PyObject_HEAD PyObject *nodes; /* dict, in the order of the nodes */
    PyObject *loops;               /* dict: the types of the float64 loop of each ufunc */
    PyTypeObject *scalar;          /* the class of one number, */
    PyTypeObject *vector;          /* and that of one for each point */
    Py_ssize_t most;               /* nodes */
} graph;

typedef struct {
    PyObject_HEAD PyObject *trace; /* the graph; its `clear` ends the cycle */
    PyObject *op;
    PyObject *operands; /* tuple of nodes */
    PyObject *letter;   /* of the type of the numbers */
    PyObject *length;   /* int, or None for one number */
    PyObject *types;
    PyObject *payload;
    Py_ssize_t order;
    char depends; /* on a parameter */
} node;

/* Whether an object is a node. */
int is_node(PyObject *object);

/* Add the two classes to the module: 0, or -1 with an exception set. */
int graph_add_types(PyObject *module);

#endif

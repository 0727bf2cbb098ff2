/* From a record to the description of a program, as program.c takes it. */
#include "graph.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>

/* Nodes, which belong to the record. */
typedef struct {
    node **items;
    Py_ssize_t count, room;
} nodes;

static int push(nodes *to, node *each)
{
    if (to->count == to->room) {
        Py_ssize_t room = to->room ? 2 * to->room : 32;
        node **items = PyMem_Realloc(to->items, (size_t)room * sizeof *items);
        if (items == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        to->items = items;
        to->room = room;
    }
    to->items[to->count++] = each;
    return 0;
}

static int compare(const void *a, const void *b)
{
    Py_ssize_t left = (*(node *const *)a)->order, right = (*(node *const *)b)->order;

    return (left > right) - (left < right);
}

/* Operands before what uses them. */
static void sort(nodes *list, Py_ssize_t first)
{
    if (list->count > first)
        qsort(list->items + first, (size_t)(list->count - first), sizeof *list->items,
              compare);
}

/* A piece of the result: what it needs of vectors, and its derivatives beside that. */
typedef struct {
    nodes value, jac;
} own;

enum { NOT_REACHED = -1, SHARED = -2 };

/* A record on its way to a program. By the orders of nodes: their numbers as operands,
 * and which segment has reached them last. Scalars and leaves are shared by all. */
typedef struct {
    Py_ssize_t size; /* of the record */
    Py_ssize_t *numbers, *reached;
    Py_ssize_t count; /* operands that have a number */
    Py_ssize_t nsegments;
    own *segments;
    nodes stack, leaves, scalars, products;
    PyObject **matrices;                /* borrowed: of the products, each once, */
    Py_ssize_t nmatrices, first_matrix; /* and the number of the first */
    PyObject *matmul;                   /* borrowed: NumPy's */
} lowering;

static int is_named(const node *each, const char *op)
{
    return PyUnicode_Check(each->op)
           && PyUnicode_CompareWithASCIIString(each->op, op) == 0;
}

static node *checked(const lowering *self, PyObject *object)
{
    if (is_node(object) && ((node *)object)->order < self->size)
        return (node *)object;
    PyErr_Format(PyExc_TypeError, "lower takes nodes of one record, not %R", object);
    return NULL;
}

/* --- What is needed ---------------------------------------------------------- */

static int push_all(lowering *self, PyObject *objects /* borrowed */)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(objects);

    for (Py_ssize_t i = 0; i < count; i++) {
        node *each = checked(self, PySequence_Fast_GET_ITEM(objects, i));
        if (each == NULL || push(&self->stack, each) < 0)
            return -1;
    }
    return 0;
}

/* Add the vectors that are needed for what is on the stack to a segment's own. */
static int reach(lowering *self, Py_ssize_t segment, nodes *found)
{
    while (self->stack.count > 0) {
        node *each = self->stack.items[--self->stack.count];
        Py_ssize_t *reached = &self->reached[each->order];
        nodes *to = each->length == Py_None ? &self->scalars : found;
        if (*reached == SHARED || *reached == segment)
            continue;
        *reached = to == found ? segment : SHARED;
        if (PyTuple_GET_SIZE(each->operands) == 0) {
            *reached = SHARED;
            to = &self->leaves;
        }
        if (push(to, each) < 0 || push_all(self, each->operands) < 0)
            return -1;
        if (is_named(each, "matmul") && push(&self->products, each) < 0)
            return -1;
    }
    sort(found, 0);
    return 0;
}

static int reach_values(lowering *self, PyObject *pieces)
{
    for (Py_ssize_t k = 0; k < self->nsegments; k++) {
        node *piece = checked(self, PyList_GET_ITEM(pieces, k));
        if (piece == NULL || push(&self->stack, piece) < 0
            || reach(self, k, &self->segments[k].value) < 0)
            return -1;
    }
    return 0;
}

static int reach_columns(lowering *self, PyObject *columns, Py_ssize_t n)
{
    if (!PyList_Check(columns) || PyList_GET_SIZE(columns) != self->nsegments)
        goto fail;
    for (Py_ssize_t k = 0; k < self->nsegments; k++) {
        PyObject *row = PyList_GET_ITEM(columns, k); /* borrowed */
        const nodes *value = &self->segments[k].value;
        if (!PyList_Check(row) || PyList_GET_SIZE(row) != n)
            goto fail;
        for (Py_ssize_t i = 0; i < value->count; i++)
            self->reached[value->items[i]->order] = k;
        if (push_all(self, row) < 0 || reach(self, k, &self->segments[k].jac) < 0)
            return -1;
    }
    return 0;
fail:
    PyErr_SetString(PyExc_TypeError,
                    "lower: columns is a list of n nodes for each of the pieces");
    return -1;
}

/* --- Numbers ----------------------------------------------------------------- */

/* Append to a list: 0, or -1 with an exception set. */
static int append(PyObject *list, PyObject *item /* steals; NULL with an exception set */)
{
    int status = item == NULL ? -1 : PyList_Append(list, item);

    Py_XDECREF(item);
    return status;
}

static PyObject *leaf_of(const node *each)
{
    if (!is_named(each, "data"))
        return Py_NewRef(each->payload);
    PyObject *k, *offset, *stride; /* borrowed */
    if (!PyArg_ParseTuple(each->payload, "OOO", &k, &offset, &stride))
        return NULL;
    return PyTuple_Pack(5, k, offset, stride, each->letter,
                        each->length == Py_None ? Py_True : Py_False);
}

/* The number of the matrix of a product, a new one where the matrix is new. */
static Py_ssize_t matrix_of(lowering *self, const node *each)
{
    Py_ssize_t k = 0;

    while (k < self->nmatrices && self->matrices[k] != each->payload)
        k++;
    if (k == self->nmatrices)
        self->matrices[self->nmatrices++] = each->payload;
    return self->first_matrix + k;
}

/* Give numbers to the leaves, then to the matrices of products. */
static int number_leaves(lowering *self, PyObject *leaves, PyObject *arrays)
{
    for (Py_ssize_t i = 0; i < self->leaves.count; i++) {
        const node *each = self->leaves.items[i];
        self->numbers[each->order] = self->count++;
        if (is_named(each, "array")
            && append(arrays, Py_BuildValue("nn", i, each->order)) < 0)
            return -1;
        if (append(leaves, leaf_of(each)) < 0)
            return -1;
    }
    self->first_matrix = self->count;
    self->matrices = PyMem_Calloc((size_t)self->products.count + 1, sizeof(PyObject *));
    if (self->matrices == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < self->products.count; i++) {
        const node *each = self->products.items[i];
        if (matrix_of(self, each) < self->count)
            continue;
        self->count++;
        if (append(arrays, Py_BuildValue("nn", PyList_GET_SIZE(leaves), each->order)) < 0
            || PyList_Append(leaves, each->payload) < 0)
            return -1;
    }
    return 0;
}

/* The numbers of a node's operands, after that of its matrix, as a new tuple. */
static PyObject *operands_of(lowering *self, const node *each, int is_matmul)
{
    Py_ssize_t count = PyTuple_GET_SIZE(each->operands);
    PyObject *out = PyTuple_New(is_matmul + count); /* new */

    for (Py_ssize_t i = -is_matmul; out != NULL && i < count; i++) {
        Py_ssize_t k =
            i < 0 ? matrix_of(self, each)
                  : self->numbers[((node *)PyTuple_GET_ITEM(each->operands, i))->order];
        PyObject *number = PyLong_FromSsize_t(k); /* new */
        if (number == NULL)
            Py_CLEAR(out);
        else
            PyTuple_SET_ITEM(out, is_matmul + i, number); /* steals */
    }
    return out;
}

static Py_ssize_t outputs_of(const node *each)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(each->types);

    return size - 1 - PyUnicode_FindChar(each->types, '>', 0, size, 1);
}

/* Number the outputs of an operation, and add its instruction to a list, unless that is
 * there for another of its outputs. */
static int add_instruction(lowering *self, const node *each, PyObject *list,
                           PyObject *done /* dict: where the outputs of each begin */)
{
    int is_matmul = is_named(each, "matmul"), status = -1;
    Py_ssize_t outputs = outputs_of(each), first = self->count;
    PyObject *operands = operands_of(self, each, is_matmul); /* new */
    PyObject *key = NULL, *number = NULL;

    if (operands == NULL)
        return -1;
    if (outputs > 1) {
        key = PyTuple_Pack(2, each->op, operands); /* new */
        if (key == NULL)
            goto done;
        PyObject *known = PyDict_GetItemWithError(done, key); /* borrowed */
        if (known != NULL)
            first = PyLong_AsSsize_t(known);
        else if (PyErr_Occurred())
            goto done;
        Py_ssize_t part = PyLong_AsSsize_t(each->payload);
        if (part == -1 && PyErr_Occurred())
            goto done;
        self->numbers[each->order] = first + part;
        if (known != NULL) {
            status = 0;
            goto done;
        }
        number = PyLong_FromSsize_t(first); /* new */
        if (number == NULL || PyDict_SetItem(done, key, number) < 0)
            goto done;
    } else {
        self->numbers[each->order] = first;
    }
    self->count += outputs;
    status = append(list, PyTuple_Pack(3, is_matmul ? self->matmul : each->op,
                                       each->types, operands));
done:
    Py_XDECREF(number);
    Py_XDECREF(key);
    Py_DECREF(operands);
    return status;
}

enum which { ALL, PRODUCTS, OTHERS };

static int add_instructions(lowering *self, const nodes *from, enum which which,
                            PyObject *list, PyObject *done)
{
    for (Py_ssize_t i = 0; i < from->count; i++) {
        const node *each = from->items[i];
        if (which != ALL && is_named(each, "matmul") != (which == PRODUCTS))
            continue;
        if (add_instruction(self, each, list, done) < 0)
            return -1;
    }
    return 0;
}

/* The instructions for some nodes and others, as a new tuple. */
static PyObject *instructions(lowering *self, const nodes *from, const nodes *more,
                              enum which which)
{
    PyObject *out = NULL;
    PyObject *list = PyList_New(0); /* new */
    PyObject *done = PyDict_New();  /* new */

    if (list != NULL && done != NULL
        && add_instructions(self, from, which, list, done) == 0
        && (more == NULL || add_instructions(self, more, which, list, done) == 0))
        out = PyList_AsTuple(list); /* new */
    Py_XDECREF(done);
    Py_XDECREF(list);
    return out;
}

static PyObject *number_of(const lowering *self, PyObject *object)
{
    return PyLong_FromSsize_t(self->numbers[((node *)object)->order]);
}

/* The segment of a piece: see program_build; new. */
static PyObject *segment_of(lowering *self, own *of, PyObject *piece, PyObject *length,
                            PyObject *row /* borrowed list, or NULL */)
{
    PyObject *value = NULL, *jac = NULL, *out = NULL, *outs = NULL, *found = NULL;
    PyObject *full = instructions(self, &of->value, &of->jac, PRODUCTS); /* new */

    if (full != NULL)
        value = instructions(self, &of->value, NULL, OTHERS); /* new */
    if (value != NULL)
        jac = instructions(self, &of->jac, NULL, OTHERS); /* new */
    if (jac == NULL)
        goto done;
    out = number_of(self, piece);                                                /* new */
    outs = row == NULL ? Py_NewRef(Py_None) : PyTuple_New(PyList_GET_SIZE(row)); /* new */
    if (out == NULL || outs == NULL)
        goto done;
    for (Py_ssize_t j = 0; row != NULL && j < PyList_GET_SIZE(row); j++) {
        PyObject *number = number_of(self, PyList_GET_ITEM(row, j)); /* new */
        if (number == NULL)
            goto done;
        PyTuple_SET_ITEM(outs, j, number); /* steals */
    }
    found = PyTuple_Pack(6, length, full, value, jac, out, outs); /* new */
done:
    Py_XDECREF(outs);
    Py_XDECREF(out);
    Py_XDECREF(jac);
    Py_XDECREF(value);
    Py_XDECREF(full);
    return found;
}

/* --- The whole --------------------------------------------------------------- */

static int begin(lowering *self, Py_ssize_t size, PyObject *parameters, PyObject *pieces)
{
    if (size < 0 || size > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(Py_ssize_t)) {
        PyErr_SetString(PyExc_ValueError, "lower: the size of a record is not negative");
        return -1;
    }
    self->size = size;
    self->nsegments = PyList_GET_SIZE(pieces);
    self->numbers = PyMem_Calloc((size_t)size + 1, sizeof *self->numbers);
    self->reached = PyMem_Malloc(((size_t)size + 1) * sizeof *self->reached);
    self->segments = PyMem_Calloc((size_t)self->nsegments + 1, sizeof *self->segments);
    if (self->numbers == NULL || self->reached == NULL || self->segments == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < size; i++)
        self->reached[i] = NOT_REACHED;
    for (Py_ssize_t j = 0; j < PyList_GET_SIZE(parameters); j++) {
        node *each = checked(self, PyList_GET_ITEM(parameters, j));
        if (each == NULL)
            return -1;
        self->numbers[each->order] = self->count++;
        self->reached[each->order] = SHARED;
    }
    return 0;
}

static void end(lowering *self)
{
    for (Py_ssize_t k = 0; self->segments != NULL && k < self->nsegments; k++) {
        PyMem_Free(self->segments[k].value.items);
        PyMem_Free(self->segments[k].jac.items);
    }
    PyMem_Free(self->segments);
    PyMem_Free(self->numbers);
    PyMem_Free(self->reached);
    PyMem_Free(self->stack.items);
    PyMem_Free(self->leaves.items);
    PyMem_Free(self->scalars.items);
    PyMem_Free(self->products.items);
    PyMem_Free(self->matrices);
}

PyObject *program_lower(PyObject *module, PyObject *args)
{
    PyObject *parameters, *pieces, *lengths, *columns, *matmul; /* borrowed */
    PyObject *leaves = NULL, *arrays = NULL, *scalars = NULL, *segments = NULL;
    PyObject *description = NULL;
    lowering l = {0};
    Py_ssize_t size;

    (void)module;
    if (!PyArg_ParseTuple(args, "O!nO!O!OO:lower", &PyList_Type, &parameters, &size,
                          &PyList_Type, &pieces, &PyList_Type, &lengths, &columns,
                          &matmul))
        return NULL;
    l.matmul = matmul;
    if (begin(&l, size, parameters, pieces) < 0 || reach_values(&l, pieces) < 0)
        goto done;
    Py_ssize_t split = l.scalars.count;
    if (columns != Py_None && reach_columns(&l, columns, PyList_GET_SIZE(parameters)) < 0)
        goto done;
    leaves = PyList_New(0); /* new */
    arrays = PyList_New(0); /* new */
    if (leaves == NULL || arrays == NULL || number_leaves(&l, leaves, arrays) < 0)
        goto done;
    nodes first = {l.scalars.items, split, split};
    sort(&first, 0);
    sort(&l.scalars, split);
    scalars = instructions(&l, &l.scalars, NULL, ALL); /* new */
    segments = PyTuple_New(l.nsegments);               /* new */
    if (scalars == NULL || segments == NULL)
        goto done;
    if (PyList_GET_SIZE(lengths) != l.nsegments) {
        PyErr_SetString(PyExc_ValueError, "lower: a piece has a length");
        goto done;
    }
    for (Py_ssize_t k = 0; k < l.nsegments; k++) {
        PyObject *row = columns == Py_None ? NULL : PyList_GET_ITEM(columns, k);
        PyObject *each = segment_of(&l, &l.segments[k], PyList_GET_ITEM(pieces, k),
                                    PyList_GET_ITEM(lengths, k), row); /* new */
        if (each == NULL)
            goto done;
        PyTuple_SET_ITEM(segments, k, each); /* steals */
    }
    PyObject *all[] = {PyList_AsTuple(leaves), PyList_AsTuple(arrays)}; /* new */
    if (all[0] != NULL && all[1] != NULL)
        description = Py_BuildValue("OOOnO", all[0], all[1], scalars, split, segments);
    Py_XDECREF(all[0]);
    Py_XDECREF(all[1]);
done:
    Py_XDECREF(leaves);
    Py_XDECREF(arrays);
    Py_XDECREF(scalars);
    Py_XDECREF(segments);
    end(&l);
    return description;
}

#include "program_parts.h"

#include <limits.h>

/* --- Segments ---------------------------------------------------------------- */

/* What the result or a column of it is made of. */
static int read_result(program *p, PyObject *number, enum part part, const segment *s)
{
    int k = program_read_operand(p, number);

    if (k < 0 || program_check_use(p, k, part, s) < 0)
        return -1;
    return p->operands[k].type == 'd'
               ? k
               : program_wrong("values and derivatives are of float64");
}

typedef struct {
    Py_ssize_t length;
    PyObject *full, *value, *jac, *out, *outs; /* borrowed */
} parts;

static int read_parts(parts *to, PyObject *item)
{
    PyTypeObject *tuple = &PyTuple_Type;

    if (PyTuple_Check(item)
        && PyArg_ParseTuple(item, "nO!O!O!OO", &to->length, tuple, &to->full, tuple,
                            &to->value, tuple, &to->jac, &to->out, &to->outs))
        return to->length >= 0 ? 0 : program_wrong("a segment has a negative length");
    PyErr_Format(PyExc_TypeError,
                 "program: a segment is (length, full, value, jac, out, outs), not %R",
                 item);
    return -1;
}

static int add_segment(program *p, PyObject *item)
{
    segment *s = &p->segments[p->nsegments++];
    parts of;

    if (read_parts(&of, item) < 0)
        return -1;
    if (of.length > INT_MAX - p->m)
        return program_wrong("there are too many rows");
    s->length = of.length;
    p->m += (int)of.length;
    s->full = p->ninstructions;
    if (program_add_instructions(p, of.full, IN_FULL, s) < 0)
        return -1;
    s->value = p->ninstructions;
    if (program_add_instructions(p, of.value, IN_VALUE, s) < 0)
        return -1;
    s->out = read_result(p, of.out, IN_VALUE, s);
    if (s->out < 0)
        return -1;
    s->jac = p->ninstructions;
    if (program_add_instructions(p, of.jac, IN_JAC, s) < 0)
        return -1;
    s->end = p->ninstructions;
    int has_outs = of.outs != Py_None;
    if (p->nsegments == 1)
        p->has_jacobian = has_outs;
    if (p->has_jacobian != has_outs || (!has_outs && PyTuple_GET_SIZE(of.jac) > 0))
        return program_wrong("all segments have derivatives, or none has");
    if (!has_outs)
        return 0;
    if (!PyTuple_Check(of.outs) || PyTuple_GET_SIZE(of.outs) != p->n)
        return program_wrong("outs is a tuple of one operand for each parameter");
    s->columns = PyMem_Calloc((size_t)p->n, sizeof *s->columns);
    if (s->columns == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int j = 0; j < p->n; j++) {
        s->columns[j].operand = read_result(p, PyTuple_GET_ITEM(of.outs, j), IN_JAC, s);
        if (s->columns[j].operand < 0)
            return -1;
    }
    return 0;
}

/* --- The whole --------------------------------------------------------------- */

/* Add what a list of instructions holds: 0, or -1 with an exception set. */
static int count_list(PyObject *list, size_t *instructions, size_t *terms)
{
    *instructions += (size_t)PyTuple_GET_SIZE(list);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        PyObject *item = PyTuple_GET_ITEM(list, i); /* borrowed */
        if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 3
            || !PyTuple_Check(PyTuple_GET_ITEM(item, 2))) {
            PyErr_Format(
                PyExc_TypeError,
                "program: an instruction is (op, types, tuple of operands), not %R",
                item);
            return -1;
        }
        *terms += (size_t)PyTuple_GET_SIZE(PyTuple_GET_ITEM(item, 2));
    }
    return 0;
}

static int allocate(program *p, PyObject *leaves, PyObject *scalars, PyObject *segments)
{
    size_t instructions = 0, terms = 0;
    size_t nsegments = (size_t)PyTuple_GET_SIZE(segments);

    if (count_list(scalars, &instructions, &terms) < 0)
        return -1;
    for (size_t i = 0; i < nsegments; i++) {
        parts of;
        if (read_parts(&of, PyTuple_GET_ITEM(segments, (Py_ssize_t)i)) < 0
            || count_list(of.full, &instructions, &terms) < 0
            || count_list(of.value, &instructions, &terms) < 0
            || count_list(of.jac, &instructions, &terms) < 0)
            return -1;
    }
    size_t operands =
        (size_t)p->n + (size_t)PyTuple_GET_SIZE(leaves) + MAX_OUTPUTS * instructions;
    if (operands > INT_MAX || terms > INT_MAX)
        return program_wrong("there are too many operands");
    p->operands = PyMem_Calloc(operands, sizeof *p->operands);
    p->instructions = PyMem_Calloc(instructions + 1, sizeof *p->instructions);
    p->segments = PyMem_Calloc(nsegments, sizeof *p->segments);
    p->terms = PyMem_Calloc(terms + 1, sizeof *p->terms);
    if (p->operands == NULL || p->instructions == NULL || p->segments == NULL
        || p->terms == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

program *program_build(Py_ssize_t n, PyObject *leaves, PyObject *scalars,
                       Py_ssize_t split, PyObject *segments)
{
    program *p = PyMem_Calloc(1, sizeof *p);

    if (p == NULL)
        return (program *)PyErr_NoMemory();
    if (n < 1 || n > INT_MAX) {
        program_wrong("n is at least 1");
        goto fail;
    }
    p->n = (int)n;
    if (split < 0 || split > PyTuple_GET_SIZE(scalars)
        || PyTuple_GET_SIZE(segments) == 0) {
        program_wrong("split is among the scalars, and there is a segment");
        goto fail;
    }
    p->objects = PyTuple_Pack(3, leaves, scalars, segments); /* new */
    if (p->objects == NULL || allocate(p, leaves, scalars, segments) < 0
        || program_add_leaves(p, leaves) < 0)
        goto fail;
    p->split = (int)split;
    if (program_add_instructions(p, scalars, IN_SCALARS, NULL) < 0)
        goto fail;
    p->nscalars = p->ninstructions;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(segments); i++)
        if (add_segment(p, PyTuple_GET_ITEM(segments, i)) < 0)
            goto fail;
    if (program_lay_out(p) < 0)
        goto fail;
    return p;
fail:
    program_free(p);
    return NULL;
}

void program_free(program *p)
{
    for (int i = 0; i < p->nsegments; i++) {
        PyMem_Free(p->segments[i].columns);
        PyMem_Free(p->segments[i].moving);
    }
    PyMem_Free(p->operands);
    PyMem_Free(p->instructions);
    PyMem_Free(p->segments);
    PyMem_Free(p->terms);
    Py_XDECREF(p->objects);
    PyMem_Free(p);
}

/* What a program does, instruction by instruction. */
#include "program_parts.h"

static const char *const PARTS[] = {"scalars", "full", "value", "jac"};

int program_wrong(const char *what)
{
    PyErr_Format(PyExc_ValueError, "program: %s", what);
    return -1;
}

operand *program_add_operand(program *p)
{
    operand *o = &p->operands[p->noperands++];

    o->segment = o->maker = -1;
    return o;
}

int program_read_operand(const program *p, PyObject *number)
{
    long k = PyLong_Check(number) ? PyLong_AsLong(number) : -1;

    if (k >= 0 && k < p->noperands)
        return (int)k;
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError,
                     "program: %R is no number of an operand that is known by then: "
                     "there are %d",
                     number, p->noperands);
    return -1;
}

int program_check_use(program *p, int number, enum part part, const segment *s)
{
    operand *o = &p->operands[number];

    if (o->for_jacobian && (part == IN_FULL || part == IN_VALUE))
        return program_wrong("a scalar after the split is for the Jacobian alone");
    if (o->kind == MATRIX)
        return program_wrong("a matrix is for matmul alone");
    if (o->is_scalar)
        return 0;
    if (s == NULL)
        return program_wrong("scalars are computed from scalars");
    if (o->segment >= 0 && o->segment != s - p->segments)
        return program_wrong("a vector belongs to another segment");
    if (o->kind == TEMPORARY && part == IN_FULL)
        return program_wrong("only full vectors are there before the blocks");
    if (o->kind == DATA && o->length < s->length)
        o->length = s->length;
    if (o->kind == CONSTANT && o->length != s->length) {
        PyErr_Format(PyExc_ValueError,
                     "program: a constant has %zd entries, and its segment %zd rows",
                     (Py_ssize_t)o->length, (Py_ssize_t)s->length);
        return -1;
    }
    return 0;
}

static int read_inputs(program *p, instruction *to, const loop *l, PyObject *operands,
                       enum part part, const segment *s)
{
    if (PyTuple_GET_SIZE(operands) != l->nin)
        return program_wrong(
            "an instruction has another number of operands than its types");
    for (int k = 0; k < l->nin; k++) {
        int number = program_read_operand(p, PyTuple_GET_ITEM(operands, k));
        if (number < 0 || program_check_use(p, number, part, s) < 0)
            return -1;
        const operand *o = &p->operands[number];
        if (o->type != l->types[k]) {
            PyErr_Format(PyExc_TypeError,
                         "program: operand %d is of type '%c', and its instruction takes "
                         "'%c'",
                         number, o->type, l->types[k]);
            return -1;
        }
        to->operands[k] = number;
        to->steps[k] = o->stride;
    }
    return 0;
}

/* The matrix, and the scalars that it is multiplied by. */
static int read_matmul(program *p, instruction *to, PyObject *operands, const segment *s)
{
    npy_intp count = PyTuple_GET_SIZE(operands) - 1;

    if (count < 1)
        return program_wrong("matmul takes a matrix and scalars");
    int number = program_read_operand(p, PyTuple_GET_ITEM(operands, 0));
    if (number < 0)
        return -1;
    operand *matrix = &p->operands[number];
    if (matrix->kind != MATRIX)
        return program_wrong("the first operand of matmul is a matrix");
    /* Leaf i is operand n + i. */
    PyArrayObject *array = (PyArrayObject *)PyTuple_GET_ITEM(
        PyTuple_GET_ITEM(p->objects, 0), number - p->n); /* borrowed */
    if (PyArray_DIM(array, 0) != s->length || PyArray_DIM(array, 1) != count)
        return program_wrong(
            "the matrix of a matmul has a row for each row of the segment and a "
            "column for each scalar");
    to->operands[0] = number;
    to->terms = count;
    to->first_term = p->nterms;
    for (npy_intp i = 0; i < count; i++) {
        number = program_read_operand(p, PyTuple_GET_ITEM(operands, i + 1));
        if (number < 0 || program_check_use(p, number, IN_FULL, NULL) < 0)
            return -1;
        if (p->operands[number].type != 'd')
            return program_wrong("matmul takes scalars of float64");
        p->terms[p->nterms++] = number;
    }
    if (count > p->most_terms)
        p->most_terms = count;
    /* Strides as NumPy's: 0 from one product to the next, then each argument's own. A
     * dimension that a vector does not have is stepped by 0. */
    to->steps[3] = PyArray_STRIDE(array, 0);
    to->steps[4] = PyArray_STRIDE(array, 1);
    to->steps[5] = to->steps[7] = sizeof(double);
    return 0;
}

static void add_outputs(program *p, instruction *to, const loop *l, enum part part,
                        const segment *s, int first)
{
    for (int k = 0; k < l->nout; k++) {
        to->operands[first + k] = p->noperands;
        operand *o = program_add_operand(p);
        o->kind = part == IN_FULL ? FULL : TEMPORARY;
        o->type = l->types[l->nin + k];
        o->maker = p->ninstructions - 1;
        o->is_scalar = s == NULL;
        o->for_jacobian = s == NULL && o->maker >= p->split;
        if (s != NULL) {
            o->segment = (int)(s - p->segments);
            o->length = s->length;
            o->stride = size_of_type(o->type);
            if (!to->terms)
                to->steps[first + k] = o->stride;
        }
    }
}

static int add_instruction(program *p, PyObject *item, enum part part, const segment *s)
{
    instruction *to = &p->instructions[p->ninstructions++];
    PyObject *op, *types, *operands; /* borrowed */
    loop l;

    if (!PyTuple_Check(item)
        || !PyArg_ParseTuple(item, "OOO!", &op, &types, &PyTuple_Type, &operands)) {
        PyErr_Format(PyExc_TypeError,
                     "program: an instruction is (op, types, tuple of operands), not %R",
                     item);
        return -1;
    }
    if (loop_find(&l, op, types) < 0)
        return -1;
    if ((l.is_matmul && part != IN_FULL) || (l.is_pow && part != IN_SCALARS)) {
        PyErr_Format(PyExc_ValueError, "program: %R is no instruction for '%s'", op,
                     PARTS[part]);
        return -1;
    }
    if (part == IN_SCALARS)
        loop_for_scalar(&l, op);
    to->loop = l.function;
    to->data = l.data;
    to->is_exact = l.is_exact;
    to->arithmetic = l.arithmetic;
    to->nargs = l.nin + l.nout;
    to->runs_for = part == IN_JAC ? 0 : FOR_VALUES;
    if ((l.is_matmul ? read_matmul(p, to, operands, s)
                     : read_inputs(p, to, &l, operands, part, s))
        < 0)
        return -1;
    add_outputs(p, to, &l, part, s, l.nin);
    return 0;
}

int program_add_instructions(program *p, PyObject *list, enum part part, const segment *s)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++)
        if (add_instruction(p, PyTuple_GET_ITEM(list, i), part, s) < 0)
            return -1;
    return 0;
}

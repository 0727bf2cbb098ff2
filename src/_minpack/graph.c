#include "graph.h"

#include <structmember.h>

#include <string.h>

/* --- Nodes ------------------------------------------------------------------- */

static PyObject *node_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    PyErr_Format(PyExc_TypeError, "a graph makes objects of type %.200s", type->tp_name);
    return NULL;
}

/* Classes that inherit from ours, and no others, have its tp_new. */
int is_node(PyObject *object)
{
    return Py_TYPE(object)->tp_new == node_new;
}

/* A new node, the next one of its graph, which keeps it; all arguments are borrowed. */
static PyObject *add_node(graph *trace, PyObject *key, PyObject *op, PyObject *operands,
                          PyObject *letter, PyObject *length, int depends,
                          PyObject *types, PyObject *payload)
{
    PyTypeObject *type = length == Py_None ? trace->scalar : trace->vector;
    node *self = (node *)type->tp_alloc(type, 0); /* new */

    if (self == NULL)
        return NULL;
    self->trace = Py_NewRef((PyObject *)trace);
    self->op = Py_NewRef(op);
    self->operands = Py_NewRef(operands);
    self->letter = Py_NewRef(letter);
    self->length = Py_NewRef(length);
    self->types = Py_NewRef(types);
    self->payload = Py_NewRef(payload);
    self->order = PyDict_Size(trace->nodes);
    self->depends = (char)depends;
    if (PyDict_SetItem(trace->nodes, key, (PyObject *)self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int node_traverse(node *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->trace);
    Py_VISIT(self->op);
    Py_VISIT(self->operands);
    Py_VISIT(self->payload);
    return 0;
}

static int node_clear(node *self)
{
    Py_CLEAR(self->trace);
    Py_CLEAR(self->op);
    Py_CLEAR(self->operands);
    Py_CLEAR(self->letter);
    Py_CLEAR(self->length);
    Py_CLEAR(self->types);
    Py_CLEAR(self->payload);
    return 0;
}

static void node_free(node *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    node_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef node_members[] = {
    {"trace", T_OBJECT_EX, offsetof(node, trace), READONLY, NULL},
    {"op", T_OBJECT_EX, offsetof(node, op), READONLY, NULL},
    {"operands", T_OBJECT_EX, offsetof(node, operands), READONLY, NULL},
    {"char", T_OBJECT_EX, offsetof(node, letter), READONLY, NULL},
    {"length", T_OBJECT_EX, offsetof(node, length), READONLY, NULL},
    {"types", T_OBJECT_EX, offsetof(node, types), READONLY, NULL},
    {"payload", T_OBJECT_EX, offsetof(node, payload), READONLY, NULL},
    {"order", T_PYSSIZET, offsetof(node, order), READONLY, NULL},
    {"depends", T_BOOL, offsetof(node, depends), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot node_slots[] = {
    {Py_tp_new, (void *)node_new},         {Py_tp_traverse, (void *)node_traverse},
    {Py_tp_clear, (void *)node_clear},     {Py_tp_dealloc, (void *)node_free},
    {Py_tp_members, (void *)node_members}, {0, NULL},
};

static PyType_Spec node_spec = {
    .name = "minpack._minpack.Node",
    .basicsize = sizeof(node),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = node_slots,
};

/* --- Graphs ------------------------------------------------------------------ */

static PyObject *graph_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    graph *self = (graph *)type->tp_alloc(type, 0);

    (void)args;
    (void)kwargs;
    if (self == NULL)
        return NULL;
    self->nodes = PyDict_New();
    self->loops = PyDict_New();
    if (self->nodes == NULL || self->loops == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int graph_init(graph *self, PyObject *args, PyObject *kwargs)
{
    PyTypeObject *scalar, *vector; /* borrowed */
    PyObject *loops;               /* borrowed */

    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!O!O!n:Graph", &PyType_Type, &scalar, &PyType_Type,
                          &vector, &PyDict_Type, &loops, &self->most))
        return -1;
    if (scalar->tp_new != node_new || vector->tp_new != node_new) {
        PyErr_SetString(PyExc_TypeError, "Graph takes two classes of nodes");
        return -1;
    }
    Py_XSETREF(self->scalar, (PyTypeObject *)Py_NewRef((PyObject *)scalar));
    Py_XSETREF(self->vector, (PyTypeObject *)Py_NewRef((PyObject *)vector));
    Py_XSETREF(self->loops, Py_NewRef(loops));
    return 0;
}

/* The key of an operation: op, types, part, and the orders of its operands. */
static PyObject *key_of(PyObject *op, PyObject *types, PyObject *part, PyObject *operands)
{
    Py_ssize_t count = PyTuple_GET_SIZE(operands);
    PyObject *key = PyTuple_New(3 + count); /* new */

    if (key == NULL)
        return NULL;
    PyTuple_SET_ITEM(key, 0, Py_NewRef(op));    /* steals */
    PyTuple_SET_ITEM(key, 1, Py_NewRef(types)); /* steals */
    PyTuple_SET_ITEM(key, 2, Py_NewRef(part));  /* steals */
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *each = PyTuple_GET_ITEM(operands, k); /* borrowed */
        PyObject *order = NULL;
        if (is_node(each))
            order = PyLong_FromSsize_t(((node *)each)->order); /* new */
        else
            PyErr_Format(PyExc_TypeError, "an operand is a node, not %R", each);
        if (order == NULL) {
            Py_DECREF(key);
            return NULL;
        }
        PyTuple_SET_ITEM(key, 3 + k, order); /* steals */
    }
    return key;
}

/* The length of what operands of these lengths give, borrowed from one of them; NULL
 * with an exception set if they differ. */
static PyObject *common_length(graph *self, PyObject *operands)
{
    PyObject *length = Py_None;

    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(operands); k++) {
        PyObject *own = ((node *)PyTuple_GET_ITEM(operands, k))->length; /* borrowed */
        if (own == Py_None || own == length)
            continue;
        int same = length == Py_None ? 1 : PyObject_RichCompareBool(length, own, Py_EQ);
        if (same == 0)
            Py_XDECREF(PyObject_CallMethod((PyObject *)self, "refuse_lengths", "OO",
                                           length, own)); /* raises */
        if (same <= 0)
            return NULL;
        length = own;
    }
    return length;
}

/* The letter of an output in types as "dd->d", new. */
static PyObject *letter_of(PyObject *types, PyObject *part)
{
    long k = PyLong_AsLong(part);
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(types, &size);

    if (text == NULL || (k == -1 && PyErr_Occurred()))
        return NULL;
    const char *end = strchr(text, '>');
    if (end == NULL || k < 0 || k >= text + size - (end + 1)) {
        PyErr_Format(PyExc_ValueError, "%R has no output %ld", types, k);
        return NULL;
    }
    return PyUnicode_FromOrdinal((unsigned char)end[1 + k]);
}

/* The node of an operation: that of the key, or a new one. */
static PyObject *node_of(graph *self, PyObject *op, PyObject *types, PyObject *operands,
                         PyObject *part)
{
    PyObject *letter = NULL, *found = NULL;
    PyObject *key = key_of(op, types, part, operands); /* new */

    if (key == NULL)
        return NULL;
    found = Py_XNewRef(PyDict_GetItemWithError(self->nodes, key));
    if (found != NULL || PyErr_Occurred())
        goto done;
    PyObject *length = common_length(self, operands); /* borrowed */
    if (length == NULL)
        goto done;
    if (PyDict_Size(self->nodes) > self->most) {
        Py_XDECREF(
            PyObject_CallMethod((PyObject *)self, "refuse_more", NULL)); /* raises */
        goto done;
    }
    int depends = 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(operands); k++)
        depends |= ((node *)PyTuple_GET_ITEM(operands, k))->depends;
    letter = letter_of(types, part); /* new */
    if (letter != NULL)
        found = add_node(self, key, op, operands, letter, length, depends, types,
                         part); /* new */
done:
    Py_XDECREF(letter);
    Py_DECREF(key);
    return found;
}

static int is_ready(graph *self)
{
    if (self->vector != NULL)
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "Graph.__init__ has not been called");
    return 0;
}

/* All nodes but those of operations, and products with matrices. */
static PyObject *graph_add(graph *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 8 || !PyTuple_Check(args[2]) || !PyUnicode_Check(args[3])
        || !PyBool_Check(args[5]) || !PyUnicode_Check(args[6])) {
        PyErr_SetString(PyExc_TypeError, "add takes key, op, operands, char, length, "
                                         "depends, types and payload");
        return NULL;
    }
    if (!is_ready(self))
        return NULL;
    return add_node(self, args[0], args[1], args[2], args[3], args[4], args[5] == Py_True,
                    args[6], args[7]);
}

static PyObject *graph_make(graph *self, PyObject *const *args, Py_ssize_t count)
{
    if (count < 3 || count > 4 || !PyUnicode_Check(args[1]) || !PyTuple_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError,
                        "make takes an operation, its types, a tuple of nodes and the "
                        "number of an output");
        return NULL;
    }
    if (!is_ready(self))
        return NULL;
    PyObject *part = count == 4 ? Py_NewRef(args[3]) : PyLong_FromLong(0); /* new */
    PyObject *made = NULL;
    if (part != NULL)
        made = node_of(self, args[0], args[1], args[2], part); /* new */
    Py_XDECREF(part);
    return made;
}

/* Whether all operands are nodes of float64, and the ufunc has one output. */
static int is_simple(const graph *self, PyObject *types, PyObject *operands)
{
    Py_ssize_t size = PyUnicode_GET_LENGTH(types);

    if (size < 2 || PyUnicode_READ_CHAR(types, size - 2) != '>')
        return 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(operands); k++) {
        PyObject *each = PyTuple_GET_ITEM(operands, k); /* borrowed */
        if (!Py_IS_TYPE(each, self->scalar) && !Py_IS_TYPE(each, self->vector))
            return 0;
        if (PyUnicode_READ_CHAR(((node *)each)->letter, 0) != 'd')
            return 0;
    }
    return 1;
}

static PyObject *graph_apply(graph *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "apply takes a ufunc and its operands");
        return NULL;
    }
    if (!is_ready(self))
        return NULL;
    PyObject *types = PyDict_GetItemWithError(self->loops, args[0]); /* borrowed */
    if (types != NULL && PyUnicode_Check(types) && PyTuple_Check(args[1])
        && is_simple(self, types, args[1])) {
        PyObject *first = PyLong_FromLong(0); /* new */
        if (first == NULL)
            return NULL;
        PyObject *made = node_of(self, args[0], types, args[1], first); /* new */
        Py_DECREF(first);
        return made;
    }
    if (types == NULL && PyErr_Occurred())
        return NULL;
    return PyObject_CallMethod((PyObject *)self, "apply_to_any", "OO", args[0], args[1]);
}

static int graph_traverse(graph *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->nodes);
    Py_VISIT(self->loops);
    Py_VISIT(self->scalar);
    Py_VISIT(self->vector);
    return 0;
}

static int graph_clear(graph *self)
{
    Py_CLEAR(self->nodes);
    Py_CLEAR(self->loops);
    Py_CLEAR(self->scalar);
    Py_CLEAR(self->vector);
    return 0;
}

static void graph_free(graph *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    graph_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef graph_methods[] = {
    {"add", (PyCFunction)(void (*)(void))graph_add, METH_FASTCALL,
     "A new node under a key."},
    {"make", (PyCFunction)(void (*)(void))graph_make, METH_FASTCALL,
     "The node of an operation on nodes of the right types."},
    {"apply", (PyCFunction)(void (*)(void))graph_apply, METH_FASTCALL,
     "Record a ufunc; return its output, or a tuple of several outputs."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef graph_members[] = {
    {"nodes", T_OBJECT_EX, offsetof(graph, nodes), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot graph_slots[] = {
    {Py_tp_new, (void *)graph_new},           {Py_tp_init, (void *)graph_init},
    {Py_tp_traverse, (void *)graph_traverse}, {Py_tp_clear, (void *)graph_clear},
    {Py_tp_dealloc, (void *)graph_free},      {Py_tp_methods, (void *)graph_methods},
    {Py_tp_members, (void *)graph_members},   {0, NULL},
};

static PyType_Spec graph_spec = {
    .name = "minpack._minpack.Graph",
    .basicsize = sizeof(graph),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = graph_slots,
};

/* --- The module -------------------------------------------------------------- */

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL); /* new */

    if (type == NULL)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

int graph_add_types(PyObject *module)
{
    return add_type(module, &node_spec) < 0 ? -1 : add_type(module, &graph_spec);
}

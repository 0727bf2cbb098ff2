/* The extension module: its method table and its initialization. Nothing in it changes
 * after import, so any number of threads may be in it at once. */
#define MINPACK_IMPORTS_NUMPY
#include "numpy_api.h"

#include "arguments.h"
#include "batch.h"
#include "build_facts.h"
#include "callback.h"
#include "curve_fit.h"
#include "compiled.h"
#include "graph.h"
#include "least_squares.h"
#include "leastsq.h"
#include "minpack.h"
#include "pieces.h"
#include "program.h"

/* The instruction sets whose kernels run here, the best last, as a new tuple. */
static PyObject *instruction_sets(PyObject *module, PyObject *unused)
{
    const char *const *names = lm_instruction_sets();
    Py_ssize_t count = 0;

    (void)module;
    (void)unused;
    while (names[count] != NULL)
        count++;
    PyObject *tuple = PyTuple_New(count); /* new */
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]); /* new */
        if (name == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, name); /* steals */
    }
    return tuple;
}

/* The kind of a compiled function, 0 where it is something else; -1 with an exception. */
static int kind_of(PyObject *args)
{
    compiled taken = {0};
    PyObject *object;
    const char *name;

    if (!PyArg_ParseTuple(args, "Os", &object, &name))
        return -1;
    int is = compiled_take(&taken, object, name, COMPILED_RESIDUALS | COMPILED_RANGE);
    compiled_clear(&taken);
    return is > 0 ? (int)taken.kind : is;
}

static PyObject *is_compiled(PyObject *module, PyObject *args)
{
    int kind = kind_of(args);

    (void)module;
    return kind < 0 ? NULL : PyBool_FromLong(kind);
}

static PyObject *takes_range(PyObject *module, PyObject *args)
{
    int kind = kind_of(args);

    (void)module;
    return kind < 0 ? NULL : PyBool_FromLong(kind == COMPILED_RANGE);
}

/* f(data, *x) as a fit calls it: NumPy's scalars are made faster here than by Python. */
static PyObject *call_model(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    callback f = {0};
    PyObject *answer = NULL;

    (void)module;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "call_model takes f, data and x");
        return NULL;
    }
    PyArrayObject *x = vector_argument(args[2], "x", 0); /* new */
    if (x == NULL)
        return NULL;
    npy_intp n = PyArray_DIM(x, 0);
    if (callback_init_model(&f, "f", args[0], args[1], n) == 0)
        answer = callback_call(&f, n, doubles(x)); /* new */
    callback_clear(&f);
    Py_DECREF(x);
    return answer;
}

static PyMethodDef methods[] = {
    {"leastsq", (PyCFunction)(void (*)(void))solve_leastsq, METH_FASTCALL,
     "The fit behind minpack.leastsq; its arguments and result are in _minpack.pyi."},
    {"least_squares", (PyCFunction)(void (*)(void))solve_least_squares, METH_FASTCALL,
     "The fit behind minpack.least_squares; its arguments and result are in "
     "_minpack.pyi."},
    {"curve_fit", (PyCFunction)(void (*)(void))solve_curve_fit, METH_FASTCALL,
     "The fit behind minpack.curve_fit; its arguments and result are in _minpack.pyi."},
    {"batch", (PyCFunction)(void (*)(void))batch_new, METH_VARARGS | METH_KEYWORDS,
     "What the workers of a batch of fits share; see _minpack.pyi."},
    {"check_finite", pieces_check_finite, METH_VARARGS,
     "Raise where an array that is named holds NaN or infinity."},
    {"block_residuals", pieces_residuals, METH_VARARGS,
     "The weighted residuals of a block, and the precision of its values."},
    {"reduce_block", pieces_reduce, METH_VARARGS,
     "A piece: what a fit must know of a block of rows; see _minpack.pyi."},
    {"reduce_program", pieces_reduce_program, METH_VARARGS,
     "The piece of a traced model, without Python's lock."},
    {"merge_pieces", pieces_merge, METH_VARARGS, "Two pieces as one."},
    {"fit_in_pieces", solve_in_pieces, METH_VARARGS,
     "The fit behind minpack.dask.curve_fit; see _minpack.pyi."},
    {"is_compiled", is_compiled, METH_VARARGS,
     "Whether a function is a compiled one; its name is for messages."},
    {"takes_range", takes_range, METH_VARARGS,
     "Whether a function is a compiled one of a range of rows."},
    {"batch_work", batch_work, METH_O, "Take fits until none is left."},
    {"batch_stop", batch_stop, METH_O, "Let the workers end at their next evaluation."},
    {"call_model", (PyCFunction)(void (*)(void))call_model, METH_FASTCALL,
     "Call a model with data and the parameters, as numbers."},
    {"program", program_new, METH_VARARGS,
     "A traced function from its instructions; see _minpack.pyi."},
    {"lower", program_lower, METH_VARARGS,
     "The description of a program for a record; see _minpack.pyi."},
    {"program_bind", (PyCFunction)(void (*)(void))program_bind, METH_FASTCALL,
     "A program as compiled functions of some data."},
    {"program_values", program_values, METH_VARARGS, "What a program computes at x."},
    {"program_jacobian", program_derivatives, METH_VARARGS, "Its derivatives at x."},
    {"batch_done", batch_done, METH_O, "How many fits of a batch have ended."},
    {"batch_served", batch_served, METH_O, "How many evaluations a batch has made."},
    {"batch_allow", batch_allow, METH_VARARGS, "Let so many workers take fits."},
    {"instruction_sets", instruction_sets, METH_NOARGS,
     "The instruction sets whose fast kernels run here, the best last."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    if (PyArray_ImportNumPyAPI() < 0 || PyUFunc_ImportUFuncAPI() < 0
        || PyModule_AddStringConstant(module, "COMPILERS", COMPILERS) < 0
        || graph_add_types(module) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "KERNELS_BUILT", KERNELS_BUILT);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "minpack._minpack",
    .m_doc = "The compiled part of minpack.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__minpack(void)
{
    return PyModuleDef_Init(&definition);
}

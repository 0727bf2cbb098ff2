/* The extension module: its method table and its initialization. It has no state, so
 * any number of threads may be in it at once. */
#define MINPACK_IMPORTS_NUMPY
#include "numpy_api.h"

#include "solve.h"

static PyMethodDef methods[] = {
    {"leastsq", (PyCFunction)(void (*)(void))solve_leastsq, METH_FASTCALL,
     "The fit behind minpack.leastsq; its arguments and result are in _minpack.pyi."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    return PyArray_ImportNumPyAPI();
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
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__minpack(void)
{
    return PyModuleDef_Init(&definition);
}

/* A module for tests: counts the live blocks of Python and NumPy memory, and makes
 * chosen allocations of a call fail.
 *
 * It stands before Python's three allocators and NumPy's one for the data of arrays. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

static atomic_long live;

/* While armed, allocations number first to last of this thread fail. */
static _Thread_local int armed;
static _Thread_local Py_ssize_t seen, first, last;

static int fails(void)
{
    if (!armed)
        return 0;
    seen++;
    return first <= seen && seen <= last;
}

static void *counted(void *block)
{
    if (block != NULL)
        live++;
    return block;
}

/* --- Python's allocators ------------------------------------------------------ */

static PyMemAllocatorEx python[3]; /* raw, mem, obj: the ones that were there before */

static void *python_malloc(void *before, size_t size)
{
    PyMemAllocatorEx *a = before;
    return fails() ? NULL : counted(a->malloc(a->ctx, size));
}

static void *python_calloc(void *before, size_t count, size_t size)
{
    PyMemAllocatorEx *a = before;
    return fails() ? NULL : counted(a->calloc(a->ctx, count, size));
}

static void *python_realloc(void *before, void *block, size_t size)
{
    PyMemAllocatorEx *a = before;
    if (fails())
        return NULL;
    void *moved = a->realloc(a->ctx, block, size);
    return block == NULL ? counted(moved) : moved;
}

static void python_free(void *before, void *block)
{
    PyMemAllocatorEx *a = before;
    if (block != NULL)
        live--;
    a->free(a->ctx, block);
}

/* --- NumPy's allocator --------------------------------------------------------- */

static void *numpy_malloc(void *context, size_t size)
{
    (void)context;
    return fails() ? NULL : counted(malloc(size));
}

static void *numpy_calloc(void *context, size_t count, size_t size)
{
    (void)context;
    return fails() ? NULL : counted(calloc(count, size));
}

static void *numpy_realloc(void *context, void *block, size_t size)
{
    (void)context;
    if (fails())
        return NULL;
    void *moved = realloc(block, size);
    return block == NULL ? counted(moved) : moved;
}

static void numpy_free(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    if (block != NULL)
        live--;
    free(block);
}

static PyDataMem_Handler handler = {
    "failing_allocations",
    1,
    {NULL, numpy_malloc, numpy_calloc, numpy_realloc, numpy_free},
};

/* --- The functions of the module ------------------------------------------------ */

static PyObject *numpy_before; /* owned, or NULL: not installed */

static PyObject *install(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    PyObject *ours = PyCapsule_New(&handler, "mem_handler", NULL); /* new */
    if (ours == NULL)
        return NULL;
    numpy_before = PyDataMem_SetHandler(ours); /* new */
    Py_DECREF(ours);
    if (numpy_before == NULL)
        return NULL;
    for (int domain = 0; domain < 3; domain++) {
        PyMemAllocatorEx hook = {&python[domain], python_malloc, python_calloc,
                                 python_realloc, python_free};
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &python[domain]);
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hook);
    }
    Py_RETURN_NONE;
}

static PyObject *uninstall(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    for (int domain = 0; domain < 3; domain++)
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &python[domain]);
    PyObject *ours = PyDataMem_SetHandler(numpy_before); /* new */
    Py_CLEAR(numpy_before);
    Py_XDECREF(ours);
    return ours == NULL ? NULL : Py_NewRef(Py_None);
}

/* What failing() and sparing() return is a C function with the wrapped one as its self:
 * it has no frame, whose allocations would be the interpreter's affair. */
static PyObject *call(int as_armed, PyObject *function, PyObject *const *args,
                      Py_ssize_t nargs, PyObject *names)
{
    int before = armed;
    armed = as_armed;
    PyObject *result =
        PyObject_Vectorcall(function, args, (size_t)nargs, names); /* new */
    armed = before;
    return result;
}

static PyObject *call_failing(PyObject *function, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *names)
{
    seen = 0;
    return call(1, function, args, nargs, names);
}

static PyObject *call_sparing(PyObject *function, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *names)
{
    return call(0, function, args, nargs, names);
}

static PyObject *failing(PyObject *module, PyObject *function)
{
    static PyMethodDef method = {"failing", (PyCFunction)(void (*)(void))call_failing,
                                 METH_FASTCALL | METH_KEYWORDS, NULL};
    (void)module;
    return PyCFunction_New(&method, function);
}

static PyObject *sparing(PyObject *module, PyObject *function)
{
    static PyMethodDef method = {"sparing", (PyCFunction)(void (*)(void))call_sparing,
                                 METH_FASTCALL | METH_KEYWORDS, NULL};
    (void)module;
    return PyCFunction_New(&method, function);
}

static PyObject *choose(PyObject *module, PyObject *args)
{
    (void)module;
    if (!PyArg_ParseTuple(args, "nn", &first, &last))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *allocations(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromSsize_t(seen);
}

static PyObject *live_blocks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromLong(live);
}

static PyMethodDef methods[] = {
    {"install", install, METH_NOARGS, "Stand before the allocators."},
    {"uninstall", uninstall, METH_NOARGS, "Put the allocators back."},
    {"failing", failing, METH_O, "The function, whose chosen allocations fail."},
    {"sparing", sparing, METH_O, "The function, no allocation of which fails."},
    {"choose", choose, METH_VARARGS,
     "choose(first, last): the numbers of those to fail."},
    {"allocations", allocations, METH_NOARGS, "How many the last failing() tried."},
    {"live_blocks", live_blocks, METH_NOARGS,
     "Blocks that are in use, from some origin."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "failing_allocations",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_failing_allocations(void)
{
    if (PyArray_ImportNumPyAPI() < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
#ifdef Py_GIL_DISABLED
    if (module != NULL)
        PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    return module;
}

#include "compiled.h"

#include <string.h>

/* The signatures without names, spaces and const. */
static const char *const SIGNATURES[] = {
    [COMPILED_RESIDUALS] = "int(int,int,double*,double*,void*)",
    [COMPILED_JACOBIAN] = "int(int,int,double*,double*,int,void*)",
};

/* Where they differ in minpack.h, for messages. */
static const char *const RESULTS[] = {
    [COMPILED_RESIDUALS] = "double *fvec",
    [COMPILED_JACOBIAN] = "double *fjac, int ldfjac",
};

static int wrong_signature(const char *name, enum compiled_kind kind, const char *came)
{
    PyErr_Format(
        PyExc_TypeError,
        "%s must be compiled from 'int %s(int m, int n, const double *x, %s, void "
        "*user_data)'; the signature of this one is '%s'",
        name, name, RESULTS[kind], came);
    return -1;
}

/* --- Signatures ------------------------------------------------------------ */

/* Whether text starts with the word, which ends there. */
static int starts_with_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    return strncmp(text, word, length) == 0 && !Py_ISALNUM(text[length])
           && text[length] != '_';
}

/* Compare a declaration of types with the one that is wanted: spaces, const and the (*)
 * of a pointer to a function do not count. */
static int check_signature(const char *text, const char *name, enum compiled_kind kind)
{
    const char *wanted = SIGNATURES[kind], *came = text;
    int inside_word = 0;

    while (*came != '\0') {
        if (!inside_word && starts_with_word(came, "const")) {
            came += strlen("const");
        } else if (Py_ISSPACE(*came)) {
            came++;
            inside_word = 0;
        } else if (strncmp(came, "(*)", 3) == 0) {
            came += 3;
        } else if (*came == *wanted) {
            inside_word = Py_ISALNUM(*came);
            came++;
            wanted++;
        } else {
            return wrong_signature(name, kind, text);
        }
    }
    return *wanted == '\0' ? 0 : wrong_signature(name, kind, text);
}

/* 'i' for an int, 'p' for a pointer, which may be one to double, '?' else, of a type from
 * ctypes; or 0 with an exception set. */
static char ctypes_kind(PyObject *type /* borrowed */)
{
    char kind = 'p'; /* POINTER(...), whose _type_ is a type */
    PyObject *code = PyObject_GetAttrString(type, "_type_"); /* new */

    if (code == NULL) { /* perhaps a numpy.ctypeslib.ndpointer */
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return 0;
        PyErr_Clear();
        return PyObject_HasAttrString(type, "from_param") ? 'p' : '?';
    }
    if (PyUnicode_Check(code)) {
        const char *text = PyUnicode_AsUTF8(code); /* borrowed */
        kind = text == NULL ? 0
               : strcmp(text, "i") == 0
                       || (sizeof(long) == sizeof(int) && strcmp(text, "l") == 0)
                   ? 'i'
               : strcmp(text, "P") == 0 ? 'p'
                                        : '?';
    }
    Py_DECREF(code);
    return kind;
}

/* Compare the types that a function from ctypes has been told, where it has. */
static int check_ctypes(PyObject *function, const char *name, enum compiled_kind kind)
{
    const char *wanted = kind == COMPILED_RESIDUALS ? "iippp" : "iippip";
    PyObject *types = NULL, *fast = NULL, *text = NULL, *result = NULL;
    int status = -1, good = 1;

    types = PyObject_GetAttrString(function, "argtypes"); /* new */
    result = PyObject_GetAttrString(function, "restype"); /* new */
    if (types == NULL || result == NULL)
        goto fail;
    if (types == Py_None) { /* not told: the default restype is int */
        status = 0;
        goto fail;
    }
    fast = PySequence_Fast(types, "argtypes"); /* new */
    if (fast == NULL)
        goto fail;
    good = PySequence_Fast_GET_SIZE(fast) == (Py_ssize_t)strlen(wanted);
    if (good && result != Py_None) {
        char code = ctypes_kind(result);
        if (code == 0)
            goto fail;
        good = code == 'i';
    } else {
        good = 0;
    }
    for (Py_ssize_t i = 0; good && wanted[i] != '\0'; i++) {
        char code = ctypes_kind(PySequence_Fast_GET_ITEM(fast, i)); /* borrowed */
        if (code == 0)
            goto fail;
        good = code == wanted[i];
    }
    if (good) {
        status = 0;
        goto fail;
    }
    text = PyUnicode_FromFormat("restype %R, argtypes %R", result, types); /* new */
    if (text != NULL)
        wrong_signature(name, kind, PyUnicode_AsUTF8(text));
fail:
    Py_XDECREF(types);
    Py_XDECREF(fast);
    Py_XDECREF(text);
    Py_XDECREF(result);
    return status;
}

/* --- The kinds of objects: 1 taken, 0 something else, -1 exception ---------- */

static int take_capsule(compiled *self, PyObject *capsule, const char *name,
                        enum compiled_kind kind)
{
    const char *signature = PyCapsule_GetName(capsule);

    if (signature == NULL && PyErr_Occurred())
        return -1;
    if (signature != NULL && strncmp(signature, "minpack.", 8) == 0) /* our own kinds */
        return wrong_signature(name, kind, signature);
    /* A name that is no signature, as "module.function", says nothing of it. */
    if (signature != NULL && strchr(signature, '(') != NULL
        && check_signature(signature, name, kind) < 0)
        return -1;
    self->address = PyCapsule_GetPointer(capsule, signature);
    if (self->address == NULL)
        return -1;
    self->user_data = PyCapsule_GetContext(capsule);
    return self->user_data == NULL && PyErr_Occurred() ? -1 : 1;
}

#define FUNCFLAG_PYTHONAPI 4 /* of ctypes */

/* Whether a function of ctypes, as those of ctypes.PyDLL, needs Python's lock; -1 with an
 * exception set. */
static int needs_lock(PyObject *function)
{
    PyObject *flags = PyObject_GetAttrString(function, "_flags_"); /* new */
    long bits = flags != NULL ? PyLong_AsLong(flags) : -1;

    Py_XDECREF(flags);
    return PyErr_Occurred() ? -1 : (bits & FUNCFLAG_PYTHONAPI) != 0;
}

/* A function of ctypes: the buffer of such an object holds the address. */
static int take_ctypes(compiled *self, PyObject *object, const char *name,
                       enum compiled_kind kind)
{
    Py_buffer buffer;
    int locks = needs_lock(object);

    if (locks > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s must be a function that can run without Python's lock: load it "
                     "by ctypes.CDLL, not PyDLL",
                     name);
    if (locks != 0 || check_ctypes(object, name, kind) < 0
        || PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0)
        return -1;
    if (buffer.len >= (Py_ssize_t)sizeof self->address)
        memcpy(&self->address, buffer.buf, sizeof self->address);
    PyBuffer_Release(&buffer);
    return 1;
}

/* A pointer of cffi: int(_cffi_backend.cast(uintptr_t, object)). */
static int take_cffi(compiled *self, PyObject *object, const char *name,
                     enum compiled_kind kind)
{
    PyObject *module = NULL, *type = NULL, *text = NULL, *integer_type = NULL;
    PyObject *cast = NULL, *number = NULL;
    int status = -1;

    PyObject *backend = PyUnicode_FromString("_cffi_backend");     /* new */
    module = backend != NULL ? PyImport_GetModule(backend) : NULL; /* new */
    if (module == NULL) { /* not imported: nothing of it can be here */
        status = PyErr_Occurred() ? -1 : 0;
        goto fail;
    }
    type = PyObject_CallMethod(module, "typeof", "O", object);          /* new */
    text = type != NULL ? PyObject_GetAttrString(type, "cname") : NULL; /* new */
    if (text == NULL)
        goto fail;
    const char *signature = PyUnicode_AsUTF8(text); /* borrowed */
    if (signature == NULL || check_signature(signature, name, kind) < 0)
        goto fail;
    integer_type =
        PyObject_CallMethod(module, "new_primitive_type", "s", "uintptr_t"); /* new */
    if (integer_type == NULL)
        goto fail;
    cast = PyObject_CallMethod(module, "cast", "OO", integer_type, object); /* new */
    number = cast != NULL ? PyNumber_Long(cast) : NULL;                     /* new */
    if (number == NULL)
        goto fail;
    self->address = PyLong_AsVoidPtr(number);
    status = PyErr_Occurred() ? -1 : 1;
fail:
    Py_XDECREF(backend);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(text);
    Py_XDECREF(integer_type);
    Py_XDECREF(cast);
    Py_XDECREF(number);
    return status;
}

/* What numba.cfunc makes is known by its two attributes. */
static int take_numba(compiled *self, PyObject *object, const char *name,
                      enum compiled_kind kind)
{
    PyObject *function = NULL;
    PyObject *address = PyObject_GetAttrString(object, "address"); /* new */
    int status = -1;

    if (address != NULL)
        function = PyObject_GetAttrString(object, "ctypes"); /* new */
    if (function == NULL || check_ctypes(function, name, kind) < 0)
        goto fail;
    self->address = PyLong_AsVoidPtr(address);
    status = PyErr_Occurred() ? -1 : 1;
fail:
    Py_XDECREF(address);
    Py_XDECREF(function);
    return status;
}

/* Which package made this object, by its type's name, so that none is imported. */
enum maker { NOBODY, CTYPES, CFFI, NUMBA };

static enum maker maker_of(PyTypeObject *type)
{
    for (; type != NULL; type = type->tp_base) {
        const char *name = type->tp_name;
        if (*name == '_') {
            if (strcmp(name, "_ctypes.CFuncPtr") == 0
                || strcmp(name, "_ctypes.PyCFuncPtr") == 0)
                return CTYPES;
            if (strcmp(name, "_cffi_backend._CDataBase") == 0)
                return CFFI;
        } else if (*name == 'C' && strcmp(name, "CFunc") == 0) {
            return NUMBA;
        }
    }
    return NOBODY;
}

static int take_any(compiled *self, PyObject *object, const char *name,
                    enum compiled_kind kind)
{
    if (PyFunction_Check(object)) /* the most frequent, and soonest seen */
        return 0;
    if (PyCapsule_CheckExact(object))
        return take_capsule(self, object, name, kind);
    /* scipy.LowLevelCallable */
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) > 0
        && PyCapsule_CheckExact(PyTuple_GET_ITEM(object, 0)))
        return take_capsule(self, PyTuple_GET_ITEM(object, 0), name, kind);
    switch (maker_of(Py_TYPE(object))) {
    case CTYPES:
        return take_ctypes(self, object, name, kind);
    case CFFI:
        return take_cffi(self, object, name, kind);
    case NUMBA:
        if (PyObject_HasAttrString(object, "address")
            && PyObject_HasAttrString(object, "ctypes"))
            return take_numba(self, object, name, kind);
        return 0;
    default:
        return 0;
    }
}

int compiled_take(compiled *self, PyObject *object, const char *name,
                  enum compiled_kind kind)
{
    int status = take_any(self, object, name, kind);

    if (status == 1 && self->address == NULL) {
        PyErr_Format(PyExc_ValueError, "%s is a null pointer", name);
        status = -1;
    }
    if (status == 1)
        self->owner = Py_NewRef(object);
    return status;
}

int compiled_take_both(compiled *residuals, PyObject *func, const char *func_name,
                       compiled *jacobian, PyObject *jac, const char *jac_name)
{
    int is = compiled_take(residuals, func, func_name, COMPILED_RESIDUALS);

    if (is < 0 || jac == Py_None)
        return is;
    int is_too = compiled_take(jacobian, jac, jac_name, COMPILED_JACOBIAN);
    if (is_too < 0 || is == is_too)
        return is_too;
    PyErr_Format(PyExc_TypeError, "%s and %s must both be compiled functions, or none",
                 func_name, jac_name);
    return -1;
}

void compiled_clear(compiled *self)
{
    self->address = NULL;
    Py_CLEAR(self->owner);
}

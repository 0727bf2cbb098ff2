#include "compiled.h"

#include <string.h>

/* A signature: without names, spaces and const; a letter for each argument of ctypes; and
 * what follows the name of the function, for messages. */
typedef struct {
    enum compiled_kind kind;
    const char *types;
    const char *letters;
    const char *text;
} signature;

static const signature SIGNATURES[] = {
    {COMPILED_RESIDUALS, "int(int,int,double*,double*,void*)", "iippp",
     "(int m, int n, const double *x, double *fvec, void *user_data)"},
    {COMPILED_JACOBIAN, "int(int,int,double*,double*,int,void*)", "iippip",
     "(int m, int n, const double *x, double *fjac, int ldfjac, void *user_data)"},
    {COMPILED_RANGE, "int(int,int,int,double*,double*,double*,int,void*)", "iiipppip",
     "(int first, int count, int n, const double *x, double *fvec, double *fjac, int "
     "ldfjac, void *user_data)"},
};
enum { SIGNATURE_COUNT = sizeof SIGNATURES / sizeof *SIGNATURES };

static int wrong_signature(const char *name, int kinds, const char *came)
{
    PyObject *wanted = PyUnicode_FromString(""); /* new */

    for (int k = 0; wanted != NULL && k < SIGNATURE_COUNT; k++)
        if (SIGNATURES[k].kind & kinds)
            Py_SETREF(wanted,
                      PyUnicode_FromFormat("%U%s'int %s%s'", wanted,
                                           PyUnicode_GET_LENGTH(wanted) > 0 ? " or " : "",
                                           name, SIGNATURES[k].text)); /* new */
    if (wanted != NULL)
        PyErr_Format(PyExc_TypeError,
                     "%s must be compiled from %U; the signature of this one is '%s'",
                     name, wanted, came);
    Py_XDECREF(wanted);
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

/* Whether a declaration of types is `wanted`: spaces, const and the (*) of a pointer to a
 * function do not count. */
static int declares(const char *came, const char *wanted)
{
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
            return 0;
        }
    }
    return *wanted == '\0';
}

/* The kind of a function with this declaration. */
static int take_declaration(compiled *self, const char *text, const char *name, int kinds)
{
    for (int k = 0; k < SIGNATURE_COUNT; k++)
        if (SIGNATURES[k].kind & kinds && declares(text, SIGNATURES[k].types)) {
            self->kind = SIGNATURES[k].kind;
            return 0;
        }
    return wrong_signature(name, kinds, text);
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

/* Whether these types of arguments are those of the letters; -1 with an exception set. */
static int has_types(PyObject *types /* borrowed: a fast sequence */, const char *letters)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(types);

    if (count != (Py_ssize_t)strlen(letters))
        return 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        char code = ctypes_kind(PySequence_Fast_GET_ITEM(types, i)); /* borrowed */
        if (code != letters[i])
            return code == 0 ? -1 : 0;
    }
    return 1;
}

/* The kind of a function from ctypes by the types that it has been told, where it has. */
static int take_types(compiled *self, PyObject *function, const char *name, int kinds)
{
    PyObject *types = NULL, *fast = NULL, *text = NULL, *result = NULL;
    int status = -1;

    types = PyObject_GetAttrString(function, "argtypes"); /* new */
    result = PyObject_GetAttrString(function, "restype"); /* new */
    if (types == NULL || result == NULL)
        goto done;
    if (types == Py_None) { /* not told: the default restype is int */
        status = 0;
        goto done;
    }
    fast = PySequence_Fast(types, "argtypes"); /* new */
    if (fast == NULL)
        goto done;
    char code = result != Py_None ? ctypes_kind(result) : '?';
    if (code == 0)
        goto done;
    for (int k = 0; code == 'i' && k < SIGNATURE_COUNT; k++) {
        int has = SIGNATURES[k].kind & kinds ? has_types(fast, SIGNATURES[k].letters) : 0;
        if (has > 0) {
            self->kind = SIGNATURES[k].kind;
            status = 0;
        }
        if (has != 0)
            goto done;
    }
    text = PyUnicode_FromFormat("restype %R, argtypes %R", result, types); /* new */
    if (text != NULL)
        wrong_signature(name, kinds, PyUnicode_AsUTF8(text));
done:
    Py_XDECREF(types);
    Py_XDECREF(fast);
    Py_XDECREF(text);
    Py_XDECREF(result);
    return status;
}

/* --- The kinds of objects: 1 taken, 0 something else, -1 exception ---------- */

static int take_capsule(compiled *self, PyObject *capsule, const char *name, int kinds)
{
    const char *signature = PyCapsule_GetName(capsule);

    if (signature == NULL && PyErr_Occurred())
        return -1;
    if (signature != NULL && strncmp(signature, "minpack.", 8) == 0) /* our own kinds */
        return wrong_signature(name, kinds, signature);
    /* A name that is no signature, as "module.function", says nothing of it. */
    if (signature != NULL && strchr(signature, '(') != NULL
        && take_declaration(self, signature, name, kinds) < 0)
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
static int take_ctypes(compiled *self, PyObject *object, const char *name, int kinds)
{
    Py_buffer buffer;
    int locks = needs_lock(object);

    if (locks > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s must be a function that can run without Python's lock: load it "
                     "by ctypes.CDLL, not PyDLL",
                     name);
    if (locks != 0 || take_types(self, object, name, kinds) < 0
        || PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) < 0)
        return -1;
    if (buffer.len >= (Py_ssize_t)sizeof self->address)
        memcpy(&self->address, buffer.buf, sizeof self->address);
    PyBuffer_Release(&buffer);
    return 1;
}

/* A pointer of cffi: int(_cffi_backend.cast(uintptr_t, object)). */
static int take_cffi(compiled *self, PyObject *object, const char *name, int kinds)
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
    if (signature == NULL || take_declaration(self, signature, name, kinds) < 0)
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
static int take_numba(compiled *self, PyObject *object, const char *name, int kinds)
{
    PyObject *function = NULL;
    PyObject *address = PyObject_GetAttrString(object, "address"); /* new */
    int status = -1;

    if (address != NULL)
        function = PyObject_GetAttrString(object, "ctypes"); /* new */
    if (function == NULL || take_types(self, function, name, kinds) < 0)
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

static int take_any(compiled *self, PyObject *object, const char *name, int kinds)
{
    if (PyFunction_Check(object)) /* the most frequent, and soonest seen */
        return 0;
    if (PyCapsule_CheckExact(object))
        return take_capsule(self, object, name, kinds);
    /* scipy.LowLevelCallable */
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) > 0
        && PyCapsule_CheckExact(PyTuple_GET_ITEM(object, 0)))
        return take_capsule(self, PyTuple_GET_ITEM(object, 0), name, kinds);
    switch (maker_of(Py_TYPE(object))) {
    case CTYPES:
        return take_ctypes(self, object, name, kinds);
    case CFFI:
        return take_cffi(self, object, name, kinds);
    case NUMBA:
        if (PyObject_HasAttrString(object, "address")
            && PyObject_HasAttrString(object, "ctypes"))
            return take_numba(self, object, name, kinds);
        return 0;
    default:
        return 0;
    }
}

int compiled_take(compiled *self, PyObject *object, const char *name, int kinds)
{
    self->kind = kinds & COMPILED_RESIDUALS ? COMPILED_RESIDUALS : COMPILED_JACOBIAN;
    int status = take_any(self, object, name, kinds);

    if (status == 1 && self->address == NULL) {
        PyErr_Format(PyExc_ValueError, "%s is a null pointer", name);
        status = -1;
    }
    if (status == 1)
        self->owner = Py_NewRef(object);
    return status;
}

int compiled_take_both(compiled *residuals, PyObject *func, const char *func_name,
                       int kinds, compiled *jacobian, PyObject *jac, const char *jac_name)
{
    int is = compiled_take(residuals, func, func_name, kinds);

    if (is < 0 || jac == Py_None)
        return is;
    if (is && residuals->kind == COMPILED_RANGE) {
        if (jac == Py_True)
            return is;
        PyErr_Format(PyExc_TypeError,
                     "%s must be True, or None for differences: %s computes a range of "
                     "rows, and their derivatives itself",
                     jac_name, func_name);
        return -1;
    }
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

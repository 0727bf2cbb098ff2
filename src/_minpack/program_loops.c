#include "program_loops.h"

#include <stdint.h>
#include <string.h>

/* --- Loops that no ufunc has ------------------------------------------------- */

/* An inner loop of one input that computes `expression` of a. */
#define UNARY(name, from, to, expression)                                                \
    static void name(char **args, const npy_intp *count, const npy_intp *steps,          \
                     void *unused)                                                       \
    {                                                                                    \
        const char *in = args[0];                                                        \
        char *out = args[1];                                                             \
        (void)unused;                                                                    \
        for (npy_intp i = 0; i < *count; i++, in += steps[0], out += steps[1]) {         \
            from a = *(const from *)in;                                                  \
            *(to *)out = (to)(expression);                                               \
        }                                                                                \
    }

UNARY(bool_to_double, npy_bool, double, a != 0)
UNARY(bool_to_float, npy_bool, float, a != 0)
UNARY(bool_to_int, npy_bool, npy_int64, a != 0)
UNARY(float_to_double, float, double, a)
UNARY(float_to_int, float, npy_int64, a)
UNARY(float_to_bool, float, npy_bool, a != 0)
UNARY(int_to_double, npy_int64, double, a)
UNARY(int_to_float, npy_int64, float, a)
UNARY(int_to_bool, npy_int64, npy_bool, a != 0)
UNARY(double_to_float, double, float, a)
UNARY(double_to_int, double, npy_int64, a)
UNARY(double_to_bool, double, npy_bool, a != 0)

static const struct {
    char types[3];
    PyUFuncGenericFunction function;
} CASTS[] = {
    {"?d", bool_to_double},  {"?f", bool_to_float}, {"?l", bool_to_int},
    {"fd", float_to_double}, {"fl", float_to_int},  {"f?", float_to_bool},
    {"ld", int_to_double},   {"lf", int_to_float},  {"l?", int_to_bool},
    {"df", double_to_float}, {"dl", double_to_int}, {"d?", double_to_bool},
};

/* An inner loop: one of two values of a type with so many bits, by a condition. */
#define SELECT(name, type)                                                               \
    static void name(char **args, const npy_intp *count, const npy_intp *steps,          \
                     void *unused)                                                       \
    {                                                                                    \
        const char *condition = args[0], *a = args[1], *b = args[2];                     \
        char *out = args[3];                                                             \
        (void)unused;                                                                    \
        for (npy_intp i = 0; i < *count; i++) {                                          \
            type from_a = *(const type *)a, from_b = *(const type *)b;                   \
            *(type *)out = *(const npy_bool *)condition ? from_a : from_b;               \
            condition += steps[0];                                                       \
            a += steps[1];                                                               \
            b += steps[2];                                                               \
            out += steps[3];                                                             \
        }                                                                                \
    }

SELECT(select_double, double)
SELECT(select_float, float)
SELECT(select_int, npy_int64)
SELECT(select_bool, npy_bool)

/* A wheel that is built with a newer glibc runs with an older one too: from 2.29 on `pow`
 * has a second version, of the same bits, that sets errno elsewhere. */
#if defined __GLIBC__ && defined __x86_64__
__asm__(".symver pow, pow@GLIBC_2.2.5");
#elif defined __GLIBC__ && defined __aarch64__
__asm__(".symver pow, pow@GLIBC_2.17");
#endif

static void scalar_pow(char **args, const npy_intp *count, const npy_intp *steps,
                       void *unused)
{
    (void)count; /* one */
    (void)steps;
    (void)unused;
    *(double *)args[2] = pow(*(const double *)args[0], *(const double *)args[1]);
}

/* NumPy's loop, of the same bits, takes ten times as long for one number: it clears the
 * floating-point flags. */
UNARY(scalar_negative, double, double, -a)

void loop_for_scalar(loop *self, PyObject *op)
{
    if (PyObject_TypeCheck(op, &PyUFunc_Type)
        && strcmp(((PyUFuncObject *)op)->name, "negative") == 0
        && strncmp(self->types, "dd", 2) == 0)
        self->function = scalar_negative;
}

static const char *const EXACT[] = {
    "add",         "subtract",    "multiply",      "divide",      "negative",
    "positive",    "absolute",    "fabs",          "square",      "reciprocal",
    "sqrt",        "floor",       "ceil",          "trunc",       "rint",
    "greater",     "less",        "greater_equal", "less_equal",  "equal",
    "not_equal",   "logical_and", "logical_or",    "logical_not", "logical_xor",
    "bitwise_and", "bitwise_or",  "bitwise_xor",   "invert",      "isnan",
    "isfinite",    "isinf",       "signbit",
};

static int is_exact(const char *name)
{
    for (size_t i = 0; i < sizeof EXACT / sizeof *EXACT; i++)
        if (strcmp(name, EXACT[i]) == 0)
            return 1;
    return 0;
}

/* Of float64: which of these a ufunc is */
static char arithmetic_of(const char *name)
{
    return strcmp(name, "add") == 0        ? '+'
           : strcmp(name, "subtract") == 0 ? '-'
           : strcmp(name, "multiply") == 0 ? '*'
           : strcmp(name, "divide") == 0   ? '/'
           : strcmp(name, "square") == 0   ? '*'
                                           : 0;
}

/* --- Finding them ------------------------------------------------------------ */

int size_of_type(char type)
{
    switch (type) {
    case '?':
        return sizeof(npy_bool);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    case 'q':
        return sizeof(npy_int64);
    case 'l':
        return sizeof(long) == sizeof(npy_int64) ? sizeof(npy_int64) : 0;
    default:
        return 0;
    }
}

static int type_number(char type)
{
    return type == '?'   ? NPY_BOOL
           : type == 'f' ? NPY_FLOAT
           : type == 'd' ? NPY_DOUBLE
           : type == 'l' ? NPY_LONG
                         : NPY_LONGLONG;
}

static int refuse(PyObject *op, PyObject *types)
{
    PyErr_Format(PyExc_TypeError, "program: %R has no loop for the types %R", op, types);
    return -1;
}

/* Read "dd->d" into types, nin and nout. */
static int read_types(loop *self, const char *text)
{
    const char *arrow = strstr(text, "->");
    size_t nin = arrow != NULL ? (size_t)(arrow - text) : 0;
    size_t nout = arrow != NULL ? strlen(arrow + 2) : 0;

    if (nin < 1 || nout < 1 || nout > MAX_OUTPUTS || nin + nout > MAX_ARGS)
        return -1;
    memcpy(self->types, text, nin);
    memcpy(self->types + nin, arrow + 2, nout);
    self->nin = (int)nin;
    self->nout = (int)nout;
    for (size_t k = 0; k < nin + nout; k++)
        if (size_of_type(self->types[k]) == 0)
            return -1;
    return 0;
}

static int find_in_ufunc(loop *self, PyUFuncObject *ufunc)
{
    int nargs = self->nin + self->nout;

    if (ufunc->nin != self->nin || ufunc->nout != self->nout)
        return -1;
    if (ufunc->core_enabled) {
        if (strcmp(ufunc->name, "matmul") != 0 || ufunc->core_signature == NULL
            || strcmp(ufunc->core_signature, "(n?,k),(k,m?)->(n?,m?)") != 0
            || strncmp(self->types, "ddd", 3) != 0)
            return -1;
        self->is_matmul = 1;
    }
    for (int i = 0; i < ufunc->ntypes; i++) {
        const char *types = ufunc->types + (npy_intp)i * nargs;
        int same = ufunc->functions[i] != NULL;
        for (int k = 0; k < nargs; k++)
            same &= types[k] == type_number(self->types[k]);
        if (same) {
            self->function = ufunc->functions[i];
            self->data = ufunc->data != NULL ? ufunc->data[i] : NULL;
            self->is_exact = is_exact(ufunc->name);
            if (strspn(self->types, "d") >= (size_t)nargs)
                self->arithmetic = arithmetic_of(ufunc->name);
            return 0;
        }
    }
    return -1;
}

static void unify_integers(loop *self)
{
    for (int k = 0; k < self->nin + self->nout; k++)
        if (self->types[k] == 'q')
            self->types[k] = 'l';
}

static int find_own(loop *self, PyObject *op)
{
    const char *types = self->types;

    if (PyUnicode_CompareWithASCIIString(op, "cast") == 0 && self->nin == 1
        && self->nout == 1) {
        for (size_t i = 0; i < sizeof CASTS / sizeof *CASTS; i++)
            if (strncmp(types, CASTS[i].types, 2) == 0)
                self->function = CASTS[i].function;
    } else if (PyUnicode_CompareWithASCIIString(op, "select") == 0 && self->nin == 3
               && self->nout == 1 && types[0] == '?' && types[1] == types[2]
               && types[1] == types[3]) {
        self->function = types[1] == 'd'   ? select_double
                         : types[1] == 'f' ? select_float
                         : types[1] == 'l' ? select_int
                                           : select_bool;
    } else if (PyUnicode_CompareWithASCIIString(op, "pow") == 0 && self->nin == 2
               && self->nout == 1 && strncmp(types, "ddd", 3) == 0) {
        self->function = scalar_pow;
        self->is_pow = 1;
    }
    self->is_exact = !self->is_pow;
    return self->function == NULL ? -1 : 0;
}

int loop_find(loop *self, PyObject *op, PyObject *types)
{
    int is_ufunc = PyObject_TypeCheck(op, &PyUFunc_Type);

    memset(self, 0, sizeof *self);
    if (!PyUnicode_Check(types) || (!is_ufunc && !PyUnicode_Check(op))) {
        PyErr_Format(PyExc_TypeError,
                     "program: an instruction is (ufunc or name, types, operands), not "
                     "(%.200s, %.200s, ...)",
                     Py_TYPE(op)->tp_name, Py_TYPE(types)->tp_name);
        return -1;
    }
    const char *text = PyUnicode_AsUTF8(types); /* borrowed */
    if (text == NULL)
        return -1;
    if (read_types(self, text) < 0)
        return refuse(op, types);
    if (is_ufunc && find_in_ufunc(self, (PyUFuncObject *)op) < 0)
        return refuse(op, types);
    unify_integers(self);
    if (!is_ufunc && find_own(self, op) < 0)
        return refuse(op, types);
    return 0;
}

/* Compiled functions: finding the address in what other packages make of them, none of
 * which is imported here. */
#ifndef MINPACK_COMPILED_H
#define MINPACK_COMPILED_H

#include "numpy_api.h"

#include "minpack.h"

/* A function with one of the two signatures in minpack.h. Filled with zeros first. */
typedef struct {
    void *address;   /* NULL: none */
    void *user_data; /* that the object itself brings, or NULL */
    PyObject *owner; /* what keeps the function alive; ours */
} compiled;

enum compiled_kind { COMPILED_RESIDUALS, COMPILED_JACOBIAN };

/* Take `object` where it is a compiled function: 1; 0 where it is something else; -1
 * with an exception set where it is one that cannot be called. `name` is that of the
 * argument. */
int compiled_take(compiled *self, PyObject *object, const char *name,
                  enum compiled_kind kind);
/* The same with func and, where it is not None, jac, which must be both compiled or
 * none. */
int compiled_take_both(compiled *residuals, PyObject *func, const char *func_name,
                       compiled *jacobian, PyObject *jac, const char *jac_name);
void compiled_clear(compiled *self);

#endif

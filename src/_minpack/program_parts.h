/* Building a program, part by part. Functions return 0, or -1 with an exception set. */
#ifndef MINPACK_PROGRAM_PARTS_H
#define MINPACK_PROGRAM_PARTS_H

#include "program.h"

/* Where an instruction stands. */
enum part { IN_SCALARS, IN_FULL, IN_VALUE, IN_JAC };

/* Raise ValueError: -1. */
int program_wrong(const char *what);

/* The next operand, of which nothing is known yet; there is room for it. */
operand *program_add_operand(program *p);

/* The parameters and the leaves. */
int program_add_leaves(program *p, PyObject *leaves /* borrowed tuple */);

/* The instructions of a part of segment s, NULL for the scalars. */
int program_add_instructions(program *p, PyObject *list /* borrowed tuple */,
                             enum part part, const segment *s);

/* The number of an operand that is there by now, or -1. */
int program_read_operand(const program *p, PyObject *number /* borrowed */);

/* Whether this operand may be read in a part of a segment (NULL: of none). */
int program_check_use(program *p, int number, enum part part, const segment *s);

/* Divide the memory and the rows, once all instructions are known. */
int program_lay_out(program *p);

#endif

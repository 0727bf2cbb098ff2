/* Running a program for eight fits at once. Number i of fit k is at [8 i + k], as the
 * library's fits abreast have their rows. */
#ifndef MINPACK_PROGRAM_ABREAST_H
#define MINPACK_PROGRAM_ABREAST_H

#include "minpack.h"
#include "program.h"

enum { ABREAST = 8 };

typedef struct program_abreast program_abreast;

/* Whether a program gives each of eight fits the bits that it has alone. */
int program_goes_abreast(const program *p);

/* NULL with MemoryError set. `moves`: program_moved_abreast will be called. */
program_abreast *program_abreast_new(const program *p, const lm_kernels *kernels,
                                     int moves);
void program_abreast_free(program_abreast *self);

/* What follows needs neither Python nor its lock, and allocates nothing. */

/* Data array k of the fit in this lane begins here. */
void program_abreast_base(program_abreast *self, int lane, int k, const char *base);

/* (8, m) The values at x(8, n). They last until the next call. */
const double *program_values_abreast(program_abreast *self, const double *x);

/* The same where parameter j is that of moved_x(8, n), and the others are those of the
 * last program_values_abreast. What does not depend on parameter j is not computed again.
 */
const double *program_moved_abreast(program_abreast *self, const double *moved_x, int j);

/* fjac(8, m, n) := the derivatives at the x of the last program_values_abreast; fjac is
 * that of program_columns_abreast. */
void program_columns_abreast(program_abreast *self, double *fjac);
void program_jacobian_abreast(program_abreast *self);

#endif

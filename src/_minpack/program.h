/* Programs: what a traced function becomes. A program is a list of NumPy's own inner
 * loops, which run in blocks of rows without Python and its lock. It is built once, does
 * not change, and is shared by any number of threads; each of them has a run of its own.
 * See minpack/_minpack.pyi for the description from which a program is built. */
#ifndef MINPACK_PROGRAM_H
#define MINPACK_PROGRAM_H

#include "numpy_api.h"

#include <stdatomic.h>

#include "program_loops.h"

/* A number that instructions read or write, or one for each row. */
typedef struct {
    enum operand_kind {
        PARAMETER,
        CONSTANT,
        MATRIX,    /* a constant of two dimensions, for matmul alone */
        DATA,      /* of an array that is bound later */
        TEMPORARY, /* computed: a scalar, or a block of a vector */
        FULL       /* computed: a vector of all rows of its segment */
    } kind;
    char type; /* '?', 'd', 'f', or 'l' for int64 */
    int is_scalar;
    int for_jacobian; /* a scalar that the values do without */
    int segment;      /* of a computed vector, else -1 */
    int maker;        /* the instruction that computes it, else -1 */
    int array;        /* of data: its number */
    npy_intp length;  /* of a constant vector; of data: how many entries are read */
    npy_intp stride;  /* of vectors, in bytes */
    npy_intp place;   /* of data: the first byte in the array. Of what is computed: the
                         first byte in the memory for its kind */
    char *address;    /* of constants */
} operand;

enum { FOR_VALUES = 1, FOR_JACOBIAN = 2 };

typedef struct {
    PyUFuncGenericFunction loop;
    void *data; /* for the loop */
    int nargs;
    int runs_for;    /* FOR_VALUES and FOR_JACOBIAN */
    int is_exact;    /* its results are correctly rounded, or its alone: so they do not
                        depend on how many numbers there are and where they lie */
    char arithmetic; /* + - * or / of float64, by its two inputs or, as a square, by its
                        one input twice; else 0 */
    int operands[MAX_ARGS];
    npy_intp steps[3 * 3]; /* of the arguments; matmul has those of its dimensions too */
    npy_intp terms;        /* of matmul, else 0 */
    int first_term;        /* in the program's `terms` */
} instruction;

/* A column of the Jacobian. */
typedef struct {
    int operand;
    int is_direct; /* its instruction writes into the column */
} column;

/* Rows of the result. Instructions are ranges of the program's. */
typedef struct {
    npy_intp length;
    npy_intp block; /* rows that are worked on together */
    int full;       /* the first that runs on all rows at once */
    int value;      /* the first for the values */
    int jac;        /* the first for the derivatives */
    int end;
    int out;
    int out_is_direct;   /* the values are written where they belong */
    int out_is_computed; /* by an instruction for the values, in blocks */
    column *columns;     /* (n), or NULL */
    int *moving;         /* vectors whose blocks lie one behind another */
    int nmoving;
    int slots; /* blocks of temporaries */
    size_t slot_size;
} segment;

typedef struct {
    int n;
    int m;
    int nleaves;
    int narrays;
    int split; /* the scalar instructions from here on are the Jacobian's */
    int nscalars;
    int has_jacobian;
    int has_poles; /* derivatives beyond POLE stand for infinite ones */
    int keeps; /* vectors that both the values and the derivatives need are full ones */
    int noperands;
    int ninstructions;
    int nsegments;
    operand *operands;
    instruction *instructions;
    segment *segments;
    int *terms; /* the scalars of matmul */
    int nterms;
    npy_intp most_terms;
    size_t scalar_size; /* of the memory for computed scalars */
    size_t block_size;  /* for blocks of temporaries */
    size_t full_size;   /* for full vectors */
    PyObject *objects;  /* ours: what keeps arrays and ufuncs alive */
} program;

/* What one thread needs to run a program. */
typedef struct {
    const program *program;
    enum {
        KNOWS_NOTHING,
        KNOWS_SCALARS, /* those of the values, and all that runs before the blocks */
        KNOWS_VECTORS  /* and what is kept of the blocks */
    } knows;           /* at x */
    double *x;         /* (n) */
    char **base;       /* where each operand begins */
    char **at;         /* where its block begins */
    double *terms;     /* the scalars of a matmul, together */
    int workers;       /* threads that a fit may use, each with a run of its own */
    PyObject *keeps;   /* ours: the program and the arrays, or NULL */
    atomic_int owners; /* capsules that are not yet destroyed */
} program_run;

/* A program from its description: NULL with an exception set where that is wrong. */
program *program_build(Py_ssize_t n, PyObject *leaves, PyObject *scalars,
                       Py_ssize_t split, PyObject *segments);
void program_free(program *self);

/* A new run, which keeps nothing alive; NULL with an exception set. The second one has
 * the data of another run. */
program_run *program_run_new(const program *program);
program_run *program_run_again(const program_run *other);
void program_run_free(program_run *self);

/* What follows needs neither Python nor its lock, and allocates nothing. */

/* Data array k begins here. */
void program_run_base(program_run *self, int k, const char *base);

/* Of the signatures in minpack.h; user_data is the run. They return 0, or -1 for another
 * m or n than the program's. */
int program_residuals(int m, int n, const double *x, double *fvec, void *run);
int program_jacobian(int m, int n, const double *x, double *fjac, int ldfjac, void *run);

/* The values by rows: at x, then any `count` of them from `first` on. */
void program_values_at(program_run *self, const double *x);
void program_value_rows(program_run *self, int first, int count, double *fvec);

/* Show huge derivatives as infinite ones, in these rows of n columns. */
void program_show_poles(npy_intp rows, int n, double *fjac, int ldfjac);

/* Let the processor begin to read the data of rows. */
void program_fetch_rows(const program_run *self, int first, int count);

/* Whether some instructions run on all rows at once: a run keeps their results. */
int program_has_full(const program *self);

/* The values and the derivatives by rows: at x, then any rows of the values, by
 * program_value_rows, or of both. */
void program_at(program_run *self, const double *x);
void program_rows(program_run *self, int first, int count, double *fvec, double *fjac,
                  int ldfjac);

/* --- Entry points: see minpack/_minpack.pyi ---------------------------------- */

PyObject *program_lower(PyObject *module, PyObject *args);
PyObject *program_new(PyObject *module, PyObject *args);
PyObject *program_bind(PyObject *module, PyObject *const *args, Py_ssize_t count);
PyObject *program_values(PyObject *module, PyObject *args);
PyObject *program_derivatives(PyObject *module, PyObject *args);

/* The program of a capsule (borrowed), NULL without an exception for anything else. */
program *program_of(PyObject *object);

/* A new run on the arrays of a tuple, which must outlive it; NULL with an exception set.
 */
program_run *program_run_on(const program *program, PyObject *arrays);

/* Whether array k, without its first axes, reaches as far as the program reads: 0, or -1
 * with an exception set. */
int program_check_array(const program *self, int k, PyArrayObject *array, int first_axis);

#endif

/* A program for eight fits at once: its loops run on vectors of 8 m numbers. A scalar of
 * the program is eight numbers; where a vector is computed from it, it is written out for
 * all rows. */
#include "program_abreast.h"

#include <stdint.h>
#include <string.h>

/* In what a value depends on, a bit for each parameter and one for the data */
#define PARAMETER_BIT(j) ((uint64_t)1 << (j))
#define DATA_BIT ((uint64_t)1 << 63)
enum { MOST_PARAMETERS = 63, MOST_BYTES = 1 << 20 };

typedef struct {
    char *eight;      /* a scalar's numbers, or NULL */
    char *rows;       /* a vector's, or those of a scalar in all rows; or NULL */
    uint64_t depends; /* what it is computed from */
    int is_written_out;
} value;

struct program_abreast {
    const program *program;
    const lm_kernels *kernels;
    npy_intp count;     /* 8 m */
    value *at_x;        /* (noperands) */
    value *moved;       /* the same where one parameter has moved; or NULL */
    double *fjac;       /* where the derivatives go; not ours */
    const char **bases; /* (8, narrays) where the data are that have been loaded */
    int has_new_data;
};

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* --- Which programs -------------------------------------------------------------- */

static int is_made(const operand *o)
{
    return o->kind == PARAMETER || o->kind == DATA
           || (o->is_scalar && o->kind == TEMPORARY);
}

/* Loops that are not correctly rounded may have several ways to the same number, which
 * they choose by the strides of their arguments. */
static int has_strides_of_its_own(const program *p, const instruction *i)
{
    if (i->is_exact || i->nargs <= 2)
        return 1;
    for (int k = 0; k < i->nargs; k++) {
        const operand *o = &p->operands[i->operands[k]];
        if (o->is_scalar && is_made(o))
            return 0;
    }
    return 1;
}

/* Bytes of all vectors, twice. */
static size_t bytes_of(const program *p)
{
    return 2 * (size_t)p->noperands * (size_t)p->m * ABREAST * sizeof(double);
}

int program_goes_abreast(const program *p)
{
    const segment *s = p->segments;

    if (p->nsegments != 1 || p->n > MOST_PARAMETERS || s->full != s->value
        || bytes_of(p) > MOST_BYTES)
        return 0;
    for (int i = s->value; i < s->end; i++)
        if (!has_strides_of_its_own(p, &p->instructions[i]))
            return 0;
    return 1;
}

/* --- Memory ---------------------------------------------------------------------- */

typedef struct {
    char *memory;
    size_t used;
} divider;

static void *divide(divider *d, size_t bytes)
{
    void *part = d->memory != NULL ? d->memory + d->used : NULL;

    d->used += rounded(bytes);
    return part;
}

static int is_constant_scalar(const operand *o)
{
    return o->kind == CONSTANT && o->is_scalar;
}

/* Mark the scalars that are needed in all rows: those of the result and, but for
 * constants and in arithmetic, those that vectors are computed from. */
static void mark_written_out(const program *p, value *at)
{
    const segment *s = p->segments;

    for (int i = s->value; i < s->end; i++) {
        const instruction *own = &p->instructions[i];
        for (int k = 0; k < own->nargs && !own->arithmetic; k++) {
            int number = own->operands[k];
            at[number].is_written_out = !is_constant_scalar(&p->operands[number]);
        }
    }
    at[s->out].is_written_out = 1;
    for (int j = 0; s->columns != NULL && j < p->n; j++)
        at[s->columns[j].operand].is_written_out = 1;
}

static void find_dependence(const program *p, value *at)
{
    for (int j = 0; j < p->n; j++)
        at[j].depends = PARAMETER_BIT(j);
    for (int i = 0; i < p->ninstructions; i++) {
        const instruction *own = &p->instructions[i];
        uint64_t depends = DATA_BIT;
        for (int k = 0; k < own->nargs; k++)
            depends |= at[own->operands[k]].depends; /* outputs have none yet */
        for (int k = 0; k < own->nargs; k++)
            if (p->operands[own->operands[k]].maker == i)
                at[own->operands[k]].depends = depends;
    }
}

/* Whether the layout of the program has given this vector a block that it shares. */
static int shares_block(const program *p, int number)
{
    const operand *o = &p->operands[number];

    return o->kind == TEMPORARY && !o->is_scalar
           && !(number == p->segments->out && p->segments->out_is_direct);
}

/* Room for the numbers of all operands. Those at x last until the next x. At a point that
 * has moved there are others of what depends on parameters, and they share blocks as in
 * a run for one fit. Without values room is only counted. */
static void lay_out_values(const program *p, value *at, int is_moved, divider *d)
{
    const segment *s = p->segments;
    size_t rows = (size_t)p->m * ABREAST, block = rounded(rows * sizeof(double));
    char *blocks = divide(d, is_moved ? (size_t)s->slots * block : 0);

    for (int k = 0; k < p->noperands; k++) {
        const operand *o = &p->operands[k];
        size_t size = (size_t)size_of_type(o->type);
        int shares = is_moved && shares_block(p, k);
        if (at == NULL) {
            divide(d, ABREAST * sizeof(double));
            divide(d, shares ? 0 : block);
            continue;
        }
        if (o->kind == MATRIX || (is_moved && !(at[k].depends & ~DATA_BIT)))
            continue;
        if (o->is_scalar)
            at[k].eight = divide(d, ABREAST * size);
        if (shares)
            at[k].rows = blocks + (size_t)o->place / s->slot_size * block;
        else if (!o->is_scalar || at[k].is_written_out)
            at[k].rows = divide(d, rows * size);
    }
}

static void lay_out(program_abreast *self, const program *p, int moves, divider *d)
{
    size_t count = (size_t)p->noperands;

    self->at_x = divide(d, count * sizeof *self->at_x);
    self->moved = divide(d, count * sizeof *self->moved);
    self->bases = divide(d, ABREAST * ((size_t)p->narrays + 1) * sizeof *self->bases);
    if (self->at_x != NULL) {
        mark_written_out(p, self->at_x);
        find_dependence(p, self->at_x);
    }
    if (self->moved != NULL)
        memcpy(self->moved, self->at_x, count * sizeof *self->moved);
    lay_out_values(p, self->at_x, 0, d);
    if (moves)
        lay_out_values(p, self->moved, 1, d);
}

/* --- Numbers for all fits ---------------------------------------------------------- */

/* m times the eight numbers `from`, each of this many bytes */
static void write_out(const program_abreast *self, size_t size, const char *from,
                      char *to)
{
    if (size == sizeof(double)) {
        lm_repeat_abreast(self->kernels, self->program->m, (const double *)from,
                          (double *)to);
        return;
    }
    for (int i = 0; i < self->program->m; i++)
        memcpy(to + (size_t)i * ABREAST * size, from, ABREAST * size);
}

/* `count` numbers of a fit to its lane */
static void fill_lane(npy_intp count, size_t size, const char *from, npy_intp step,
                      int lane, char *to)
{
    to += (size_t)lane * size;
    if (size == sizeof(double)) {
        for (npy_intp i = 0; i < count; i++, from += step)
            ((double *)to)[i * ABREAST] = *(const double *)from;
        return;
    }
    for (npy_intp i = 0; i < count; i++, from += step)
        memcpy(to + (size_t)i * ABREAST * size, from, size);
}

/* An operand of this lane from numbers at `from`. */
static void load(program_abreast *self, int number, int lane, const char *from)
{
    const operand *o = &self->program->operands[number];
    const value *v = &self->at_x[number];
    npy_intp m = self->program->m;
    size_t size = (size_t)size_of_type(o->type);

    if (v->eight != NULL)
        fill_lane(1, size, from, 0, lane, v->eight);
    if (v->rows != NULL)
        fill_lane(m, size, from, o->is_scalar ? 0 : o->stride, lane, v->rows);
}

void program_abreast_base(program_abreast *self, int lane, int k, const char *base)
{
    const program *p = self->program;
    const char **known = &self->bases[lane * p->narrays + k];

    if (*known == base)
        return;
    *known = base;
    self->has_new_data = 1;
    for (int i = p->n; i < p->n + p->nleaves; i++)
        if (p->operands[i].kind == DATA && p->operands[i].array == k)
            load(self, i, lane, base + p->operands[i].place);
}

program_abreast *program_abreast_new(const program *p, const lm_kernels *kernels,
                                     int moves)
{
    program_abreast size, *self;
    divider d = {NULL, 0};

    memset(&size, 0, sizeof size);
    divide(&d, sizeof *self);
    lay_out(&size, p, moves, &d);
    char *memory = PyMem_Calloc(1, d.used + 64);
    if (memory == NULL)
        return (program_abreast *)PyErr_NoMemory();
    self = (program_abreast *)memory;
    d.memory = (char *)rounded((uintptr_t)memory);
    d.used = 0;
    divide(&d, sizeof *self);
    lay_out(self, p, moves, &d);
    self->program = p;
    self->kernels = kernels;
    self->has_new_data = 1; /* for what is computed from constants alone too */
    self->count = (npy_intp)p->m * ABREAST;
    for (int k = 0; k < p->noperands; k++)
        for (int lane = 0; lane < ABREAST && p->operands[k].kind == CONSTANT; lane++)
            load(self, k, lane, p->operands[k].address);
    return self;
}

void program_abreast_free(program_abreast *self)
{
    PyMem_Free(self);
}

/* --- Instructions ------------------------------------------------------------------ */

/* An operand at x, or where the parameter `moved` (a bit, or 0) has moved */
static const value *value_of(const program_abreast *self, int number, uint64_t moved)
{
    const value *v = &self->at_x[number];

    return v->depends & moved ? &self->moved[number] : v;
}

/* One that computes scalars: of all lanes at once, or where that could change bits as for
 * one fit. */
static void run_scalar(const program_abreast *self, const instruction *i, uint64_t moved)
{
    const program *p = self->program;
    char *args[MAX_ARGS];
    npy_intp steps[MAX_ARGS], count = i->is_exact ? ABREAST : 1;

    for (int lane = 0; lane < ABREAST; lane += (int)count) {
        for (int k = 0; k < i->nargs; k++) {
            int number = i->operands[k], size = size_of_type(p->operands[number].type);
            args[k] = value_of(self, number, moved)->eight + lane * size;
            steps[k] = i->is_exact ? size : 0;
        }
        i->loop(args, &count, steps, i->data);
    }
}

/* a + b and the like in all rows, where the numbers of a scalar are the same. */
static void run_arithmetic(const program_abreast *self, const instruction *i,
                           uint64_t moved)
{
    const program *p = self->program;
    const double *from[2];
    int steps[2];

    for (int k = 0; k < 2; k++) {
        int number = i->operands[i->nargs == 3 ? k : 0];
        const value *v = value_of(self, number, moved);
        int is_scalar = p->operands[number].is_scalar;
        from[k] = (const double *)(is_scalar ? v->eight : v->rows);
        steps[k] = is_scalar ? 0 : ABREAST;
    }
    lm_compute_abreast(self->kernels, i->arithmetic, p->m, from[0], steps[0], from[1],
                       steps[1],
                       (double *)value_of(self, i->operands[i->nargs - 1], moved)->rows);
}

static void run_rows(const program_abreast *self, const instruction *i, uint64_t moved)
{
    const program *p = self->program;
    char *args[MAX_ARGS];
    npy_intp steps[MAX_ARGS];

    if (i->arithmetic) {
        run_arithmetic(self, i, moved);
        return;
    }
    for (int k = 0; k < i->nargs; k++) {
        const operand *o = &p->operands[i->operands[k]];
        int is_constant = is_constant_scalar(o);
        args[k] = is_constant ? o->address : value_of(self, i->operands[k], moved)->rows;
        steps[k] = is_constant ? 0 : size_of_type(o->type);
    }
    i->loop(args, &self->count, steps, i->data);
}

/* Whether an instruction computes what has to be computed again. */
static int has_changed(const program_abreast *self, const instruction *i,
                       uint64_t changed)
{
    return (self->at_x[i->operands[i->nargs - 1]].depends & changed) != 0;
}

/* What depends on what has changed, of the scalars that these instructions compute. */
static void run_scalars(const program_abreast *self, int first, int end, uint64_t changed,
                        uint64_t moved)
{
    const program *p = self->program;

    for (int i = first; i < end; i++)
        if (has_changed(self, &p->instructions[i], changed))
            run_scalar(self, &p->instructions[i], moved);
}

/* Write out the scalars that are parameters or that these instructions compute. */
static void write_out_scalars(const program_abreast *self, int first, int end,
                              uint64_t changed, uint64_t moved)
{
    const program *p = self->program;

    for (int k = 0; k < p->noperands; k++) {
        const operand *o = &p->operands[k];
        const value *v = value_of(self, k, moved);
        int is_here = (o->kind == PARAMETER && first == 0)
                      || (o->is_scalar && o->maker >= first && o->maker < end);
        if (is_here && v->is_written_out && (v->depends & changed))
            write_out(self, (size_t)size_of_type(o->type), v->eight, v->rows);
    }
}

static void run_vectors(const program_abreast *self, int first, int end, int purpose,
                        uint64_t changed, uint64_t moved)
{
    const program *p = self->program;

    for (int i = first; i < end; i++)
        if ((p->instructions[i].runs_for & purpose)
            && has_changed(self, &p->instructions[i], changed))
            run_rows(self, &p->instructions[i], moved);
}

/* --- The whole --------------------------------------------------------------------- */

static const double *find_values(program_abreast *self, const double *x, uint64_t changed,
                                 uint64_t moved)
{
    const program *p = self->program;
    const segment *s = p->segments;

    for (int j = 0; j < p->n; j++)
        if (changed & PARAMETER_BIT(j))
            memcpy(value_of(self, j, moved)->eight, x + j * ABREAST, ABREAST * sizeof *x);
    run_scalars(self, 0, p->split, changed, moved);
    write_out_scalars(self, 0, p->split, changed, moved);
    run_vectors(self, s->value, s->jac, FOR_VALUES, changed, moved);
    return (const double *)value_of(self, s->out, moved)->rows;
}

const double *program_values_abreast(program_abreast *self, const double *x)
{
    uint64_t changed = ~DATA_BIT;

    if (self->has_new_data)
        changed |= DATA_BIT;
    self->has_new_data = 0;
    return find_values(self, x, changed, 0);
}

const double *program_moved_abreast(program_abreast *self, const double *moved_x, int j)
{
    return find_values(self, moved_x, PARAMETER_BIT(j), PARAMETER_BIT(j));
}

void program_columns_abreast(program_abreast *self, double *fjac)
{
    const program *p = self->program;
    const segment *s = p->segments;

    self->fjac = fjac;
    for (int j = 0; s->columns != NULL && j < p->n; j++)
        if (s->columns[j].is_direct)
            self->at_x[s->columns[j].operand].rows =
                (char *)(fjac + (size_t)j * (size_t)self->count);
}

void program_jacobian_abreast(program_abreast *self)
{
    const program *p = self->program;
    const segment *s = p->segments;
    uint64_t all = ~(uint64_t)0;
    size_t column = (size_t)self->count;

    run_scalars(self, p->split, p->nscalars, all, 0);
    write_out_scalars(self, p->split, p->nscalars, all, 0);
    run_vectors(self, s->jac, s->end, FOR_JACOBIAN, all, 0);
    for (int j = 0; j < p->n; j++)
        if (!s->columns[j].is_direct)
            memcpy(self->fjac + (size_t)j * column,
                   self->at_x[s->columns[j].operand].rows, column * sizeof(double));
    if (p->has_poles)
        program_show_poles(self->count, p->n, self->fjac, (int)self->count);
}

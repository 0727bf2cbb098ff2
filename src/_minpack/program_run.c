/* Running a program. */
#include "program.h"

#include "arrays.h"

#include <stdint.h>
#include <string.h>

/* --- Memory ------------------------------------------------------------------ */

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Where an operand begins; data have no array yet. */
static char *address_of(const program_run *r, const operand *o, int k, char *scalars,
                        char *blocks, char *full)
{
    switch (o->kind) {
    case PARAMETER:
        return (char *)(r->x + k);
    case CONSTANT:
    case MATRIX:
        return o->address;
    case DATA:
        return NULL;
    case FULL:
        return full + o->place;
    default:
        return (o->is_scalar ? scalars : blocks) + o->place;
    }
}

program_run *program_run_new(const program *p)
{
    size_t table = rounded((size_t)p->noperands * sizeof(char *));
    size_t x = rounded((size_t)p->n * sizeof(double));
    size_t terms = rounded((size_t)p->most_terms * sizeof(double));
    size_t head = rounded(sizeof(program_run)), scalars = rounded(p->scalar_size);
    char *memory = PyMem_Malloc(head + 2 * table + x + terms + scalars + p->block_size
                                + p->full_size + 64);

    if (memory == NULL)
        return (program_run *)PyErr_NoMemory();
    program_run *r = (program_run *)memory;
    memset(r, 0, sizeof *r);
    r->program = p;
    char *next = (char *)rounded((uintptr_t)memory + head);
    r->base = (char **)next;
    r->at = (char **)(next += table);
    r->x = (double *)(next += table);
    r->terms = (double *)(next += x);
    next += terms;
    char *blocks = next + scalars, *full = blocks + p->block_size;
    for (int k = 0; k < p->noperands; k++)
        r->base[k] = address_of(r, &p->operands[k], k, next, blocks, full);
    memcpy(r->at, r->base, (size_t)p->noperands * sizeof(char *));
    return r;
}

void program_run_free(program_run *r)
{
    if (r == NULL)
        return;
    Py_XDECREF(r->keeps);
    PyMem_Free(r);
}

program_run *program_run_again(const program_run *r)
{
    const program *p = r->program;
    program_run *other = program_run_new(p);

    for (int i = 0; other != NULL && i < p->noperands; i++)
        if (p->operands[i].kind == DATA)
            other->at[i] = other->base[i] = r->base[i];
    return other;
}

void program_run_base(program_run *r, int k, const char *base)
{
    const program *p = r->program;

    for (int i = p->n; i < p->n + p->nleaves; i++)
        if (p->operands[i].kind == DATA && p->operands[i].array == k)
            r->at[i] = r->base[i] = (char *)base + p->operands[i].place;
    r->knows = KNOWS_NOTHING;
}

/* --- Instructions ------------------------------------------------------------ */

/* Loops are given addresses of their own, for some of them count these up. */
static void run_instructions(const program *p, int first, int end, int purpose,
                             char *const *at, npy_intp rows)
{
    for (const instruction *i = p->instructions + first; i < p->instructions + end; i++) {
        char *args[MAX_ARGS];
        if (!(i->runs_for & purpose))
            continue;
        for (int k = 0; k < i->nargs; k++)
            args[k] = at[i->operands[k]];
        i->loop(args, &rows, i->steps, i->data);
    }
}

static void run_matmul(program_run *r, const instruction *i, npy_intp rows)
{
    const int *terms = r->program->terms + i->first_term;
    char *args[] = {r->base[i->operands[0]], (char *)r->terms, r->base[i->operands[2]]};
    npy_intp dimensions[] = {1, rows, i->terms, 1};

    for (npy_intp k = 0; k < i->terms; k++)
        r->terms[k] = *(const double *)r->base[terms[k]];
    i->loop(args, dimensions, i->steps, i->data);
}

/* The scalars that the values need, and the full vectors. */
static void run_before_blocks(program_run *r)
{
    const program *p = r->program;

    run_instructions(p, 0, p->split, FOR_VALUES, r->base, 1);
    for (int k = 0; k < p->nsegments; k++) {
        const segment *s = &p->segments[k];
        for (int i = s->full; i < s->value; i++) {
            if (p->instructions[i].terms > 0)
                run_matmul(r, &p->instructions[i], s->length);
            else
                run_instructions(p, i, i + 1, FOR_VALUES, r->base, s->length);
        }
    }
}

/* --- Blocks ------------------------------------------------------------------ */

static void move_to(program_run *r, const segment *s, npy_intp row)
{
    for (int i = 0; i < s->nmoving; i++) {
        int k = s->moving[i];
        r->at[k] = r->base[k] + row * r->program->operands[k].stride;
    }
}

/* An operand into rows of the result; a scalar is repeated. */
static void copy_operand(const program_run *r, int k, npy_intp rows, double *to)
{
    const char *from = r->at[k];
    npy_intp step = r->program->operands[k].stride; /* of a scalar 0 */

    if (step == sizeof(double)) {
        memcpy(to, from, (size_t)rows * sizeof(double));
        return;
    }
    if (step == 0) {
        double value = *(const double *)from;
        npy_intp i = 0;
        for (; i + 4 <= rows; i += 4) /* so that compilers use vectors */
            to[i] = to[i + 1] = to[i + 2] = to[i + 3] = value;
        for (; i < rows; i++)
            to[i] = value;
        return;
    }
    for (npy_intp i = 0; i < rows; i++, from += step)
        to[i] = *(const double *)from;
}

/* Rows from `first` to `end` of a segment. */
static void run_values(program_run *r, const segment *s, npy_intp first, npy_intp end,
                       double *fvec)
{
    for (npy_intp row = first; row < end; row += s->block) {
        npy_intp left = end - row, rows = left < s->block ? left : s->block;
        move_to(r, s, row);
        if (s->out_is_direct)
            r->at[s->out] = (char *)fvec;
        run_instructions(r->program, s->value, s->jac, FOR_VALUES, r->at, rows);
        if (!s->out_is_direct)
            copy_operand(r, s->out, rows, fvec);
        fvec += rows;
    }
}

#define POLE 1e150

/* A division by the least divisor, which stands for 0, makes a huge derivative: show it
 * as an infinite one. */
void program_show_poles(npy_intp rows, int n, double *fjac, int ldfjac)
{
    for (int j = 0; j < n; j++) {
        double *column = fjac + (npy_intp)j * ldfjac;
        for (npy_intp i = 0; i < rows; i++)
            if (fabs(column[i]) > POLE)
                column[i] = copysign(INFINITY, column[i]);
    }
}

/* Rows of the Jacobian from where values or what is kept of them are computed. */
static void run_columns(program_run *r, const segment *s, int begin, npy_intp rows,
                        double *fjac, int ldfjac)
{
    const program *p = r->program;

    run_instructions(p, begin, s->end, FOR_JACOBIAN, r->at, rows);
    for (int j = 0; j < p->n; j++)
        if (!s->columns[j].is_direct)
            copy_operand(r, s->columns[j].operand, rows, fjac + (npy_intp)j * ldfjac);
    if (p->has_poles)
        program_show_poles(rows, p->n, fjac, ldfjac);
}

/* Move to a block of rows whose columns go to fjac. */
static void move_columns_to(program_run *r, const segment *s, npy_intp row, double *fjac,
                            int ldfjac)
{
    move_to(r, s, row);
    for (int j = 0; j < r->program->n; j++)
        if (s->columns[j].is_direct)
            r->at[s->columns[j].operand] = (char *)(fjac + (npy_intp)j * ldfjac);
}

static void run_derivatives(program_run *r, const segment *s, npy_intp first,
                            npy_intp end, double *fjac, int ldfjac)
{
    int begin = r->knows == KNOWS_VECTORS ? s->jac : s->value;

    if (s->out_is_computed)
        r->at[s->out] = r->base[s->out];
    for (npy_intp row = first; row < end; row += s->block) {
        npy_intp left = end - row, rows = left < s->block ? left : s->block;
        move_columns_to(r, s, row, fjac, ldfjac);
        run_columns(r, s, begin, rows, fjac, ldfjac);
        fjac += rows;
    }
}

/* The values and the derivatives together. */
static void run_both(program_run *r, const segment *s, npy_intp first, npy_intp end,
                     double *fvec, double *fjac, int ldfjac)
{
    for (npy_intp row = first; row < end; row += s->block) {
        npy_intp left = end - row, rows = left < s->block ? left : s->block;
        move_columns_to(r, s, row, fjac, ldfjac);
        if (s->out_is_direct)
            r->at[s->out] = (char *)fvec;
        run_instructions(r->program, s->value, s->jac, FOR_VALUES | FOR_JACOBIAN, r->at,
                         rows);
        if (!s->out_is_direct)
            copy_operand(r, s->out, rows, fvec);
        run_columns(r, s, s->jac, rows, fjac, ldfjac);
        fvec += rows;
        fjac += rows;
    }
}

/* --- The whole --------------------------------------------------------------- */

void program_values_at(program_run *r, const double *x)
{
    memcpy(r->x, x, (size_t)r->program->n * sizeof *x);
    run_before_blocks(r);
    r->knows = KNOWS_SCALARS;
}

static void find_scalars_at(program_run *r, const double *x)
{
    const program *p = r->program;

    if (r->knows == KNOWS_NOTHING || memcmp(r->x, x, (size_t)p->n * sizeof *x) != 0)
        program_values_at(r, x);
    run_instructions(p, p->split, p->nscalars, FOR_VALUES, r->base, 1);
}

/* Rows `begin` to `end` of a segment are among the `count` rows from its row `first` on;
 * 0 if there are none. */
static int part_of(const segment *s, npy_intp first, npy_intp count, npy_intp *begin,
                   npy_intp *end)
{
    *begin = first > 0 ? first : 0;
    *end = first + count < s->length ? first + count : s->length;
    return *begin < *end;
}

/* If all rows were computed at once, the vectors that are kept are complete. */
static void know_vectors(program_run *r, int count)
{
    if (r->program->keeps && count == r->program->m)
        r->knows = KNOWS_VECTORS;
}

void program_at(program_run *r, const double *x)
{
    find_scalars_at(r, x);
    r->knows = KNOWS_SCALARS;
}

void program_rows(program_run *r, int first, int count, double *fvec, double *fjac,
                  int ldfjac)
{
    const program *p = r->program;
    npy_intp from = first, begin, end;

    for (int i = 0; i < p->nsegments; from -= p->segments[i++].length)
        if (part_of(&p->segments[i], from, count, &begin, &end)) {
            run_both(r, &p->segments[i], begin, end, fvec, fjac, ldfjac);
            fvec += end - begin;
            fjac += end - begin;
        }
}

void program_fetch_rows(const program_run *r, int first, int count)
{
    const program *p = r->program;
    npy_intp from = first, begin, end;

    for (int i = 0; i < p->nsegments; from -= p->segments[i++].length) {
        const segment *s = &p->segments[i];
        if (!part_of(s, from, count, &begin, &end))
            continue;
        for (int k = 0; k < s->nmoving; k++) {
            const operand *o = &p->operands[s->moving[k]];
            const char *base = r->base[s->moving[k]];
            int is_dense = o->stride > 0 && o->stride <= CACHE_LINE;
            if (is_dense && (o->kind == CONSTANT || o->kind == DATA))
                fetch_bytes(base + begin * o->stride, (end - begin) * o->stride);
        }
    }
}

int program_has_full(const program *p)
{
    for (int i = 0; i < p->nsegments; i++)
        if (p->segments[i].full < p->segments[i].value)
            return 1;
    return 0;
}

void program_value_rows(program_run *r, int first, int count, double *fvec)
{
    const program *p = r->program;
    npy_intp from = first, begin, end;

    for (int i = 0; i < p->nsegments; from -= p->segments[i++].length)
        if (part_of(&p->segments[i], from, count, &begin, &end)) {
            run_values(r, &p->segments[i], begin, end, fvec);
            fvec += end - begin;
        }
    know_vectors(r, count);
}

static void derivative_rows(program_run *r, int first, int count, double *fjac,
                            int ldfjac)
{
    const program *p = r->program;
    npy_intp from = first, begin, end;

    for (int i = 0; i < p->nsegments; from -= p->segments[i++].length)
        if (part_of(&p->segments[i], from, count, &begin, &end)) {
            run_derivatives(r, &p->segments[i], begin, end, fjac, ldfjac);
            fjac += end - begin;
        }
    know_vectors(r, count);
}

int program_residuals(int m, int n, const double *x, double *fvec, void *run)
{
    program_run *r = run;

    if (m != r->program->m || n != r->program->n)
        return -1;
    program_values_at(r, x);
    program_value_rows(r, 0, m, fvec);
    return 0;
}

int program_jacobian(int m, int n, const double *x, double *fjac, int ldfjac, void *run)
{
    program_run *r = run;
    const program *p = r->program;

    if (m != p->m || n != p->n || !p->has_jacobian)
        return -1;
    find_scalars_at(r, x);
    derivative_rows(r, 0, m, fjac, ldfjac);
    return 0;
}

/* Where the operands of a program lie, and how many rows are worked on together. */
#include "program_parts.h"

#include <string.h>

enum {
    CACHED = 28 * 1024, /* bytes of temporaries that stay in the first cache */
    KEPT = 256 * 1024,  /* bytes that take longer to compute than to read again */
    LEAST_BLOCK = 64,
    MOST_BLOCK = 4096,
};

/* What is found out about each operand. */
typedef struct {
    char *needed;    /* the derivatives are computed from it */
    char *kept;      /* of the values, and instructions for the derivatives read it */
    char *has_place; /* it needs no slot */
    int *last;       /* the last instruction of its segment that reads it */
    int *free_slots; /* room for as many slots */
} findings;

static int is_vector_of(const program *p, int number, int first, int end)
{
    const operand *o = &p->operands[number];

    return !o->is_scalar && o->kind != FULL && o->maker >= first && o->maker < end;
}

/* --- What is needed ---------------------------------------------------------- */

/* Mark the instructions for the values that the derivatives need too, and the vectors
 * that are worth keeping for them. */
static void mark_for_jacobian(const program *p, const segment *s, findings *f)
{
    for (int j = 0; s->columns != NULL && j < p->n; j++) {
        int number = s->columns[j].operand;
        f->needed[number] = 1;
        f->kept[number] = is_vector_of(p, number, s->value, s->jac);
    }
    for (int i = s->end - 1; i >= s->value; i--) {
        instruction *own = &p->instructions[i];
        for (int k = 0; k < own->nargs; k++)
            if (p->operands[own->operands[k]].maker == i && f->needed[own->operands[k]])
                own->runs_for |= FOR_JACOBIAN;
        for (int k = 0; (own->runs_for & FOR_JACOBIAN) && k < own->nargs; k++) {
            int number = own->operands[k];
            f->needed[number] = 1;
            if (i >= s->jac && is_vector_of(p, number, s->value, s->jac))
                f->kept[number] = 1;
        }
    }
}

/* Vectors that are kept are full ones, if all of them are not too much. */
static void keep_vectors(program *p, const findings *f)
{
    npy_intp bytes = 0;

    for (int k = 0; k < p->noperands; k++)
        if (f->kept[k])
            bytes += p->operands[k].length * p->operands[k].stride;
    p->keeps = bytes <= KEPT;
    for (int k = 0; p->keeps && k < p->noperands; k++)
        if (f->kept[k])
            p->operands[k].kind = FULL;
}

/* Let instructions write into the result. The values are written there unless the
 * derivatives need them later. A column is written there the first time that it appears,
 * if an instruction for the derivatives makes it. */
static void choose_direct(const program *p, segment *s, findings *f)
{
    s->out_is_computed = is_vector_of(p, s->out, s->value, s->jac);
    f->has_place[s->out] |= s->out_is_computed && !f->needed[s->out];
    for (int j = 0; s->columns != NULL && j < p->n; j++) {
        column *c = &s->columns[j];
        c->is_direct =
            is_vector_of(p, c->operand, s->jac, s->end) && !f->has_place[c->operand];
        f->has_place[c->operand] |= c->is_direct;
    }
}

/* --- Slots: blocks of temporaries -------------------------------------------- */

static void find_last_uses(const program *p, const segment *s, int *last)
{
    for (int i = s->value; i < s->end; i++)
        for (int k = 0; k < p->instructions[i].nargs; k++)
            last[p->instructions[i].operands[k]] = i;
    for (int j = 0; s->columns != NULL && j < p->n; j++)
        last[s->columns[j].operand] = s->end; /* copied after the last one */
}

static int needs_slot(const program *p, const findings *f, int number)
{
    const operand *o = &p->operands[number];

    return o->kind == TEMPORARY && !o->is_scalar && !f->has_place[number];
}

/* Give each temporary of a segment a slot that nobody else uses between its instruction
 * and its last use; `place` is its number for now. */
static void choose_slots(const program *p, segment *s, const findings *f)
{
    int nfree = 0;

    for (int i = s->value; i < s->end; i++) {
        const instruction *own = &p->instructions[i];
        for (int k = 0; k < own->nargs; k++) {
            operand *o = &p->operands[own->operands[k]];
            if (o->maker == i && needs_slot(p, f, own->operands[k]))
                o->place = nfree > 0 ? f->free_slots[--nfree] : s->slots++;
        }
        /* Inputs lose their slots after the outputs have got theirs: they must differ. */
        for (int k = 0; k < own->nargs; k++) {
            int number = own->operands[k], again = 0;
            for (int l = 0; l < k; l++)
                again |= own->operands[l] == number;
            if (!again && f->last[number] == i && needs_slot(p, f, number))
                f->free_slots[nfree++] = (int)p->operands[number].place;
        }
    }
}

static npy_intp rounded(npy_intp bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void choose_block(program *p, segment *s)
{
    npy_intp row = (npy_intp)(s->slots > 0 ? s->slots : 1) * (npy_intp)sizeof(double);
    npy_intp limit = CACHED / row / 64 * 64;

    if (limit > MOST_BLOCK)
        limit = MOST_BLOCK;
    if (limit < LEAST_BLOCK)
        limit = LEAST_BLOCK;
    s->block = limit < s->length ? limit : s->length;
    s->slot_size = (size_t)rounded(s->block * (npy_intp)sizeof(double));
    /* Slots whose distance is a power of 2 would share a few lines of the cache. */
    if (s->slot_size / 64 % 2 == 0)
        s->slot_size += 64;
    if (s->slot_size * (size_t)s->slots > p->block_size)
        p->block_size = s->slot_size * (size_t)s->slots;
}

/* --- Operands ---------------------------------------------------------------- */

static void place_operands(program *p, const findings *f)
{
    for (int k = 0; k < p->noperands; k++) {
        operand *o = &p->operands[k];
        if (o->kind == FULL) {
            o->place = (npy_intp)p->full_size;
            p->full_size += (size_t)rounded(o->length * o->stride);
        } else if (o->kind == TEMPORARY && o->is_scalar) {
            o->place = (npy_intp)p->scalar_size;
            p->scalar_size += sizeof(double);
        } else if (needs_slot(p, f, k)) {
            o->place *= (npy_intp)p->segments[o->segment].slot_size;
        }
    }
}

/* The vectors of a segment whose blocks lie one behind another. */
static int find_moving(program *p, segment *s, char *seen)
{
    memset(seen, 0, (size_t)p->noperands);
    for (int i = s->value; i < s->end; i++)
        for (int k = 0; k < p->instructions[i].nargs; k++)
            seen[p->instructions[i].operands[k]] = 1;
    seen[s->out] = 1;
    for (int j = 0; s->columns != NULL && j < p->n; j++)
        seen[s->columns[j].operand] = 1;
    for (int k = 0; k < p->noperands; k++) {
        const operand *o = &p->operands[k];
        seen[k] = seen[k] && !o->is_scalar && o->kind != TEMPORARY;
        s->nmoving += seen[k];
    }
    s->moving = PyMem_Malloc(((size_t)s->nmoving + 1) * sizeof *s->moving);
    if (s->moving == NULL)
        return -1;
    for (int k = 0, to = 0; k < p->noperands; k++)
        if (seen[k])
            s->moving[to++] = k;
    return 0;
}

int program_lay_out(program *p)
{
    size_t count = (size_t)p->noperands;
    findings f = {
        .needed = PyMem_Calloc(count, 1),
        .kept = PyMem_Calloc(count, 1),
        .has_place = PyMem_Calloc(count, 1),
        .last = PyMem_Calloc(count, sizeof *f.last),
        .free_slots = PyMem_Calloc(count, sizeof *f.free_slots),
    };
    int status = -1;

    if (f.needed == NULL || f.kept == NULL || f.has_place == NULL || f.last == NULL
        || f.free_slots == NULL)
        goto done;
    for (int i = 0; i < p->nsegments; i++)
        mark_for_jacobian(p, &p->segments[i], &f);
    for (int i = 0; i < p->nsegments; i++)
        choose_direct(p, &p->segments[i], &f);
    keep_vectors(p, &f);
    for (int i = 0; i < p->nsegments; i++) {
        segment *s = &p->segments[i];
        s->out_is_direct = s->out_is_computed && !(p->keeps && f.kept[s->out]);
        find_last_uses(p, s, f.last);
        choose_slots(p, s, &f);
        choose_block(p, s);
    }
    place_operands(p, &f);
    for (int i = 0; i < p->nsegments; i++)
        if (find_moving(p, &p->segments[i], f.needed) < 0)
            goto done;
    status = 0;
done:
    if (status < 0)
        PyErr_NoMemory();
    PyMem_Free(f.needed);
    PyMem_Free(f.kept);
    PyMem_Free(f.has_place);
    PyMem_Free(f.last);
    PyMem_Free(f.free_slots);
    return status;
}

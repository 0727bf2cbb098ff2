#include "heap.h"

#include <string.h>

#define CAPSULE "mem_handler" /* the name that NumPy wants */
#define WORTH 32768           /* residuals of the smallest fit: 256 kB */
#define MOST_BLOCKS 32
#define MORE 32 /* times m bytes: four arrays of residuals */

typedef struct {
    void *start;
    size_t size;
} block;

typedef struct {
    PyDataMem_Handler handler;       /* ours, whose context is this record */
    PyObject *found;                 /* owned: the capsule of the handler found */
    const PyDataMemAllocator *under; /* its functions */
    unsigned long thread;            /* of the fit */
    int is_open;                     /* 0: the fit is over */
    size_t unit;                     /* bytes of the smallest block that is kept: m */
    size_t in_use, most_in_use;      /* bytes of blocks of that size or more */
    size_t kept;                     /* bytes of the blocks below */
    int count;
    block blocks[MOST_BLOCKS]; /* the oldest first */
} heap;

/* --- The blocks that are kept: for the thread of the fit ------------------------- */

/* A multiple of m bytes, so arrays of about as many residuals find each other's blocks.
 * What is freed, even after the fit, has the size of its block by the same rule. */
static size_t block_size(const heap *self, size_t size)
{
    return size < self->unit ? size : (size + self->unit - 1) / self->unit * self->unit;
}

static int is_for_us(const heap *self, size_t size)
{
    return size >= self->unit && PyThread_get_thread_ident() == self->thread
           && self->is_open;
}

static void *take_out(heap *self, int i)
{
    block taken = self->blocks[i];

    self->count--;
    self->kept -= taken.size;
    memmove(self->blocks + i, self->blocks + i + 1,
            (size_t)(self->count - i) * sizeof(block));
    return taken.start;
}

static void free_oldest(heap *self)
{
    size_t size = self->blocks[0].size;
    self->under->free(self->under->ctx, take_out(self, 0), size);
}

/* The function alone would have had most_in_use: what is kept adds little to that. */
static void bound(heap *self)
{
    while (self->count > 0
           && self->in_use + self->kept > self->most_in_use + MORE * self->unit)
        free_oldest(self);
}

/* A block that was kept, or NULL: a new one must do. */
static void *reuse(heap *self, size_t size)
{
    if (!is_for_us(self, size))
        return NULL;
    self->in_use += size;
    if (self->most_in_use < self->in_use)
        self->most_in_use = self->in_use;
    for (int i = self->count - 1; i >= 0; i--)
        if (self->blocks[i].size == size)
            return take_out(self, i);
    bound(self);
    return NULL;
}

/* --- The handler: for any thread --------------------------------------------------- */

static void *heap_malloc(void *context, size_t size)
{
    heap *self = context;
    size_t whole = block_size(self, size);
    void *start = reuse(self, whole);

    return start != NULL ? start : self->under->malloc(self->under->ctx, whole);
}

static void *heap_calloc(void *context, size_t count, size_t size)
{
    heap *self = context;
    size_t whole = block_size(self, count * size); /* NumPy knows that it fits */
    void *start = reuse(self, whole);

    return start != NULL ? memset(start, 0, whole)
                         : self->under->calloc(self->under->ctx, 1, whole);
}

static void *heap_realloc(void *context, void *start, size_t size)
{
    heap *self = context;

    return self->under->realloc(self->under->ctx, start, block_size(self, size));
}

static void heap_free(void *context, void *start, size_t size)
{
    heap *self = context;
    size_t whole = block_size(self, size);

    if (start == NULL || !is_for_us(self, whole)) {
        self->under->free(self->under->ctx, start, whole);
        return;
    }
    /* A block that another thread allocated, or that has grown, was not counted. */
    self->in_use -= whole < self->in_use ? whole : self->in_use;
    if (self->count == MOST_BLOCKS)
        free_oldest(self);
    self->blocks[self->count++] = (block){start, whole};
    self->kept += whole;
    bound(self);
}

/* --- Its life ---------------------------------------------------------------------- */

static heap *heap_of(PyObject *capsule /* borrowed */)
{
    return PyCapsule_GetPointer(capsule, CAPSULE); /* the handler is its first member */
}

static void destroy(PyObject *capsule)
{
    heap *self = heap_of(capsule);

    Py_DECREF(self->found);
    PyMem_Free(self);
}

int heap_open(PyObject **capsule, npy_intp m)
{
    *capsule = NULL;
    if (m < WORTH)
        return 0;
    PyObject *found = PyDataMem_GetHandler();   /* new */
    heap *self = PyMem_Calloc(1, sizeof *self); /* the capsule's, once there is one */
    if (self == NULL)
        PyErr_NoMemory();
    else if (found != NULL)
        *capsule = PyCapsule_New(self, CAPSULE, destroy); /* new */
    if (*capsule == NULL) {
        Py_XDECREF(found);
        PyMem_Free(self);
        return -1;
    }
    self->handler = (PyDataMem_Handler){
        "minpack_fit", 1, {self, heap_malloc, heap_calloc, heap_realloc, heap_free}};
    self->thread = PyThread_get_thread_ident();
    self->unit = (size_t)m;
    heap *left = heap_of(found);
    if (left->handler.allocator.free == heap_free && left->thread == self->thread
        && !left->is_open) /* a fit had no memory to put it away */
        Py_SETREF(found, Py_NewRef(left->found));
    self->found = found; /* steals */
    self->under = &heap_of(found)->handler.allocator;
    PyObject *before = PyDataMem_SetHandler(*capsule); /* new */
    self->is_open = before != NULL;
    if (before == NULL) /* Python may have set ours all the same: then it keeps nothing */
        Py_CLEAR(*capsule);
    Py_XDECREF(before);
    return before != NULL ? 0 : -1;
}

int heap_close(PyObject *capsule)
{
    if (capsule == NULL)
        return 0;
    heap *self = heap_of(capsule);
    self->is_open = 0;
    while (self->count > 0)
        free_oldest(self);
    PyObject *type, *value, *traceback;     /* an exception stays */
    PyErr_Fetch(&type, &value, &traceback); /* new */
    PyObject *set = PyDataMem_GetHandler(); /* new */
    PyObject *ours = set == capsule ? PyDataMem_SetHandler(self->found) : NULL; /* new */
    int status = PyErr_Occurred() ? -1 : 0;
    if (type != NULL)
        PyErr_Restore(type, value, traceback); /* steals */
    Py_XDECREF(set);
    Py_XDECREF(ours);
    Py_DECREF(capsule);
    return status;
}

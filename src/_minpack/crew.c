#include "numpy_api.h"

#include "crew.h"

#include <stdatomic.h>
#include <string.h>

typedef struct {
    crew *crew;
    int number;            /* as a worker */
    PyThread_type_lock go; /* held; released when there is work */
} helper;

struct crew {
    atomic_int owners; /* the caller and each helper: the last one frees all */
    int helpers;
    int ends; /* instead of work */
    /* The work */
    atomic_int next; /* part that nobody has taken */
    atomic_int busy; /* helpers */
    int count;
    void (*part)(void *context, int k, int worker);
    void *context;
    PyThread_type_lock done; /* held; released by the last helper that was busy */
    helper helper[];
};

/* The processors that this process may use, or -1 with an exception set. */
static int count_processors(void)
{
    PyObject *answer = NULL;
    PyObject *module = PyImport_ImportModule("minpack._workers"); /* new */
    long count = -1;

    if (module != NULL)
        answer = PyObject_CallMethod(module, "processors", NULL); /* new */
    if (answer != NULL)
        count = PyLong_AsLong(answer);
    Py_XDECREF(module);
    Py_XDECREF(answer);
    return PyErr_Occurred() ? -1 : (int)count;
}

int crew_size(npy_intp worth, int most)
{
    if (worth < 2)
        return 1;
    if (most == 0)
        most = count_processors();
    return most < worth ? most : (int)worth;
}

static void drop(crew *self)
{
    if (atomic_fetch_sub(&self->owners, 1) != 1)
        return;
    for (int i = 0; i < self->helpers; i++)
        PyThread_free_lock(self->helper[i].go);
    PyThread_free_lock(self->done);
    PyMem_RawFree(self);
}

static void take_parts(crew *self, int worker)
{
    int k;

    while ((k = atomic_fetch_add(&self->next, 1)) < self->count)
        self->part(self->context, k, worker);
}

static void help(void *argument)
{
    helper *own = argument;
    crew *self = own->crew;

    for (;;) {
        PyThread_acquire_lock(own->go, WAIT_LOCK);
        if (self->ends)
            break;
        take_parts(self, own->number);
        if (atomic_fetch_sub(&self->busy, 1) == 1)
            PyThread_release_lock(self->done);
    }
    drop(self);
}

/* A lock that is held; NULL where there is no memory. */
static PyThread_type_lock held_lock(void)
{
    PyThread_type_lock lock = PyThread_allocate_lock();

    if (lock != NULL)
        PyThread_acquire_lock(lock, WAIT_LOCK);
    return lock;
}

/* Start one more helper: 0, or -1. */
static int add_helper(crew *self)
{
    helper *own = &self->helper[self->helpers];

    own->crew = self;
    own->number = self->helpers + 1;
    own->go = held_lock();
    if (own->go == NULL)
        return -1;
    atomic_fetch_add(&self->owners, 1);
    if (PyThread_start_new_thread(help, own) == PYTHREAD_INVALID_THREAD_ID) {
        atomic_fetch_sub(&self->owners, 1);
        PyThread_free_lock(own->go);
        return -1;
    }
    self->helpers++;
    return 0;
}

crew *crew_new(int helpers)
{
    size_t size = sizeof(crew) + (size_t)helpers * sizeof(helper);
    crew *self = PyMem_RawMalloc(size);

    if (self == NULL)
        return NULL;
    memset(self, 0, size);
    atomic_init(&self->owners, 1);
    self->done = held_lock();
    if (self->done == NULL) {
        PyMem_RawFree(self);
        return NULL;
    }
    while (self->helpers < helpers && add_helper(self) == 0)
        ;
    if (self->helpers == 0) {
        drop(self);
        return NULL;
    }
    return self;
}

void crew_free(crew *self)
{
    if (self == NULL)
        return;
    self->ends = 1;
    for (int i = 0; i < self->helpers; i++)
        PyThread_release_lock(self->helper[i].go);
    drop(self);
}

/* Let so many helpers begin. */
static void begin(crew *self, int helpers, int count,
                  void (*part)(void *context, int k, int worker), void *context)
{
    self->count = count;
    self->part = part;
    self->context = context;
    atomic_store(&self->next, 0);
    atomic_store(&self->busy, helpers);
    for (int i = 0; i < helpers; i++)
        PyThread_release_lock(self->helper[i].go);
}

void crew_begin(crew *self, int count, void (*part)(void *context, int k, int worker),
                void *context)
{
    begin(self, 1, count, part, context);
}

void crew_end(crew *self)
{
    take_parts(self, 0);
    PyThread_acquire_lock(self->done, WAIT_LOCK);
}

void crew_each(crew *self, int count, void (*part)(void *context, int k, int worker),
               void *context)
{
    if (self == NULL) {
        for (int k = 0; k < count; k++)
            part(context, k, 0);
        return;
    }
    begin(self, self->helpers, count, part, context);
    crew_end(self);
}

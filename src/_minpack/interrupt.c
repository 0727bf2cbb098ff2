#include "interrupt.h"

#include "clock.h"

#define BETWEEN_LOOKS 0.005 /* seconds, about */
#define BETWEEN_CHECKS 0.05
#define MOST_EVALUATIONS 256 /* then the clock costs nothing */

void interrupt_start(interrupt *self)
{
    self->evaluations = self->left = 1;
    self->looked = self->checked = seconds();
    interrupt_resume(self);
}

void interrupt_resume(interrupt *self)
{
    self->thread = PyEval_SaveThread();
}

void interrupt_end(interrupt *self)
{
    PyEval_RestoreThread(self->thread);
}

int interrupt_came(interrupt *self)
{
    if (--self->left > 0)
        return 0;
    double now = seconds();
    if (now - self->looked < BETWEEN_LOOKS && self->evaluations < MOST_EVALUATIONS)
        self->evaluations *= 2;
    else if (self->evaluations > 1)
        self->evaluations /= 2;
    self->left = self->evaluations;
    self->looked = now;
    if (now - self->checked < BETWEEN_CHECKS)
        return 0;
    self->checked = now;
    PyEval_RestoreThread(self->thread);
    int came = PyErr_CheckSignals() < 0;
    self->thread = PyEval_SaveThread();
    return came;
}

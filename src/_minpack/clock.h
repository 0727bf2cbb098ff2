/* The time, to measure how long something takes. */
#ifndef MINPACK_CLOCK_H
#define MINPACK_CLOCK_H

#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

/* Seconds since some moment, by a clock that nobody sets. */
static inline double seconds(void)
{
#ifdef _WIN32
    LARGE_INTEGER ticks, ticks_per_second;

    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&ticks_per_second);
    return (double)ticks.QuadPart / (double)ticks_per_second.QuadPart;
#else
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#endif
}

#endif

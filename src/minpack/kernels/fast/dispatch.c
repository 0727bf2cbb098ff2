/* The best fast kernels that this processor can run. */
#include <stdint.h>
#include <string.h>

#include "../../minpack.h"

#define INSTRUCTION_SET baseline
#include "fast.h"

#ifdef MINPACK_X86_64_LEVELS
#define DECLARE(set)                                                                     \
    double minpack_##set##_norm(int, const double *);                                    \
    double minpack_##set##_norm_in_order(int, const double *);                           \
    void minpack_##set##_difference(int, const double *, const double *, double,         \
                                    double *);                                           \
    void minpack_##set##_factor(int, int, double *, int, int *, double *, double *,      \
                                double *, const double *, double, double *, int *,       \
                                void *);                                                 \
    void minpack_##set##_factor_in_order(int, int, double *, int, int *, double *,       \
                                         double *, double *, const double *, double,     \
                                         double *, int *, void *);                       \
    void minpack_##set##_factor_differences(                                             \
        int, int, double *, int, const double *, double *, int *, double *, double *,    \
        const double *, double, double *, int *, void *);                                \
    void minpack_##set##_factor_differences_in_order(                                    \
        int, int, double *, int, const double *, double *, int *, double *, double *,    \
        const double *, double, double *, int *, void *);
DECLARE(v3)
DECLARE(v4)
#endif

#define IN_ORDER(set)                                                                    \
    {.norm = minpack_##set##_norm_in_order,                                              \
     .difference = minpack_##set##_difference,                                           \
     .factor = minpack_##set##_factor_in_order,                                          \
     .factor_differences = minpack_##set##_factor_differences_in_order}
#define KERNELS(set, those_in_order)                                                     \
    {.norm = minpack_##set##_norm,                                                       \
     .difference = minpack_##set##_difference,                                           \
     .factor = minpack_##set##_factor,                                                   \
     .factor_differences = minpack_##set##_factor_differences,                           \
     .few = FEW,                                                                         \
     .many = MANY,                                                                       \
     .in_order = those_in_order}

static const lm_kernels in_order[] = {
    IN_ORDER(baseline),
#ifdef MINPACK_X86_64_LEVELS
    IN_ORDER(v3),
#endif
};
static const lm_kernels sets[] = {
    KERNELS(baseline, in_order),
#ifdef MINPACK_X86_64_LEVELS
    KERNELS(v3, in_order + 1),
    KERNELS(v4, in_order + 1), /* wider registers gain nothing there */
#endif
};

/* By how many of the names the processor is described */
static const char *const names[][4] = {
    {"baseline", NULL},
    {"baseline", "x86-64-v3", NULL},
    {"baseline", "x86-64-v3", "x86-64-v4", NULL},
};

static int best(void)
{
    int level = 0;

#ifdef MINPACK_X86_64_LEVELS
    /* All that meson.build lets the compiler use: Clang 14 knows no levels. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
        && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
        level = 1;
    if (level == 1 && __builtin_cpu_supports("avx512f")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        level = 2;
#endif
    return level;
}

const char *const *lm_instruction_sets(void)
{
    return names[best()];
}

int lm_fast_kernels(lm_kernels *kernels, const char *instruction_set)
{
    int level = best();

    while (level >= 0 && instruction_set != NULL
           && strcmp(names[2][level], instruction_set) != 0)
        level--;
    if (level < 0)
        return -1;
    *kernels = sets[level];
    return 0;
}

size_t lm_fast_scratch(int m, int n)
{
    size_t columns = (size_t)n + 1, ldr = lm_padded(n);
    size_t numbers = 1 + columns * columns + LANES /* to align what follows */
                     + ldr * columns + ldr + lm_lda(m, n) * columns;

    return numbers * sizeof(double);
}

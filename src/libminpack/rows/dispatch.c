/* Kernels by their names, and the best that this processor can run. */
#include <string.h>

#define INSTRUCTION_SET baseline
#include "kernels.h"

extern const lm_kernels minpack_baseline_kernels, minpack_v3_kernels, minpack_v4_kernels;

static void difference(int m, const double *f, const double *fvec, double h,
                       double *column)
{
    for (int i = 0; i < m; i++)
        column[i] = (f[i] - fvec[i]) / h;
}

static const lm_kernels reference = {
    .is_reference = 1,
    .norm = minpack_reference_norm,
    .norm_in_order = minpack_reference_norm,
    .difference = difference,
};

static const lm_kernels *const sets[] = {
    &minpack_baseline_kernels,
#ifdef MINPACK_X86_64_LEVELS
    &minpack_v3_kernels,
    &minpack_v4_kernels,
#endif
};

/* names[level]: the sets that a processor of this level runs */
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

const lm_kernels *lm_kernels_named(const char *name)
{
    int level = best();

    if (strcmp(name, "reference") == 0)
        return &reference;
    if (strcmp(name, "fast") == 0)
        return sets[level];
    while (level >= 0 && strcmp(names[2][level], name) != 0)
        level--;
    return level < 0 ? NULL : sets[level];
}

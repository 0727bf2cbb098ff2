/* The fast kernels of each instruction set, and what they fall back on. */
#ifndef MINPACK_FAST_H
#define MINPACK_FAST_H

#include <stddef.h>
#include <stdint.h>

#define LANES 8   /* numbers that are worked on at once, and partial sums */
#define FEW 32    /* residuals: with fewer, MINPACK's order of operations */
#define MANY 1024 /* residuals: with more, never; between them, where it matters */

#ifndef INSTRUCTION_SET
#define INSTRUCTION_SET base
#endif
#define JOIN_(a, b) minpack_##a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define KERNEL(name) JOIN(INSTRUCTION_SET, name)

/* Within these bounds on the norms of the columns and of the residuals no product
 * overflows, and what underflows is below the rounding error. Elsewhere the reference
 * kernels work. */
#define SMALLEST_NORM 1e-70
#define LARGEST_NORM 1e70
/* The relative rounding error at which MINPACK computes a norm afresh */
#define EPSMCH 2.22044604926e-16
/* With the normal equations, a column keeps more than this part of its square beside
 * those before it: a sixteenth of its length. */
#define LEAST_PART (1.0 / 256)

/* n up to a whole number of lanes */
static inline size_t lm_padded(int n)
{
    return ((size_t)n + LANES - 1) / LANES * LANES;
}

/* Rows of a block: few, so that it stays in the cache, but enough to keep the lanes
 * busy. */
static inline int lm_block_rows(int m, int n)
{
    int rows = 4480 / (n + 1) / LANES * LANES;
    rows = rows < 384 ? 384 : rows > 512 ? 512 : rows;
    return rows < m ? rows : m;
}

/* How the kernels divide the memory that lm_fast_scratch asks for. */
typedef struct {
    size_t ldr, lda;
    double *signs_open; /* 1 where the rows of R have signs of their own, see orient.c */
    double *gram;       /* (n + 1, n + 1) (J f)'(J f), and in the same place */
    double *top;        /* (n, n) the first n rows of J, or */
    double *weight;     /* (n + 1) weights of a reflection */
    double *r;          /* (ldr, n + 1) the triangle and Q'f as its last column */
    double *v;          /* (ldr) a reflection, or what is left of the columns */
    double *block;      /* (lda, n + 1) the rows that are being factored */
} workspace;

static inline size_t lm_lda(int m, int n)
{
    return lm_padded(lm_block_rows(m, n)) + 5 * LANES; /* no power of 2, nor near one */
}

static inline workspace lm_workspace(int m, int n, void *scratch)
{
    workspace w;
    size_t columns = (size_t)n + 1;

    w.ldr = lm_padded(n);
    w.lda = lm_lda(m, n);
    w.signs_open = scratch;
    w.gram = w.signs_open + 1;
    w.top = w.weight = w.gram;
    w.r = (double *)(((uintptr_t)(w.gram + columns * columns) + 63) / 64 * 64);
    w.v = w.r + w.ldr * columns;
    w.block = w.v + w.ldr;
    return w;
}

double minpack_reference_norm(int m, const double *x);
void minpack_reference_factor(int m, int n, double *fjac, int ldfjac, int *ipvt,
                              double *acnorm, double *rdiag, double *work_n,
                              const double *fvec, double fnorm, double *qtf,
                              int *dependent, void *scratch);

double KERNEL(norm)(int m, const double *x);
double KERNEL(norm_in_order)(int m, const double *x);
void KERNEL(difference)(int m, const double *f, const double *fvec, double h,
                        double *column);
void KERNEL(factor)(int m, int n, double *fjac, int ldfjac, int *ipvt, double *acnorm,
                    double *rdiag, double *work_n, const double *fvec, double fnorm,
                    double *qtf, int *dependent, void *scratch);
void KERNEL(factor_in_order)(int m, int n, double *fjac, int ldfjac, int *ipvt,
                             double *acnorm, double *rdiag, double *work_n,
                             const double *fvec, double fnorm, double *qtf,
                             int *dependent, void *scratch);
void KERNEL(factor_differences)(int m, int n, double *fjac, int ldfjac, const double *f_n,
                                double *h_to_acnorm, int *ipvt, double *rdiag,
                                double *work_n, const double *fvec, double fnorm,
                                double *qtf, int *dependent, void *scratch);
void KERNEL(factor_differences_in_order)(int m, int n, double *fjac, int ldfjac,
                                         const double *f_n, double *h_to_acnorm,
                                         int *ipvt, double *rdiag, double *work_n,
                                         const double *fvec, double fnorm, double *qtf,
                                         int *dependent, void *scratch);

/* The pieces of the factorization; rows.h says what a matrix is. */
struct matrix;

/* R and Q'f to w.r, as its last column, by the normal equations. square becomes the
 * squares of the norms of the columns. Returns 0 where some are too near to dependence.
 */
int KERNEL(normal_equations)(workspace w, const struct matrix *a, int *ipvt,
                             double *square);

/* The same by reflections, in two parts. First a triangle that is not pivoted, of order
 * n, whatever the number of rows: */
void KERNEL(triangle)(workspace w, const struct matrix *a);

/* Then it is pivoted by columns and brought to triangular form again, as qrfac does with
 * J. square holds the squares of the norms of the columns. */
void KERNEL(pivot)(workspace w, int n, int *ipvt, double *square, double *square_before);

#endif

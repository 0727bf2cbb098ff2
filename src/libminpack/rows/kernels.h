/* The kernels: loops over the rows, compiled once for each instruction set. */
#ifndef MINPACK_KERNELS_H
#define MINPACK_KERNELS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "../minpack.h"

#define LANES 8 /* numbers that are worked on at once, and partial sums */
#define FEW 32  /* with fewer numbers there is no other order than MINPACK's */

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

/* What is factored, with the residuals as its last column. Column n - 1 may lie apart
 * from those before it. */
typedef struct matrix {
    int m, n;
    const double *fjac; /* (ldfjac, n - 1) */
    int ldfjac;
    const double *last;
    const double *fvec;
    const double *h; /* NULL: the Jacobian; else residuals, and column j of the Jacobian
                        is their difference from fvec over h[j] */
    const lm_rows *source; /* NULL; else who writes the rows, which are not here: */
    int first;             /* row 0 is row `first` of the source, */
    int worker;            /* which this one of its threads asks for, */
    double *norms;         /* and the norm of each block of residuals goes here */
    const double *scale;   /* (n + 1) columns are multiplied by these numbers; or NULL.
                              Not where h is given */
    /* Finds the norms of blocks of residuals that are in memory, where these are all that
     * is wanted. NULL: they are Euclidean */
    double (*norm)(void *who, int count, const double *fvec);
    void *norm_who;
} matrix;

/* Column k of it; column n are the residuals. */
static inline const double *column_of(const matrix *a, int k)
{
    if (k < a->n - 1)
        return a->fjac + k * (size_t)a->ldfjac;
    return k < a->n ? a->last : a->fvec;
}

/* `count` of its rows from `start` on. */
static inline matrix lm_rows_of(const matrix *a, int start, int count)
{
    matrix rows = *a;

    rows.m = count;
    rows.first += start;
    if (a->source != NULL)
        return rows;
    rows.fvec += start;
    if (a->fjac != NULL) {
        rows.fjac += start;
        rows.last += start;
    }
    return rows;
}

/* The factors of a matrix that is overwritten, and the memory to find them. */
typedef struct {
    int m, n;
    double *fjac; /* in: J; out: R above, reflectors below */
    int ldfjac;
    const double *fvec;
    double *qtf; /* (m) */
    int *ipvt;
    double *acnorm, *rdiag, *work; /* (n) each */
    double *weight;                /* (n + 1) weights of a reflection in the columns */
} factors;

/* The factors of eight matrices. Each of its numbers is eight, one for each fit. */
typedef struct {
    int m, n;
    double *a; /* (m, n + 1) in: J and the residuals; out: R and Q'f */
    double *v; /* (m) a reflection */
    double *acnorm, *rdiag, *work; /* (n) */
    double *ipvt;                  /* (n) */
} factors_abreast;

/* What the algorithm keeps of eight fits, in the same way; see lm/abreast_steps.c. Most
 * members are those of lm_state and lm_differences. */
typedef struct steps_abreast {
    /* Of all fits */
    int n;
    int in_lanes; /* 1: they take their steps in the lanes */
    double factor, ftol, xtol, gtol, maxfev, rounding;
    double counted; /* evaluations that nfev counts for differences at a point */
    double relative[LM_MOST_ABREAST]; /* (n) steps of the differences for x_j = 1 */

    /* Sets of lanes */
    unsigned first;               /* they are at their start */
    unsigned in_order, dependent; /* how their rows are added up */
    unsigned moved, ended;        /* after a judgement: of those that are usual */
    unsigned rejected;            /* they take another step from where they are */
    unsigned watched, kept;       /* longer steps may be wanted, or have been */

    /* One number of each fit, or n */
    double *x, *x_trial, *moved_x, *diag, *qtf, *acnorm, *step, *ipvt;
    double *r;     /* (n, n) */
    double *h;     /* (n) */
    double *watch; /* (n, 4) */
    double *fnorm, *fnorm_trial, *xnorm, *pnorm, *gnorm, *delta, *par, *iter, *nfev;
    double *points; /* differences.count */
    double *lowered, *actred, *prered, *ratio;
} steps_abreast;

/* How the memory of lm_rows_scratch is divided. */
typedef struct workspace {
    size_t ldr, lda;
    double *gram;   /* (n + 1, n + 1) (J f)'(J f), and in the same place */
    double *top;    /* (n, n) the first n rows of J, or */
    double *weight; /* (n + 1) weights of a reflection */
    double *r;      /* (ldr, n + 1) the triangle and Q'f as its last column */
    double *v;      /* (ldr) a reflection, or what is left of the columns */
    double *block;  /* (lda, n + 1) the rows that are being factored */
} workspace;

struct lm_kernels {
    int is_reference;
    double (*norm)(int m, const double *x);
    double (*norm_in_order)(int m, const double *x);
    /* column = (f - fvec)/h */
    void (*difference)(int m, const double *f, const double *fvec, double h,
                       double *column);
    /* R and Q'f to w.r, as its last column, by the normal equations. First w.gram, then
     * its factor; square becomes the squares of the norms of the columns. Returns 0 where
     * some are too near to dependence. */
    void (*products)(workspace w, const matrix *a);
    int (*factor_products)(workspace w, int n, int *ipvt, double *square);
    /* The same by reflections, in two parts. First a triangle that is not pivoted, of
     * order n, whatever the number of rows. The triangle of other rows may be merged into
     * it: */
    void (*triangle)(workspace w, const matrix *a);
    void (*merge)(workspace w, const matrix *other);
    /* Then it is pivoted by columns and brought to triangular form again, as qrfac does
     * with J. square holds the squares of the norms of the columns. */
    void (*pivot)(workspace w, int n, int *ipvt, double *square, double *square_before);
    /* The factors in MINPACK's order of operations. */
    void (*factor_in_order)(const factors *f);

    /* Eight fits abreast: see abreast_kernels.c. A mask that is returned has the bits of
     * the lanes whose numbers are those of the kernels for one fit. */
    void (*abreast_repeat)(int m, const double *eight, double *to);
    void (*abreast_transpose)(int m, const double *const *from, double *to);
    void (*abreast_compute)(char op, int m, const double *a, int a_step, const double *b,
                            int b_step, double *to);
    void (*abreast_weigh)(int m, const double *f, const double *y, const double *w,
                          double *to);
    void (*abreast_squares)(int m, const double *x, double *square);
    unsigned (*abreast_norms_in_order)(int m, const double *x, double *norm);
    void (*abreast_difference)(int m, const double *f, const double *y, const double *w,
                               const double *fvec, const double *h, double *column);
    unsigned (*abreast_clear)(int m, int n, const double *fjac, const double *fvec,
                              const double *x, const double *h, const double *least,
                              double rounding);
    /* Numbers i <= k of (J f)'(J f), of order n + 1 */
    void (*abreast_products)(int m, int n, const double *const *column, double *g);
    unsigned (*abreast_factor_in_order)(const factors_abreast *f);
    unsigned (*abreast_factor_products)(const steps_abreast *s, const double *g,
                                        unsigned lanes);
    void (*abreast_first_points)(steps_abreast *s, unsigned lanes);
    /* The next step; `tests`: lanes whose gradient is tested first. */
    unsigned (*abreast_propose)(const steps_abreast *s, unsigned lanes, unsigned tests);
    unsigned (*abreast_judge)(steps_abreast *s, unsigned lanes);
};

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

static inline size_t lm_lda(int m, int n)
{
    return lm_padded(lm_block_rows(m, n)) + 5 * LANES; /* no power of 2, nor near one */
}

/* The larger of `least` and the absolute values of x(m). NaN is passed by. */
static inline double lm_largest(int m, const double *x, double least)
{
    for (int i = 0; i < m; i++)
        least = fabs(x[i]) > least ? fabs(x[i]) : least;
    return least;
}

/* A power of 2 that brings numbers as large as this near 1, and that has an inverse. */
static inline double lm_scale_of(double largest)
{
    int exponent = 0;

    if (largest > 0 && largest <= DBL_MAX)
        frexp(largest, &exponent);
    return ldexp(1.0, exponent < -1020 ? 1020 : -exponent);
}

/* Those of the instruction set that is being compiled. */
double KERNEL(norm)(int m, const double *x);
double KERNEL(norm_in_order)(int m, const double *x);
void KERNEL(difference)(int m, const double *f, const double *fvec, double h,
                        double *column);
void KERNEL(products)(workspace w, const matrix *a);
int KERNEL(factor_products)(workspace w, int n, int *ipvt, double *square);
void KERNEL(triangle)(workspace w, const matrix *a);
void KERNEL(merge)(workspace w, const matrix *other);
void KERNEL(pivot)(workspace w, int n, int *ipvt, double *square, double *square_before);
void KERNEL(factor_in_order)(const factors *f);
void KERNEL(abreast_repeat)(int m, const double *eight, double *to);
void KERNEL(abreast_transpose)(int m, const double *const *from, double *to);
void KERNEL(abreast_compute)(char op, int m, const double *a, int a_step, const double *b,
                             int b_step, double *to);
void KERNEL(abreast_weigh)(int m, const double *f, const double *y, const double *w,
                           double *to);
void KERNEL(abreast_squares)(int m, const double *x, double *square);
unsigned KERNEL(abreast_norms_in_order)(int m, const double *x, double *norm);
void KERNEL(abreast_difference)(int m, const double *f, const double *y, const double *w,
                                const double *fvec, const double *h, double *column);
unsigned KERNEL(abreast_clear)(int m, int n, const double *fjac, const double *fvec,
                               const double *x, const double *h, const double *least,
                               double rounding);
void KERNEL(abreast_products)(int m, int n, const double *const *column, double *g);
unsigned KERNEL(abreast_factor_in_order)(const factors_abreast *f);
unsigned KERNEL(abreast_factor_products)(const steps_abreast *s, const double *g,
                                         unsigned lanes);
void KERNEL(abreast_first_points)(steps_abreast *s, unsigned lanes);
unsigned KERNEL(abreast_propose)(const steps_abreast *s, unsigned lanes, unsigned tests);
unsigned KERNEL(abreast_judge)(steps_abreast *s, unsigned lanes);

double minpack_reference_norm(int m, const double *x);
void minpack_reference_factor(int m, int n, double *fjac, int ldfjac, int *ipvt,
                              double *acnorm, double *rdiag, double *work_n,
                              const double *fvec, double *qtf);

/* After the end of a fit: give the rows of R and the entries of qtf the signs that
 * MINPACK's have. top holds the first n rows of J, and is (n, n), as the work space q. */
void minpack_orient(int n, const double *top, const int *ipvt, double *r, size_t ldr,
                    double *qtf, double *q);

#endif

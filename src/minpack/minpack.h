/* Nonlinear least squares: the C contract of libminpack.
 *
 * A fit finds the x (n numbers) that minimizes the sum of squares of fvec (m
 * numbers, m >= n). Three ways to run one:
 *
 *   - the stepper, lm_step, which asks for what it needs and calls nothing;
 *   - minpack_lmdif and minpack_lmder, loops around it that call your functions
 *     with a user_data pointer;
 *   - lmdif_, lmder_, lmdif1_ and lmder1_, MINPACK's own calling sequences.
 *
 * The library allocates nothing, keeps nothing between calls and prints nothing.
 * Matrices are stored by columns: fjac[i + j*ldfjac] is d fvec[i] / d x[j].
 */
#ifndef MINPACK_H
#define MINPACK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a fit ended. */
enum lm_info {
    LM_BAD_INPUT = 0,      /* an argument is out of its range; nothing was done */
    LM_FTOL = 1,           /* the sum of squares no longer falls by ftol */
    LM_XTOL = 2,           /* the step bound fell below xtol times x */
    LM_FTOL_XTOL = 3,      /* both at once */
    LM_GTOL = 4,           /* fvec is orthogonal to the columns of fjac within gtol */
    LM_MAXFEV = 5,         /* maxfev evaluations made */
    LM_FTOL_TOO_SMALL = 6, /* ftol asks for more than rounding allows */
    LM_XTOL_TOO_SMALL = 7, /* xtol asks for more than rounding allows */
    LM_GTOL_TOO_SMALL = 8, /* gtol asks for more than rounding allows */
    LM_NOT_FINITE = 9      /* no finite norm of fvec, fjac, x or a step; not MINPACK's */
};

/* What the stepper asks for. */
enum lm_request {
    LM_DONE = 0,   /* nothing: the fit has ended, see info */
    LM_RESIDUALS,  /* fvec_trial at x_trial, a trial point */
    LM_DIFFERENCE, /* fvec_trial at x_trial, which is x with one entry moved */
    LM_JACOBIAN,   /* fjac at x */
    LM_ACCEPT,     /* fvec := fvec_trial: the trial point is the new x */
    LM_ITERATE,    /* nothing: x, fvec and fjac belong to a new iterate */
    LM_WEIGH       /* fjac and fvec_weighted: what the loss makes of fjac and fvec */
};

/* The loops over m, behind one interface. See lm_types.f90 for the arguments. */
typedef struct lm_kernels {
    double (*norm)(int m, const double *x);
    void (*difference)(int m, const double *f, const double *fvec, double h,
                       double *column);
    void (*factor)(int m, int n, double *fjac, int ldfjac, int *ipvt, double *acnorm,
                   double *rdiag, double *work_n, const double *fvec, double fnorm,
                   double *qtf, int *dependent, void *scratch);
    void (*factor_differences)(int m, int n, double *fjac, int ldfjac, const double *f_n,
                               double *h_to_acnorm, int *ipvt, double *rdiag,
                               double *work_n, const double *fvec, double fnorm,
                               double *qtf, int *dependent, void *scratch); /* or NULL */
    int faithful; /* 1: MINPACK's faults too; 0: they are mended */
    int few;      /* with fewer residuals, MINPACK's order of operations */
    int many;     /* with more, never; between them, where it matters */
    const struct lm_kernels *in_order; /* those with that order, or NULL */
} lm_kernels;

/* What kernels say of the columns that they have factored, or have not. */
enum lm_dependent {
    LM_DEPENDENT = 1, /* some nearly depend on others */
    LM_GO_IN_ORDER    /* so it is, and the kernels in_order should do it */
};

/* One fit. The caller owns the arrays and sets the first four groups, then calls
 * lm_start once and lm_step until request is LM_DONE. What is zero or null in the third
 * group is off: fill the record with zeros first. */
typedef struct lm_state {
    /* The problem and its options */
    int m;           /* number of residuals */
    int n;           /* number of parameters, at most m */
    int ldfjac;      /* leading dimension of fjac, at least m */
    int analytic;    /* 0: forward differences; 1: ask for LM_JACOBIAN */
    int mode;        /* 2: diag is the caller's; else it follows the columns of fjac */
    int maxfev;      /* limit on the evaluations of fvec */
    double ftol;     /* relative error wanted in the sum of squares */
    double xtol;     /* relative error wanted in x */
    double gtol;     /* cosine wanted between fvec and the columns of fjac */
    double epsfcn;   /* relative error of fvec, for the difference step */
    double factor;   /* the first step bound, in units of |D x| */
    double rounding; /* relative rounding error of fvec, with watch */

    lm_kernels kernels;

    /* What goes beyond MINPACK */
    int points;          /* 3: second-order differences; else forward ones */
    int trials_only;     /* 1: nfev and maxfev do not count differences */
    int last_jacobian;   /* 1: LM_ITERATE comes for the last x too: after a step that ends
                            the fit its Jacobian is evaluated, and stays in fjac */
    int weighted;        /* 1: there is a loss: see LM_WEIGH and fnorm_trial */
    int deferred;        /* 1: the factorization forms the differences. At LM_ITERATE fjac
                            is no Jacobian yet, and fvec_trial must still be what
                            LM_DIFFERENCE got. With the fast kernels and forward
                            differences only, and nothing else of this group */
    const double *lower; /* (n) lower bounds on x, or NULL; the start is within */
    const double *upper; /* (n) upper bounds on x; NULL where lower is */
    const double *diff_step; /* (n) difference steps relative to x, or NULL */
    int *active;             /* (5n) with bounds: -1 or 1 where x is on its lower or upper
                                bound, else 0; then work space */
    double *bounds_work;     /* with bounds: lm_bounds_work(n) numbers of work space */
    double *fvec_weighted;   /* (m) with a loss: the weighted residuals */
    double *watch; /* (4n) work space: columns of differences that show nothing are taken
                      again with longer steps; or NULL */

    /* The arrays. fvec_trial may be moved to another place before any lm_step that
     * follows LM_RESIDUALS or LM_DIFFERENCE, and fvec at LM_ACCEPT. */
    double *x;                /* (n) the start; the best point so far */
    double *fvec;             /* (m) the residuals at x */
    double *fjac;             /* (ldfjac, n) the Jacobian at x; then its QR factors */
    int *ipvt;                /* (n) column j of R is column ipvt[j] - 1 of fjac */
    double *diag;             /* (n) the scale D of the parameters */
    double *qtf;              /* (n) the first n entries of Q'fvec */
    double *x_trial;          /* (n) where fvec_trial is wanted; else work space */
    const double *fvec_trial; /* (m) the residuals that were asked for */
    double *step;             /* (n) work space */
    double *work_n;           /* (n) work space */
    double *work_m;           /* (m) work space; may be fvec_trial unless points is 3 */
    void *scratch;            /* for the fast kernels: lm_fast_scratch(m, n) bytes */

    /* What the stepper says */
    int request; /* an lm_request */
    int info;    /* an lm_info, once request is LM_DONE */
    int nfev;    /* evaluations of fvec asked for, differences included */
    int njev;    /* evaluations of fjac asked for */
    int iter;    /* iterates so far, the start included */
    int ndiff;   /* evaluations of fvec asked for, for differences alone */
    int beyond;  /* how often longer difference steps or another scale D have taken the
                    fit from MINPACK's path */
    int last;    /* 1: the fit has ended, and fjac is or will be the Jacobian at x */

    double fnorm;       /* |fvec|, or with a loss the root of twice the cost */
    double fnorm_trial; /* the same of fvec_trial: with a loss, set it after evaluating
                           LM_RESIDUALS */

    /* Its memory between two steps: not for the caller */
    int stage, column, side, met, touched, trusted, scalings, dependent, watching, tries,
        gathered;
    double relative_step, h, h_first, longer, tame, xnorm, pnorm, gnorm, delta, par;
    lm_kernels working;
} lm_state;

/* MINPACK's order of operations, for MINPACK's bits. */
void lm_reference_kernels(lm_kernels *kernels);

/* The same mathematics for vector registers and caches, with the same bits on every
 * processor, and MINPACK's where its order of operations is kept: see docs/design.md.
 * instruction_set is one of lm_instruction_sets(), or NULL for the best that
 * this processor has. Returns 0, or -1 where it does not have that one. */
int lm_fast_kernels(lm_kernels *kernels, const char *instruction_set);
size_t lm_fast_scratch(int m, int n); /* bytes that they need in scratch */

/* After the end of a fit with fast kernels: give the rows of R and the entries of qtf
 * the signs that MINPACK's have. The fit itself does not depend on them. */
void lm_orient(lm_state *state);

/* The names of the instruction sets that this processor has, the best last, then NULL. */
const char *const *lm_instruction_sets(void);

size_t lm_bounds_work(int n); /* numbers that a fit with bounds needs in bounds_work */

void lm_start(lm_state *state);
void lm_step(lm_state *state);

/* (J'J)^-1 from the factors that a fit leaves: cov and work are (n, n), r has the
 * leading dimension ldr. *singular is 1, and cov is left alone, where the diagonal
 * of R holds a zero. */
void lm_covar(int n, int ldr, const double *r, const int *ipvt, double *cov, double *work,
              int *singular);

/* scale² (J'J)^-1 of a fit that has ended with its factors (info 1 to 8, no
 * last_jacobian), with zeros for the parameters that equal bounds fix. Where singular is
 * 1, cov is of no use. */
void lm_covariance(const lm_state *state, double scale, double *cov, double *work,
                   int *singular);

/* Your functions. A negative value stops the fit and becomes its info. */
typedef int (*lm_residuals)(int m, int n, const double *x, double *fvec, void *user_data);
typedef int (*lm_jacobian)(int m, int n, const double *x, double *fjac, int ldfjac,
                           void *user_data);

/* The drivers: arguments as in MINPACK's lmdif and lmder, work is (m + 3n), and the
 * value is info. */
int minpack_lmdif(lm_residuals residuals, void *user_data, int m, int n, double *x,
                  double *fvec, double ftol, double xtol, double gtol, int maxfev,
                  double epsfcn, double *diag, int mode, double factor, int *nfev,
                  double *fjac, int ldfjac, int *ipvt, double *qtf, double *work);
int minpack_lmder(lm_residuals residuals, lm_jacobian jacobian, void *user_data, int m,
                  int n, double *x, double *fvec, double *fjac, int ldfjac, double ftol,
                  double xtol, double gtol, int maxfev, double *diag, int mode,
                  double factor, int *nfev, int *njev, int *ipvt, double *qtf,
                  double *work);

/* MINPACK's own interface. */
typedef void (*lmdif_fcn)(int *m, int *n, double *x, double *fvec, int *iflag);
typedef void (*lmder_fcn)(int *m, int *n, double *x, double *fvec, double *fjac,
                          int *ldfjac, int *iflag);

void lmdif_(lmdif_fcn fcn, int *m, int *n, double *x, double *fvec, double *ftol,
            double *xtol, double *gtol, int *maxfev, double *epsfcn, double *diag,
            int *mode, double *factor, int *nprint, int *info, int *nfev, double *fjac,
            int *ldfjac, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4);
void lmder_(lmder_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
            int *ldfjac, double *ftol, double *xtol, double *gtol, int *maxfev,
            double *diag, int *mode, double *factor, int *nprint, int *info, int *nfev,
            int *njev, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4);
void lmdif1_(lmdif_fcn fcn, int *m, int *n, double *x, double *fvec, double *tol,
             int *info, int *iwa, double *wa, int *lwa);
void lmder1_(lmder_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
             int *ldfjac, double *tol, int *info, int *ipvt, double *wa, int *lwa);

#ifdef __cplusplus
}
#endif

#endif

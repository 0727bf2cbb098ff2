/* libminpack: nonlinear least squares by the Levenberg-Marquardt algorithm.
 *
 * A fit looks for the n parameters x that minimize |fvec(x)|², the sum of the squares of
 * m residuals. There are four ways in, from the simplest to the most general:
 *
 *   - lmdif_, lmder_ and the rest of MINPACK's least squares, as MINPACK calls them;
 *   - minpack_lmdif and minpack_lmder: the same for functions that take a user_data
 * pointer;
 *   - lm_run: a fit whose residuals and Jacobian are in memory, with hooks for its
 * driver;
 *   - lm_step: the algorithm alone. It knows n, and asks for norms and for a triangle.
 *
 * The library allocates nothing, keeps nothing between calls and prints nothing.
 * In a debug build lm_step names a state that no driver may leave, and aborts.
 * Matrices are stored by columns: fjac[i + j*ldfjac] is d fvec[i] / d x[j].
 */
#ifndef MINPACK_H
#define MINPACK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- The algorithm ------------------------------------------------------------- */

/* What the algorithm asks of its driver. */
enum lm_request {
    LM_DONE,      /* nothing: the fit has ended, see info */
    LM_RESIDUALS, /* at x_trial: set fnorm_trial to the norm of the residuals there */
    LM_LINEARIZE, /* at x: leave the QR factors of the Jacobian, J P = Q R, as r and ipvt,
                     the first n entries of Q'fvec as qtf, the norms of the columns of J
                     as acnorm, and |fvec| as fnorm */
    LM_ACCELERATE /* at x_trial = x + LM_AHEAD step: leave J'f_vv as second, where f_vv is
                     the second derivative of the residuals at x along step */
};

#define LM_AHEAD 0.1

/* Why a fit ended. A negative value is its driver's own. */
enum lm_info {
    LM_BAD_INPUT,      /* an argument is out of its range */
    LM_FTOL,           /* the sum of squares no longer falls by ftol */
    LM_XTOL,           /* the step bound fell below xtol times x */
    LM_FTOL_XTOL,      /* both at once */
    LM_GTOL,           /* fvec is orthogonal to the Jacobian within gtol */
    LM_MAXFEV,         /* maxfev evaluations made */
    LM_FTOL_TOO_SMALL, /* ftol asks for more than rounding allows */
    LM_XTOL_TOO_SMALL, /* xtol asks for more than rounding allows */
    LM_GTOL_TOO_SMALL, /* gtol asks for more than rounding allows */
    LM_NOT_FINITE      /* no finite norm of fvec, fjac, x or a step; not MINPACK's */
};

/* The Euclidean norm of x(n). */
typedef double (*lm_norm)(int n, const double *x);

/* One fit, but for its residuals. lm_defaults or zeros fill the record first; then
 * lm_start is called once, and lm_step until the request is LM_DONE. */
typedef struct lm_state {
    /* The problem and the options */
    int n;      /* number of parameters */
    int ldr;    /* leading dimension of r, at least n */
    int mode;   /* 2: diag is the caller's; else D follows the columns of J */
    int maxfev; /* limit on nfev */
    int mends;  /* 1: what MINPACK does with NaN, and with starts next to 0, is mended */
    int accelerates; /* 1: geodesic acceleration: steps bend, see lm/acceleration.f90 */
    double ftol;     /* relative error wanted in the sum of squares */
    double xtol;     /* relative error wanted in x */
    double gtol;     /* cosine wanted between fvec and the columns of J */
    double factor;   /* the first step bound, in units of |D x| */

    /* The arrays. The start is within the bounds. */
    const double *lower; /* (n) lower bounds on x, or NULL */
    const double *upper; /* (n) upper bounds on x; NULL where lower is */
    double *x;           /* (n) the start; the best point so far */
    double *x_trial;     /* (n) where the residuals are wanted */
    double *diag;        /* (n) the scale D of the parameters */
    double *r;           /* (ldr, n) R; S' of MINPACK's qrsolv below its diagonal */
    double *qtf;         /* (n) the first n entries of Q'fvec */
    double *acnorm;      /* (n) the norms of the columns of J; may be x_trial */
    double *step;        /* (n) the step; work space while the fit is linearized */
    double *work;        /* (n) work space; while the fit is linearized too */
    double *work_lmpar;  /* (n) work space */
    double *work_bounds; /* with bounds: lm_bounds_work(n) numbers of work space */
    double *second;      /* (4n) with acceleration: J'f_vv, the diagonal of lmpar's S, the
                            last step and J'fvec before it; or NULL */
    int *ipvt;           /* (n) column j of R is column ipvt[j] - 1 of J */
    int *active;         /* (5n) with bounds: -1 or 1 where x is on its lower or upper
                            bound, else 0; then work space */
    lm_norm norm;        /* of n numbers; NULL: lm_start takes MINPACK's enorm;
                            lm_linearize may set it */

    /* The report */
    int request; /* an lm_request */
    int info;    /* an lm_info, once the request is LM_DONE */
    int nfev;    /* evaluations of the residuals */
    int iter;    /* iterates so far, the start included */
    int moved;   /* 1: the last lm_step made x_trial the new x, whose norm is fnorm */
    int beyond; /* how often longer difference steps or another scale D have taken the fit
                   from MINPACK's path */
    double fnorm;       /* |fvec|, or with a loss the root of twice the cost */
    double fnorm_trial; /* the same at x_trial */
    double lowered;     /* the part of |fvec|² that the last step taken has saved */

    /* Its memory between two steps: not for the driver */
    int stage, met, touched, trusted, scalings, free;
    double xnorm, pnorm, gnorm, delta, par, added;
} lm_state;

/* Make a state ready for its first lm_step. */
void lm_start(lm_state *state);

/* Advance a fit to the next thing that it needs, or to its end. */
void lm_step(lm_state *state);

size_t lm_bounds_work(int n);

/* scale² (J'J)^-1 of a fit that has ended with the factors of J. Parameters that equal
 * bounds fix have zeros. *singular is 1, and cov is of no use, where J is singular. work
 * is (n, n). */
void lm_covariance(const lm_state *state, double scale, double *cov, double *work,
                   int *singular);

/* --- Differences --------------------------------------------------------------- */

/* The points at which the residuals give a Jacobian by differences: x, but for one
 * parameter. Point k moves parameter k % n by h[k]; where that is 0, there is no such
 * point. All points of an iterate are known before the first of them is evaluated. */
typedef struct lm_differences {
    /* The options */
    int points;              /* 3: two points a column, of second order; else one */
    int uncounted;           /* 1: nfev does not count these evaluations */
    double epsfcn;           /* relative error of fvec, for the step */
    double rounding;         /* relative rounding error of fvec, with watch */
    const double *diff_step; /* (n) steps relative to x, or NULL */

    /* The arrays */
    double *h;     /* (n), or (2n) where there are two points a column */
    double *watch; /* (4n) work space: columns that hold rounding errors alone are
                      evaluated again with longer steps; or NULL */

    /* The report */
    int count; /* evaluations for differences so far */

    /* Its memory: not for the driver */
    int only, tries, watching, gathered, moved;
    double longer, tame;
} lm_differences;

/* --- Residuals and a Jacobian in memory ------------------------------------------ */

/* How rows are added up; see lm_kernels_named. */
typedef struct lm_kernels lm_kernels;

typedef struct lm_rows {
    /* The problem and the options */
    int m;        /* number of residuals, at least n */
    int n;        /* number of parameters */
    int ldfjac;   /* leading dimension of fjac, at least m */
    int keeps;    /* 1: lm_linearize leaves the Jacobian in fjac */
    int defers;   /* 1: fjac may hold residuals in the place of their differences */
    int weighted; /* 1: there is a loss, and the residuals that go with fjac are those of
                     fvec_weighted */
    const lm_kernels *kernels;

    /* The arrays */
    double *fvec;          /* (m) the residuals at x */
    double *fjac;          /* (ldfjac, n) the Jacobian at x */
    double *fvec_weighted; /* (m) with a loss; or NULL */
    double *work_m;        /* (m) work space */
    double *copy;          /* (m, n) work space where keeps is 1, or NULL */
    void *scratch;         /* lm_rows_scratch(rows) bytes of work space; what
                              lm_linearize leaves there must last until lm_finish */

    /* Rows that nobody keeps: fvec, fjac and the other arrays of m numbers may be NULL,
     * and lm_lay_out makes none. The kernels are fast ones. */
    /* Writes rows of the residuals, `count` of them from `first` on, to fvec, and unless
     * it is NULL those of the Jacobian to fjac(ldfjac, n), and returns the norm of these
     * residuals, as lm_block_norm does. x is where lm_run has evaluated last. Threads
     * call it at once, each with a `worker` of its own. NULL: the rows are in memory */
    double (*source)(void *who, int worker, int first, int count, double *fvec,
                     double *fjac, int ldfjac);
    /* Calls part(context, k, worker) for each k below count, in any order and in up to
     * `workers` threads; `worker` counts these from 0. NULL: in this thread */
    void (*spread)(void *who, int count, void (*part)(void *context, int k, int worker),
                   void *context);
    void *source_who;
    int workers; /* threads that call the source, 0 and 1 being one */

    /* Their memory: not for the driver */
    int path, dependent, signs_open, is_raw;
    int knows;  /* of a source: products or a triangle of the rows at the last trial point
                 */
    int unused; /* 1: and nobody has needed them */
    const double *last;
} lm_rows;

/* Bytes that a fit of these rows needs in scratch. */
size_t lm_rows_scratch(const lm_rows *rows);

/* Kernels by their name: "reference" has MINPACK's order of operations and so MINPACK's
 * bits. "fast" is the same mathematics for vector registers and caches, with the same
 * bits on every processor. They are MINPACK's bits too with fewer than 32 residuals; and
 * with at most 1,024, if columns are nearly dependent or all tolerances are at most
 * 1e-13. One of lm_instruction_sets() names the fast kernels for it. NULL: none has that
 * name. */
const lm_kernels *lm_kernels_named(const char *name);

/* The instruction sets of this processor with fast kernels of their own: the best is the
 * last before a NULL. */
const char *const *lm_instruction_sets(void);

/* --- A fit of rows in memory ----------------------------------------------------- */

typedef struct lm_fit {
    lm_state state;
    lm_differences differences;
    lm_rows rows;
    const double *trial; /* (m) the residuals that were evaluated last */
    double *own_trial;   /* (m) where lm_run lets them be put, or NULL. While a point of
                            the differences is evaluated it may be a column of fjac */
    int brings; /* 1: the driver brings trial in memory of its own: lm_lay_out makes no
                   own_trial */
    int point;  /* of the differences, the one that was evaluated last */
    int njev;   /* evaluations of the Jacobian, if not by differences */
} lm_fit;

/* Zeros, but for MINPACK's defaults: ftol and xtol 1.49012e-8, factor 100, 200 (n + 1)
 * evaluations; and the best fast kernels. */
void lm_defaults(lm_fit *fit, int m, int n);

/* Make the arrays that are NULL and that the options need, in one block of memory, and
 * return its size in bytes. Where memory is NULL, fit is unchanged. The start may be
 * written to state.x afterwards. */
size_t lm_lay_out(lm_fit *fit, void *memory);

/* What lm_run asks of its driver. A function returns 0 to go on. Any other number ends
 * the fit; a negative one becomes its info. All but the first may be NULL. `who` is the
 * driver's own. */
typedef struct lm_hooks {
    /* The residuals at x(n): fill own_trial, or set trial to an array of the driver's
     * own. x is a trial point where state.request is LM_RESIDUALS, else one of a
     * difference. */
    int (*residuals)(void *who, lm_fit *fit, const double *x);
    /* The Jacobian at state.x, to rows.fjac. NULL: by differences */
    int (*jacobian)(void *who, lm_fit *fit);
    /* All points of the differences at once: lm_next_point says which they are,
     * lm_take_point wants their residuals. NULL: one after the other, by `residuals` */
    int (*points)(void *who, lm_fit *fit);
    /* The norm of a trial point's residuals, to state.fnorm_trial. NULL: Euclidean */
    int (*measure)(void *who, lm_fit *fit);
    /* rows.fvec := the residuals at trial. NULL: they are copied */
    int (*accept)(void *who, lm_fit *fit);
    /* The whole answer to LM_LINEARIZE, in the place of the Jacobian and lm_linearize:
     * for drivers that have no Jacobian in memory. NULL: from rows.fjac */
    int (*linearize)(void *who, lm_fit *fit);
    /* Look at a new iterate, the start included, and with a loss weigh its Jacobian. */
    int (*iterate)(void *who, lm_fit *fit);
    /* With a loss and acceleration: weigh rows.work_m, a difference quotient of the
     * residuals, as a column of the Jacobian. NULL: it stays as it is */
    int (*weigh_slope)(void *who, lm_fit *fit);
    /* Call part(fit), a computation on the fit's own memory, and where reads_trial is 1
     * on trial too. Only long computations are asked for: other threads may run
     * meanwhile. */
    void (*compute)(void *who, lm_fit *fit, void (*part)(lm_fit *), int reads_trial);
} lm_hooks;

/* Run a fit to its end. Returns 0, or what a hook returned to end it. */
int lm_run(lm_fit *fit, const lm_hooks *hooks, void *who);

/* Evaluate the Jacobian at state.x and let `iterate` look at it, as lm_run does: for a
 * fit whose last step has moved x. */
int lm_evaluate_jacobian(lm_fit *fit, const lm_hooks *hooks, void *who);

/* The parts of lm_run, for drivers with a loop of their own: */

/* Before the first lm_step. */
void lm_start_fit(lm_fit *fit);

/* The norm of residuals, and of those of a block of rows. */
double lm_rows_norm(const lm_rows *rows, const double *fvec);
double lm_block_norm(const lm_rows *rows, int count, const double *fvec);

/* The norm of residuals as norm(who, count, fvec) finds it: with a loss the root of twice
 * the cost. Where rows are added up in blocks it is asked for each of them, and theirs
 * are added up as those of a source. */
double lm_norm_by_blocks(const lm_rows *rows, const double *fvec,
                         double (*norm)(void *who, int count, const double *fvec),
                         void *who);

/* Evaluate rows that nobody keeps, and set fnorm_trial to their norm. */
void lm_try_rows(lm_fit *fit);

/* The points of the differences at x: call lm_first_points; then, for k from
 * lm_next_point(fit, -1) on until it is -1, lm_move_to(fit, k), evaluate at x_trial and
 * lm_take_point(fit, k, fvec); then the same as long as lm_more_points is 1. The last
 * fvec must stay where it is until lm_linearize. */
void lm_first_points(lm_fit *fit);
int lm_more_points(lm_fit *fit);
int lm_next_point(const lm_fit *fit, int k);
void lm_move_to(lm_fit *fit, int k);
void lm_take_point(lm_fit *fit, int k, const double *fvec);

/* The answer to LM_LINEARIZE from rows.fjac and rows.fvec. */
void lm_linearize(lm_fit *fit);

/* The answer to LM_ACCELERATE from rows.fjac and from trial, the residuals at x_trial.
 * lm_slope leaves their difference quotient along step in rows.work_m, which with a loss
 * the driver weighs as a column of the Jacobian. lm_bend does the rest. */
void lm_slope(lm_fit *fit);
void lm_bend(lm_fit *fit);

/* After the end of a fit: R and Q'fvec with the signs that MINPACK's have, and R at the
 * top of fjac, where MINPACK leaves it. */
void lm_finish(lm_fit *fit);

/* --- Fits abreast ------------------------------------------------------------------ */

/* Eight small fits side by side: number i of fit k is at [8 i + k]. Each has the bits
 * that it has alone. Each is an lm_fit with arrays of its own; all have the same m, n and
 * options. Fits take turns in a lane: lm_enter_lane starts one, and its driver answers
 * its requests with those that ask for the same, which are a set of lanes, fit k by bit
 * k, until the fit is done. Then it leaves, and its record is filled; njev is not
 * counted, and lm_finish is not for it. */
enum { LM_ABREAST = 8, LM_MOST_ABREAST = 16 };

typedef struct lm_abreast {
    int m, n; /* of each fit; n is at most LM_MOST_ABREAST */
    const lm_kernels *kernels;
    lm_fit *fit[LM_ABREAST];         /* NULL: this lane is empty */
    unsigned asks[LM_LINEARIZE + 1]; /* the lanes whose fits ask for this lm_request */

    /* The arrays: see lm_lay_out_abreast. */
    double *x;       /* (8, n) the best points so far */
    double *x_trial; /* (8, n) where the residuals are wanted */
    double *moved_x; /* (8, n) x, where each parameter has moved for its difference */
    double *fvec;    /* (8, m) the residuals at x */
    double *trial;   /* (8, m) those that were evaluated last */
    double *fjac;    /* (8, m, n) the Jacobian at x */

    /* Its memory: not for the driver */
    void *steps, *scratch;
} lm_abreast;

/* Whether fits of such rows and options may go abreast. */
int lm_go_abreast(const lm_fit *fit);

/* Divide a block of memory among the arrays; m and n are known. Returns its size in
 * bytes, and does nothing else where memory is NULL. */
size_t lm_lay_out_abreast(lm_abreast *a, void *memory);

void lm_enter_lane(lm_abreast *a, int k, lm_fit *fit);
void lm_leave_lane(lm_abreast *a, int k);

/* End a fit whose function has returned this negative number; then it leaves. */
void lm_stop_lane(lm_abreast *a, int k, int info);

/* A round, of all fits that have not ended: answer LM_RESIDUALS by the next two and
 * lm_judge_abreast, then LM_LINEARIZE by lm_linearize_abreast and lm_propose_abreast. */

/* trial := (f - y) w; y and w may be NULL. f, y and w are (8, m). */
void lm_take_residuals_abreast(lm_abreast *a, const double *f, const double *y,
                               const double *w);

/* Find the norms of the residuals in trial. */
void lm_norms_abreast(lm_abreast *a);

/* Go on from there where that is better: fvec := trial, and fvec and trial may change
 * places. */
void lm_judge_abreast(lm_abreast *a);

/* Take the next step, where a fit is linearized or its last step was none. */
void lm_propose_abreast(lm_abreast *a);

/* The points of the differences: call lm_first_points_abreast; then, for each parameter
 * j, evaluate at x with the numbers j of moved_x in the place of its own, and call
 * lm_take_point_abreast with these f, for the residuals (f - y) w. The fits whose bounds
 * for it are not equal need them: lm_moved_abreast. */
void lm_first_points_abreast(lm_abreast *a);
unsigned lm_moved_abreast(const lm_abreast *a, int j);
void lm_take_point_abreast(lm_abreast *a, int j, const double *f, const double *y,
                           const double *w);

/* Those of the fits that need more points. The driver calls lm_begin_alone, evaluates the
 * points of this fit as lm_more_points wants it, and calls lm_end_alone, which linearizes
 * it, or ends it where `info` is negative. */
unsigned lm_unclear_abreast(const lm_abreast *a);
void lm_begin_alone(lm_abreast *a, int k);
void lm_end_alone(lm_abreast *a, int k, int info);

/* Linearize these fits, from fjac and fvec. */
void lm_linearize_abreast(lm_abreast *a, unsigned lanes);

/* For drivers: to(8, m) := m times these eight numbers. */
void lm_repeat_abreast(const lm_kernels *kernels, int m, const double *eight, double *to);

/* For drivers: to(8, m) := the m numbers of each fit */
void lm_transpose_abreast(const lm_kernels *kernels, int m, const double *const *from,
                          double *to);

/* For drivers: to(8, m) := a op b, which is one of + - * and /. A step is 8, or 0 where
 * all rows of the operand are the same eight numbers. */
void lm_compute_abreast(const lm_kernels *kernels, char op, int m, const double *a,
                        int a_step, const double *b, int b_step, double *to);

/* --- Rows in pieces ---------------------------------------------------------------- */

/* For drivers of lm_step whose rows are computed block by block, in threads, in files or
 * on other machines. Each piece of the rows is reduced to a triangle: R and then Q'fvec
 * as its last column, an array (n, n + 1). Triangles are merged, and that of all rows is
 * the answer to LM_LINEARIZE. The bits depend on the pieces and the order of the merges.
 *
 * scratch is lm_piece_scratch(m, n) bytes of work space, for lm_merge with m = n. */
size_t lm_piece_scratch(int m, int n);

/* triangle := that of m rows, of which there may be fewer than n */
void lm_block_triangle(const lm_kernels *kernels, int m, int n, const double *fjac,
                       int ldfjac, const double *fvec, double *triangle, void *scratch);

/* triangle := that of both */
void lm_merge(const lm_kernels *kernels, int n, double *triangle, const double *other,
              void *scratch);

/* The answer to LM_LINEARIZE, but for fnorm. */
void lm_pivot(lm_state *state, const double *triangle);

/* --- Functions with a user_data pointer ------------------------------------------- */

/* They return 0, or a negative number to stop the fit. */
typedef int (*lm_residuals)(int m, int n, const double *x, double *fvec, void *user_data);
typedef int (*lm_jacobian)(int m, int n, const double *x, double *fjac, int ldfjac,
                           void *user_data);

/* The arguments are MINPACK's; work has m + 3n numbers. They return info, or what a
 * function returned to stop the fit. */
int minpack_lmdif(lm_residuals residuals, void *user_data, int m, int n, double *x,
                  double *fvec, double ftol, double xtol, double gtol, int maxfev,
                  double epsfcn, double *diag, int mode, double factor, int *nfev,
                  double *fjac, int ldfjac, int *ipvt, double *qtf, double *work);
int minpack_lmder(lm_residuals residuals, lm_jacobian jacobian, void *user_data, int m,
                  int n, double *x, double *fvec, double *fjac, int ldfjac, double ftol,
                  double xtol, double gtol, int maxfev, double *diag, int mode,
                  double factor, int *nfev, int *njev, int *ipvt, double *qtf,
                  double *work);

/* --- MINPACK's own interface ------------------------------------------------------- */

typedef void (*lmdif_fcn)(int *m, int *n, double *x, double *fvec, int *iflag);
typedef void (*lmder_fcn)(int *m, int *n, double *x, double *fvec, double *fjac,
                          int *ldfjac, int *iflag);

typedef void (*lmstr_fcn)(int *m, int *n, double *x, double *fvec, double *fjrow,
                          int *iflag);

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
void lmstr_(lmstr_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
            int *ldfjac, double *ftol, double *xtol, double *gtol, int *maxfev,
            double *diag, int *mode, double *factor, int *nprint, int *info, int *nfev,
            int *njev, int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3,
            double *wa4);
void lmstr1_(lmstr_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
             int *ldfjac, double *tol, int *info, int *ipvt, double *wa, int *lwa);

/* Their parts. The logical pivot is an int: 0 is .false. */
void chkder_(int *m, int *n, double *x, double *fvec, double *fjac, int *ldfjac,
             double *xp, double *fvecp, int *mode, double *err);
double dpmpar_(int *i);
double enorm_(int *n, double *x);
void fdjac2_(lmdif_fcn fcn, int *m, int *n, double *x, double *fvec, double *fjac,
             int *ldfjac, int *iflag, double *epsfcn, double *wa);
void lmpar_(int *n, double *r, int *ldr, int *ipvt, double *diag, double *qtb,
            double *delta, double *par, double *x, double *sdiag, double *wa1,
            double *wa2);
void qrfac_(int *m, int *n, double *a, int *lda, int *pivot, int *ipvt, int *lipvt,
            double *rdiag, double *acnorm, double *wa);
void qrsolv_(int *n, double *r, int *ldr, int *ipvt, double *diag, double *qtb, double *x,
             double *sdiag, double *wa);
void rwupdt_(int *n, double *r, int *ldr, double *w, double *b, double *alpha,
             double *cosines, double *sines);
void covar_(int *n, double *r, int *ldr, int *ipvt, double *tol, double *wa);

#ifdef __cplusplus
}
#endif

#endif

/* The parts of the algorithm, which are in Fortran, for step.c. A NULL array is an
 * optional one that is absent. */
#ifndef MINPACK_STAGES_H
#define MINPACK_STAGES_H

#include <float.h>

#include "../minpack.h"

/* Where lm_step goes on; as in types.f90. */
enum {
    LM_STAGE_START,
    LM_STAGE_FIRST_RESIDUALS,
    LM_STAGE_LINEARIZED,
    LM_STAGE_TRIED,
    LM_STAGE_PROPOSE,
    LM_STAGE_BENT,
    LM_STAGE_ENDED
};

/* rows/reference/enorm.f90 */
double minpack_reference_norm(int n, const double *x);
/* gradient.f90 */
void minpack_test_gradient(lm_state *s, int n, lm_norm norm, const double *x,
                           const double *r, const int *ipvt, double *diag,
                           const double *qtf, const double *acnorm, double *dx,
                           const double *lower, const double *upper, const int *active);
/* propose.f90 */
void minpack_propose(lm_state *s, int n, lm_norm norm, const double *x, double *r,
                     const int *ipvt, const double *diag, const double *qtf, double *p,
                     double *x_trial, double *wa1, double *wa2, const double *lower,
                     const double *upper, int *sets, double *w, double *second);
/* acceleration.f90 */
void minpack_bend(lm_state *s, int n, lm_norm norm, const double *x, const double *r,
                  const int *ipvt, const double *diag, const double *v, double *x_trial,
                  double *work, double *second, const double *lower, const double *upper,
                  const int *sets, const double *w);
/* judge.f90 */
void minpack_judge(lm_state *s, int n, lm_norm norm, double *x, const double *r,
                   const int *ipvt, double *diag, const double *qtf,
                   const double *x_trial, const double *step, double *work,
                   const double *lower, const double *upper, int *active, double *second);
/* bounds.f90 */
void minpack_find_active(int n, const double *x, const double *lower, const double *upper,
                         int *active);
/* covar.f90 */
void minpack_covariance(const lm_state *s, int n, const double *r, const int *ipvt,
                        double scale, double *cov, double *work, int *singular,
                        const double *lower, const double *upper, int *sets, double *w);

#ifdef MINPACK_DEBUG
/* Abort where a state is not as its driver must leave it. */
void lm_assert_state(const lm_state *s);
#else
static inline void lm_assert_state(const lm_state *s)
{
    (void)s;
}
#endif

#endif

/* A fit by another library, for hard_starts.py: one function, of C's calling sequence.
 * The functions of the caller return 0, or another number to end the fit. The Jacobian is
 * stored by rows. x is the start, and then the best point. */
typedef int (*residuals_at)(const double *x, double *fvec);
typedef int (*jacobian_at)(const double *x, double *fjac);

#ifdef __cplusplus
extern "C"
#endif
    void
    fit(int m, int n, double *x, residuals_at residuals, jacobian_at jacobian,
        double tolerance, int most);

/* GSL's multifit_nlinear with geodesic acceleration. */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <string.h>

#include "fit.h"

typedef struct {
    residuals_at residuals;
    jacobian_at jacobian;
} functions;

static int f(const gsl_vector *x, void *params, gsl_vector *to)
{
    const functions *own = params;

    return own->residuals(x->data, to->data) == 0 ? GSL_SUCCESS : GSL_EBADFUNC;
}

static int df(const gsl_vector *x, void *params, gsl_matrix *to)
{
    const functions *own = params;

    return own->jacobian(x->data, to->data) == 0 ? GSL_SUCCESS : GSL_EBADFUNC;
}

void fit(int m, int n, double *x, residuals_at residuals, jacobian_at jacobian,
         double tolerance, int most)
{
    functions own = {residuals, jacobian};
    gsl_multifit_nlinear_fdf fdf = {
        .f = f, .df = df, .n = (size_t)m, .p = (size_t)n, .params = &own};
    gsl_multifit_nlinear_parameters options =
        gsl_multifit_nlinear_default_parameters();
    gsl_vector_view start = gsl_vector_view_array(x, (size_t)n);
    int info;

    gsl_set_error_handler_off();
    options.trs = gsl_multifit_nlinear_trs_lmaccel;
    gsl_multifit_nlinear_workspace *w = gsl_multifit_nlinear_alloc(
        gsl_multifit_nlinear_trust, &options, (size_t)m, (size_t)n);
    if (gsl_multifit_nlinear_init(&start.vector, &fdf, w) == GSL_SUCCESS) {
        gsl_multifit_nlinear_driver((size_t)most, tolerance, 0, tolerance, NULL,
                                    NULL, &info, w);
        memcpy(x, gsl_multifit_nlinear_position(w)->data, (size_t)n * sizeof *x);
    }
    gsl_multifit_nlinear_free(w);
}

// Ceres with its default step, Levenberg and Marquardt's, and a dense QR factorization.
#include <ceres/ceres.h>
#include <glog/logging.h>

#include "fit.h"

namespace {

class Residuals : public ceres::CostFunction {
public:
    Residuals(int m, int n, residuals_at residuals, jacobian_at jacobian)
        : residuals_(residuals), jacobian_(jacobian)
    {
        set_num_residuals(m);
        mutable_parameter_block_sizes()->push_back(n);
    }

    bool Evaluate(double const *const *x, double *fvec, double **fjac) const override
    {
        if (residuals_(x[0], fvec) != 0)
            return false;
        return fjac == nullptr || fjac[0] == nullptr || jacobian_(x[0], fjac[0]) == 0;
    }

private:
    residuals_at residuals_;
    jacobian_at jacobian_;
};

} // namespace

void fit(int m, int n, double *x, residuals_at residuals, jacobian_at jacobian,
         double tolerance, int most)
{
    ceres::Problem problem;
    ceres::Solver::Options options;
    ceres::Solver::Summary summary;

    FLAGS_minloglevel = 3; // points that are not finite are no news
    problem.AddResidualBlock(new Residuals(m, n, residuals, jacobian), nullptr, x);
    options.linear_solver_type = ceres::DENSE_QR;
    options.logging_type = ceres::SILENT;
    options.max_num_iterations = most;
    options.function_tolerance = tolerance;
    options.parameter_tolerance = tolerance;
    options.gradient_tolerance = 0;
    ceres::Solve(options, &problem, &summary);
}

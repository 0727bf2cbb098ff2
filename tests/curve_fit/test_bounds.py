"""A fit with bounds finds SciPy's solution with MINPACK's method."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from curve_fit.calls import COVARIANCE, SIGMA, Call, X, Y, fit, scipys, with_jacobian
from minpack import curve_fit
from models import decay, decay_jacobian


def test_bounds_that_do_not_bind_change_nothing_but_the_path() -> None:
    call = with_jacobian(**STRICT)
    popt, pcov = curve_fit(**call)
    bounded, bounded_cov = curve_fit(**call, bounds=(0, 10))
    np.testing.assert_allclose(bounded, popt, rtol=1e-6)
    np.testing.assert_allclose(bounded_cov, pcov, rtol=1e-5)


# Close enough to a solution for a comparison of covariances.
STRICT: Call = {"ftol": 1e-14, "xtol": 1e-10}

# Bounds that bind, each with the parameters that they hold.
BINDING: dict[str, tuple[Any, dict[int, float]]] = {
    "above": (([0, 0, 0], [2, 3, 1]), {0: 2.0}),
    "below": (([0, 0, 0.7], np.inf), {2: 0.7}),
    "on both sides": (([0, 2.0, 0], [2.2, 5, 9]), {0: 2.2, 1: 2.0}),
    "one number": ((-np.inf, 2.0), {0: 2.0}),
    "an object": (SimpleNamespace(lb=[0, 0, 0.7], ub=[9, 9, 9]), {2: 0.7}),
}


@pytest.mark.parametrize("jac", [None, decay_jacobian], ids=["differences", "jac"])
@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["1", "s", "C"])
@pytest.mark.parametrize(("bounds", "held"), BINDING.values(), ids=BINDING)
def test_a_fit_with_bounds_finds_the_solution_of_scipy(
    bounds: Any, held: dict[int, float], sigma: Any, jac: Any
) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    call = fit(bounds=bounds, sigma=sigma, jac=jac)
    popt, _ = curve_fit(**call, ftol=1e-12, xtol=1e-12)
    if hasattr(bounds, "lb"):
        call["bounds"] = optimize.Bounds(bounds.lb, bounds.ub)
    theirs, _ = scipys(**call, ftol=1e-12, xtol=1e-12, gtol=1e-12)
    np.testing.assert_allclose(popt, theirs, rtol=1e-5)
    for j, bound in held.items():
        assert popt[j] == bound


@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("bounds", [each[0] for each in BINDING.values()], ids=BINDING)
def test_the_covariance_at_bounds_is_that_of_all_parameters(
    bounds: Any, absolute_sigma: bool
) -> None:
    """As in SciPy: a bound is no measurement, and makes no parameter more certain."""
    optimize = pytest.importorskip("scipy.optimize")
    call = fit(bounds=bounds, sigma=SIGMA, absolute_sigma=absolute_sigma)
    popt, pcov = curve_fit(**call, ftol=1e-12, xtol=1e-12)
    if hasattr(bounds, "lb"):
        call["bounds"] = optimize.Bounds(bounds.lb, bounds.ub)
    _, theirs = scipys(**call, ftol=1e-12, xtol=1e-12, gtol=1e-12)
    assert np.diag(pcov).all()
    np.testing.assert_allclose(pcov, theirs, rtol=1e-4)
    jacobian = decay_jacobian(X, *popt) / SIGMA[:, None]
    exact = np.linalg.inv(jacobian.T @ jacobian)
    if not absolute_sigma:
        fvec = (decay(X, *popt) - Y) / SIGMA
        exact *= fvec @ fvec / (X.size - 3)
    np.testing.assert_allclose(pcov, exact, rtol=1e-5)


@pytest.mark.parametrize(("bounds", "held"), BINDING.values(), ids=BINDING)
def test_infodict_tells_who_is_on_a_bound(bounds: Any, held: dict[int, float]) -> None:
    *_, infodict, _, _ = curve_fit(**fit(bounds=bounds, full_output=True))
    assert np.flatnonzero(infodict["active_mask"]).tolist() == sorted(held)
    *_, infodict, _, _ = curve_fit(**fit(full_output=True))
    assert "active_mask" not in infodict


def test_a_parameter_with_equal_bounds_is_fixed() -> None:
    popt, pcov = curve_fit(**fit(bounds=([0, 1.25, 0], [9, 1.25, 9])))
    two, two_cov = curve_fit(lambda x, a, c: decay(x, a, 1.25, c), X, Y)
    assert popt[1] == 1.25
    np.testing.assert_allclose(popt[[0, 2]], two, rtol=1e-7)
    np.testing.assert_array_equal(pcov[1], 0.0)
    np.testing.assert_array_equal(pcov[:, 1], 0.0)
    np.testing.assert_allclose(pcov[np.ix_([0, 2], [0, 2])], two_cov, rtol=1e-6)


@pytest.mark.parametrize(
    ("bounds", "start"),
    [
        (([0, 2, -np.inf], [4, np.inf, 0.5]), [2.0, 3.0, -0.5]),
        (([-np.inf, 0, 0], [np.inf, np.inf, 1]), [1.0, 1.0, 0.5]),
    ],
)
def test_without_p0_a_fit_starts_within_the_bounds(bounds: Any, start: Any) -> None:
    points = []

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        points.append([a, b, c])
        return decay(x, a, b, c)

    curve_fit(f, X, Y, bounds=bounds)
    assert points[0] == start


@pytest.mark.parametrize("bounds", [b for b, _ in BINDING.values()], ids=BINDING)
def test_the_model_is_never_called_outside_its_bounds(bounds: Any) -> None:
    lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds

    def f(x: Any, *p: Any) -> Any:
        assert np.all((lower <= np.array(p)) & (np.array(p) <= upper))
        return decay(x, *p)

    p0 = np.clip([1.0, 2.5, 0.8], lower, upper)
    curve_fit(f, X, Y, p0, bounds=bounds)


def test_the_bounds_are_not_changed() -> None:
    lower, upper = np.array([0.0, 0.0, 0.7]), np.array([9.0, 9.0, 9.0])
    curve_fit(**fit(bounds=(lower, upper)))
    assert lower.tolist() == [0.0, 0.0, 0.7]
    assert upper.tolist() == [9.0, 9.0, 9.0]

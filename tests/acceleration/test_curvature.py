"""Short steps of accelerated fits know what large residuals add to the curvature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minpack import curve_fit, leastsq, leastsq_batch

from .fits import Array

SHARES = (-0.8, -0.4, 0.4, 0.8)  # of J'J at the minimum, that the residuals add
START = 0.001
OPTIONS: dict[str, Any] = {
    "ftol": 1e-14, "xtol": 1e-14, "factor": 1e5, "full_output": True,
}  # fmt: skip


class LargeResiduals:
    """At the minimum, 0, J'J is 1 and the Hessian of |fvec|²/2 is 1 + share.

    MINPACK's steps approach it by the factor |share|.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.points: list[float] = []

    def residuals(self, x: Array) -> Array:
        self.points.append(x[0])
        return self._fvec(x)

    def jacobian(self, x: Array) -> Array:
        return np.array([[1 + x[0]], [self.share * x[0]]])

    def gradient(self, x: float) -> float:
        at = np.array([x])
        return float((self.jacobian(at).T @ self._fvec(at))[0])

    def _fvec(self, x: Array) -> Array:
        return np.array([x[0] + x[0] ** 2 / 2, 1 + self.share / 2 * x[0] ** 2])

    def straight_step(self, x: float) -> float:
        return -self.gradient(x) / float((self.jacobian(np.array([x])) ** 2).sum())


def fitted(share: float, **options: Any) -> tuple[float, int, list[float]]:
    """The end, the evaluations and the points of a fit."""
    problem = LargeResiduals(share)
    x, _, info, message, ier = leastsq(
        problem.residuals, [START], Dfun=problem.jacobian, **OPTIONS | options
    )
    assert ier in (1, 2, 3), message
    assert info["nfev"] == len(problem.points)
    return x[0], info["nfev"], problem.points


@pytest.mark.parametrize("share", [-0.5, -0.3, 0.3, 0.6])
def test_with_one_parameter_it_is_the_step_of_the_secant(share: float) -> None:
    before, last, trial = fitted(share, acceleration=True)[2][:3]
    problem = LargeResiduals(share)
    change = problem.gradient(last) - problem.gradient(before)
    secant = last - problem.gradient(last) * (last - before) / change
    np.testing.assert_allclose(trial, secant, rtol=1e-8)


@pytest.mark.parametrize(
    ("share", "least"), [(-0.8, 35), (-0.4, 11), (0.4, 11), (0.8, 18)]
)
def test_fits_with_large_residuals_take_few_evaluations(
    share: float, least: int
) -> None:
    bent, nfev, _ = fitted(share, acceleration=True)
    _, plain, _ = fitted(share)
    assert abs(bent) < 1e-8
    assert nfev <= 8
    assert plain >= least


@pytest.mark.parametrize("share", [-0.97, -0.9, -0.8])
def test_the_step_bound_holds(share: float) -> None:
    """Where the residuals take most of the curvature away, the way is long."""
    _, nfev, points = fitted(share, acceleration=True)
    steps = np.abs(np.diff(points))
    assert steps[1] == pytest.approx(2 * steps[0])
    assert (steps[1:] <= 2.000001 * steps[:-1]).all()
    assert nfev <= 10


def test_a_minimum_that_the_residuals_make_a_maximum_is_left() -> None:
    """The Hessian is -0.5 at 0: a fit from beside it goes to a minimum elsewhere."""
    x, _, _ = fitted(-1.5, acceleration=True)
    assert abs(x) > 0.1
    assert LargeResiduals(-1.5).gradient(x) == pytest.approx(0, abs=1e-4)


# --- With bounds, with others, and where a triangle is singular ----------------------


def fitted_with(
    residuals: Any, start: Any, bounds: Any, **options: Any
) -> tuple[Array, int]:
    zeros = np.zeros(residuals(np.array(start)).size)
    x, _, info, _, _ = curve_fit(
        lambda t, *x: residuals(np.array(x)), zeros, zeros, start, bounds=bounds,
        epsfcn=1e-15, **OPTIONS | options,
    )  # fmt: skip
    return x, info["nfev"]


@pytest.mark.parametrize("share", [-0.8, -0.4, 0.8])
def test_a_bound_that_holds_another_parameter_changes_nothing(share: float) -> None:
    """x[1] would be 5, which a bound of 2 forbids."""

    def residuals(x: Array) -> Array:
        return np.append(LargeResiduals(share).residuals(x[:1]), x[1] - 5)

    nfev = {}
    for bends in (True, False):
        x, nfev[bends] = fitted_with(
            residuals, [START, 2], (-9, [9, 2]), acceleration=bends
        )
        assert x[1] == 2
    assert nfev[True] <= 12
    assert nfev[True] < nfev[False]


@pytest.mark.parametrize("share", SHARES)
def test_no_step_leaves_the_bounds(share: float) -> None:
    """The minimum, 0, is on one."""
    problem = LargeResiduals(share)
    x, _ = fitted_with(problem.residuals, [START], (0, 1), acceleration=True)
    assert abs(x[0]) < 1e-4
    assert min(problem.points) >= 0


def test_a_batch_has_the_bits_of_its_single_fits() -> None:
    shares = np.array(SHARES)

    def all_residuals(x: Array, rows: Array) -> Array:
        return np.stack(
            [x[:, 0] + x[:, 0] ** 2 / 2, 1 + shares[rows] / 2 * x[:, 0] ** 2], 1
        )

    options = {name: OPTIONS[name] for name in ("ftol", "xtol")} | {
        "acceleration": True
    }
    starts = np.full((4, 1), START)
    together = leastsq_batch(all_residuals, starts, trace=False, **options)
    for k in range(4):
        alone = leastsq_batch(
            lambda x, rows, k=k: all_residuals(x, rows + k),
            starts[:1],
            trace=False,
            **options,
        )
        np.testing.assert_array_equal(together.x[k], alone.x[0])
        assert together.nfev[k] == alone.nfev[0] <= 30


def test_a_singular_jacobian_leaves_the_steps_as_they_are() -> None:
    """x[1] has no effect, so that the triangle has a 0 on its diagonal."""
    problem = LargeResiduals(0.5)
    x, _, _, _, ier = leastsq(
        lambda x: problem.residuals(x[:1]), [START, 3.0],
        Dfun=lambda x: np.hstack([problem.jacobian(x[:1]), np.zeros((2, 1))]),
        acceleration=True, **OPTIONS,
    )  # fmt: skip
    assert ier in (1, 2, 3)
    np.testing.assert_allclose(x, [0, 3], atol=1e-6)

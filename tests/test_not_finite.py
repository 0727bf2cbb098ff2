"""NaN and infinity: the fast kernels end the fit and say so, MINPACK goes on.

MINPACK compares norms that are NaN, takes any step once a comparison has failed, and
then mostly reports that the fit has converged. With ``kernels="reference"`` this
package does the same, which shows in each test what has been mended.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from arrays import Array
from fits import quiet_fit
from minpack import leastsq
from minpack._minpack import instruction_sets

CONVERGED = {1, 2, 3, 4}
NOT_FINITE = 9

each_value = pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
each_fast_set = pytest.mark.parametrize(
    "kernels", ["fast", *(f"fast:{name}" for name in instruction_sets())]
)
# Fewer rows than a vector register has lanes, some lanes and a rest, several blocks
each_m = pytest.mark.parametrize("m", [3, 21, 1100])


class Line:
    """Residuals that are linear in two parameters, and what was asked of them."""

    solution = np.array([3.0, -2.0])

    def __init__(self, m: int) -> None:
        t = np.linspace(0, 1, m)
        self.matrix = np.stack([np.ones(m), t], axis=1)
        self.y = self.matrix @ self.solution + 0.1 * np.cos(9 * t)
        self.asked: list[Array] = []

    def residuals(self, x: Array) -> Array:
        self.asked.append(x.copy())
        return self.matrix @ x - self.y

    def jacobian(self, x: Array) -> Array:
        return self.matrix.copy()


fit = partial(quiet_fit, leastsq, full_output=True)


def assert_ended_as_not_finite(result: Any, x: Any) -> None:
    """Ended at x, with ier 9 and nothing that would be derived from a NaN."""
    found, cov_x, info, mesg, ier = result
    np.testing.assert_array_equal(found, x)
    assert ier == NOT_FINITE
    assert "not finite" in mesg
    assert cov_x is None
    assert info["fjac"].shape == (found.size, info["fvec"].size)
    assert not info["fjac"].any()
    assert not info["qtf"].any()
    assert not info["ipvt"].any()


# The residuals at x0 ---------------------------------------------------------


@each_value
@each_m
@pytest.mark.parametrize("row", [0, 1, -1])
@pytest.mark.parametrize("analytic", [True, False])
def test_a_residual_that_is_not_finite_at_x0_ends_the_fit(
    value: float, m: int, row: int, analytic: bool
) -> None:
    line = Line(m)

    def func(x: Array) -> Array:
        r = line.residuals(x)
        r[row] = value
        return r

    jacobian = line.jacobian if analytic else None
    result = fit(func, [1.0, 1.0], Dfun=jacobian)
    assert_ended_as_not_finite(result, [1, 1])
    assert result[2]["nfev"] == 1 == len(line.asked)
    np.testing.assert_array_equal(result[2]["fvec"], func(np.ones(2)))

    *_, ier = fit(func, [1.0, 1.0], Dfun=jacobian, kernels="reference")
    assert ier == 4


@each_fast_set
def test_each_instruction_set_ends_such_a_fit(kernels: str) -> None:
    result = fit(lambda x: np.full(40, np.nan), [1.0], kernels=kernels)
    assert_ended_as_not_finite(result, [1])


@each_value
def test_the_short_form_warns(value: float) -> None:
    with pytest.warns(RuntimeWarning, match="not finite: NaN, infinite"):
        x, ier = leastsq(lambda x: np.full(5, value), [2.0])
    assert x.tolist() == [2]
    assert ier == NOT_FINITE


@pytest.mark.parametrize("m", [2, 30])
def test_finite_residuals_whose_norm_overflows_end_the_fit(m: int) -> None:
    def func(x: Array) -> Array:
        return np.full(m, 1.5e308) * (x[0] - 1)

    assert_ended_as_not_finite(fit(func, [2.0]), [2])
    *_, ier = fit(func, [2.0], kernels="reference")
    assert ier == 4


# The Jacobian ----------------------------------------------------------------


@each_value
@each_m
@pytest.mark.parametrize("row", [0, 2, -1])
@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("rest", ["as it is", "zero"])
def test_an_entry_of_the_jacobian_that_is_not_finite_at_x0_ends_the_fit(
    value: float, m: int, row: int, column: int, rest: str
) -> None:
    line = Line(m)

    def jacobian(x: Array) -> Array:
        matrix = line.jacobian(x)
        if rest == "zero":
            matrix[:, column] = 0
        matrix[row, column] = value
        return matrix

    result = fit(line.residuals, [1.0, 1.0], Dfun=jacobian)
    assert_ended_as_not_finite(result, [1, 1])
    assert result[2]["nfev"] == result[2]["njev"] == 1

    x, *_, ier = fit(line.residuals, [1.0, 1.0], Dfun=jacobian, kernels="reference")
    assert ier in CONVERGED
    assert not np.allclose(x, line.solution, atol=0.1)


@each_value
@each_m
def test_a_residual_that_is_not_finite_in_a_difference_ends_the_fit(
    value: float, m: int
) -> None:
    line = Line(m)

    def func(x: Array) -> Array:
        r = line.residuals(x)
        r[1] = value if x[1] > 1 else r[1]
        return r

    result = fit(func, [1.0, 1.0])
    assert_ended_as_not_finite(result, [1, 1])
    assert np.isfinite(result[2]["fvec"]).all()
    assert result[2]["nfev"] == 3 == len(line.asked)

    x, *_, ier = fit(func, [1.0, 1.0], kernels="reference")
    assert ier in CONVERGED
    assert not np.allclose(x, line.solution, atol=0.1)


@each_value
@each_m
def test_the_best_point_is_kept_where_its_jacobian_is_not_finite(
    value: float, m: int
) -> None:
    line = Line(m)
    at: list[Array] = []

    def jacobian(x: Array) -> Array:
        at.append(x.copy())
        return line.jacobian(x) if len(at) < 2 else np.full((m, 2), value)

    result = fit(line.residuals, [1.0, 1.0], Dfun=jacobian)
    x, _, info, *_ = result
    assert_ended_as_not_finite(result, at[-1])
    assert info["njev"] == len(at) == 2
    np.testing.assert_allclose(x, line.solution, atol=0.3)
    np.testing.assert_array_equal(info["fvec"], line.residuals(x))


@pytest.mark.parametrize("m", [1, 30])
def test_the_best_point_is_kept_where_a_difference_from_it_is_not_finite(m) -> None:
    """The solution lies on the edge of where the residuals are defined."""

    def func(x: Array) -> Array:
        return np.full(m, x[0] - 1 if x[0] <= 1 else np.nan)

    x, cov_x, info, _, ier = fit(func, [0.5])
    assert ier == NOT_FINITE
    assert cov_x is None
    assert 0.5 < x[0] <= 1
    np.testing.assert_array_equal(info["fvec"], func(x))

    *_, ier = fit(func, [0.5], kernels="reference")
    assert ier == 4


# Trial points ----------------------------------------------------------------


@each_value
@pytest.mark.parametrize("m", [4, 60])
@pytest.mark.parametrize("analytic", [True, False])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_a_trial_point_that_is_not_finite_is_only_rejected(
    value: float, m: int, analytic: bool, kernels: str
) -> None:
    """From 5 the first step leads to negative x, where a logarithm has no value."""
    t = np.linspace(1, 2, m)
    y = t * np.log(0.5)
    rejected = []

    def func(x: Array) -> Array:
        if x[0] > 0:
            return t * np.log(x[0]) - y
        rejected.append(x[0])
        r = t.copy()
        r[m // 2] = value
        return r

    x, cov_x, info, _, ier = fit(
        func,
        [5.0],
        Dfun=(lambda x: (t / x[0])[:, None]) if analytic else None,
        kernels=kernels,
    )
    assert rejected
    assert ier in CONVERGED
    np.testing.assert_allclose(x, 0.5, rtol=1e-7)
    assert np.isfinite(cov_x).all()
    assert np.isfinite(info["fvec"]).all()


def two_scales(x: Array) -> Array:
    """Residuals whose Gauss-Newton step is infinite in one parameter."""
    return np.array([x[0] - 1, 1e-300 * x[1] + 1e10])


def nothing_but_numbers(x: Array) -> Array:
    return np.nan_to_num(two_scales(x))


@pytest.mark.parametrize("func", [two_scales, nothing_but_numbers])
@each_fast_set
def test_a_step_to_nan_is_never_taken(func: Callable[..., Any], kernels: str) -> None:
    """The Jacobian is finite, the step is not."""

    def jacobian(x: Array) -> Array:
        return np.diag([1, 1e-300])

    x0 = [2.0, 1.0]
    x, _, info, *_ = fit(func, x0, Dfun=jacobian, kernels=kernels)
    assert np.isfinite(x).all()
    assert np.isfinite(info["fvec"]).all()
    assert info["fvec"] @ info["fvec"] <= func(np.array(x0)) @ func(np.array(x0))

    x, *_, ier = fit(func, x0, Dfun=jacobian, kernels="reference")
    assert np.isnan(x).any()
    assert ier == 4


@each_m
def test_a_scale_that_is_nan_leads_nowhere(m: int) -> None:
    line = Line(m)
    x, *_, ier = fit(line.residuals, [1.0, 1.0], diag=[1.0, np.nan])
    assert x.tolist() == [1, 1]
    assert ier not in CONVERGED

    x, *_, ier = fit(
        line.residuals, [1.0, 1.0], diag=[1.0, np.nan], kernels="reference"
    )
    assert np.isnan(x).any()
    assert ier == 4


def test_an_infinite_x0_is_not_a_solution():
    """Where func stays finite, MINPACK finds that nothing changes and is content."""

    def func(x):
        return np.array([1.0 / (1.0 + abs(x[0])) - 0.5, 1.0])

    assert leastsq(func, [np.inf], full_output=True)[-1] == 9
    assert leastsq(func, [np.inf], full_output=True, kernels="reference")[-1] != 9


def test_a_step_that_overflows_ends_the_fit():
    """MINPACK takes it, and x is NaN."""
    jacobian = np.diag([1.0, 1e-300])

    def func(x):
        return jacobian @ x + [-1.0, 1e10]

    def fit(kernels):
        return leastsq(
            func, [0.0, 0.0], Dfun=lambda x: jacobian, full_output=True, kernels=kernels
        )

    x, *_, ier = fit("fast")
    assert ier == 9
    assert np.isfinite(x).all()
    assert np.isnan(fit("reference")[0]).any()

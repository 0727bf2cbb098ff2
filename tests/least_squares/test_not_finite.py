"""Residuals that are not finite, at the start and on the way."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from arrays import Array
from least_squares.cases import START, cubic_soft_l1, decay, label
from minpack import least_squares


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["linear", "arctan", cubic_soft_l1], ids=label)
def test_residuals_that_are_not_finite_at_x0_are_refused(value, loss):
    def fun(x: Array) -> Array:
        f = decay(x)
        f[17] = value
        return f

    message = re.escape(
        f"fun must be finite at x0: residual 17 is {value} at x = [1.0, 1.0, 0.0]"
    )
    with pytest.raises(ValueError, match=message):
        least_squares(fun, START, loss=loss)


def test_a_cost_that_overflows_at_x0_is_refused():
    with pytest.raises(
        ValueError, match=r"cost must be finite at x0: it is inf at x = \[1.0\]"
    ):
        least_squares(lambda x: np.full(3, 1.7e308) * x, [1.0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("loss", ["linear", "soft_l1"])
def test_a_trial_point_that_is_not_finite_is_rejected(value, loss):
    rejected = []

    def fun(x: Array) -> Array:
        if x[0] <= 0:
            rejected.append(x[0])
            return np.array([value, value])
        return np.array([np.log(x[0]) - 1, 0.0])

    fit = least_squares(fun, [20.0], lambda x: [[1 / x[0]], [0.0]], loss=loss)
    assert rejected
    assert fit.success
    assert fit.x == pytest.approx(np.e)


@pytest.mark.parametrize("loss", ["linear", "huber"])
@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
def test_a_difference_that_is_not_finite_ends_the_fit(jac, loss):
    def fun(x: Any) -> Any:
        f = np.array([x[0] - 3, x[1] - 1, x[0] * x[1]])
        if x[1] != 0.5:
            f[1] *= np.nan
        return f

    fit = least_squares(fun, [1.0, 0.5], jac, loss=loss)
    np.testing.assert_array_equal(fit.x, [1, 0.5])
    assert (fit.status, fit.success) == (-1, False)
    assert "not finite" in fit.message
    assert np.isfinite(fit.cost)
    assert np.isnan(fit.grad).all()
    assert np.isnan(fit.jac).all()
    assert np.isnan(fit.optimality)

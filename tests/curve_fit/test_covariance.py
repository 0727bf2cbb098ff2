"""A covariance that the data do not determine, or that is out of range."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minpack
from curve_fit.calls import Call, X, Y, fit, line, scipys
from minpack import OptimizeWarning, curve_fit
from models import decay

UNDETERMINED: dict[str, Call] = {
    "a parameter without an effect": line(f=lambda x, a, b: a * x),
    "two parameters with the same effect": line(
        f=lambda x, a, b: a + b,
        xdata=None,
        ydata=[1, 2, 3, 4],
        jac=lambda x, a, b: np.ones((4, 2)),
    ),
    "as many points as parameters": line(xdata=[0, 1], ydata=[1, 3]),
    "a parameter without an effect, absolute sigma": line(
        f=lambda x, a, b: a * x, sigma=1.0, absolute_sigma=True
    ),
}


@pytest.mark.parametrize("call", UNDETERMINED.values(), ids=UNDETERMINED)
def test_a_covariance_that_is_unknown_is_infinite_and_a_warning(call: Call) -> None:
    with pytest.warns(OptimizeWarning, match="covariance") as caught:
        popt, pcov = curve_fit(**call)
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(pcov, np.full((2, 2), np.inf))
    with warnings.catch_warnings(action="ignore"):
        theirs, their_cov = scipys(**call)
    np.testing.assert_array_equal(pcov, their_cov)
    np.testing.assert_allclose(popt, theirs, rtol=1e-8)


def test_the_warning_is_a_user_warning() -> None:
    assert issubclass(OptimizeWarning, UserWarning)
    assert minpack.OptimizeWarning is OptimizeWarning


@pytest.mark.parametrize("size", [1e-170, 1e-160, 1e160, 1e170])
def test_the_covariance_does_not_overflow_on_its_way(size: float) -> None:
    """Slopes of 1e170 have a variance beyond float64, but a rate of 1.3 has not."""

    def scaled(x: Any, a: Any, b: Any, c: Any) -> Any:
        return size * decay(x, a, b, c)

    popt, pcov = curve_fit(scaled, X, size * Y)
    plain, plain_cov = curve_fit(**fit())
    np.testing.assert_allclose(popt, plain, rtol=1e-6)
    np.testing.assert_allclose(pcov, plain_cov, rtol=1e-5)


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_a_covariance_out_of_range_is_said_to_be(size: float) -> None:
    with pytest.warns(OptimizeWarning, match="out of the range of float64"):
        _, pcov = curve_fit(decay, X, size * Y, [2 * size, 1, size])
    assert np.isinf(pcov).all()


def test_what_leaves_the_covariance_open_is_named() -> None:
    with pytest.warns(OptimizeWarning, match="as few data as parameters"):
        curve_fit(lambda x, a, b: a * x + b, [0, 1], [1, 3])
    with pytest.warns(OptimizeWarning, match="derivatives of f .* depend on"):
        curve_fit(lambda x, a, b: (a + b) * x, [0, 1, 0], [1, 3, 4])

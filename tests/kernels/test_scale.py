"""Other units change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arrays import Array
from kernels.fitting import fit, path, with_and_without_jacobian
from minpack import leastsq

T = np.linspace(0, 4, 60)
DATA = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.cos(40 * T)


def scaled_decay(
    residual_exponent: int, x_exponent: int, analytic: bool, kernels: str = "fast"
) -> dict[str, Any]:
    """A decay fitted in other units, powers of two; the result without them."""
    unit, x_unit = 2.0**residual_exponent, 2.0**x_exponent

    def residuals(x: Array) -> Array:
        a, b, c = x / x_unit
        return unit * (a * np.exp(-b * T) + c - DATA)

    def jacobian(x: Array) -> Array:
        a, b, _ = x / x_unit
        e = np.exp(-b * T)
        return unit * (np.stack([e, -a * T * e, np.ones_like(T)], axis=1) / x_unit)

    jac = jacobian if analytic else None
    result = fit(residuals, x_unit * np.array([1, 1, 1]), jac, kernels=kernels)
    result["x"] /= x_unit
    result["fvec"] /= unit
    return result


@with_and_without_jacobian
@pytest.mark.parametrize(
    "exponents", [(-40, 0), (-1, 0), (40, 0), (0, -40), (0, 40), (30, 30), (30, -30)]
)
def test_other_units_give_the_same_bits(
    exponents: tuple[int, int], analytic: bool
) -> None:
    ours = scaled_decay(*exponents, analytic)
    plain = scaled_decay(0, 0, analytic)
    for name in ("x", "fvec", "nfev", "ier"):
        assert np.array_equal(ours[name], plain[name])


@with_and_without_jacobian
@pytest.mark.parametrize(
    "exponents",
    [(-980, 0), (-500, 0), (-200, 0), (200, 0), (500, 0), (1000, 0), (0, -400),
     (0, -200), (0, 200), (0, 400), (400, 400), (-400, -400), (600, 800)],
)  # fmt: skip
def test_units_beyond_the_bounds_give_the_same_path(
    exponents: tuple[int, int], analytic: bool
) -> None:
    ours = scaled_decay(*exponents, analytic)
    plain = scaled_decay(0, 0, analytic)
    assert path(ours) == path(plain)
    np.testing.assert_allclose(ours["x"], plain["x"], rtol=1e-7)
    np.testing.assert_allclose(ours["fvec"], plain["fvec"], atol=1e-7)


@with_and_without_jacobian
@pytest.mark.parametrize(("column", "size"), [(1e60, 1e245), (1e-60, 1e-260)])
def test_a_linear_fit_of_any_scale_is_solved(
    column: float, size: float, analytic: bool
) -> None:
    """Products of residuals and derivatives overflow or underflow, the fit does not."""
    t = np.arange(1.0, 21.0)
    matrix = column * np.stack([t, np.ones_like(t)], axis=1)
    y, unit = size * (3 * t + 2), size / column
    x, *_ = leastsq(
        lambda x: matrix[:, 0] * x[0] + matrix[:, 1] * x[1] - y,
        [unit, unit],
        Dfun=(lambda x: matrix) if analytic else None,
    )
    np.testing.assert_allclose(x / unit, [3, 2], rtol=1e-7)

"""Differences of every order, and complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arrays import Array
from minpack import least_squares


def quintic(x: Any) -> Any:
    return np.array([x[0] ** 5 - 2, x[0] * x[1] ** 3 - 1, np.exp(x[1]) - x[0]])


def quintic_jacobian(x: Array) -> Array:
    return np.array(
        [[5 * x[0] ** 4, 0], [x[1] ** 3, 3 * x[0] * x[1] ** 2], [-1, np.exp(x[1])]]
    )


@pytest.mark.parametrize(
    ("jac", "error"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-15)]
)
def test_a_higher_order_is_more_exact(jac, error):
    fit = least_squares(quintic, [1.3, 0.7], jac, gtol=1.0)
    np.testing.assert_array_equal(fit.x, [1.3, 0.7])
    exact = quintic_jacobian(fit.x)
    np.testing.assert_allclose(fit.jac, exact, rtol=error, atol=error)
    if jac != "cs":
        assert np.abs(fit.jac - exact).max() > 1e-3 * error


@pytest.mark.parametrize("x", [0.0, 1e-300, -1e-30, 1e30])
def test_complex_steps_fit_parameters_of_any_size(x):
    fit = least_squares(lambda p: np.sin(p / (x or 1)), [x], "cs", gtol=1.0)
    np.testing.assert_allclose(fit.jac, np.cos(np.sign(x) ** 2) / (x or 1), rtol=1e-15)


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs"])
@pytest.mark.parametrize("diff_step", [1e-3, [1e-3, 1e-2]])
def test_diff_step_is_relative_to_the_parameters(jac, diff_step):
    asked = []

    def fun(x: Any) -> Any:
        asked.append(x.copy())
        return quintic(x)

    least_squares(fun, [2.0, 0.5], jac, diff_step=diff_step, gtol=1.0)
    steps = np.abs(np.array(asked[1:]) - [2.0, 0.5]).max(axis=0)
    np.testing.assert_allclose(steps, np.array([2.0, 0.5]) * diff_step, rtol=1e-9)


@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("x0", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
def test_differences_stay_within_the_bounds(jac, x0):
    asked = []

    def fun(x: Array) -> Array:
        asked.append(x.copy())
        return quintic(x)

    fit = least_squares(fun, x0, jac, bounds=(0, 1), diff_step=0.1)
    assert np.all(asked >= np.zeros(2))
    assert np.all(asked <= np.ones(2))
    np.testing.assert_allclose(
        fit.x, least_squares(quintic, x0, quintic_jacobian, bounds=(0, 1)).x, atol=0.05
    )


def test_complex_steps_want_complex_residuals():
    with pytest.raises(TypeError, match=r"jac='cs'.*fun must return complex.*float64"):
        least_squares(lambda x: np.abs(x), [1.0], "cs")
    with pytest.raises(ValueError, match="as many numbers"):
        least_squares(
            lambda x: x[:1] if np.iscomplexobj(x) else x, [1.0, 2.0], jac="cs"
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("options", [{}, {"bounds": (0, 9)}], ids=str)
def test_two_points_are_as_far_apart_as_the_precision_wants(
    dtype: type[np.floating[Any]], options: dict[str, Any]
) -> None:
    """Their error falls with the square of the step, and so do those of rounding."""
    t = np.linspace(0, 4, 40)
    y = 2 * np.exp(-0.7 * t) + 0.5
    rounding = np.finfo(dtype).eps

    def residuals(p: Array) -> Array:
        return (p[0] * np.exp(-p[1] * t) + p[2]).astype(dtype) - y.astype(dtype)

    fit = least_squares(residuals, [1, 1, 0.1], "3-point", **options)
    a, b, _ = fit.x
    exact = np.stack([np.exp(-b * t), -a * t * np.exp(-b * t), np.ones_like(t)], axis=1)
    error = np.abs(fit.jac - exact).max()
    assert error < 4 * rounding ** (2 / 3)
    np.testing.assert_allclose(fit.x, [2, 0.7, 0.5], atol=20 * rounding)

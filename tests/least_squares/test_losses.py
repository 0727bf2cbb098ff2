"""The robust minimum is that of SciPy's 'trf'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arrays import Array
from least_squares.cases import (
    LOSSES,
    START,
    T,
    cubic_soft_l1,
    decay,
    decay_jacobian,
    label,
    rho,
)
from minpack import least_squares


def contaminated(kind: str, share: float) -> Any:
    """Residuals of a model with outliers, and a start."""
    models = {
        "decay": (lambda x: x[0] * np.exp(-x[1] * T) + x[2], [2.5, 1.3, 0.5], START),
        "line": (lambda x: x[0] + x[1] * T, [1.0, 2.0], [0.8, 1.9]),
        "saturation": (lambda x: x[0] * T / (x[1] + T), [3.0, 2.0], [2.5, 1.5]),
        "wave": (lambda x: x[0] * np.sin(x[1] * T), [2.0, 1.2], [1.5, 1.1]),
    }
    model, true, start = models[kind]
    rng = np.random.default_rng(7)
    y = model(true) + 0.05 * rng.normal(size=T.size)
    outliers = rng.choice(T.size, int(share * T.size), replace=False)
    y[outliers] += rng.uniform(1, 8, outliers.size)
    return lambda x: model(x) - y, true, start


@pytest.mark.parametrize("loss", [*LOSSES, cubic_soft_l1], ids=label)
@pytest.mark.parametrize("kind", ["decay", "line", "saturation", "wave"])
@pytest.mark.parametrize("share", [0.04, 0.16])
def test_the_robust_minimum_is_that_of_scipys_trf(optimize, loss, kind, share):
    fun, _, start = contaminated(kind, share)
    tolerances = {"ftol": 1e-12, "xtol": 1e-12, "gtol": 1e-12}
    ours = least_squares(fun, start, loss=loss, f_scale=0.15, **tolerances)
    theirs = optimize.least_squares(
        fun, start, "3-point", loss=loss, f_scale=0.15, **tolerances
    )
    assert ours.success
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-4)


@pytest.mark.parametrize("loss", ["cauchy", "arctan"])
@pytest.mark.parametrize("kind", ["decay", "line", "saturation", "wave"])
def test_outliers_hardly_matter(loss, kind):
    fun, true, start = contaminated(kind, 0.16)
    robust = least_squares(fun, start, loss=loss, f_scale=0.1)
    plain = least_squares(fun, start)
    assert np.linalg.norm(robust.x - true) < 0.12
    assert np.linalg.norm(robust.x - true) < 0.2 * np.linalg.norm(plain.x - true)


@pytest.mark.parametrize("loss", ["linear", *LOSSES, cubic_soft_l1], ids=label)
@pytest.mark.parametrize("f_scale", [0.03, 1.0, 40.0])
def test_cost_and_gradient_are_those_of_the_loss(loss, f_scale):
    fit = least_squares(
        decay, [3.0, 1.0, 1.0], decay_jacobian, loss=loss, f_scale=f_scale, gtol=1e9
    )
    np.testing.assert_array_equal(fit.x, [3, 1, 1])
    if loss == "linear":
        f_scale = 1.0
    value, slope = rho(loss, (fit.fun / f_scale) ** 2)
    np.testing.assert_array_equal(fit.fun, decay(fit.x))
    np.testing.assert_allclose(fit.cost, 0.5 * f_scale**2 * value.sum(), rtol=1e-13)
    np.testing.assert_allclose(
        fit.grad, decay_jacobian(fit.x).T @ (slope * fit.fun), rtol=1e-12
    )


def test_the_jacobian_is_weighted_so_that_it_gives_the_hessian():
    x = np.array([2.0])
    f = x**2 + 5
    for loss, weight in (
        ("soft_l1", lambda z: (1 + z) ** -1.5),
        ("huber", lambda z: 1.0),
        ("cauchy", lambda z: (1 - z) / (1 + z) ** 2),
        ("arctan", lambda z: (1 - 3 * z**2) / (1 + z**2) ** 2),
        (cubic_soft_l1, lambda z: (1 - z / 3) * (1 + z) ** (-5 / 3)),
    ):
        fit = least_squares(
            lambda x: x**2 + 5, x, "cs", loss=loss, f_scale=40.0, gtol=1e9
        )
        expected = weight((f / 40) ** 2) ** 0.5 * 2 * x
        np.testing.assert_allclose(fit.jac[0], expected, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_callable_loss_is_the_same_as_the_one_with_a_name(loss):
    def as_callable(z: Array) -> Array:
        value, slope = rho(loss, z)
        second = {
            "soft_l1": -0.5 * (1 + z) ** -1.5,
            "huber": np.where(z <= 1, 0, -0.5 * np.maximum(z, 1) ** -1.5),
            "cauchy": -1 / (1 + z) ** 2,
            "arctan": -2 * z / (1 + z**2) ** 2,
        }[loss]
        return np.array([value, slope, second])

    fun, _, start = contaminated("decay", 0.1)
    named = least_squares(fun, start, loss=loss, f_scale=0.1)
    called = least_squares(fun, start, loss=as_callable, f_scale=0.1)
    assert called.nfev == pytest.approx(named.nfev, abs=2)
    np.testing.assert_allclose(called.x, named.x, rtol=1e-5)


def squared_loss(z: Array) -> Array:
    """Flat at 0: rho' is 0 there, and rho'' is not."""
    return np.array([z**2, 2 * z, np.full_like(z, 2.0)])


def loss_with_a_dead_zone(z: Array) -> Array:
    over = np.maximum(z - 1e-3, 0)
    return np.array([over**2, 2 * over, np.full_like(z, 2.0)])


@pytest.mark.parametrize("loss", [squared_loss, loss_with_a_dead_zone])
def test_a_loss_may_be_flat(optimize, loss):
    t = np.linspace(0, 5, 40)
    y = 2 * np.exp(-0.7 * t) + 0.5 + 0.2 * np.sin(9 * t)

    def fun(x: Array) -> Array:
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    ours = least_squares(fun, [1, 1, 0.1], loss=loss, ftol=1e-12, xtol=1e-12)
    theirs = optimize.least_squares(
        fun, [1, 1, 0.1], loss=loss, ftol=1e-13, xtol=1e-13, gtol=1e-13
    )
    assert ours.success
    assert ours.cost <= theirs.cost * (1 + 1e-6)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-3)
    assert np.isfinite(ours.jac).all()


@pytest.mark.parametrize("loss", [*LOSSES, "callable"])
@pytest.mark.parametrize("size", [1e-150, 1e-180, 1e-200, 1e-290])
def test_residuals_that_are_tiny_beside_f_scale_are_not_taken_for_0(loss, size):
    fun, _, start = contaminated("decay", 0.1)
    plain = least_squares(fun, start)
    loss = squareless_soft_l1 if loss == "callable" else loss
    scaled = least_squares(fun, start, loss=loss, f_scale=1 / size)
    tiny = least_squares(lambda x: size * fun(x), start, loss=loss)
    for fit in scaled, tiny:
        assert fit.status == plain.status
        np.testing.assert_allclose(fit.x, plain.x, rtol=1e-4)


def squareless_soft_l1(z: Array) -> Array:
    root = np.sqrt(1 + z)
    return np.array([2 * z / (root + 1), 1 / root, -0.5 * root**-3])


@pytest.mark.parametrize("loss", ["soft_l1", "huber"])
def test_residuals_that_are_huge_beside_f_scale_have_a_weight(loss):
    """Both losses are then the sum of absolute values."""
    fun, _, start = contaminated("decay", 0.1)
    large = least_squares(fun, start, loss=loss, f_scale=1e-8, xtol=1e-12, ftol=1e-12)
    huge = least_squares(
        lambda x: 1e200 * fun(x), start, loss=loss, xtol=1e-12, ftol=1e-12
    )
    assert huge.success
    np.testing.assert_allclose(huge.x, large.x, rtol=1e-2)


def test_loss_and_bounds_go_together(optimize):
    fun, _, start = contaminated("decay", 0.1)
    options = {"loss": "soft_l1", "f_scale": 0.1, "bounds": (0, [2, 3, 4])}
    ours = least_squares(fun, start, ftol=1e-12, xtol=1e-12, **options)
    theirs = optimize.least_squares(fun, start, ftol=1e-13, xtol=1e-13, **options)
    assert ours.cost <= theirs.cost * (1 + 1e-8)
    np.testing.assert_array_equal(ours.active_mask, [1, 0, 0])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_trial_point_that_is_infinite_is_rejected_whatever_the_loss(loss):
    def fun(x: Array) -> Array:
        return np.array([x[0] - 3, np.inf if x[0] > 2.9 else 0.0])

    fit = least_squares(fun, [0.0], lambda x: [[1.0], [0.0]], loss=loss)
    assert 2 < fit.x[0] <= 2.9
    assert np.isfinite(fit.cost)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        ("hinge", ValueError, "loss must be 'linear'.*'hinge'"),
        (3, TypeError, "loss must be callable, not int"),
        (lambda z: z, ValueError, r"loss must return.*\(3, m\).*shape \(50,\)"),
        (lambda z: np.stack([-z, z, z]), ValueError, "row 0 .* negative at 0"),
        (lambda z: np.stack([z, z - 1, z]), ValueError, "row 1 .* negative"),
        (lambda z: [z * 1j] * 3, TypeError, "loss must return real numbers"),
    ],
)
def test_a_bad_loss_is_refused(loss, error, message):
    with pytest.raises(error, match=message):
        least_squares(decay, [1.0, 0.5, 0.1], loss=loss)


def test_an_exception_in_a_loss_passes_unchanged():
    error = KeyError("mine")

    def loss(z: Array) -> Array:
        raise error

    with pytest.raises(KeyError) as caught:
        least_squares(decay, START, loss=loss)
    assert caught.value is error

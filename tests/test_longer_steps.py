"""Differences carry information: errors of parameters fitted to 0, and tiny starts.

MINPACK's step is a fixed part of a parameter. Next to 0 it changes nothing but the last
bits of the residuals, and the column of the Jacobian is zero or noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minpack
from arrays import Array
from minpack import OptimizeWarning
from models import decay, decay_jacobian

Model = Callable[..., Any]


class Centred(NamedTuple):
    """A model with a parameter that data of a symmetry take to 0."""

    f: Model
    jacobian: Model
    truth: tuple[float, ...]
    start: tuple[float, ...]
    centre: Callable[[Array], Array]


def line_jacobian(x: Array, a: float, b: float) -> Array:
    return np.stack([x, np.ones_like(x)], axis=-1)


def sine_jacobian(x: Array, a: float, w: float, p: float) -> Array:
    s, c = np.sin(w * x + p), np.cos(w * x + p)
    return np.stack([s, a * x * c, a * c], axis=-1)


def cubic_jacobian(x: Array, a: float, b: float, c: float, d: float) -> Array:
    return np.stack([x**3, x**2, x, np.ones_like(x)], axis=-1)


def peak_jacobian(x: Array, a: float, c: float, w: float) -> Array:
    z = (x - c) / w
    e = np.exp(-z * z)
    return np.stack([e, 2 * a * e * z / w, 2 * a * e * z * z / w], axis=-1)


MODELS = {
    "line": Centred(
        lambda x, a, b: a * x + b, line_jacobian, (2, 0), (1, 1), lambda y: y - y.mean()
    ),
    "sine": Centred(
        lambda x, a, w, p: a * np.sin(w * x + p),
        sine_jacobian,
        (2, 1.1, 0),
        (1, 1, 0.3),
        lambda y: (y - y[::-1]) / 2,
    ),
    "odd cubic": Centred(
        lambda x, a, b, c, d: ((a * x + b) * x + c) * x + d,
        cubic_jacobian,
        (0.5, 0, 1, 0),
        (1, 1, 1, 1),
        lambda y: (y - y[::-1]) / 2,
    ),
    "symmetric peak": Centred(
        lambda x, a, c, w: a * np.exp(-(((x - c) / w) ** 2)),
        peak_jacobian,
        (3, 0, 1.5),
        (1, 0.5, 1),
        lambda y: (y + y[::-1]) / 2,
    ),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
each_seed = pytest.mark.parametrize("seed", range(8))


def data(model: Centred, seed: int, m: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    m = m or int(rng.integers(12, 200))
    x = np.linspace(-5, 5, m)
    noise = rng.normal(size=m) * 10 ** rng.uniform(-3, 0)
    return x, model.centre(model.f(x, *model.truth) + noise)


def exact_covariance(model: Centred, x: Array, y: Array, p: Array) -> Array:
    jacobian = model.jacobian(x, *p)
    residuals = model.f(x, *p) - y
    variance = residuals @ residuals / (x.size - p.size)
    return variance * np.linalg.inv(jacobian.T @ jacobian)


def assert_errors_are_exact(
    pcov: Array, model: Centred, x: Array, y: Array, p: Array
) -> None:
    exact = np.diag(exact_covariance(model, x, y, p))
    np.testing.assert_allclose(np.sqrt(np.diag(pcov)), np.sqrt(exact), rtol=1e-3)


# --- A parameter that is fitted to 0 -------------------------------------------------


def test_the_error_of_the_offset_of_centred_data() -> None:
    x = np.linspace(-5, 5, 50)
    y = 2 * x + np.random.default_rng(1).normal(size=50)
    y -= y.mean()
    popt, pcov = minpack.curve_fit(lambda x, a, b: a * x + b, x, y)
    assert abs(popt[1]) < 1e-6
    scatter = np.sum((popt[0] * x - y) ** 2) / 48
    assert np.sqrt(pcov[1, 1]) == pytest.approx(np.sqrt(scatter / 50), rel=1e-5)
    fit = minpack.least_squares(lambda p: p[0] * x + p[1] - y, [1, 1.0])
    np.testing.assert_allclose(fit.jac[:, 1], 1, rtol=1e-6)


@each_model
@each_seed
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (-50, 50)], ids=["", "bounds"])
def test_curve_fit_has_the_error_of_a_parameter_that_is_0(
    model: Centred, seed: int, bounds: Any
) -> None:
    x, y = data(model, seed)
    popt, pcov = minpack.curve_fit(model.f, x, y, model.start, bounds=bounds)
    assert_errors_are_exact(pcov, model, x, y, popt)


@each_model
@each_seed
@pytest.mark.parametrize("jac", ["2-point", "3-point"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (-50, 50)], ids=["", "bounds"])
def test_least_squares_has_the_jacobian_where_a_parameter_is_0(
    model: Centred, seed: int, jac: str, bounds: Any
) -> None:
    x, y = data(model, seed)
    fit = minpack.least_squares(
        lambda p: model.f(x, *p) - y, model.start, jac, bounds=bounds
    )
    exact = model.jacobian(x, *fit.x)
    error = np.linalg.norm(fit.jac - exact, axis=0) / np.linalg.norm(exact, axis=0)
    assert error.max() < 1e-3


@each_model
def test_a_batch_has_the_errors_of_parameters_that_are_0(model: Centred) -> None:
    x, _ = data(model, 0, m=50)
    ys = np.stack([data(model, seed, m=50)[1] for seed in range(20)])
    batch = minpack.curve_fit_batch(model.f, x, ys, model.start)
    for y, p, cov in zip(ys, batch.x, batch.cov, strict=True):
        assert_errors_are_exact(cov, model, x, y, p)


@each_model
@pytest.mark.parametrize("m", [40_001, 200_001])
def test_many_points_have_the_error_too(model: Centred, m: int) -> None:
    """Where the factorization forms the differences."""
    x, y = data(model, 3, m=m)
    popt, pcov = minpack.curve_fit(model.f, x, y, model.start)
    assert_errors_are_exact(pcov, model, x, y, popt)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_the_units_of_the_data_do_not_matter(scale: float) -> None:
    model = MODELS["line"]
    x, y = data(model, 5)
    popt, pcov = minpack.curve_fit(model.f, x, scale * y, scale * np.ones(2))
    assert_errors_are_exact(pcov, model, x, scale * y, popt)


def test_the_residuals_may_be_weighed() -> None:
    model = MODELS["line"]
    x, y = data(model, 7)
    sigma = np.linspace(0.5, 2, x.size)
    y -= np.average(y, weights=sigma**-2)
    x -= np.average(x, weights=sigma**-2)
    _, pcov = minpack.curve_fit(model.f, x, y, [1, 1], sigma=sigma, absolute_sigma=True)
    assert pcov[1, 1] == pytest.approx(1 / np.sum(sigma**-2), rel=1e-4)


def test_longer_steps_count_as_evaluations_and_are_few() -> None:
    x, y = data(MODELS["line"], 1)
    calls = 0

    def residuals(p: Array) -> Array:
        nonlocal calls
        calls += 1
        return p[0] * x + p[1] - y

    *_, info, _, _ = minpack.leastsq(residuals, [1, 1], full_output=True)
    assert calls == info["nfev"] <= 8


def test_a_longer_step_stays_within_the_bounds() -> None:
    x, y = data(MODELS["line"], 1)
    tried = []

    def residuals(p: Array) -> Array:
        tried.append(p[1])
        return p[0] * x + p[1] - y

    fit = minpack.least_squares(residuals, [1, 1e-9], bounds=([0, 0], [9, 3e-9]))
    assert 0 <= min(tried) <= max(tried) <= 3e-9
    np.testing.assert_allclose(fit.jac[:, 1], 1, rtol=1e-3)


@pytest.mark.parametrize("beyond", [np.nan, np.inf, 1e300])
def test_a_longer_step_may_lead_where_there_is_nothing(beyond: float) -> None:
    """Beyond 1e-10 this model does not exist."""
    x, y = data(MODELS["line"], 1)

    def residuals(p: Array) -> Array:
        return p[0] * x + 1e9 * p[1] - y if abs(p[1]) < 1e-10 else 0 * y + beyond

    fit = minpack.least_squares(residuals, [1, 1e-30], bounds=(-9, 9))
    assert fit.success
    assert fit.x[0] == pytest.approx(x @ y / (x @ x), rel=1e-6)


# --- A start that is nearly 0 --------------------------------------------------------

T = np.linspace(0, 5, 40)
DECAY = 2 * np.exp(-0.7 * T) + 0.5 + 0.02 * np.random.default_rng(0).normal(size=40)


def decay_residuals(p: Array) -> Array:
    with np.errstate(over="ignore"):
        return decay(T, *p) - DECAY


def decay_derivatives(p: Array) -> Array:
    with np.errstate(over="ignore"):
        return decay_jacobian(T, *p)


SOLUTION = minpack.leastsq(decay_residuals, [1, 1, 0.1])[0]
TINY = [1e-7, 1e-8, 1e-9, 1e-12, 1e-100, 1e-300, 1e-308, 5e-324, -1e-15]
each_tiny_start = pytest.mark.parametrize("tiny", TINY)


def start(at: int, tiny: float) -> list[float]:
    p0 = [1.0, 1.0, 1.0]
    p0[at] = tiny
    return p0


@each_tiny_start
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bounds": (-9, 9)},
        {"jac": "3-point"},
        {"jac": "3-point", "bounds": (-9, 9)},
        {"loss": "soft_l1"},
    ],
    ids=str,
)
def test_a_tiny_start_moves(at: int, tiny: float, options: dict[str, Any]) -> None:
    fit = minpack.least_squares(decay_residuals, start(at, tiny), **options)
    assert fit.success
    np.testing.assert_allclose(fit.x, SOLUTION, rtol=0.02)


@each_tiny_start
def test_a_tiny_start_moves_in_leastsq_and_batches(tiny: float) -> None:
    starts = np.array([start(at, tiny) for at in range(3)])
    for x0 in starts:
        x, ier = minpack.leastsq(decay_residuals, x0)
        assert ier in (1, 2, 3)
        np.testing.assert_allclose(x, SOLUTION, rtol=1e-4)
    with np.errstate(over="ignore"):
        batch = minpack.curve_fit_batch(decay, T, np.tile(DECAY, (3, 1)), starts)
    assert batch.success.all()
    np.testing.assert_allclose(batch.x, np.tile(SOLUTION, (3, 1)), rtol=1e-4)


@pytest.mark.parametrize("unit", [1e-8, 1e-12, 1e-100, 1e8])
@pytest.mark.parametrize("tiny", [1e-9, 1e-12, 1e-15, 1e-100])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0, 9)], ids=["", "bounds"])
def test_a_tiny_start_moves_in_whatever_units_the_residuals_are(
    unit: float, tiny: float, bounds: Any
) -> None:
    fit = minpack.least_squares(
        lambda p: unit * decay_residuals(p), start(2, tiny), bounds=bounds
    )
    assert fit.jac.any(axis=0).all()
    np.testing.assert_allclose(fit.x, SOLUTION, rtol=0.02)


@pytest.mark.parametrize("tiny", [1e-7, 1e-9, 1e-12, 1e-300])
def test_a_tiny_amplitude_moves_with_the_exact_jacobian_too(tiny: float) -> None:
    fit = minpack.least_squares(decay_residuals, start(0, tiny), decay_derivatives)
    np.testing.assert_allclose(fit.x, SOLUTION, rtol=1e-5)
    x, _ = minpack.leastsq(decay_residuals, start(0, tiny), Dfun=decay_derivatives)
    np.testing.assert_allclose(x, SOLUTION, rtol=1e-4)


@each_tiny_start
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (-9, 9)], ids=["", "bounds"])
def test_all_parameters_may_start_tiny(tiny: float, bounds: Any) -> None:
    popt, _ = minpack.curve_fit(
        lambda t, a, b: decay(t, a, b, 0.5), T, DECAY, [tiny, tiny], bounds=bounds
    )
    np.testing.assert_allclose(popt, SOLUTION[:2], rtol=0.02)


@pytest.mark.parametrize("size", [1e9, 1e12, 1e-9, 1e-12])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0, np.inf)], ids=["", "bounds"])
def test_an_offset_that_starts_at_the_mean_of_centred_data(
    size: float, bounds: Any
) -> None:
    x = np.linspace(0, 10, 60)
    y = size * (np.sin(x) + 3)
    p0 = [size, 1.1, 0.1, abs((y - y.mean()).mean()) + 1e-300]
    popt, _ = minpack.curve_fit(
        lambda x, a, w, p, c: a * np.sin(w * x + p) + c, x, y, p0, bounds=bounds
    )
    np.testing.assert_allclose(popt[[0, 1, 3]], [size, 1, 3 * size], rtol=1e-5)


# --- A bound of 0 --------------------------------------------------------------------


@pytest.mark.parametrize("amplitude", [1e-9, 1.0, 1e9, 1e12])
def test_a_bound_of_0_is_no_solution_where_the_gradient_leads_away(
    amplitude: float,
) -> None:
    x = np.logspace(0, 5, 60)
    noise = 1e-3 * amplitude * np.random.default_rng(3).normal(size=60)
    y = amplitude / np.sqrt(1 + (x / 300) ** 2) + noise

    def residuals(p: Array) -> Array:
        return p[0] / np.sqrt(1 + (x / p[1]) ** 2) + p[2] - y

    unit = amplitude / 1e9
    for p0 in ([amplitude, 1, 1e3 * unit], [amplitude, 1e3, 0]):
        fit = minpack.least_squares(residuals, p0, bounds=(0, np.inf))
        np.testing.assert_allclose(fit.x[:2], [amplitude, 300], rtol=0.01)
        assert fit.cost < 0.5 * np.sum((2 * noise) ** 2)


# --- Parameters without effect -------------------------------------------------------


def test_a_parameter_without_effect_is_named() -> None:
    def f(x: Array, slope: float, idle: float, offset: float) -> Array:
        return slope * x + offset

    x = np.arange(5.0)
    y = np.array([1.0, 2.9, 5.2, 7.1, 8.8])
    with pytest.warns(OptimizeWarning, match=r"Parameter 1 \(idle\) has no effect"):
        popt, pcov = minpack.curve_fit(f, x, y, [1, 1, 1])
    assert popt[1] == 1
    assert np.isinf(pcov).all()
    with pytest.warns(OptimizeWarning, match=r"Parameter 1 \(idle\) has no effect"):
        minpack.curve_fit(
            f, x, y, [1, 1, 1],
            jac=lambda x, *p: np.stack([x, 0 * x, 0 * x + 1], axis=1),
        )  # fmt: skip

    def residuals(p: Array) -> Array:
        return f(x, *p) - y

    *_, mesg, _ = minpack.leastsq(residuals, [1, 1, 1], full_output=True)
    assert "Parameter 1 has no effect on the residuals" in mesg
    fit = minpack.least_squares(residuals, [1, 1, 1])
    assert "Parameter 1 has no effect on the residuals" in fit.message
    fixed = minpack.least_squares(residuals, [1, 1, 1], bounds=([0, 1, 0], [9, 1, 9]))
    assert "no effect" not in fixed.message


def test_several_parameters_without_effect_are_named() -> None:
    with pytest.warns(OptimizeWarning, match=r"Parameters 0 \(a\), 2 \(c\) have no"):
        minpack.curve_fit(
            lambda x, a, b, c: b * x, np.arange(5.0), np.arange(5.0) ** 2, [1, 1, 1]
        )
    with pytest.warns(OptimizeWarning, match=r"Parameters 0, 2 have no effect"):
        minpack.curve_fit(
            lambda x, *p: p[1] * x, np.arange(5.0), np.arange(5.0) ** 2, [1, 1, 1]
        )


@pytest.mark.parametrize(
    "steps", [np.round, lambda r: r.astype(int), lambda r: 0 * r + 1.0]
)
def test_residuals_that_take_steps_are_no_silent_success(
    steps: Callable[[Array], Array],
) -> None:
    """Integers, or nothing: the Jacobian is zero, and the fit stays at its start."""
    x = np.arange(5.0)

    def residuals(p: Array) -> Array:
        return steps(10 * p[0] * x + p[1] - x**2 - 0.25)

    *_, mesg, ier = minpack.leastsq(residuals, [1, 1], full_output=True)
    assert ier == 4
    assert "No parameter has an effect on the residuals at x" in mesg
    assert "integers" in mesg
    fit = minpack.least_squares(residuals, [1, 1])
    assert "No parameter has an effect on the residuals at x" in fit.message
    with pytest.warns(OptimizeWarning, match="No parameter has an effect on the val"):
        minpack.curve_fit(lambda x, a, b: steps(10 * a * x + b), x, x**2, [1, 1])


@pytest.mark.parametrize("epsfcn", [1e-15, 1e-9, 1e-3])
def test_a_second_order_step_is_the_cube_root_of_the_error_of_func(
    epsfcn: float,
) -> None:
    t = np.linspace(0, 4, 20)
    seen: list[float] = []

    def decay(t: Any, rate: float) -> Any:
        seen.append(rate)
        return np.exp(-rate * t)

    minpack.curve_fit(decay, t, decay(t, 0.7), 1, jac="3-point", epsfcn=epsfcn)
    start, after, before = seen[1:4]
    cube = ((after - before) / 2 / start) ** 3
    assert cube == pytest.approx(epsfcn, rel=1e-9)

"""Small fits run abreast, each with the bits that it has alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minpack
from arrays import Array
from fits import bits_of_batch, unscaled
from traced.test_fuzz import ANY, ORDINARY, Drawn, N, can_be_computed

pytestmark = [
    unscaled,
    pytest.mark.filterwarnings("ignore::minpack.OptimizeWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

# A model, its parameters and starts
MODELS: dict[str, tuple[Any, list[float], list[float]]] = {
    "constant": (lambda t, a: a + 0 * t, [2.0], [1.0]),
    "line": (lambda t, a, b: a * t + b, [2.0, 0.7], [1.0, 0.0]),
    "decay": (lambda t, a, b, c: a * np.exp(-b * t) + c, [2, 0.7, 0.5], [1, 1, 0.0]),
    "peak": (
        lambda t, a, b, c, d: a * np.exp(-(((t - b) / c) ** 2) / 2) + d,
        [2, 5, 1.5, 0.5],
        [1, 4.5, 1, 0.0],
    ),
    "dose": (lambda t, a, b, c: a * t**c / (b**c + t**c), [2, 4, 1.5], [1, 2.0, 1]),
    "waves": (
        lambda t, a, b, c, d, e: a + b * t + c * np.sin(e * t) + d * np.cos(e * t),
        [2, 0.7, 0.4, 0.3, 1.1],
        [1, 1, 0, 1, 1.0],
    ),
}


# How a batch comes by the values and derivatives of a model
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "differences": (lambda f: minpack.traced(f, derivatives=False), {}),
    "exact": (minpack.traced, {}),
    "called": (lambda f: f, {"trace": False}),
}


def data(name: str, m: int, count: int) -> tuple[Array, Array, Array]:
    """The points, noisy data, and starts, some of them far off."""
    f, truth, start = MODELS[name]
    rng = np.random.default_rng(m)
    t = np.linspace(0.1, 10, m)
    each = np.array(truth) * rng.uniform(0.8, 1.2, (count, len(truth)))
    y = f(t, *each.T[:, :, None]) + rng.normal(scale=0.02, size=(count, m))
    starts = np.array(start) * rng.uniform(0.5, 1.5, (count, len(start)))
    starts[::7] *= 4
    return t, y, starts


def alone(f: Any, t: Array, y: Array, p0: Array, **options: Any) -> tuple[Any, ...]:
    """The bits of x and cov, nfev and ier of one fit; where it ends elsewhere, ier."""
    try:
        x, cov, info, _, ier = minpack.curve_fit(
            f, t, y, p0, full_output=True, **options
        )
    except RuntimeError:
        return ()
    cov[~np.isfinite(cov)] = np.nan  # as in a batch
    return x.tobytes(), cov.tobytes(), info["nfev"], ier


def same_alone(name: str, way: str, m: int, count: int = 60, **options: Any) -> int:
    """Compare a batch with its fits alone. Returns how many of them have converged."""
    t, y, starts = data(name, m, count)
    f, how = function(name, way)
    if "bounds" in options:
        starts = np.clip(
            starts, *np.array(options["bounds"])[:, :, None].swapaxes(1, 2)
        )
    found = minpack.curve_fit_batch(f, t, y, starts, **how, **options)
    assert found.traced == (way != "called")
    converged = 0
    for i, bits in enumerate(bits_of_batch(found)):
        expected = alone(f, t, y[i], starts[i], **options)
        if expected:
            assert bits == expected, i
            converged += 1
        else:
            assert found.ier[i] not in {1, 2, 3, 4}
    return converged


def function(name: str, way: str) -> tuple[Any, dict[str, Any]]:
    """A model for a batch, and the options that go with it"""
    make, how = WAYS[way]
    return make(MODELS[name][0]), how


each_way = pytest.mark.parametrize("way", WAYS)


# NumPy's powers of many exponents have other bits than those of one.
each_model = pytest.mark.parametrize(
    ("name", "way"),
    [(n, w) for n in MODELS for w in WAYS if (n, w) != ("dose", "called")],
)


@each_model
@pytest.mark.parametrize("m", [7, 16, 31, 32, 50, 65, 100, 200, 201])
def test_a_fit_has_the_bits_that_it_has_alone(name: str, m: int, way: str) -> None:
    assert same_alone(name, way, m) > 40


@each_way
@pytest.mark.parametrize("m", [20, 50])
@pytest.mark.parametrize(
    "options",
    [
        {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14},
        {"maxfev": 9},
        {"gtol": 0.1},
        {"bounds": ([0, 0.5, 0], [3, 1, 0.6])},
        {"bounds": ([0, 0.5, 0.4], [3, 1, 0.4])},
        {"sigma": 0.3, "absolute_sigma": True},
    ],
    ids=str,
)
def test_options_change_nothing_of_that(
    options: dict[str, Any], m: int, way: str
) -> None:
    same_alone("decay", way, m, **options)


@each_way
@pytest.mark.parametrize("each", [False, True], ids=["one sigma", "each its own"])
def test_weights_are_those_of_each_fit(each: bool, way: str) -> None:
    f, how = function("decay", way)
    t, y, starts = data("decay", 50, 40)
    sigma = np.random.default_rng(0).uniform(0.5, 2, y.shape if each else 50)
    found = minpack.curve_fit_batch(f, t, y, starts, sigma=sigma, **how)
    sigma = np.broadcast_to(sigma, y.shape)
    assert bits_of_batch(found) == [
        alone(f, t, y[i], starts[i], sigma=sigma[i]) for i in range(40)
    ]


@each_way
def test_each_fit_may_have_points_of_its_own(way: str) -> None:
    f, how = function("decay", way)
    t, y, starts = data("decay", 50, 40)
    own = t * np.linspace(0.9, 1.1, 40)[:, None]
    found = minpack.curve_fit_batch(f, own, y, starts, **how)
    assert bits_of_batch(found) == [
        alone(f, own[i], y[i], starts[i]) for i in range(40)
    ]


@each_way
def test_a_fit_that_fails_leaves_its_neighbours_alone(way: str) -> None:
    """NaN, infinity, a start where the model overflows, data of zeros, of huge size."""
    f, how = function("decay", way)
    t, y, starts = data("decay", 50, 40)
    expected = bits_of_batch(minpack.curve_fit_batch(f, t, y, starts, **how))
    ill = [1, 2, 8, 17, 18]
    y[1], y[2, 3], y[17], y[18] = np.nan, np.inf, 0, 1e200
    starts[8] = [1, -1000, 0]
    found = minpack.curve_fit_batch(f, t, y, starts, check_finite=False, **how)
    assert found.ier[1] == found.ier[2] == found.ier[8] == 9
    for i, bits in enumerate(bits_of_batch(found)):
        assert bits == expected[i] or i in ill
    assert bits_of_batch(found)[17] == alone(f, t, y[17], starts[17])


@pytest.mark.parametrize("seed", range(120))
def test_functions_drawn_at_random_have_the_bits_of_single_runs(seed: int) -> None:
    """A mask, of which nothing is left out, takes a batch out of the lanes."""
    drawn = next(
        each
        for each in (Drawn(7000 + seed + 1000 * k, ORDINARY, ANY) for k in range(100))
        if each.m >= N and each.m <= 200 and can_be_computed(each)
    )
    rng = np.random.default_rng(seed)
    f = minpack.traced(drawn, derivatives=bool(seed % 2))
    starts = drawn.x * rng.uniform(-1, 2, (21, N))
    y = rng.normal(size=(21, drawn.m))
    options: dict[str, Any] = {"check_finite": False, "maxfev": 60}
    abreast = minpack.curve_fit_batch(f, drawn.t, y, starts, **options)
    assert abreast.traced
    none = np.zeros(y.shape, bool)
    single = minpack.curve_fit_batch(f, drawn.t, y, starts, mask=none, **options)
    assert bits_of_batch(abreast) == bits_of_batch(single)


@pytest.mark.parametrize("pair", [False, True], ids=["jac", "pair"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("m", [16, 50, 101])
def test_derivatives_in_any_order_are_taken_abreast(
    m: int, order: Any, pair: bool
) -> None:
    """As one by one, where a mask of which nothing is left out takes the fits."""
    t, y, starts = data("decay", m, 40)

    def f(t: Array, a: Array, b: Array, c: Array) -> Array:
        return np.asarray(a * np.exp(-b * t) + c, order=order)

    def jac(t: Array, a: Array, b: Array, c: Array) -> Array:
        e = np.exp(-b * t)
        return np.asarray(
            np.stack([e, -a * t * e, np.ones_like(e)], axis=-1), order=order
        )

    def both(*args: Array) -> tuple[Array, Array]:
        return f(*args), jac(*args)

    sigma = np.linspace(0.5, 2, m)
    func, options = (both, True) if pair else (f, jac)
    arguments = (func, t, y, starts, sigma)
    abreast = minpack.curve_fit_batch(*arguments, jac=options, trace=False)
    none = np.zeros(y.shape, bool)
    single = minpack.curve_fit_batch(*arguments, jac=options, trace=False, mask=none)
    assert bits_of_batch(abreast) == bits_of_batch(single)
    assert abreast.success.mean() > 0.7


@pytest.mark.parametrize("m", [16, 50])
def test_a_function_of_float32_has_its_own_steps(m: int) -> None:
    t, y, starts = data("decay", m, 40)

    def f(t: Array, a: Array, b: Array, c: Array) -> Array:
        return (a * np.exp(-b * t) + c).astype(np.float32)

    found = minpack.curve_fit_batch(f, t, y, starts, trace=False, ftol=1e-5)
    assert bits_of_batch(found) == [
        alone(f, t, y[i], starts[i], ftol=1e-5) for i in range(40)
    ]


@pytest.mark.parametrize("call", [1, 2, 5, 9])
def test_an_exception_comes_out_of_a_call(call: int) -> None:
    t, y, starts = data("decay", 20, 40)
    calls = 0

    def f(t: Array, a: Array, b: Array, c: Array) -> Array:
        nonlocal calls
        calls += 1
        if calls == call:
            raise ZeroDivisionError("mine")
        return a * np.exp(-b * t) + c

    with pytest.raises(ZeroDivisionError, match="mine"):
        minpack.curve_fit_batch(f, t, y, starts, trace=False, workers=1)
    assert calls == call


def test_longer_steps_of_some_fits_are_asked_for_together() -> None:
    """Parameters next to 0, whose columns MINPACK's steps do not show."""
    t, y, starts = data("decay", 50, 64)
    starts[:, 2] = np.where(np.arange(64) % 3, 1e-30, starts[:, 2])
    f = MODELS["decay"][0]
    found = minpack.curve_fit_batch(f, t, y, starts, trace=False)
    assert bits_of_batch(found) == [alone(f, t, y[i], starts[i]) for i in range(64)]

"""A batch of fits: each is, to the bit, the fit that it would be alone."""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import pickle
import re
import signal
import sys
import threading
import time
import tracemalloc
import types
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from minpack import (
    BatchResult,
    _batch,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
)

# Unscaled covariances are for comparing: there are no errors of the data here.
pytestmark = pytest.mark.filterwarnings("ignore:absolute_sigma is true")

Array = np.ndarray[Any, Any]

each_number_of_workers = pytest.mark.parametrize("workers", [1, 2, 4])

POINTS = 30
X = np.linspace(-2.0, 4.0, POINTS)


class OnPurposeError(Exception):
    """What a model raises."""


def peak(x: Array, height: Any, place: Any, width: Any) -> Array:
    """A model of sums, products and quotients: the same bits in any shape."""
    u = (x - place) / width
    return height / (1 + u * u)


def peak_jacobian(x: Array, height: Any, place: Any, width: Any) -> Array:
    u = (x - place) / width
    over = 1 / (1 + u * u)
    slope = 2 * height * over * over * u / width
    return np.stack([over, slope, slope * u], axis=-1)


def peaks(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Noisy peaks, (count, POINTS), and a start for each, some of them bad."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1.0, -0.5, 0.5], [5.0, 2.5, 1.5], (count, 3))
    y = peak(X, *truth.T[:, :, None]) + rng.normal(scale=0.05, size=(count, POINTS))
    return y, truth * rng.uniform(0.5, 1.7, (count, 3))


@pytest.fixture
def chunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def choose(fits: int) -> None:
        monkeypatch.setattr(_batch, "_chunk", lambda m, n: fits)

    return choose


def alone(
    y: Array,
    p0: Array,
    w: Array | float = 1.0,
    x: Array = X,
    jacobian: bool = False,
    **options: Any,
) -> tuple[Any, ...]:
    """x, cov, nfev and ier of leastsq with the same residuals."""

    def derivatives(p: Array) -> Array:
        return peak_jacobian(x, *p) * np.broadcast_to(w, y.shape)[:, None]

    x_, cov, info, _, ier = leastsq(
        lambda p: (peak(x, *p) - y) * w,
        p0,
        Dfun=derivatives if jacobian else None,
        full_output=True,
        **options,
    )
    if cov is None:
        cov = np.full((3, 3), np.nan)
    return x_.tobytes(), cov.tobytes(), info["nfev"], ier


def of_batch(result: BatchResult) -> list[tuple[Any, ...]]:
    return [
        (result.x[i].tobytes(), result.cov[i].tobytes(), result.nfev[i], result.ier[i])
        for i in range(len(result))
    ]


def same(one: BatchResult, other: BatchResult) -> bool:
    names = ("x", "cov", "cost", "nfev", "ier", "success", "active_mask")
    return all(getattr(one, n).tobytes() == getattr(other, n).tobytes() for n in names)


# Each fit as it is alone ------------------------------------------------------


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@each_number_of_workers
def test_every_fit_has_the_bits_of_the_same_fit_alone(
    workers: int, jacobian: bool
) -> None:
    y, p0 = peaks(3000)
    jac = peak_jacobian if jacobian else None
    result = curve_fit_batch(
        peak, X, y, p0, jac=jac, sigma=1.0, absolute_sigma=True, workers=workers
    )
    assert of_batch(result) == [
        alone(*each, jacobian=jacobian) for each in zip(y, p0, strict=True)
    ]
    assert 0.9 < result.success.mean() <= 1


@pytest.mark.parametrize("fits", [1, 2, 7, 64, 5000])
@each_number_of_workers
def test_neither_chunk_nor_workers_change_a_bit(
    chunk: Callable[[int], None], fits: int, workers: int
) -> None:
    y, p0 = peaks(500)
    expected = curve_fit_batch(peak, X, y, p0, workers=1)
    chunk(fits)
    assert same(curve_fit_batch(peak, X, y, p0, workers=workers), expected)


def test_the_order_and_the_company_of_fits_do_not_matter() -> None:
    y, p0 = peaks(400)
    whole = of_batch(curve_fit_batch(peak, X, y, p0))
    order = np.random.default_rng(1).permutation(400)[:150]
    some = of_batch(curve_fit_batch(peak, X, y[order], p0[order]))
    assert some == [whole[i] for i in order]


def test_the_covariance_is_that_of_scipy_and_so_is_the_solution() -> None:
    y, p0 = peaks(20)
    sigma = np.linspace(0.5, 2.0, POINTS)
    for absolute in (False, True):
        result = curve_fit_batch(peak, X, y, p0, sigma, absolute, ftol=1e-14)
        for i in range(20):
            x, cov = scipy.optimize.curve_fit(
                peak, X, y[i], p0[i], sigma, absolute, ftol=1e-14
            )
            np.testing.assert_allclose(result.x[i], x, rtol=1e-6)
            error = np.sqrt(np.diag(cov))
            assert (abs(result.cov[i] - cov) < 1e-5 * np.outer(error, error)).all()


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("bounded", [False, True])
def test_every_fit_has_the_bits_of_curve_fit(
    bounded: bool, jacobian: bool, absolute: bool
) -> None:
    y, p0 = peaks(300)
    sigma = np.random.default_rng(8).uniform(0.5, 2.0, y.shape)
    bounds = (-np.inf, np.inf)
    if bounded:
        bounds = (np.minimum(p0, 0.4), np.maximum(p0, [3.0, 1.0, 2.0]))
    jac = peak_jacobian if jacobian else None
    # Fits that fail are errors there, and with covariances that are not known warnings.
    result = curve_fit_batch(peak, X, y, p0, sigma, absolute, bounds, jac)
    good = np.flatnonzero(result.success & np.isfinite(result.cov).all(axis=(1, 2)))
    assert len(good) > 250
    for i in good:
        one = tuple(b[i] if bounded else b for b in bounds)
        x, cov = curve_fit(
            peak, X, y[i], p0[i], sigma[i], absolute, bounds=one, jac=jac
        )
        assert x.tobytes() == result.x[i].tobytes()
        assert cov.tobytes() == result.cov[i].tobytes()


@pytest.mark.parametrize("points", [255, 257, 9001, 49_999, 50_003])
def test_fits_of_many_points_have_the_bits_that_they_have_alone(points: int) -> None:
    """Of as many as make the solver work in another way."""
    x = np.linspace(-2.0, 4.0, points)
    p0 = peaks(6)[1]
    y = peak(x, *(1.1 * p0).T[:, :, None]) + 0.01 * np.cos(50 * x)
    mask = np.arange(points) < np.array([0, 1, 2, 3, 0, 0])[:, None]
    result = curve_fit_batch(peak, x, y, p0, absolute_sigma=True, mask=mask, workers=2)
    assert of_batch(result) == [
        alone(y[i, ~mask[i]], p0[i], x=x[~mask[i]]) for i in range(6)
    ]


def test_the_cost_is_half_the_sum_of_squares() -> None:
    y, p0 = peaks(50)
    result = curve_fit_batch(peak, X, y, p0)
    residuals = peak(X, *result.x.T[:, :, None]) - y
    np.testing.assert_allclose(result.cost, 0.5 * np.sum(residuals**2, axis=1))


@pytest.mark.parametrize(
    "shape", [(), (POINTS,), (200, POINTS)], ids=["one", "a point", "a fit"]
)
@pytest.mark.parametrize("masked", [False, True])
def test_sigma_of_any_shape_divides_the_residuals(
    shape: tuple[int, ...], masked: bool
) -> None:
    y, p0 = peaks(200)
    rng = np.random.default_rng(2)
    sigma = rng.uniform(0.5, 2.0, shape)
    mask = rng.random((200, POINTS)) < 0.3 * masked
    result = curve_fit_batch(peak, X, y, p0, sigma, True, mask=mask)
    w = 1 / np.broadcast_to(sigma, (200, POINTS))
    expected = [
        alone(y[i, keep], p0[i], w[i, keep], X[keep]) for i, keep in enumerate(~mask)
    ]
    assert of_batch(result) == expected


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
def test_a_masked_point_is_left_out_whatever_it_holds(jacobian: bool) -> None:
    """Some of these fits have the fewest points that are possible, or less."""
    y, p0 = peaks(1000)
    rng = np.random.default_rng(3)
    mask = rng.random((1000, POINTS)) < rng.uniform(0, 1, (1000, 1))
    y[mask] = rng.choice([np.nan, np.inf, 1e300], np.count_nonzero(mask))
    sigma = np.where(mask, 0.0, 1.0)
    result = curve_fit_batch(
        peak, X, y, p0, sigma, True, mask=mask,
        jac=peak_jacobian if jacobian else None,
    )  # fmt: skip
    left = np.count_nonzero(~mask, axis=1)
    assert (left < 3).any()
    assert (left == 3).any()
    np.testing.assert_array_equal(result.ier == 0, left < 3)
    found = of_batch(result)
    for i in np.flatnonzero(left >= 3):
        keep = ~mask[i]
        assert found[i] == alone(
            y[i, keep], p0[i], x=X[keep], jacobian=jacobian
        )  # fmt: skip


def test_one_mask_may_serve_all_fits() -> None:
    y, p0 = peaks(50)
    mask = np.arange(POINTS) % 3 == 0
    result = curve_fit_batch(peak, X, y, p0, mask=mask)
    part = curve_fit_batch(peak, X[~mask], y[:, ~mask], p0)
    assert same(result, part)


@each_number_of_workers
def test_each_fit_may_have_its_own_xdata(workers: int) -> None:
    y, p0 = peaks(700)
    x = X + np.random.default_rng(4).uniform(-0.1, 0.1, (700, POINTS))
    result = curve_fit_batch(
        peak, x, y, p0, absolute_sigma=True, jac=peak_jacobian, workers=workers
    )
    expected = [alone(y[i], p0[i], x=x[i], jacobian=True) for i in range(700)]
    assert of_batch(result) == expected


def test_arrays_of_any_layout_are_read_as_they_are() -> None:
    y, p0 = peaks(100)
    x = X + np.zeros((100, 1))
    sigma = np.linspace(1, 2, POINTS) + np.zeros((100, 1))
    expected = curve_fit_batch(peak, x, y, p0, sigma)
    wide = np.zeros((100, 2 * POINTS))
    wide[:, ::2] = y
    layouts = {
        "ydata": [np.asfortranarray(y), wide[:, ::2], y[::-1].copy()[::-1]],
        "xdata": [np.asfortranarray(x), X],
        "sigma": [np.asfortranarray(sigma), sigma[0]],
        "p0": [np.asfortranarray(p0), p0.tolist()],
    }
    for name, arrays in layouts.items():
        for array in arrays:
            arguments = {"xdata": x, "ydata": y, "p0": p0, "sigma": sigma}
            result = curve_fit_batch(peak, **(arguments | {name: array}))
            assert same(result, expected), name


def test_data_in_float32_and_integers_are_converted_exactly() -> None:
    y, p0 = peaks(100)
    rounded = y.astype(np.float32)
    assert same(
        curve_fit_batch(peak, X, rounded, p0),
        curve_fit_batch(peak, X, rounded.astype(float), p0),
    )
    counts = np.round(100 * y).astype(np.int16)
    assert same(
        curve_fit_batch(peak, X, counts, p0),
        curve_fit_batch(peak, X, counts.astype(float), p0),
    )


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("dtype", ["float32", ">f4", "float16", "int32"])
def test_a_fit_in_low_precision_has_the_bits_that_it_has_alone(
    dtype: str, jacobian: bool
) -> None:
    y, p0 = peaks(100)
    unit = 1e6 if dtype == "int32" else 1.0

    def coarse(x: Array, *p: Any) -> Array:
        return (unit * peak(x, *p)).astype(dtype)

    def derivatives(x: Array, *p: Any) -> Array:
        d = unit * peak_jacobian(x, *p)
        return d if dtype == "int32" else d.astype(dtype)

    jac = derivatives if jacobian else None
    result = curve_fit_batch(coarse, X, unit * y, p0, jac=jac)
    good = np.flatnonzero(result.success & np.isfinite(result.cov).all(axis=(1, 2)))
    if dtype != "int32":  # a step of a difference does not change an integer
        fine = curve_fit_batch(peak, X, y, p0)
        np.testing.assert_allclose(result.cost, fine.cost, rtol=0.1)
        assert len(good) > 90
    for i in good:
        x, cov = curve_fit(coarse, X, unit * y[i], p0[i], jac=jac)
        assert x.tobytes() == result.x[i].tobytes()
        assert cov.tobytes() == result.cov[i].tobytes()

    result = leastsq_batch(
        lambda p, rows: coarse(X, *p.T[:, :, None]) - (unit * y[rows]).astype(dtype),
        p0,
        Dfun=(lambda p, rows: derivatives(X, *p.T[:, :, None])) if jacobian else None,
    )
    for i in range(100):
        x, *_ = leastsq(
            lambda p, i=i: coarse(X, *p) - (unit * y[i]).astype(dtype),
            p0[i],
            Dfun=(lambda p: derivatives(X, *p)) if jacobian else None,
            full_output=True,
        )
        assert x.tobytes() == result.x[i].tobytes()


FITS: dict[str, Callable[..., Any]] = {
    "curve_fit": lambda f, **k: curve_fit(f, X, X, [1.0], **k),
    "curve_fit_batch": lambda f: curve_fit_batch(f, X, X[None], [1.0]),
    "leastsq": lambda f, **k: leastsq(lambda p: f(X, *p), [1.0], full_output=True, **k),
    "leastsq_batch": lambda f: leastsq_batch(lambda p, rows: f(X, p), [[1.0]]),
    "least_squares": lambda f: least_squares(lambda p: f(X, *p), [1.0]),
}


def first_step(fit: Callable[..., Any], values: Callable[..., Any], **k: Any) -> float:
    """Return the step of the first difference from 1."""
    asked: list[float] = []

    def f(x: Array, a: Any) -> Any:
        asked.append(np.ravel(a)[0])
        return values(2 * a * x)

    fit(f, **k)
    return next(a for a in asked if a != 1.0) - 1.0


@pytest.mark.filterwarnings("ignore:The covariance")
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(
    ("values", "epsilon"),
    [
        (np.float64, 2.0**-52),
        (np.float32, 2.0**-23),
        (np.float16, 2.0**-10),
        (np.int64, 2.0**-52),
        (np.bool_, 2.0**-52),
        (lambda v: v.astype(">f4"), 2.0**-23),
        (lambda v: v.astype(np.float32).tolist(), 2.0**-52),
    ],
    ids=["float64", "float32", "float16", "int64", "bool", ">f4", "a list"],
)
def test_difference_steps_are_those_of_the_precision_that_the_function_has(
    fit: Callable[..., Any], values: Callable[..., Any], epsilon: float
) -> None:
    step = first_step(fit, values)
    np.testing.assert_allclose(step, np.sqrt(epsilon), rtol=1e-6)


@pytest.mark.parametrize("name", ["curve_fit", "leastsq"])
def test_a_step_that_is_asked_for_is_taken_whatever_the_precision(name: str) -> None:
    step = first_step(FITS[name], np.float32, epsfcn=1e-4)
    np.testing.assert_allclose(step, 1e-2, rtol=1e-6)


def test_one_start_serves_all_fits_and_without_one_it_is_guessed() -> None:
    y, _ = peaks(50)
    ones = np.ones((50, 3))
    expected = curve_fit_batch(peak, X, y, ones)
    assert same(curve_fit_batch(peak, X, y), expected)
    assert same(curve_fit_batch(peak, X, y, [1.0, 1.0, 1.0]), expected)
    np.testing.assert_array_equal(ones, 1.0)


def test_the_options_are_those_of_leastsq() -> None:
    y, p0 = peaks(100)
    for options in ({"maxfev": 9}, {"ftol": 1e-3}, {"xtol": 1e-2}, {"gtol": 0.1}):
        result = curve_fit_batch(peak, X, y, p0, absolute_sigma=True, **options)
        assert of_batch(result) == [
            alone(*each, **options) for each in zip(y, p0, strict=True)
        ]
    result = curve_fit_batch(peak, X, y, p0, maxfev=9)
    assert "maxfev = 9" in result.message(int(np.flatnonzero(result.ier == 5)[0]))


def test_few_fits_and_none_are_batches_too() -> None:
    y, p0 = peaks(3)
    three = of_batch(curve_fit_batch(peak, X, y, p0, workers=8))
    for i in range(3):
        one = curve_fit_batch(peak, X, y[i : i + 1], p0[i])
        assert of_batch(one) == [three[i]]
    none = curve_fit_batch(peak, X, y[:0], p0[:0])
    assert len(none) == 0
    assert none.x.shape == (0, 3)
    assert none.cov.shape == (0, 3, 3)
    assert curve_fit_batch(peak, X, y[:0]).x.shape == (0, 3)


def test_a_model_of_one_parameter_at_one_point_can_be_fitted() -> None:
    result = curve_fit_batch(lambda x, a: a * x, [2.0], [[4.0], [6.0]])
    np.testing.assert_allclose(result.x, [[2.0], [3.0]])
    assert np.isnan(result.cov).all()  # the error is not known
    absolute = curve_fit_batch(lambda x, a: a * x, [2.0], [[4.0]], absolute_sigma=True)
    np.testing.assert_allclose(absolute.cov, 0.25)


# How the model is called ------------------------------------------------------


def recording(calls: list[tuple[Any, ...]]) -> Callable[..., Array]:
    def model(*args: Any) -> Array:
        calls.append(args)
        return peak(*args)

    return model


def test_a_call_serves_all_fits_that_are_under_way(
    chunk: Callable[[int], None],
) -> None:
    chunk(40)
    y, p0 = peaks(200)
    calls: list[tuple[Any, ...]] = []
    result = curve_fit_batch(recording(calls), X, y, p0, workers=1)
    served = [p[0].shape[0] for x, *p in calls[4:]]  # those before are for comparison
    assert sum(served) == result.nfev.sum()
    assert max(served) == 40
    assert len(served) < 1.5 * result.nfev.sum() / 40
    for x, *p in calls[4:]:
        assert x.shape == (POINTS,)
        assert all(a.shape == (len(a), 1) and a.dtype == float for a in p)


def test_a_model_may_keep_and_change_what_it_is_given() -> None:
    y, p0 = peaks(300)
    expected = curve_fit_batch(peak, X, y, p0, workers=1)
    kept: list[tuple[Array, Array]] = []

    def model(x: Array, *p: Array) -> Array:
        value = peak(x, *p)
        kept.extend((a, a.copy()) for a in (x, *p))
        return value

    def changing(x: Array, *p: Array) -> Array:
        value = peak(x, *p)
        for a in p:
            if isinstance(a, np.ndarray):
                a[:] = np.nan
        return value

    assert same(curve_fit_batch(model, X, y, p0, workers=1), expected)
    assert all(np.array_equal(a, b) for a, b in kept)
    assert same(curve_fit_batch(changing, X, y, p0, workers=1), expected)
    for start in (p0, np.ones(3)):
        assert same(
            curve_fit_batch(changing, X, y, start, jac=peak_jacobian, workers=1),
            curve_fit_batch(peak, X, y, start, jac=peak_jacobian, workers=1),
        )
    rows = X + np.zeros((300, 1))
    kept.clear()
    assert same(curve_fit_batch(model, rows, y, p0, workers=1), expected)
    assert all(np.array_equal(a, b) for a, b in kept)


def test_a_model_cannot_spoil_the_xdata_of_later_calls() -> None:
    y, p0 = peaks(10)

    def model(x: Array, *p: Array) -> Array:
        if np.shape(p[0]):
            x += 1.0
        return peak(x, *p)

    calls = itertools.count()

    def later(x: Array, *p: Array) -> Array:
        return (model if next(calls) > 5 else peak)(x, *p)

    for spoiling in (model, later):
        with pytest.raises(ValueError, match="read-only"):
            curve_fit_batch(spoiling, X + np.zeros((10, 1)), y, p0, workers=1)


def with_buffer(function: Callable[..., Array], one: bool) -> Callable[..., Array]:
    """`function`, but with all that it returns in one buffer, or one for each shape."""
    buffers: dict[Any, Array] = {}

    def buffered(*args: Any) -> Array:
        value = function(*args)
        key = () if one else value.shape
        buffer = buffers.setdefault(key, np.empty(30_000))[: value.size]
        buffer = buffer.reshape(value.shape)
        buffer[...] = value
        return buffer

    return buffered


@pytest.mark.parametrize("one", [True, False], ids=["one", "one a shape"])
@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("start", ["shared", "own"])
def test_a_model_may_return_the_same_buffer_every_time(
    start: str, jacobian: bool, one: bool
) -> None:
    y, p0 = peaks(100)
    call = {"xdata": X, "ydata": y, "p0": p0 if start == "own" else [2.0, 1.0, 1.0]}
    call |= {"workers": 1}
    result = curve_fit_batch(
        with_buffer(peak, one),
        jac=with_buffer(peak_jacobian, one) if jacobian else None,
        **call,
    )
    jac = peak_jacobian if jacobian else None
    assert same(result, curve_fit_batch(peak, jac=jac, **call))


def test_residuals_may_be_in_the_same_buffer_every_time() -> None:
    y, p0 = peaks(100)

    def func(p: Array, rows: Array) -> Array:
        return peak(X, *p.T[:, :, None]) - y[rows]

    assert same(
        leastsq_batch(with_buffer(func, True), p0, workers=1),
        leastsq_batch(func, p0, workers=1),
    )


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
        lambda v: v.astype(">f8"),
        lambda v: v.tolist(),
        lambda v: v.view(np.ma.MaskedArray),
    ],
    ids=["by columns", "with gaps", "big-endian", "a list", "a subclass"],
)
def test_what_the_model_returns_may_be_stored_in_any_way(
    convert: Callable[[Array], Any],
) -> None:
    y, p0 = peaks(60)
    result = curve_fit_batch(
        lambda *a: convert(peak(*a)),
        X,
        y,
        p0,
        jac=lambda *a: convert(peak_jacobian(*a)),
    )
    assert same(result, curve_fit_batch(peak, X, y, p0, jac=peak_jacobian))


def test_what_does_not_depend_on_all_may_have_fewer_entries() -> None:
    y, _ = peaks(60)
    constant = curve_fit_batch(lambda x, a: a, X, y)
    np.testing.assert_allclose(constant.x[:, 0], y.mean(axis=1), rtol=1e-6)
    fixed = curve_fit_batch(
        lambda x, a, b: a + b * x, X, y,
        jac=lambda x, a, b: np.stack([np.ones_like(x), x], axis=-1),
    )  # fmt: skip
    np.testing.assert_allclose(fixed.x[:, ::-1], np.polyfit(X, y.T, 1).T, rtol=1e-6)


def test_predictors_are_handed_over_whole() -> None:
    rng = np.random.default_rng(5)
    predictors = rng.normal(size=(2, POINTS))
    truth = rng.normal(size=(30, 3))

    def plane(x: Array, a: Any, b: Any, c: Any) -> Array:
        return a * x[0] + b * x[1] + c

    y = plane(predictors, *truth.T[:, :, None])
    np.testing.assert_allclose(
        curve_fit_batch(plane, predictors, y).x, truth, rtol=1e-6
    )
    in_dict = curve_fit_batch(
        lambda x, a, b, c: plane((x["u"], x["v"]), a, b, c),
        {"u": predictors[0], "v": predictors[1]},
        y,
    )
    np.testing.assert_allclose(in_dict.x, truth, rtol=1e-6)


class Column:
    """As a column of a table: an array of numbers that takes no others but its own."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.values

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("other labels")


def series(values: Any) -> Any:
    return pytest.importorskip("pandas").Series(values, index=np.arange(POINTS)[::-1])


def index(values: Any) -> Any:
    return pytest.importorskip("pandas").Index(values)


def data_array(values: Any) -> Any:
    return pytest.importorskip("xarray").DataArray(values, dims="t")


@pytest.mark.parametrize("start", ["shared", "own"])
@pytest.mark.parametrize("make", [Column, series, index, data_array])
def test_xdata_in_one_dimension_are_a_plain_array_to_the_model(
    make: Callable[[Any], Any], start: str
) -> None:
    y, p0 = peaks(20)
    p = p0 if start == "own" else [2.0, 1.0, 1.0]
    expected = curve_fit_batch(peak, X, y, p)
    assert same(curve_fit_batch(peak, make(X), y, p), expected)
    assert same(curve_fit_batch(peak, make(X.tolist()), y, p), expected)
    with pytest.raises(ValueError, match=r"xdata must have the 30 points.*\(29,\)"):
        curve_fit_batch(peak, make(X)[1:] if make is index else Column(X[1:]), y, p)


def test_what_is_no_array_of_numbers_is_handed_over_whole() -> None:
    class Elsewhere(Column):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            raise TypeError("not on this device")

    things: list[Any] = [
        Elsewhere(X), Column(["a"] * POINTS), Column(np.stack([X, X])), Column(1.0),
        X + 0j, "abc", None, {}, [{}, {}], (X, X[:3]), (X[:3], X[:3]), np.array(X, "O"),
    ]  # fmt: skip
    y, _ = peaks(5)
    for thing in things:

        def model(x: Any, *p: Any, thing: Any = thing) -> Array:
            assert x is thing
            return peak(X, *p)

        assert curve_fit_batch(model, thing, y, [2.0, 1.0, 1.0]).success.any()


@each_number_of_workers
def test_what_errstate_says_holds_for_the_model(workers: int) -> None:
    y, p0 = peaks(100)

    def steep(x: Array, *p: Array) -> Array:
        np.exp(1e9 * np.ones(3))
        return peak(x, *p)

    with np.errstate(over="ignore"):
        result = curve_fit_batch(steep, X, y, p0, workers=workers)
    assert result.success.any()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        curve_fit_batch(steep, X, y, p0, workers=workers)


# Models that do not broadcast -------------------------------------------------


def summed_over_the_wrong_axis(x: Array, *p: Any) -> Array:
    value = peak(x, *p)
    return value / np.sum(value, axis=0)


def summed_over_everything(x: Array, *p: Any) -> Array:
    value = peak(x, *p)
    return value / np.sum(value)


def with_if(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, a, b, c) if a > 0 else peak(x, -a, b, c)


def with_float(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, float(a), b, c)


def transposed(x: Array, a: Any, b: Any, c: Any) -> Array:
    return np.ravel(peak(x, a, b, c))


def of_the_first(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, *(np.ravel(p)[0] for p in (a, b, c)))


@pytest.mark.parametrize("start", ["shared", "own"])
@pytest.mark.parametrize(
    "model",
    [summed_over_the_wrong_axis, summed_over_everything, transposed, of_the_first],
)
def test_a_model_that_does_not_broadcast_is_an_error_that_says_so(
    model: Callable[..., Array], start: str
) -> None:
    y, p0 = peaks(100)
    with pytest.raises(ValueError, match=r"f does not broadcast.*docs/batch\.md"):
        curve_fit_batch(model, X, y, p0 if start == "own" else [2.0, 1.0, 1.0])


@pytest.mark.parametrize("model", [with_if, with_float])
def test_what_such_a_model_raises_itself_comes_with_the_advice(
    model: Callable[..., Array],
) -> None:
    y, p0 = peaks(100)
    with pytest.raises((ValueError, TypeError)) as caught:
        curve_fit_batch(model, X, y, p0)
    assert "np.where" in caught.value.__notes__[0]


def test_a_jacobian_that_does_not_broadcast_is_an_error_that_says_so() -> None:
    y, p0 = peaks(100)

    def first_axis(x: Array, *p: Any) -> Array:
        return np.moveaxis(peak_jacobian(x, *p), -1, 0)

    with pytest.raises(ValueError, match="jac"):
        curve_fit_batch(peak, X, y, p0, jac=first_axis)
    with pytest.raises(ValueError, match="jac does not broadcast"):
        curve_fit_batch(
            peak, X, y, p0,
            jac=lambda x, *p: peak_jacobian(x, *(np.ravel(a)[0] for a in p)),
        )  # fmt: skip


def mixed(mix: Callable[[Array], Array], function: Callable[..., Array]) -> Any:
    """`function` with the rows of different fits mixed up."""

    def model(x: Array, *p: Any) -> Array:
        value = function(x, *p)
        return mix(value) if np.shape(p[0]) else value

    return model


# What is made of the peaks, and about what it does to their derivatives
SCALES: dict[str, tuple[Callable[[Array], Array], float]] = {
    "smooth": (lambda v: v, 1.0),
    "steep": (lambda v: np.sin(1e5 * v), 1.0),
    "flat": (lambda v: 1e7 + v, 1.0),
    "tiny": (lambda v: 1e-100 * v, 1e-100),
    "with kinks": (lambda v: np.abs(v - 1.0), 1.0),
    "in float32": (lambda v: v.astype(np.float32), 1.0),
    "in float16": (lambda v: v.astype(np.float16), 1.0),
}


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("start", ["shared", "nearly shared", "own"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    "mix",
    [
        lambda v: v[::-1],
        lambda v: np.roll(v, 1, axis=0),
        lambda v: v[:1],
        lambda v: np.mean(v, axis=0),
    ],
    ids=["backwards", "shifted", "the first", "the mean"],
)
def test_rows_that_are_mixed_up_are_seen_wherever_the_fits_start(
    mix: Any, scale: Any, start: str, jacobian: bool
) -> None:
    y, p0 = peaks(100)
    of_values, of_derivatives = scale
    if start != "own":
        p0 = np.array([2.0, 1.0, 1.0]) + (start != "shared") * 1e-10 * p0

    def model(x: Array, *p: Any) -> Array:
        return of_values(peak(x, *p))

    def derivatives(x: Array, *p: Any) -> Array:
        return of_derivatives * peak_jacobian(x, *p)

    call = {"xdata": X, "ydata": of_values(y), "p0": p0}
    call["jac"] = derivatives if jacobian else None
    curve_fit_batch(model, **call)  # as it is, nothing is wrong with it
    with pytest.raises(ValueError, match=r"f does not broadcast.*docs/batch\.md"):
        curve_fit_batch(mixed(mix, model), **call)


def test_fits_that_would_all_be_the_same_are_compared_a_difference_step_apart() -> None:
    y, _ = peaks(1)
    calls = itertools.count()

    def model(x: Array, *p: Any) -> Array:
        next(calls)
        return mixed(lambda v: v[::-1], peak)(x, *p)

    with pytest.raises(ValueError, match="does not broadcast"):
        curve_fit_batch(model, X, np.tile(y, (100, 1)), [2.0, 1.0, 1.0])
    assert next(calls) <= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_jacobian_with_rows_that_are_mixed_up_is_seen(workers: int) -> None:
    y, _ = peaks(100)
    jac = mixed(lambda d: d[::-1], peak_jacobian)
    with pytest.raises(ValueError, match="jac does not broadcast"):
        curve_fit_batch(peak, X, y, [2.0, 1.0, 1.0], jac=jac, workers=workers)


def test_rows_of_xdata_go_with_the_fits_that_are_compared() -> None:
    y, _ = peaks(100)
    x = X + np.random.default_rng(4).uniform(-1e-9, 1e-9, y.shape)
    curve_fit_batch(peak, x, y, [2.0, 1.0, 1.0], jac=peak_jacobian)
    with pytest.raises(ValueError, match="does not broadcast"):
        curve_fit_batch(
            mixed(lambda v: v[::-1], peak), x, y, [2.0, 1.0, 1.0], jac=peak_jacobian
        )


@pytest.mark.parametrize(
    ("noise", "jac"), [(1e-10, None), (1e-7, peak_jacobian)], ids=["differences", "jac"]
)
def test_rounding_that_depends_on_the_number_of_fits_is_no_error(
    noise: float, jac: Any
) -> None:
    """As that of matrix products, or of single precision within the model."""
    y, _ = peaks(100)
    noisy = mixed(lambda v: v * (1 + noise * np.cos(1e3 * v)), peak)
    result = curve_fit_batch(noisy, X, y, [2.0, 1.0, 1.0], jac=jac)
    assert result.success.any()


def defined_within(low: Any, high: Any) -> Callable[..., Array]:
    """A line that refuses points which are not within `low` and `high`."""

    def line(x: Array, *p: Any) -> Array:
        for a, lowest, highest in zip(p, low, high, strict=True):
            assert np.all((lowest <= a) & (a <= highest)), "asked for elsewhere"
        return p[0] + p[1] * x

    return line


LINES = np.array([1.0, 2.0]) @ np.stack([np.ones(POINTS), X]) + 1e-3 * np.cos(
    np.arange(5)[:, None] * 7 + 9 * X
)


@pytest.mark.parametrize("width", [0.0, 1e-12, 1e-3])
@pytest.mark.parametrize("side", [-1, 0, 1])
@pytest.mark.parametrize("own", [False, True], ids=["for all", "a row a fit"])
def test_a_model_is_asked_for_nothing_outside_the_bounds(
    own: bool, side: int, width: float
) -> None:
    start = np.array([1.0, 2.0])
    low, high = start - width * (side <= 0), start + width * (side >= 0)
    model = defined_within(low, high)
    bounds = (np.tile(low, (5, 1)), np.tile(high, (5, 1))) if own else (low, high)
    result = curve_fit_batch(model, X, LINES, start, bounds=bounds)
    assert result.success.all()


def test_each_fit_is_compared_within_its_own_bounds() -> None:
    """Those of the fits that are compared are all narrower than a step."""
    start = np.array([1.0, 2.0])
    width = np.array([1e-3, 1e-12, 1e-10, 1e-12, 0.0])[:, None]
    asked: list[float] = []

    def model(x: Array, a: Any, b: Any) -> Array:
        if not np.shape(a):
            asked.append(max(a - 1.0, (b - 2.0) / 2.0))
        return a + b * x

    curve_fit_batch(
        model, X, LINES, start, bounds=(start - 0 * width, start + width), workers=1
    )
    assert max(asked[1:4]) <= 1e-10
    assert min(asked) >= 0


def test_with_jac_a_model_at_the_edge_of_its_domain_emits_nothing_new() -> None:
    """A warning would be an error here, as it is where the model raises."""

    def root(x: Array, a: Any, b: Any) -> Array:
        return np.sqrt(4.0 - a) + b * x

    def derivatives(x: Array, a: Any, b: Any) -> Array:
        da, db = np.broadcast_arrays(-0.5 / np.sqrt(4.1 - a), x)
        return np.stack([da, db], axis=-1)

    result = curve_fit_batch(root, X, LINES, [4.0, 1.0], jac=derivatives)
    assert result.success.any()


def test_fits_that_are_never_evaluated_are_not_compared() -> None:
    low, high = np.array([0.5, 1.5]), np.array([1.5, 2.5])
    model = defined_within(low, high)
    p0 = np.tile([1.0, 2.0], (5, 1))
    p0[[0, 2, 4]] = [[7.0, 2.0], [np.nan, 2.0], [1.0, -9.0]]
    bounds = (np.tile(low, (5, 1)), np.tile(high, (5, 1)))
    result = curve_fit_batch(model, X, LINES, p0, bounds=bounds)
    np.testing.assert_array_equal(result.success, [0, 1, 0, 1, 0])
    mask = ~result.success[:, None] & np.ones(POINTS, bool)
    result = curve_fit_batch(model, X, LINES, p0, mask=mask)
    np.testing.assert_array_equal(result.success, [0, 1, 0, 1, 0])
    assert not curve_fit_batch(model, X, LINES, [9.0, 9.0], mask=True).success.any()


NO_NUMBERS: dict[str, Any] = {
    "nothing": None,
    "text": "1.0",
    "bytes": b"1.0",
    "a dict": {},
    "a function": peak,
    "None among numbers": [None, *[1.0] * (POINTS - 1)],
    "text among numbers": ["a"] * POINTS,
    "objects in an array": np.full(POINTS, None),
    "complex numbers": np.ones(POINTS, complex),
    "a ragged list": [[1.0], [1.0, 2.0]],
}


@pytest.mark.parametrize("after", [0, 6], ids=["at first", "later"])
@pytest.mark.parametrize("wrong", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("name", ["f", "jac", "func", "Dfun"])
def test_what_is_no_number_is_the_error_that_it_is_for_leastsq(
    name: str, wrong: Any, after: int
) -> None:
    y, p0 = peaks(30)
    calls = itertools.count()

    def spoilt(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: function(*args) if next(calls) < after else wrong

    def func(p: Array, rows: Array) -> Array:
        return peak(X, *p.T[:, :, None]) - y[rows]

    def derivatives(p: Array, rows: Array) -> Array:
        return peak_jacobian(X, *p.T[:, :, None])

    functions: dict[str, Callable[..., Any]] = {
        "f": peak, "jac": peak_jacobian, "func": func, "Dfun": derivatives,
    }  # fmt: skip
    functions[name] = spoilt(functions[name])
    with pytest.raises((TypeError, ValueError)) as expected:
        leastsq(lambda p: wrong, p0[0])
    call = partial(curve_fit_batch, functions["f"], X, y, p0, jac=functions["jac"])
    if name in ("func", "Dfun"):
        call = partial(leastsq_batch, functions["func"], p0, Dfun=functions["Dfun"])
    with pytest.raises(expected.type) as caught:
        call(workers=1)
    assert str(caught.value) == str(expected.value).replace("func", name, 1)


def test_a_model_that_later_returns_another_shape_is_an_error() -> None:
    y, p0 = peaks(100)
    calls = itertools.count()

    def model(x: Array, *p: Any) -> Array:
        value = peak(x, *p)
        return value if next(calls) < 8 else value[:, 1:]

    with pytest.raises(ValueError, match=r"f must .*\(100, 30\).*\(100, 29\)"):
        curve_fit_batch(model, X, y, p0, workers=1)


# Bad fits ---------------------------------------------------------------------


@each_number_of_workers
def test_bad_fits_disturb_no_other(workers: int) -> None:
    y, p0 = peaks(1200)
    ones, no_mask = np.ones_like(y), np.zeros(y.shape, bool)
    good = of_batch(curve_fit_batch(peak, X, y, p0, ones, mask=no_mask))
    kind = np.random.default_rng(6).integers(0, 8, 1200)
    y[kind == 0, 7] = np.nan
    y[kind == 1, 8] = np.inf
    p0[kind == 2, 1] = np.nan
    ones[kind == 3, 5] = 0.0
    no_mask[kind == 4, 2:] = True  # leaves too few points
    result = curve_fit_batch(peak, X, y, p0, ones, mask=no_mask, workers=workers)
    bad = kind < 5
    found = of_batch(result)
    assert all(found[i] == good[i] for i in np.flatnonzero(~bad))
    np.testing.assert_array_equal(result.ier == 9, kind < 4)
    np.testing.assert_array_equal(result.ier == 0, kind == 4)
    assert not result.success[bad].any()
    for array in (result.x, result.cov, result.cost):
        assert np.isnan(array[bad]).all()
    assert "not finite" in result.message(int(np.flatnonzero(kind == 0)[0]))
    assert "fewer points" in result.message(int(np.flatnonzero(kind == 4)[0]))


def test_a_start_outside_its_own_bounds_is_a_bad_fit() -> None:
    y, p0 = peaks(6)
    low, high = np.full((6, 3), -np.inf), np.full((6, 3), np.inf)
    low[1, 0] = 1e9
    high[2, 1] = -1e9
    low[3, 2] = np.nan
    low[4, 0], high[4, 0] = 2.0, 1.0
    result = curve_fit_batch(peak, X, y, p0, bounds=(low, high))
    np.testing.assert_array_equal(result.ier == 0, [0, 1, 1, 1, 1, 0])
    np.testing.assert_array_equal(np.isnan(result.x).all(axis=1), result.ier == 0)
    assert "bounds" in result.message(1)
    assert (result.nfev[1:5] == 0).all()


def test_a_singular_jacobian_has_no_covariance() -> None:
    y = np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 3.0]])
    result = curve_fit_batch(lambda x, a, b: a * x + 0 * b, [1.0, 2.0, 3.0], y)
    assert result.success.all()
    assert np.isfinite(result.x).all()
    assert np.isnan(result.cov).all()


def test_residuals_that_stop_being_finite_leave_the_best_point() -> None:
    def cliff(x: Array, a: Any) -> Array:
        return np.where(a < 1.5, a * x, np.nan)

    y = np.array([[9.0, 9.0, 9.0], [1.2, 1.2, 1.2]])
    result = curve_fit_batch(cliff, np.ones(3), y)
    assert np.isfinite(result.x).all()
    assert result.success[1]


# Bounds -----------------------------------------------------------------------


def test_bounds_hold_whether_fits_share_them_or_not() -> None:
    y, p0 = peaks(300)
    low, high = np.array([0.0, -1.0, 0.3]), np.array([3.0, 1.0, 2.0])
    p0 = np.clip(p0, low, high)
    result = curve_fit_batch(peak, X, y, p0, bounds=(low, high))
    assert ((low <= result.x) & (result.x <= high)).all()
    np.testing.assert_array_equal(
        result.active_mask, (result.x == high).astype(int) - (result.x == low)
    )
    assert (result.active_mask != 0).any(axis=1).mean() > 0.2
    own = curve_fit_batch(
        peak, X, y, p0, bounds=(np.tile(low, (300, 1)), np.tile(high, (300, 1)))
    )
    assert same(own, result)


@each_number_of_workers
def test_a_fit_with_bounds_has_the_bits_that_it_has_alone(
    chunk: Callable[[int], None], workers: int
) -> None:
    y, p0 = peaks(300)
    rng = np.random.default_rng(7)
    low = np.minimum(p0, rng.uniform([0, -1, 0.1], [3, 1, 1], (300, 3)))
    high = np.maximum(p0, rng.uniform([1, 0, 0.5], [6, 3, 2], (300, 3)))
    ones = [
        curve_fit_batch(peak, X, y[i : i + 1], p0[i], bounds=(low[i], high[i]))
        for i in range(300)
    ]
    chunk(50)
    result = curve_fit_batch(peak, X, y, p0, bounds=(low, high), workers=workers)
    assert of_batch(result) == [of_batch(one)[0] for one in ones]
    assert (result.active_mask != 0).any()


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((None, 2.0), (-np.inf, 2.0)),
        ((0.3, None), (0.3, np.inf)),
        ((None, None), (-np.inf, np.inf)),
        (
            ([None, -1, 0.3], [2.0, None, None]),
            ([-np.inf, -1, 0.3], [2.0, np.inf, np.inf]),
        ),
        ((np.array([None, -1, 0.3]), None), ([-np.inf, -1, 0.3], np.inf)),
        ((None, [[2.0, None, 3.0]] * 50), (-np.inf, [[2.0, np.inf, 3.0]] * 50)),
        (types.SimpleNamespace(lb=0.3, ub=None), (0.3, np.inf)),
    ],
    ids=str,
)
def test_none_is_no_bound(bounds: Any, expected: Any) -> None:
    y, _ = peaks(50)

    def func(p: Array, rows: Array) -> Array:
        return peak(X, *p.T[:, :, None]) - y[rows]

    assert same(
        curve_fit_batch(peak, X, y, bounds=bounds),
        curve_fit_batch(peak, X, y, bounds=expected),
    )
    start = np.ones((50, 3))
    assert same(
        leastsq_batch(func, start, bounds=bounds),
        leastsq_batch(func, start, bounds=expected),
    )


def test_a_start_is_guessed_within_bounds() -> None:
    starts: list[Array] = []

    def model(x: Array, a: Any, b: Any) -> Array:
        starts.append(np.array([np.ravel(a)[0], np.ravel(b)[0]]))
        return a + b * x

    y = np.ones((5, POINTS))
    bounds = scipy.optimize.Bounds([2.0, -np.inf], [4.0, 7.0])
    curve_fit_batch(model, X, y, bounds=bounds, workers=1)
    np.testing.assert_array_equal(starts[0], [3.0, 6.0])


# leastsq_batch ----------------------------------------------------------------


def test_leastsq_batch_fits_what_the_function_says() -> None:
    y, p0 = peaks(800)
    w = 2.0

    def func(p: Array, rows: Array, w: float) -> Array:
        assert p.shape == (len(rows), 3)
        assert rows.dtype == np.intp
        return (peak(X, *p.T[:, :, None]) - y[rows]) * w

    def jacobian(p: Array, rows: Array, w: float) -> Array:
        return peak_jacobian(X, *p.T[:, :, None]) * w

    for dfun, args in itertools.product((None, jacobian), ((w,), w)):
        result = leastsq_batch(func, p0, args, dfun)
        expected = [
            alone(*each, w, jacobian=dfun is not None)
            for each in zip(y, p0, strict=True)
        ]
        assert of_batch(result) == expected


def test_leastsq_batch_finds_the_number_of_residuals_by_one_call() -> None:
    calls: list[Array] = []

    def func(p: Array, rows: Array) -> Array:
        calls.append(rows.copy())
        return p[:, [0, 0, 0]] - rows[:, None]

    result = leastsq_batch(func, np.ones((9, 1)))
    np.testing.assert_allclose(result.x[:, 0], np.arange(9), atol=1e-12)
    np.testing.assert_array_equal(calls[0], [0])
    calls.clear()
    again = leastsq_batch(func, np.ones((9, 1)), m=3)
    assert same(result, again)
    np.testing.assert_array_equal(calls[0], np.arange(9))


def test_leastsq_batch_takes_no_other_shape_than_a_row_a_fit() -> None:
    for wrong in (lambda p, r: p[:, 0], lambda p, r: np.ones((2, 5, 1))):
        with pytest.raises(ValueError, match=r"func must return .*shape"):
            leastsq_batch(wrong, np.ones((4, 1)))
        with pytest.raises(ValueError, match=r"func must return .*\(4, 5\)"):
            leastsq_batch(wrong, np.ones((4, 1)), m=5)
    with pytest.raises(ValueError, match=r"m = 1 for n = 2"):
        leastsq_batch(lambda p, r: p[:, :1], np.ones((4, 2)))


# Bad arguments ----------------------------------------------------------------

LONG = np.broadcast_to(np.int8(1), (2, 2**31))  # a byte, longer than an int of C counts


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"ydata": np.ones(POINTS)}, ValueError, "ydata"),
        ({"ydata": np.ones((5, POINTS), complex)}, TypeError, "ydata"),
        ({"ydata": np.full((5, POINTS), "a")}, TypeError, "ydata"),
        ({"xdata": np.ones(POINTS + 1)}, ValueError, "xdata"),
        ({"p0": np.ones((4, 3))}, ValueError, "p0"),
        ({"p0": np.ones((5, 3, 1))}, ValueError, "p0"),
        ({"p0": np.ones(POINTS + 1)}, ValueError, "as many points"),
        ({"sigma": np.ones(4)}, ValueError, "sigma"),
        ({"sigma": "wide"}, TypeError, "sigma"),
        ({"mask": np.zeros(4, bool)}, ValueError, "mask"),
        ({"mask": np.zeros(POINTS)}, TypeError, "mask"),
        ({"bounds": 1.0}, TypeError, "bounds"),
        ({"bounds": (0.0, 1.0, 2.0)}, ValueError, "bounds"),
        ({"bounds": ([0.0, 0.0], np.inf)}, ValueError, "lower bounds"),
        ({"bounds": (2.0, 1.0)}, ValueError, "must not be greater"),
        ({"bounds": (2.0, 3.0)}, ValueError, "p0 must be within"),
        ({"ftol": -1.0}, ValueError, "ftol"),
        ({"gtol": np.nan}, ValueError, "gtol"),
        ({"xtol": "1e-8"}, TypeError, "xtol must be a real number, not str"),
        ({"ftol": None}, TypeError, "ftol must be a real number, not NoneType"),
        ({"gtol": 10**400}, OverflowError, "gtol is too large for float64"),
        ({"maxfev": 1.5}, TypeError, "maxfev must be an integer"),
        ({"maxfev": 2**31}, OverflowError, "maxfev .* 2147483647 .* 2147483648"),
        ({"maxfev": -(10**30)}, OverflowError, "maxfev .* 2147483647 .*, not -1000"),
        ({"workers": 0}, ValueError, "workers"),
        ({"workers": 1.0}, TypeError, "workers must be an integer, not float"),
        ({"p0": []}, TypeError, "p0 must hold one number for each"),
        ({"p0": np.ones((5, 0))}, TypeError, "p0 must hold one number for each"),
        ({"p0": None, "bounds": ([], 1.0)}, TypeError, "bounds must hold one number"),
        ({"p0": [1.0, [2.0, 3.0]]}, ValueError, "p0: sequences of different lengths"),
        ({"ydata": [[1.0], [2.0, 3.0]]}, ValueError, "ydata: sequences of different"),
        ({"mask": [[True], [False] * 2]}, ValueError, "mask: sequences of different"),
        (
            {"p0": np.broadcast_to(1, 2**31)},
            ValueError,
            "p0 .* 2147483647 .*2147483648",
        ),
        ({"ydata": LONG}, ValueError, "ydata .* 2147483647 points .* 2147483648"),
        ({"ydata": LONG[:0]}, ValueError, "ydata .* 2147483647 points .* 2147483648"),
        ({"f": None}, TypeError, "f must be callable"),
        ({"jac": "2-point"}, TypeError, "jac must be callable"),
    ],
    ids=str,
)
def test_bad_arguments_are_errors_that_name_them(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    y, _ = peaks(5)
    call = {"f": peak, "xdata": X, "ydata": y, "p0": np.ones(3)}
    with pytest.raises(error, match=match):
        curve_fit_batch(**(call | change))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"m": 2**31}, OverflowError, "m must be at most 2147483647 .* 2147483648"),
        ({"m": 10**30}, OverflowError, "m must be at most 2147483647 .* 1000000"),
        ({"m": -1}, ValueError, "m = -1 for n = 2"),
        ({"m": 3.0}, TypeError, "m must be an integer, not float"),
        ({"maxfev": 2**31}, OverflowError, "maxfev .* 2147483647 .* 2147483648"),
        ({"x0": np.ones((4, 0))}, ValueError, r"x0 must have a row.*\(4, 0\)"),
        ({"x0": []}, ValueError, r"x0 must have a row.*\(0,\)"),
        ({"x0": LONG}, ValueError, "x0 .* 2147483647 .* 2147483648"),
        ({"func": lambda p, r: LONG[:1]}, ValueError, "func .*2147483647.* 2147483648"),
    ],
    ids=str,
)
def test_bad_arguments_of_leastsq_batch_are_errors_that_name_them(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"func": lambda p, rows: p[:, [0, 1, 1]], "x0": np.ones((4, 2))}
    with pytest.raises(error, match=match):
        leastsq_batch(**(call | change))


@pytest.mark.parametrize("workers", [4, 30_000, 10**9, 2**31, 10**30])
def test_no_more_workers_are_started_than_there_are_fits(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = itertools.count()

    class Counted(threading.Thread):
        def start(self) -> None:
            next(started)
            super().start()

    monkeypatch.setattr(threading, "Thread", Counted)
    y, p0 = peaks(3)
    result = curve_fit_batch(peak, X, y, p0, workers=workers)
    assert next(started) == 3
    assert same(result, curve_fit_batch(peak, X, y, p0, workers=1))
    leastsq_batch(lambda p, rows: p - 1.0, np.ones((2, 2)), workers=workers)
    assert next(started) == 6
    leastsq_batch(lambda p, rows: p - 1.0, np.ones((9000, 2)), workers=workers)
    assert next(started) <= 7 + 1024


def test_without_a_start_the_signature_must_tell_the_number_of_parameters() -> None:
    y, _ = peaks(5)
    with pytest.raises(ValueError, match="p0 is needed"):
        curve_fit_batch(lambda x, *p: peak(x, *p), X, y)


def test_nothing_of_the_callers_is_changed() -> None:
    y, p0 = peaks(50)
    arrays = {
        "xdata": X + np.zeros((50, 1)), "ydata": y, "p0": p0, "sigma": np.ones(POINTS),
        "mask": np.zeros(y.shape, bool),
        "bounds": (np.full((50, 3), -1e9), np.full((50, 3), 1e9)),
    }  # fmt: skip
    before = {name: np.array(array) for name, array in arrays.items()}
    curve_fit_batch(peak, **arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.array(array), before[name])


# Exceptions, Ctrl-C, progress -------------------------------------------------


@each_number_of_workers
@pytest.mark.parametrize("where", ["f", "jac"])
def test_an_exception_passes_unchanged_and_stops_all_workers(
    chunk: Callable[[int], None], workers: int, where: str
) -> None:
    chunk(10)
    y, p0 = peaks(3000)
    error = OnPurposeError("thrown")
    calls = itertools.count()

    def failing(x: Array, *p: Any) -> Any:
        if next(calls) == 30:
            raise error
        return (peak if where == "f" else peak_jacobian)(x, *p)

    functions = {"f": peak, "jac": peak_jacobian} | {where: failing}
    threads = threading.active_count()
    with pytest.raises(OnPurposeError) as caught:
        curve_fit_batch(functions["f"], X, y, p0, jac=functions["jac"], workers=workers)
    assert caught.value is error
    assert not hasattr(error, "__notes__")
    assert threading.active_count() == threads
    assert next(calls) < 100


@each_number_of_workers
def test_ctrl_c_stops_a_batch(workers: int) -> None:
    y, p0 = peaks(3000)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    calls = itertools.count()

    def slow(x: Array, *p: Any) -> Array:
        if next(calls) == 20:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.002)
        return peak(x, *p)

    threads = threading.active_count()
    try:
        with pytest.raises(KeyboardInterrupt):
            curve_fit_batch(
                slow, X, np.tile(y, (10, 1)), np.tile(p0, (10, 1)), workers=workers
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert threading.active_count() == threads
    assert next(calls) < (22 if workers == 1 else 20 + 100 * workers)


def test_a_model_may_itself_fit_a_batch() -> None:
    y, p0 = peaks(40)
    expected = curve_fit_batch(peak, X, y, p0)

    def model(x: Array, *p: Any) -> Array:
        assert same(curve_fit_batch(peak, X, y, p0, workers=2), expected)
        return peak(x, *p)

    assert same(curve_fit_batch(model, X, y, p0, workers=2), expected)


def test_progress_without_tqdm_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    y, p0 = peaks(1234)
    shown = curve_fit_batch(peak, X, y, p0, progress=True)
    line = capsys.readouterr().err.splitlines()[-1]
    assert "1,234 of 1,234 fits" in line
    assert "a second, 0 s left" in line
    assert same(shown, curve_fit_batch(peak, X, y, p0))


def test_progress_with_tqdm_is_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    y, p0 = peaks(1234)
    curve_fit_batch(peak, X, y, p0, progress=True)
    assert "1234/1234" in capsys.readouterr().err


def test_a_batch_shows_nothing_unless_it_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    y, p0 = peaks(10)
    curve_fit_batch(peak, X, y, p0)
    assert capsys.readouterr() == ("", "")


def test_a_result_says_what_it_is() -> None:
    y, p0 = peaks(10)
    y[3] = np.nan
    result = curve_fit_batch(peak, X, y, p0)
    assert len(result) == 10
    assert repr(result) == "<BatchResult: 10 fits of 3 parameters, 9 converged>"
    assert result.message(0).startswith("Converged")


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda r, p=protocol: pickle.loads(pickle.dumps(r, p))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_result_can_be_pickled_and_copied(copied: Callable[[Any], Any]) -> None:
    y, p0 = peaks(10)
    y[3] = np.nan
    result = curve_fit_batch(peak, X, y, p0, maxfev=9)
    other = copied(result)
    assert type(other) is BatchResult
    assert same(other, result)
    assert [other.message(i) for i in range(10)] == [
        result.message(i) for i in range(10)
    ]
    assert repr(other) == repr(result)


# Memory -----------------------------------------------------------------------


@contextlib.contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Give the peak of the memory that is allocated within."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["plain", "rows", "masked"])
def test_memory_is_bounded_by_the_chunk_and_not_by_the_batch(kind: str) -> None:
    points, count = 1000, 4000
    x = np.linspace(-2, 4, points)
    y = np.broadcast_to(peak(x, 2.0, 1.0, 1.0), (count, points)).copy()
    options: dict[str, Any] = {}
    if kind == "masked":
        options = {"mask": np.zeros(y.shape, bool), "sigma": np.ones_like(y)}
    if kind == "rows":
        x = np.broadcast_to(x, y.shape).copy()
    with traced() as allocated:
        curve_fit_batch(peak, x, y, [1.9, 1.1, 1.0], workers=2, **options)
        assert allocated() < 8_000_000 < y.nbytes / 3


OUTCOMES: dict[str, Callable[..., Any]] = {
    "good": peak,
    "lists": lambda *a: peak(*a).tolist(),
    "raises": lambda *a: (_ for _ in ()).throw(OnPurposeError),
    "wrong shape": lambda *a: np.ones((2, 2, 2)),
    "wrong type": lambda *a: np.full(POINTS, "text"),
}


@pytest.mark.parametrize("start", ["own", "shared"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("model", OUTCOMES.values(), ids=OUTCOMES)
def test_batches_leave_memory_and_references_as_they_were(
    model: Callable[..., Any], workers: int, start: str
) -> None:
    y, p0 = peaks(20)
    if start == "shared":
        p0 = np.array([2.0, 1.0, 1.0])
    arrays = [
        X + np.zeros((20, 1)),
        y,
        p0,
        np.ones(POINTS),
        np.ones((20, POINTS), bool),
    ]
    calls = itertools.count()

    def later(*args: Any) -> Any:
        return (model if next(calls) % 12 > 5 else peak)(*args)

    def run() -> None:
        nonlocal calls
        calls = itertools.count()
        with contextlib.suppress(OnPurposeError, ValueError, TypeError):
            curve_fit_batch(
                later, *arrays[:4], mask=~arrays[4], workers=workers, jac=peak_jacobian
            )

    for _ in range(20):
        run()
    gc.collect()
    counts = [sys.getrefcount(each) for each in (later, *arrays)]
    with traced() as allocated:
        run()
        for _ in range(3):  # a cache that fills, unlike a leak, grows once
            gc.collect()
            first = tracemalloc.get_traced_memory()[0]
            for _ in range(100):
                run()
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - first
            if grown < 20_000:
                break
        assert allocated() > 0
    assert [sys.getrefcount(each) for each in (later, *arrays)] == counts
    assert grown < 20_000  # an array that leaks in each run would be more


def test_results_do_not_keep_the_arguments_alive() -> None:
    class Data(np.ndarray):  # can be referred to weakly
        pass

    y, p0 = peaks(20)
    data = y.view(Data)
    reference = weakref.ref(data)
    result = curve_fit_batch(peak, X, data, p0)
    del data
    gc.collect()
    assert reference() is None
    assert result.success.any()


# The document -------------------------------------------------------------------


def test_the_examples_in_the_document_work() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs/batch.md").read_text()
    *plain, compiled = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    for code in plain:
        if "numba" in code:
            pytest.importorskip("numba")
        exec(code, names)
        if "result" in names:
            assert names["result"].x.shape == (10_000, 3)
            assert names["result"].success.all()
    pytest.importorskip("numba")
    exec(compiled, names)
    assert names["ier"] in (1, 2, 3, 4)
    assert names["result"].success.all()
    np.testing.assert_allclose(names["result"].x[0], names["x"])


REWRITTEN: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (
        lambda v, t, a, b: v / v.sum(),
        lambda v, t, a, b: v / v.sum(axis=-1, keepdims=True),
    ),
    "integral": (
        lambda v, t, a, b: v / np.trapezoid(v, t),
        lambda v, t, a, b: v / np.trapezoid(v, t, axis=-1)[..., None],
    ),
    "cumulated": (
        lambda v, t, a, b: np.cumsum(v),
        lambda v, t, a, b: np.cumsum(v, axis=-1),
    ),
    "if": (
        lambda v, t, a, b: v if a > 1.0 else -v,
        lambda v, t, a, b: np.where(a > 1.0, v, -v),
    ),
    "max": (
        lambda v, t, a, b: max(a, 1.0) * t,
        lambda v, t, a, b: np.maximum(a, 1.0) * t,
    ),
    "by index": (
        lambda v, t, a, b: np.add(
            np.where(t > 1, 0, b), [a if s > 1 else 0 for s in t]
        ),
        lambda v, t, a, b: np.where(t > 1, a, b),
    ),
    "interp": (lambda v, t, a, b: np.interp(t - a, X, X),) * 2,
}


@pytest.mark.parametrize("written", REWRITTEN.values(), ids=REWRITTEN)
def test_what_the_document_advises_gives_the_same_for_one_fit_and_for_many(
    written: tuple[Callable[..., Any], Callable[..., Any]],
) -> None:
    def with_model(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda t, a, b: function(peak(t, a, b, 1.0), t, a, b)

    one, many = map(with_model, written)
    p = np.array([[0.5, 0.3], [2.0, 1.0], [1.5, -0.2]])
    together = np.broadcast_to(many(X, *p.T[:, :, None]), (3, POINTS))
    for row, parameters in zip(together, p, strict=True):
        np.testing.assert_allclose(row, one(X, *parameters))


def test_a_tuple_of_predictors_is_for_all_fits() -> None:
    """Though there be as many of them as fits."""
    t = np.linspace(0, 1, 10)
    truth = np.array([[1.0, 3.0], [2.0, 4.0]])
    y = truth[:, :1] * t + truth[:, 1:] * t**2
    result = curve_fit_batch(
        lambda x, a, b: a * x[0] + b * x[1], (t, t**2), y, p0=[1, 1]
    )
    np.testing.assert_allclose(result.x, truth)


def test_ragged_xdata_are_handed_to_the_model_as_they_are() -> None:
    t = np.linspace(0, 1, 10)
    y = np.array([[2.0], [3.0]]) * (t + 1)
    result = curve_fit_batch(
        lambda x, a: a * (x[0] + x[1][0]), (t, np.ones(3)), y, p0=[1]
    )
    np.testing.assert_allclose(result.x, [[2], [3]])


MASKED = np.ma.masked_array(np.ones(POINTS), np.arange(POINTS) % 3 == 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("xdata", MASKED),
        ("xdata", (MASKED, X)),
        ("ydata", [MASKED] * 5),
        ("p0", MASKED[:3]),
        ("sigma", MASKED),
        ("mask", MASKED > 0),
        ("bounds", (MASKED[:3], 2.0)),
    ],
)
def test_masked_arrays_are_refused_for_there_is_mask(name: str, value: Any) -> None:
    call = {"f": peak, "xdata": X, "ydata": np.ones((5, POINTS)), name: value}
    with pytest.raises(
        TypeError, match=f"{name} must be plain numbers.*masked: .*mask="
    ):
        curve_fit_batch(**call)

"""How a batch calls the model, and what the model may do with its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import (
    POINTS,
    X,
    each_number_of_workers,
    peak,
    peak_jacobian,
    peaks,
    same,
)
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch


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

"""What the model gets as xdata."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array, Column
from batch.peaks import POINTS, X, peak, peaks, same
from minpack import curve_fit_batch


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
            curve_fit_batch(
                spoiling, X + np.zeros((10, 1)), y, p0, workers=1, trace=False
            )


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

"""Bounds of a batch, for all fits or a row for each."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from arrays import Array
from batch.peaks import POINTS, X, each_number_of_workers, peak, peaks, same
from fits import bits_of_batch
from minpack import curve_fit_batch, leastsq_batch


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
    assert bits_of_batch(result) == [bits_of_batch(one)[0] for one in ones]
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

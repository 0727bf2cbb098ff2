"""leastsq_batch: residuals of many fits from one function."""

from __future__ import annotations

import itertools

import numpy as np

from arrays import Array
from batch.peaks import X, alone, peak, peak_jacobian, peaks, same
from fits import bits_of_batch
from minpack import leastsq_batch


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
        assert bits_of_batch(result) == expected


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

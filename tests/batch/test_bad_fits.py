"""Fits that cannot succeed disturb no other."""

from __future__ import annotations

from typing import Any

import numpy as np

from arrays import Array
from batch.peaks import X, each_number_of_workers, peak, peaks
from fits import bits_of_batch
from minpack import curve_fit_batch


@each_number_of_workers
def test_bad_fits_disturb_no_other(workers: int) -> None:
    y, p0 = peaks(1200)
    ones, no_mask = np.ones_like(y), np.zeros(y.shape, bool)
    good = bits_of_batch(curve_fit_batch(peak, X, y, p0, ones, mask=no_mask))
    kind = np.random.default_rng(6).integers(0, 8, 1200)
    y[kind == 0, 7] = np.nan
    y[kind == 1, 8] = np.inf
    p0[kind == 2, 1] = np.nan
    ones[kind == 3, 5] = 0.0
    no_mask[kind == 4, 2:] = True  # leaves too few points
    result = curve_fit_batch(peak, X, y, p0, ones, mask=no_mask, workers=workers)
    bad = kind < 5
    found = bits_of_batch(result)
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

"""Each fit of a batch has, to the bit, the result that it has alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize

from batch.peaks import (
    POINTS,
    X,
    alone,
    each_number_of_workers,
    peak,
    peak_jacobian,
    peaks,
    same,
)
from fits import bits_of_batch, unscaled
from minpack import curve_fit, curve_fit_batch

pytestmark = unscaled


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
    assert bits_of_batch(result) == [
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
    whole = bits_of_batch(curve_fit_batch(peak, X, y, p0))
    order = np.random.default_rng(1).permutation(400)[:150]
    some = bits_of_batch(curve_fit_batch(peak, X, y[order], p0[order]))
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
    assert bits_of_batch(result) == [
        alone(y[i, ~mask[i]], p0[i], x=x[~mask[i]]) for i in range(6)
    ]


@pytest.mark.parametrize("points", [64, 65, 200])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_derivatives_of_many_points_are_those_of_the_fit_alone(
    points: int, weighted: bool, masked: bool
) -> None:
    x = np.linspace(-2.0, 4.0, points)
    p0 = peaks(20)[1]
    y = peak(x, *(1.1 * p0).T[:, :, None]) + 0.01 * np.cos(50 * x)
    rng = np.random.default_rng(6)
    keep = rng.random(y.shape) > 0.3 * masked
    sigma = rng.uniform(0.5, 2.0, y.shape) if weighted else np.ones(y.shape)
    for jac in (peak_jacobian, lambda *a: np.asfortranarray(peak_jacobian(*a))):
        result = curve_fit_batch(peak, x, y, p0, sigma, True, jac=jac, mask=~keep)
        assert bits_of_batch(result) == [
            alone(y[i, k], p0[i], 1 / sigma[i, k], x=x[k], jacobian=True)
            for i, k in enumerate(keep)
        ]


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
        assert bits_of_batch(result) == [
            alone(*each, **options) for each in zip(y, p0, strict=True)
        ]
    result = curve_fit_batch(peak, X, y, p0, maxfev=9)
    assert "maxfev = 9" in result.message(int(np.flatnonzero(result.ier == 5)[0]))


def test_few_fits_and_none_are_batches_too() -> None:
    y, p0 = peaks(3)
    three = bits_of_batch(curve_fit_batch(peak, X, y, p0, workers=8))
    for i in range(3):
        one = curve_fit_batch(peak, X, y[i : i + 1], p0[i])
        assert bits_of_batch(one) == [three[i]]
    none = curve_fit_batch(peak, X, y[:0], p0[:0])
    assert len(none) == 0
    assert none.x.shape == (0, 3)
    assert none.cov.shape == (0, 3, 3)
    assert curve_fit_batch(peak, X, y[:0]).x.shape == (0, 3)

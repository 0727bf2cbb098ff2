"""Data, errors and masks of any shape, layout and type."""

from __future__ import annotations

import numpy as np
import pytest

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
from minpack import curve_fit_batch

pytestmark = unscaled


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
    assert bits_of_batch(result) == expected


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
    found = bits_of_batch(result)
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
    assert bits_of_batch(result) == expected


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


def test_a_model_of_one_parameter_at_one_point_can_be_fitted() -> None:
    result = curve_fit_batch(lambda x, a: a * x, [2.0], [[4.0], [6.0]])
    np.testing.assert_allclose(result.x, [[2.0], [3.0]])
    assert np.isnan(result.cov).all()  # the error is not known
    absolute = curve_fit_batch(lambda x, a: a * x, [2.0], [[4.0]], absolute_sigma=True)
    np.testing.assert_allclose(absolute.cov, 0.25)

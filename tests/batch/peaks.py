"""Noisy peaks: fits for a batch, and what becomes of each alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from arrays import Array
from minpack import BatchResult, curve_fit_batch, leastsq, leastsq_batch

each_number_of_workers = pytest.mark.parametrize("workers", [1, 2, 4])

# Batches of the calls of a function, for tests that look at these calls
curve_fit_batch_by_calls = partial(curve_fit_batch, trace=False)
leastsq_batch_by_calls = partial(leastsq_batch, trace=False)


POINTS = 30
X = np.linspace(-2.0, 4.0, POINTS)


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


def same(one: BatchResult, other: BatchResult) -> bool:
    names = ("x", "cov", "cost", "nfev", "ier", "success", "active_mask")
    return all(getattr(one, n).tobytes() == getattr(other, n).tobytes() for n in names)

"""Fits for the tests of acceleration, and what all ways into it return."""

from __future__ import annotations

from typing import Any

import numpy as np

from minpack import curve_fit, curve_fit_batch, least_squares, leastsq, leastsq_batch

Array = np.ndarray

T = np.linspace(0.0, 3.0, 12)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.cos(9 * T)
P0 = np.array([20.0, 8.0, -3.0])  # far from the minimum


def decay(t: Array, a: Any, b: Any, c: Any) -> Array:
    return a * np.exp(-b * t) + c


def derivatives(t: Array, a: Any, b: Any, c: Any) -> Array:
    e = np.exp(-b * t)
    return np.stack([e, -a * t * e, np.ones_like(e)], -1)


def residuals(x: Array) -> Array:
    return decay(T, *x) - Y


def jacobian(x: Array) -> Array:
    return derivatives(T, *x)


def canyon(x: Array) -> Array:
    """Rosenbrock's function."""
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def canyon_jacobian(x: Array) -> Array:
    return np.array([[-20 * x[0], 10.0], [-1.0, 0.0]])


CANYON = np.array([-1.2, 1.0])


def of_leastsq(**options: Any) -> tuple[Array, int]:
    x, _, info, *_ = leastsq(residuals, P0, full_output=True, **options)
    return x, info["nfev"]


def of_curve_fit(**options: Any) -> tuple[Array, int]:
    x, _, info, *_ = curve_fit(decay, T, Y, P0, full_output=True, **options)
    return x, info["nfev"]


def of_least_squares(**options: Any) -> tuple[Array, int]:
    fit = least_squares(residuals, P0, **options)
    return fit.x, fit.nfev


def of_curve_fit_batch(**options: Any) -> tuple[Array, int]:
    fit = curve_fit_batch(decay, T, Y[None], P0, trace=False, **options)
    return fit.x[0], int(fit.nfev[0])


def of_leastsq_batch(**options: Any) -> tuple[Array, int]:
    def all_residuals(x: Array, rows: Array) -> Array:
        return decay(T, *x.T[:, :, None]) - Y

    fit = leastsq_batch(all_residuals, P0[None], trace=False, **options)
    return fit.x[0], int(fit.nfev[0])


WAYS = (
    of_leastsq, of_curve_fit, of_least_squares, of_curve_fit_batch, of_leastsq_batch,
)  # fmt: skip

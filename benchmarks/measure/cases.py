"""The solvers, and fits of any size for them.

The model, a spectrum of Lorentzian lines, takes nothing but sums, products and
quotients: each processor computes the same residuals, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

import minpack

Array = NDArray[np.float64]

SOLVERS: dict[str, Callable[..., Any]] = {
    "SciPy": scipy.optimize.leastsq,
    "reference": partial(minpack.leastsq, kernels="reference"),
    "fast": minpack.leastsq,  # by default
}


def decay(t: Array, a: Any, b: Any, c: Any) -> Array:
    """Return an exponential decay on a background; each of a, b, c may be a column."""
    value: Array = a * np.exp(-b * t) + c
    return value


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Noisy data of n // 3 lines on a background of n % 3 coefficients, and a start."""

    t: Array
    y: Array
    x0: Array

    @property
    def m(self) -> int:
        """Number of points."""
        return self.t.size

    @property
    def n(self) -> int:
        """Number of parameters."""
        return self.x0.size

    def residuals(self, x: Array) -> Array:
        """Return the model minus the data, shape (m,)."""
        return spectrum(x, self.t) - self.y


@dataclass(frozen=True, eq=False)
class TwoDecays(Spectrum):
    """Noisy data of two decays on a background, and a start."""

    def residuals(self, x: Array) -> Array:
        """Return the model minus the data, shape (m,)."""
        return decay(self.t, *x[:3]) + decay(self.t, x[3], x[4], -self.y)


def spectrum(x: Array, t: Array) -> Array:
    """Return lines of a height, a place and a half width, and the background."""
    lines, rest = np.split(x, [x.size // 3 * 3])
    total = np.zeros_like(t)
    for coefficient in rest:
        total *= t
        total += coefficient
    for height, place, width in lines.reshape(-1, 3):
        u = (t - place) / width
        u *= u
        u += 1
        total += np.divide(height, u, out=u)
    return total


def spectrum_fit(m: int, n: int) -> Spectrum:
    """Draw a well-posed fit: lines at distances of 1, noise of 1 %, a fair start."""
    rng = np.random.default_rng([m, n])
    lines = n // 3
    t = np.linspace(0, lines, m)
    places = np.arange(lines) + 0.5 + rng.uniform(-0.05, 0.05, lines)
    heights, widths = rng.uniform(1, 3, lines), rng.uniform(0.15, 0.25, lines)
    truth = np.stack([heights, places, widths], axis=1).ravel()
    truth = np.append(truth, rng.uniform(0.1, 0.5, n % 3))
    y = spectrum(truth, t) + rng.uniform(-0.02, 0.02, m)
    x0 = truth * (1 + 0.05 * rng.uniform(-1, 1, n))
    x0[1 : 3 * lines : 3] = places + rng.uniform(-0.05, 0.05, lines)
    return Spectrum(t, y, x0)


def ill_posed_fit(m: int) -> TwoDecays:
    """Draw a fit whose Jacobian has columns that nearly depend on each other."""
    rng = np.random.default_rng(m)
    t = np.linspace(0, 10, m)
    truth = np.array([1, 0.3, 0.3, 2, 0.6])
    exact = TwoDecays(t, np.zeros(m), truth).residuals(truth)
    y = exact + rng.uniform(-0.02, 0.02, m)
    return TwoDecays(t, y, truth * (1 + 0.2 * rng.uniform(-1, 1, 5)))

"""Random fits of the everyday kind: a model that suits noisy data, a fair start.

Unlike those of ``random_fits`` these are well posed, so that two good solvers take
the same path: what rounding does to a fit is not blown up by the problem.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from arrays import Array

Model = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Family:
    """A model on 0 <= t <= 10 with the ranges that its parameters are drawn from."""

    model: Model
    low: tuple[float, ...]
    high: tuple[float, ...]


def _decay(p: Array, t: Array) -> Array:
    return p[0] * np.exp(-p[1] * t) + p[2]


def _peak(p: Array, t: Array) -> Array:
    return p[0] * np.exp(-(((t - p[1]) / p[2]) ** 2)) + p[3]


def _two_peaks(p: Array, t: Array) -> Array:
    return _peak(p[:4], t) + _peak(p[[4, 5, 6, 3]], t)


def _growth(p: Array, t: Array) -> Array:
    return p[0] / (1 + np.exp(-p[1] * (t - p[2])))


def _saturation(p: Array, t: Array) -> Array:
    return p[0] * t / (p[1] + t)


def _wave(p: Array, t: Array) -> Array:
    return p[0] * np.sin(p[1] * t + p[2]) + p[3]


def _cubic(p: Array, t: Array) -> Array:
    return ((p[0] * t + p[1]) * t + p[2]) * t + p[3]


FAMILIES = (
    Family(_decay, (1, 0.2, -1), (5, 1.5, 1)),
    Family(_peak, (1, 3, 0.8, -1), (5, 7, 2, 1)),
    Family(_two_peaks, (1, 2, 0.8, -1, 1, 6.5, 0.8), (5, 3.5, 1.2, 1, 5, 8, 1.2)),
    Family(_growth, (1, 0.5, 3), (5, 2, 7)),
    Family(_saturation, (1, 0.5), (5, 3)),
    Family(_wave, (1, 1, 0.3, -1), (3, 2, 1.5, 1)),
    Family(_cubic, (-1, -1, -1, -1), (1, 1, 1, 1)),
)


@dataclass(frozen=True)
class OrdinaryFit:
    """A fit, drawn from a seed."""

    model: Model
    t: Array
    y: Array
    x0: Array

    def residuals(self, x: Array) -> Array:
        """Return the residuals at x, shape (m,)."""
        return self.model(x, self.t) - self.y


def ordinary_fit(seed: int) -> OrdinaryFit:
    """Draw a fit: 20 to 2,000 points, noise of 0.3 to 10 %, a start off by 5 %."""
    rng = np.random.default_rng([seed, 7])
    family = FAMILIES[seed % len(FAMILIES)]
    truth = rng.uniform(family.low, family.high)
    t = np.linspace(0, 10, round(10 ** rng.uniform(np.log10(20), np.log10(2000))))
    y = family.model(truth, t)
    noise = 10 ** rng.uniform(-2.5, -1) * np.ptp(y)
    y = y + rng.normal(scale=noise, size=t.size)
    x0 = truth * (1 + 0.05 * rng.uniform(-1, 1, truth.size))
    return OrdinaryFit(family.model, t, y, x0)

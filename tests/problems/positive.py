"""Fits of models whose parameters are positive, with bounds of 0.

On these bounds the models degenerate: where the height of a peak is 0, neither its
place nor its width has an effect. The starts are within a factor of five of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from arrays import Array

Range = tuple[float, float]

POINTS = np.linspace(0, 10, 80)
NOISE = 0.02  # of the first parameter, a height


def hill(x: Array, v: Array, k: Array, n: Array) -> Array:
    return v * x**n / (k**n + x**n + 1e-300)


def lorentzian(x: Array, a: Array, c: Array, w: Array, b: Array) -> Array:
    return a / (1 + ((x - c) / w) ** 2) + b


def gaussian(x: Array, a: Array, c: Array, w: Array, b: Array) -> Array:
    return a * np.exp(-(((x - c) / w) ** 2) / 2) + b


def exponential(x: Array, a: Array, k: Array, b: Array) -> Array:
    return a * np.exp(-k * x) + b


def logistic(x: Array, a: Array, k: Array, c: Array) -> Array:
    return a / (1 + np.exp(-k * (x - c)))


def two_exponentials(x: Array, a: Array, k: Array, b: Array, l: Array) -> Array:  # noqa: E741
    return a * np.exp(-k * x) + b * np.exp(-l * x)


# The model, and in which range each of its true parameters is drawn
MODELS: dict[str, tuple[Callable[..., Array], tuple[Range, ...]]] = {
    "Hill": (hill, ((1, 5), (2, 7), (1, 5))),
    "Lorentzian and constant": (lorentzian, ((1, 5), (2, 8), (0.3, 1.5), (0.2, 2))),
    "Gaussian and constant": (gaussian, ((1, 5), (2, 8), (0.3, 1.5), (0.2, 2))),
    "exponential and constant": (exponential, ((1, 5), (0.2, 2), (0.2, 2))),
    "logistic": (logistic, ((1, 5), (0.5, 3), (3, 7))),
    "two exponentials": (two_exponentials, ((1, 5), (1, 3), (1, 5), (0.1, 0.5))),
}


class PositiveFit(NamedTuple):
    """A fit of ``model(POINTS, *parameters)`` to `y`."""

    model: Callable[..., Array]
    y: Array
    truth: Array
    start: Array

    def residuals(self, p: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.model(POINTS, *p) - self.y


def positive_fits(name: str, count: int) -> Iterator[PositiveFit]:
    """Draw fits of a model: the same ones every time."""
    model, ranges = MODELS[name]
    for seed in range(count):
        rng = np.random.default_rng([len(name), seed])
        truth = np.array([rng.uniform(*each) for each in ranges])
        start = truth * 5 ** rng.uniform(-1, 1, truth.size)
        noise = NOISE * truth[0] * rng.normal(size=POINTS.size)
        yield PositiveFit(model, model(POINTS, *truth) + noise, truth, start)

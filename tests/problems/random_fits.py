"""Random fits: seven model families, random data, starts and options.

Every fit is a pure function of its seed. The models use element-wise operations
only, so that the same x gives the same bits whatever the memory it lies in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Model = Callable[[Array, Array], Array]


def exponentials(p: Array, t: Array) -> Array:
    """Return a sum of decays; parameters come in pairs, an odd one is an offset."""
    total = p[-1] * np.ones_like(t) if p.size % 2 else np.zeros_like(t)
    for amplitude, rate in zip(p[0::2], p[1::2], strict=False):
        total = total + amplitude * np.exp(-rate * t)
    return total


def peaks(p: Array, t: Array) -> Array:
    """Return a sum of Gaussian peaks of unit width; an odd parameter is an offset."""
    total = p[-1] * np.ones_like(t) if p.size % 2 else np.zeros_like(t)
    for amplitude, centre in zip(p[0::2], p[1::2], strict=False):
        total = total + amplitude * np.exp(-((t - centre) ** 2))
    return total


def polynomial(p: Array, t: Array) -> Array:
    """Return a polynomial, which is linear in its parameters."""
    total = np.zeros_like(t) + p[-1]
    for coefficient in p[-2::-1]:
        total = total * t + coefficient
    return total


def rational(p: Array, t: Array) -> Array:
    """Return a quotient of polynomials."""
    half = (p.size + 1) // 2
    return polynomial(p[:half], t) / (1 + t * polynomial(p[half - 1 :], t))


def waves(p: Array, t: Array) -> Array:
    """Return a product of sines."""
    total = np.ones_like(t) * p[0]
    for frequency in p[1:]:
        total = total * np.sin(frequency * t + 1)
    return total


def growth(p: Array, t: Array) -> Array:
    """Return a logistic curve whose exponent is a polynomial."""
    return p[0] * (1 - np.tanh(polynomial(p, t)))


def powers(p: Array, t: Array) -> Array:
    """Return a sum of powers."""
    total = np.zeros_like(t)
    for exponent in p:
        total = total + (1 + t) ** exponent
    return total


FAMILIES: tuple[Model, ...] = (
    exponentials, peaks, polynomial, rational, waves, growth, powers,
)  # fmt: skip


@dataclass(frozen=True)
class RandomFit:
    """A fit: the arguments of ``leastsq``, drawn from a seed."""

    seed: int
    model: Model
    t: NDArray[np.float64]
    y: NDArray[np.float64]
    x0: NDArray[np.float64]
    options: dict[str, Any]
    analytic: bool

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the residuals at x, shape (m,)."""
        with np.errstate(all="ignore"):
            return self.model(x, self.t) - self.y

    def jacobian(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Jacobian at x, shape (m, n), by complex step."""
        columns = []
        with np.errstate(all="ignore"):
            for j in range(x.size):
                moved = x.astype(complex)
                moved[j] += 1e-30j
                columns.append(self.model(moved, self.t.astype(complex)).imag / 1e-30)
        return np.stack(columns, axis=1)


def random_fit(seed: int, most: int = 1000) -> RandomFit:
    """Draw a fit of n to `most` residuals."""
    rng = np.random.default_rng(seed)
    model = FAMILIES[seed % len(FAMILIES)]
    n = int(rng.integers(1, 8))
    m = max(n, round(10 ** rng.uniform(np.log10(n), np.log10(most))))
    t = np.sort(rng.uniform(0, 3, m))
    truth = rng.normal(size=n)
    with np.errstate(all="ignore"):
        y = model(truth, t)
    y = np.where(np.isfinite(y), y, 0.0)
    if rng.random() < 0.8:
        y = y + rng.normal(size=m) * 10 ** rng.uniform(-8, 2)
    x0 = truth + rng.normal(size=n) * 10 ** rng.uniform(-3, 1)
    if rng.random() < 0.1:
        x0 = np.zeros(n)

    options: dict[str, Any] = {}
    for name, chance in (("ftol", 0.5), ("xtol", 0.5), ("gtol", 0.3)):
        if rng.random() < chance:
            options[name] = 0.0 if rng.random() < 0.2 else 10 ** rng.uniform(-16, -1)
    if rng.random() < 0.1:  # on, until rounding errors end the fit
        options |= {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0}
    if rng.random() < 0.4:
        options["maxfev"] = int(rng.integers(1, 200))
    if rng.random() < 0.5:
        options["factor"] = 10 ** rng.uniform(-1, 2)
    if rng.random() < 0.4:
        options["diag"] = 10 ** rng.uniform(-3, 3, n)
    if rng.random() < 0.4:
        options["epsfcn"] = 10 ** rng.uniform(-18, -2)
    return RandomFit(seed, model, t, y, x0, options, bool(rng.random() < 0.5))

"""curve_fit and least_squares beside SciPy's, and what they add to leastsq."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

import minpack
from measure.cases import Array, decay
from measure.timing import interleaved, repeatedly

M = 50
TRUTH = np.array([2.5, 1.3, 0.5])
START = np.array([1.0, 1.0, 1.0])
LOOSE = (np.zeros(3), np.array([10.0, 10.0, 10.0]))
BINDING = (np.zeros(3), np.array([2.0, 10.0, 10.0]))


def cases() -> dict[str, Callable[[Any], Callable[[], object]]]:
    """For a module with the functions, the call of each case."""
    t = np.linspace(0, 4, M)
    rng = np.random.default_rng(50)
    y = decay(t, *TRUTH) + rng.normal(scale=0.02, size=M)
    sigma = np.full(M, 0.02)

    def residuals(x: Array) -> Array:
        return decay(t, x[0], x[1], x[2]) - y

    def fit(**options: Any) -> Callable[[Any], Callable[[], object]]:
        return lambda module: lambda: module.curve_fit(decay, t, y, START, **options)

    def squares(**options: Any) -> Callable[[Any], Callable[[], object]]:
        return lambda module: lambda: module.least_squares(residuals, START, **options)

    return {
        "leastsq": lambda module: (
            lambda: module.leastsq(residuals, START, full_output=True)
        ),
        "curve_fit": fit(),
        "curve_fit, sigma": fit(sigma=sigma),
        "least_squares, method='lm'": squares(method="lm"),
        "curve_fit, bounds": fit(bounds=LOOSE),
        "curve_fit, bounds that bind": fit(bounds=BINDING),
        "least_squares, bounds": squares(bounds=LOOSE),
        "least_squares, bounds that bind": squares(bounds=BINDING),
        "least_squares, loss='soft_l1'": squares(loss="soft_l1", f_scale=0.1),
    }


def wrappers() -> dict[str, dict[str, list[float]]]:
    """Time one small fit by every function, SciPy's and ours."""
    return {
        title: interleaved(
            {
                "SciPy": repeatedly(call(scipy.optimize)),
                "minpack": repeatedly(call(minpack)),
            },
            seconds=3,
        )
        for title, call in cases().items()
    }

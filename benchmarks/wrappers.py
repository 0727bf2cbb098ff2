"""curve_fit and least_squares beside SciPy's, and what they add to leastsq."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize

import minpack
from cases import Array, decay
from report import short, spread, table, verdict
from timing import interleaved, ratios, repeatedly

M = 50
TRUTH = np.array([2.5, 1.3, 0.5])
START = np.array([1.0, 1.0, 1.0])
LOOSE = (np.zeros(3), np.array([10.0, 10.0, 10.0]))
BINDING = (np.zeros(3), np.array([2.0, 10.0, 10.0]))


def _cases() -> dict[str, tuple[float | None, Callable[[Any], Callable[[], object]]]]:
    """Target and, for a module with the functions, the call of each case."""
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
        "leastsq": (
            None,
            lambda module: lambda: module.leastsq(residuals, START, full_output=True),
        ),
        "curve_fit": (1.7, fit()),
        "curve_fit, sigma": (None, fit(sigma=sigma)),
        "least_squares, method='lm'": (5, squares(method="lm")),
        "curve_fit, bounds": (10, fit(bounds=LOOSE)),
        "curve_fit, bounds that bind": (None, fit(bounds=BINDING)),
        "least_squares, bounds": (8, squares(bounds=LOOSE)),
        "least_squares, bounds that bind": (None, squares(bounds=BINDING)),
        "least_squares, loss='soft_l1'": (None, squares(loss="soft_l1", f_scale=0.1)),
    }


def wrappers() -> str:
    """Time one small fit by every function."""
    rows = []
    for title, (target, call) in _cases().items():
        timed = {
            "SciPy": repeatedly(call(scipy.optimize)),
            "minpack": repeatedly(call(minpack)),
        }
        times = interleaved(timed, seconds=3)
        faster = ratios(times, "minpack", "SciPy")
        rows.append(
            [
                title,
                *(short(1e6 * statistics.median(times[name])) for name in timed),
                spread(faster),
                verdict(statistics.median(faster), target) if target else "",
            ]
        )
    header = ["", "SciPy", "minpack", "SciPy / minpack", "target"]
    return f"""\
Microseconds a fit of a e^(-bt) + c to {M} points by forward differences, evaluations of
the model included. Without another method SciPy fits with bounds and with a loss by
'trf', minpack always by Levenberg-Marquardt.

{table(header, rows)}"""

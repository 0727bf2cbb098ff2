"""The page on curve_fit and least_squares."""

from __future__ import annotations

import statistics

import measure.wrappers as measured
from measure.timing import ratios
from measure.wrappers import M
from pages.report import short, spread, table, verdict

TARGETS = {
    "curve_fit": 1.7,
    "least_squares, method='lm'": 5,
    "curve_fit, bounds": 10,
    "least_squares, bounds": 8,
}


def wrappers() -> str:
    """Time one small fit by every function."""
    rows = []
    for title, times in measured.wrappers().items():
        faster = ratios(times, "minpack", "SciPy")
        target = TARGETS.get(title)
        rows.append(
            [
                title,
                *(short(1e6 * statistics.median(times[name])) for name in times),
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

"""The page on traced functions."""

from __future__ import annotations

import statistics

import numpy as np

import measure.traced as measured
from measure.timing import ratios
from pages.report import at_most, short, spread, table


def traced() -> str:
    """Write on fits of traced functions, and on what they cost."""
    return f"{fits()}\n\n{records()}\n\n{evaluations()}"


def fits() -> str:
    """Write on single fits beside SciPy's."""
    rows = [
        [
            fit.title,
            f"{fit.m:,} × {fit.n}",
            " / ".join(str(count) for count in fit.nfev),
            *(short(1e6 * statistics.median(times)) for times in fit.times.values()),
            spread(ratios(fit.times, "traced", "SciPy")),
            spread(ratios(fit.times, "traced", "fast")),
        ]
        for fit in measured.fits()
    ]
    header = [
        "model", "m × n", "nfev", "SciPy", "fast", "traced, differences", "traced",
        "SciPy / traced", "fast / traced",
    ]  # fmt: skip
    return f"""\
Microseconds a fit of `curve_fit` on one thread, evaluations included. "SciPy" and
"fast" have the plain function, by differences; the function of the others was traced
before. "nfev" is that by differences and that with exact derivatives.

{table(header, rows)}"""


def records() -> str:
    """Write on what a fit costs beside its evaluations."""
    times = measured.records()
    first = 1e6 * statistics.median(times["first record"])
    each = 1e6 * statistics.median(times["record"])
    more = 1e6 * statistics.median(np.subtract(times["start"], times["call"]))
    return f"""\
To record a model of ten operations with its derivatives takes {short(first)} µs
(target: {at_most(first, 60)}), and {short(each)} µs once a model of the same structure
has been recorded. To find a kept record and to compare it takes {short(more)} µs
besides the call of the function (target: {at_most(more, 3)})."""


def evaluations() -> str:
    """Write on evaluations beside NumPy's."""
    rows = []
    for m, times in measured.evaluations():
        loops = np.subtract(times["blocks"], times["calls"])
        ratio = np.divide(times["program"], loops).tolist()
        rows.append(
            [
                f"{m:,}",
                *(short(1e6 * statistics.median(values)) for values in times.values()),
                spread(ratio),
                at_most(statistics.median(ratio), 1.25),
            ]
        )
    header = [
        "m", "NumPy", "in blocks", "the calls alone", "program", "program / loops",
        "target",
    ]  # fmt: skip
    return f"""\
Microseconds for the values of that model at m points: by a call of the function, by the
same loops called from Python for {measured.BLOCK:,} points at a time, which stay in the
cache, by as many calls for {measured.FEW} points each, and by the program. "loops" are
those in blocks less their calls.

{table(header, rows)}"""

"""The page on differences in one call of the function."""

from __future__ import annotations

import statistics

from measure.all_points import fits
from measure.timing import ratios
from pages.report import short, spread, table


def all_points() -> str:
    """Write on fits whose function takes all points of a Jacobian in one call."""
    rows = [
        [
            f"{fit.m} × {fit.n}",
            " / ".join(str(count) for count in fit.calls),
            *(short(1e6 * statistics.median(times)) for times in fit.times.values()),
            spread(ratios(fit.times, "vectorized", "one by one")),
        ]
        for fit in fits()
    ]
    header = ["m × n", "calls", "one by one", "vectorized", "one by one / vectorized"]
    return f"""\
Microseconds a fit of a sum of decays by `leastsq`, evaluations of the NumPy function
included: one call for each point of a Jacobian by differences, or one for all of them
by `vectorized=True`, where a call costs more. "calls" counts both.

{table(header, rows)}"""

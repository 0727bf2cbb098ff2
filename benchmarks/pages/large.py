"""The page on one fit of many points."""

from __future__ import annotations

import os
import statistics

import measure.large as measured
from measure.timing import ratios
from pages.report import short, spread, table


def large() -> str:
    """Write on the time and the memory of one fit of many points."""
    return f"{fits()}\n\n{memory()}"


def fits() -> str:
    """Write on the time beside SciPy's."""
    rows = []
    for fit in measured.fits():
        milliseconds = [1e3 * statistics.median(times) for times in fit.times.values()]
        rows.append(
            [
                fit.title,
                f"{fit.m:,} × {fit.n}",
                str(fit.nfev),
                *(short(each) for each in milliseconds),
                *(
                    spread(ratios(fit.times, way, "SciPy"))
                    for way in list(fit.times)[1:]
                ),
            ]
        )
    header = [
        "model", "m × n", "nfev", "SciPy", "plain", "traced, 1 thread", "traced",
        "SciPy / plain", "SciPy / 1 thread", "SciPy / traced",
    ]  # fmt: skip
    return f"""\
Milliseconds a fit of `curve_fit` by the wall clock, on {os.cpu_count()} cores. "plain"
is the function itself, by differences, as in SciPy. The function of the others was
traced before; "nfev" is theirs. Blocks of its rows are computed, reduced and
forgotten, by one thread or by as many as the rows are worth. Targets for 10,000,000 ×
3: plain 2.5, one thread 12, two threads 20; for 1,000,000 × 10: plain 2.5, traced 10.

{table(header, rows)}"""


def memory() -> str:
    """Write on the memory beside the data."""
    peaks = measured.memory()
    _, _, truth, _, m = measured.CASES[0]
    rows = [[way, short(peak)] for way, peak in peaks.items()]
    return f"""\
Peak memory of the fit of {m:,} × {truth.size} beside its data, which are 160 MB, in MB;
a process for each. Target for traced: 16.

{table(["", "MB"], rows)}"""

"""The page on what minpack costs besides time."""

from __future__ import annotations

import statistics

import numpy as np

import measure.footprint as measured
from measure.cases import SOLVERS
from pages.report import table


def footprint() -> str:
    """Build a wheel, measure it, and import it from where it is installed."""
    wheel_size, installed, times = measured.footprint()
    extra = {
        name: 1e3 * statistics.median(np.subtract(times[name], times["numpy"]))
        for name in times
    }
    rows = [
        [name, f"{1e3 * statistics.median(times[name]):.1f}", f"{extra[name]:.1f}"]
        for name in times
    ]
    milliseconds = extra["numpy and minpack"]
    return f"""\
The wheel has {wheel_size / 1e3:.0f} kB, installed {installed / 1e3:.0f} kB.

Milliseconds of Python with one import, the wheel installed, not editable; medians, and
medians of the differences from NumPy alone. Target for minpack: 5 more at most,
{"met" if milliseconds <= 5 else "missed"}.

{table(["import", "milliseconds", "more than NumPy"], rows)}

Peak memory of a fit in units of m × n doubles, the array that each evaluation returns
included (forward differences; the process's resident set).

{memory_table()}"""


def memory_table() -> str:
    """Return the peak memory of all solvers at all sizes."""
    rows = [
        [f"{m:,} × {n}", *(f"{peak / (m * n):.2f}" for peak in peaks.values())]
        for (m, n), peaks in measured.peaks().items()
    ]
    return table(["m × n", *SOLVERS], rows)

"""The pages on whole fits, in one thread and in two."""

from __future__ import annotations

import statistics

import measure.whole_fits as measured
from measure.timing import ratios
from measure.whole_fits import NAMES, TRACED
from pages.report import short, spread, table, verdict

IN_THREADS = (100_000, 12)  # m and n


def whole_fits() -> str:
    """Time fits of everyday models."""
    rows = []
    for fit in measured.whole_fits():
        middle = {name: statistics.median(fit.times[name]) for name in fit.times}
        rows.append(
            [
                fit.title,
                f"{fit.m:,} × {fit.n}",
                fit.nfev,
                short(1e6 * middle["model"] * fit.nfev),
                *(short(1e6 * middle[name]) for name in (*NAMES, TRACED)),
                spread(ratios(fit.times, "fast", "SciPy")),
                spread(ratios(fit.times, TRACED, "SciPy")),
            ]
        )
    header = [
        "model", "m × n", "nfev", "evaluations", *NAMES, TRACED, "SciPy / fast",
        "SciPy / traced",
    ]  # fmt: skip
    return f"""\
Microseconds a fit, with models in NumPy; "evaluations" is nfev times what the model
takes by itself. "traced" is fast with `traced(func)`, made before: it takes exact
derivatives, and nfev is that of the others.

{table(header, rows)}"""


def threads() -> str:
    """Compare the throughput of two threads with that of one."""
    m, n = IN_THREADS
    alone, gains = measured.threads(m, n)
    rows = [
        [name, short(statistics.median(alone[name])), spread(gains[name])]
        for name in alone
    ]
    header = ["", "a second, 1 thread", "2 threads / 1"]
    gain = statistics.median(gains["fast"])
    return f"""\
Fits of {m:,} × {n}, the model in NumPy, in two threads, by the wall clock: the machine
must have nothing else to do. Evaluations alone, as many as a fit makes, show what two
threads can gain at all. Target for fast: {verdict(gain, 1.5)}.

{table(header, rows)}"""

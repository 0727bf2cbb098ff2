"""The page on one fit of many points."""

from __future__ import annotations

import os
import statistics

import measure.large as measured
from measure.timing import ratios
from pages.report import short, spread, table

CORES = (16, 64, 256)


def large() -> str:
    """Write on the time and the memory of one fit of many points."""
    return f"{fits()}\n\n{apart()}\n\n{memory()}"


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


def apart() -> str:
    """Write on the time of plain functions where a process has one solver."""
    rows = []
    for case in (0, 1):
        title, _, truth, _, m = measured.CASES[case]
        times = measured.apart(case)
        rows.append(
            [
                title,
                f"{m:,} × {truth.size}",
                *(short(1e3 * statistics.median(each)) for each in times.values()),
                spread(ratios(times, "plain", "SciPy")),
            ]
        )
    header = ["model", "m × n", "SciPy", "plain", "SciPy / plain"]
    return f"""\
In one process each of the two finds the memory that the other has left, which spares
it page faults. The same ways in processes of their own, in turns, as a script has them.
Target for both: 2.5.

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


def sizes() -> str:
    """Write on fits from ten points on, and on what is extrapolated from them."""
    found = measured.sizes()
    rows = [
        [f"{m:,}", *(short(1e3 * seconds) for seconds in times.values())]
        for m, times in found.items()
    ]
    largest, times = list(found.items())[-1]
    point = times["traced, 1 thread"] / largest
    share = times["traced"] / largest
    gained, here = point / share, os.cpu_count() or 1
    powers = zip(("⁸", "⁹", "¹⁰", "¹¹", "¹²"), range(8, 13), strict=True)
    beyond = [
        [
            f"10{power}",
            duration(share * 10**k),
            *(duration(share * 10**k * here / cores) for cores in CORES),
            f"{16 * 10**k / 1e9:,.1f} GB",
        ]
        for power, k in powers
    ]
    header = ["points", "SciPy", "plain", "traced, 1 thread", "traced"]
    cores = [f"{cores} cores" for cores in CORES]
    return f"""\
## Measured: one fit, from ten points to ten million

Milliseconds of one `curve_fit` of an exponential decay by the wall clock, the best
of {measured.ROUNDS} rounds. "plain" is the function itself, by differences; the
others were traced before, and run on one thread or on as many as the points are worth.

{table(header, rows)}

## Extrapolated: one fit, to 10¹² points

None of these times is measured. They are the {1e9 * share:.1f} ns a point of the
traced fit of {largest:,} points, multiplied, on the {here} cores here and on more:
there each is taken to be as fast as one of those here, which together are
{gained:.2f} times as fast as one alone. The last column is the size of the data, which
a fit of {measured.EVALUATIONS} evaluations reads as often: from some point on the
memory, the network or the disks decide. Up to 2³¹ points `curve_fit` makes such a fit
in memory; beyond, and beyond one machine, `minpack.dask.curve_fit` does.

{table(["points", "here", *cores, "data"], beyond)}"""


def duration(seconds: float) -> str:
    """Return seconds in a unit that suits them."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{short(seconds / size)} {unit}"
    return f"{short(seconds)} s"

"""The page on the own time of a fit."""

from __future__ import annotations

import statistics
from pathlib import Path

from measure.cases import SOLVERS
from measure.own_time import OwnTime, ill_posed, well_posed
from measure.timing import ratios
from pages.own_time_figure import draw
from pages.report import short, spread, table, verdict

COMPARED = (*SOLVERS, "SciPy / reference", "SciPy / fast")


def own_time(figure: Path | None = None) -> str:
    """Measure all sizes; draw a figure where one is wanted."""
    results = well_posed()
    if figure is not None:
        draw(results, figure)
    return f"{section(results)}\n\n{section_on_ill_posed(ill_posed())}"


def times_and_ratios(result: OwnTime) -> list[str]:
    """Return what a row of a table says of the solvers."""
    return [
        *(short(1e6 * result.median(name)) for name in SOLVERS),
        spread(ratios(result.times, "reference", "SciPy")),
        spread(ratios(result.times, "fast", "SciPy")),
    ]


def section_on_ill_posed(results: list[OwnTime]) -> str:
    """Return what is written about fits that have MINPACK's order of operations."""
    header = ["m × n", "nfev", *COMPARED]
    rows = [[f"{r.m:,} × {r.n}", r.nfev, *times_and_ratios(r)] for r in results]
    return f"""\
The same of fits whose Jacobian has columns that nearly depend on each other: two decays
on a background, the rate of one half that of the other. Up to 1,024 residuals fast then
keeps to MINPACK's order of operations, for its bits.

{table(header, rows)}"""


def section(results: list[OwnTime]) -> str:
    """Return what is written about the results."""
    header = ["m × n", "nfev", "function", "copy", *COMPARED, "target"]
    rows = [
        [
            f"{r.m:,} × {r.n}",
            r.nfev,
            short(1e6 * r.function),
            short(1e6 * r.copy),
            *times_and_ratios(r),
            verdict(r.ratio(), 5 if r.m >= 1000 else 3),
        ]
        for r in results
    ]
    mean = statistics.geometric_mean(r.ratio() for r in results)
    large = [r.ratio() for r in results if r.m >= 1000]
    many = sum(ratio >= 10 for ratio in large)
    least, most = min(results, key=lambda r: r.m), max(results, key=lambda r: r.m)
    more = min(r.calls["SciPy"] - r.calls["reference"] for r in results)
    return f"""\
Microseconds that a fit takes besides the evaluations of its residuals: forward
differences, default tolerances, medians; ratios of turns that follow each other, median
and quartiles.

{table(header, rows)}

- Geometric mean of SciPy / fast over all sizes: {mean:.2f} (target:
  {verdict(mean, 6)}). For m ≥ 1000 it is {min(large):.2f} to {max(large):.2f},
  and 10 or more at {many} of {len(large)} sizes.
- At m = {least.m:,} fast takes {1e9 * least.median("fast") / least.nfev:.0f} ns an
  evaluation, at m = {most.m:,} {most.median("fast") / most.copy:.1f} times what a copy
  of the residuals takes.
- The residuals that a solver's fit asks for are recorded, then replayed to the same
  solver by `functools.partial(next, itertools.cycle(recording))`. That function's own
  cost is in all times and stands under "function". "Copy" is what a copy of each
  recorded array to one place takes.
- Every replay ended at the recorded x with the recorded number of evaluations, to the
  bit. SciPy makes {more} calls more than `nfev` says; the array of the second one tells
  it m and then holds its result. All other arrays were found as they were recorded.

![Own time of a fit against m](own-time.png)"""

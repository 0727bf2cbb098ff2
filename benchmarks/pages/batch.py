"""The page on many fits at once and on compiled functions."""

from __future__ import annotations

import statistics
from typing import Any

import measure.batch as measured
from measure.batch import (
    FITS,
    POINTS,
    SIZES,
    SMALL,
    THREADS,
    compiled_residuals,
    rates,
    small_rates,
)
from measure.timing import ratios
from pages.report import short, spread, table, verdict

HEAD = """\
Microseconds a fit, of {fits:,} fits of an exponential decay with 3 parameters to m
points each, from one start; the machine must have nothing else to do, for the times are
of the wall clock. SciPy is a loop over `scipy.optimize.curve_fit`, "pool" the same in a
pool of {threads} processes that are there already. "traced" is `curve_fit_batch` with
the same NumPy model on 1 and on {threads} threads, "not traced" the same with
`trace=False`, "exact derivatives" with `traced(model)`, and "compiled" is
`leastsq_batch` with the same in Numba. All but "exact derivatives" take differences."""


SMALL_HEAD = """\
Small fits, which run abreast: microseconds a fit, of {fits:,} fits of a plain NumPy
function, and with exact derivatives. "loops" is the floor, the model's loops alone: the
program that `curve_fit_batch` runs, with NumPy's own loops, without fits and on one
thread, over {points:,} points at once and in full for every evaluation of the fits by
differences. A fit computes again only what the parameter that has moved changes, so it
may need less of them."""


def small() -> str:
    """Time batches of small fits beside loops."""
    rows, verdicts = [], []
    for name, case in SMALL.items():
        times = small_rates(case)
        row = [name, *(short(statistics.median(times[n])) for n in ("SciPy", "loops"))]
        for workers, wanted in zip((1, THREADS), case.wanted, strict=True):
            for way in ("traced", "exact"):
                own = f"{way} × {workers}"
                gain = ratios(times, own, "SciPy")
                row += [short(statistics.median(times[own])), spread(gain)]
                if way == "traced" and wanted:
                    verdicts.append(
                        f"{name}, {workers}: {verdict(statistics.median(gain), wanted)}"
                    )
        rows.append(row)
    header = ["fits", "SciPy", "loops"]
    for workers in (1, THREADS):
        for way in ("traced", "exact"):
            header += [f"{way} × {workers}", "SciPy / it"]
    return "\n\n".join(
        [
            "<!-- small fits -->",
            SMALL_HEAD.format(fits=FITS, points=POINTS),
            table(header, rows),
            "Targets for traced functions, on 1 and 2 threads: "
            + "; ".join(verdicts)
            + ".",
            "<!-- end of small fits -->",
        ]
    )


def batch() -> str:
    """Time batches beside loops, and one compiled fit beside one in NumPy."""
    compiled = compiled_residuals()
    found = {m: rates(m, compiled) for m in SIZES}
    gains = {
        (m, name): ratios(times, name, "SciPy")
        for m, times in found.items()
        for name in times
    }
    rows = [[name, *_cells(name, found, gains)] for name in found[50]]
    header = ["way"]
    for m in SIZES:
        header += [f"m = {m:,}", "SciPy / it"]
    batch_gain = statistics.median(gains[50, f"traced × {THREADS}"])
    pool_gain = statistics.median(ratios(found[50], f"traced × {THREADS}", "pool"))
    texts = [
        HEAD.format(fits=FITS, threads=THREADS),
        table(header, rows),
        f"Target for the batch on {THREADS} threads at m = 50: "
        f"{verdict(batch_gain, 12)}, and {verdict(batch_gain, 25)}; it is "
        f"{short(pool_gain)} times as fast as the pool, targets "
        f"{verdict(pool_gain, 6)}, and {verdict(pool_gain, 12)}.",
    ]
    texts.append(small())
    if compiled is not None:
        one, two = (gains[50, f"compiled × {n}"] for n in (1, THREADS))
        both = statistics.median(t / o for o, t in zip(one, two, strict=True))
        gain = statistics.median(two)
        texts += [
            f"Target for compiled functions on {THREADS} threads: {verdict(gain, 25)}, "
            f"and {verdict(gain, 50)}; over one thread: {short(both)}, target "
            f"{verdict(both, 1.7)}.",
            one_fit(compiled),
            one_curve_fit(),
        ]
    return "\n\n".join(texts)


def _cells(
    name: str,
    found: dict[int, dict[str, list[float]]],
    gains: dict[tuple[int, str], list[float]],
) -> list[str]:
    """Return what a row of the table says of one way."""
    cells = []
    for m, times in found.items():
        cells.append(short(statistics.median(times[name])))
        cells.append("" if name == "SciPy" else spread(gains[m, name]))
    return cells


def one_fit(compiled: Any) -> str:
    """Time one fit of 100 points in NumPy and compiled."""
    times = measured.one_fit(compiled)
    row = ["100 × 3", *(short(1e6 * statistics.median(times[name])) for name in times)]
    gain = ratios(times, "compiled", "SciPy")
    over_jitted = ratios(times, "compiled", "SciPy, jitted")
    header = ["m × n", *times, "SciPy / compiled", "SciPy, jitted / compiled"]
    return f"""\
One fit of `leastsq`, in microseconds of CPU time; "SciPy" and "fast" have the model in
NumPy, "jitted" is `numba.njit`. Targets for compiled:
{verdict(statistics.median(gain), 4)}, and over the jitted one
{verdict(statistics.median(over_jitted), 2)}.

{table(header, [[*row, spread(gain), spread(over_jitted)]])}"""


def one_curve_fit() -> str:
    """Time the same fit by `curve_fit`."""
    times = measured.one_curve_fit()
    scipy_, fast, compiled = (short(1e6 * statistics.median(times[n])) for n in times)
    return (
        f"The same by `curve_fit`: {scipy_} µs in SciPy, {fast} µs, and compiled "
        f"{compiled} µs; SciPy / compiled {spread(ratios(times, 'compiled', 'SciPy'))}."
    )

"""One fit of many points: time by the wall clock, and memory beside the data.

    python -m measure.large WAY [CASE]

in benchmarks/ prints the peak memory of a fit of the first case beside its data, in MB,
or the median seconds of a fit of a case.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minpack
from measure.cases import Array, decay
from measure.footprint import run
from minpack import traced

ROUNDS = 5
APART = 3  # processes of each way, and fits in each
EVALUATIONS = 6  # of the traced fit
SIZES = tuple(10**k for k in range(1, 8))
TRUTH = np.array([2.5, 1.3, 0.5])
LINES = np.array([3, 2, 0.5, 2, 5, 0.7, 4, 8, 0.4, 1.0])
MB = 1e6


def lines(t: Array, *p: Any) -> Array:
    """Return three peaks on a background."""
    value: Array = (
        p[0] * np.exp(-0.5 * ((t - p[1]) / p[2]) ** 2)
        + p[3] * np.exp(-0.5 * ((t - p[4]) / p[5]) ** 2)
        + p[6] * np.exp(-0.5 * ((t - p[7]) / p[8]) ** 2)
        + p[9]
    )
    return value


CASES: tuple[tuple[str, Any, Array, Array, int], ...] = (
    ("exponential decay", decay, TRUTH, np.ones(3), 10_000_000),
    ("three peaks", lines, LINES, 1.05 * LINES, 1_000_000),
    ("exponential decay", decay, TRUTH, np.ones(3), 1_000_000),
    ("exponential decay", decay, TRUTH, np.ones(3), 100_000),
    ("exponential decay", decay, TRUTH, np.ones(3), 10_000),
)


class Fit(NamedTuple):
    """A fit of `curve_fit`, and the seconds of each way."""

    title: str
    m: int
    n: int
    nfev: int  # with exact derivatives
    times: dict[str, list[float]]


def data(f: Any, truth: Array, m: int) -> tuple[Array, Array]:
    """Return m points."""
    t = np.linspace(0, 10 if f is lines else 4, m)
    y = f(t, *truth)
    y += np.random.default_rng(m).normal(scale=0.1, size=m)
    return t, y


def ways(f: Any, t: Array, y: Array, start: Array) -> dict[str, Callable[[], Any]]:
    """Return the fits that are compared."""
    from scipy.optimize import curve_fit as scipy_curve_fit

    program = traced(f)
    return {
        "SciPy": partial(scipy_curve_fit, f, t, y, start),
        "plain": partial(minpack.curve_fit, f, t, y, start),
        "traced, 1 thread": partial(minpack.curve_fit, program, t, y, start, workers=1),
        "traced": partial(minpack.curve_fit, program, t, y, start),
    }


def fits() -> Iterator[Fit]:
    """Time fits of a function and of the same traced before, in turn."""
    for title, f, truth, start, m in CASES:
        t, y = data(f, truth, m)
        timed = ways(f, t, y, start)
        often = max(1, 300_000 // m)
        times: dict[str, list[float]] = {way: [] for way in timed}
        for _ in range(ROUNDS + 1):
            for way, fit in timed.items():
                began = time.perf_counter()
                for _ in range(often):
                    fit()
                times[way].append((time.perf_counter() - began) / often)
        *_, info, _, _ = minpack.curve_fit(traced(f), t, y, start, full_output=True)
        rest = {way: seconds[1:] for way, seconds in times.items()}
        yield Fit(title, m, truth.size, info["nfev"], rest)


def sizes() -> dict[int, dict[str, float]]:
    """Return the least seconds of a fit of the first case, by its number of points."""
    _, f, truth, start, _ = CASES[0]
    found: dict[int, dict[str, float]] = {}
    for m in SIZES:
        timed = ways(f, *data(f, truth, m), start)
        often = max(1, 30_000 // m)
        best = dict.fromkeys(timed, float("inf"))
        for _ in range(ROUNDS):
            for way, fit in timed.items():
                began = time.perf_counter()
                for _ in range(often):
                    fit()
                best[way] = min(best[way], (time.perf_counter() - began) / often)
        found[m] = best
    return found


def memory() -> dict[str, float]:
    """Return the peak memory of one fit beside the data, in MB, in processes anew."""
    here = str(Path(__file__).resolve().parents[1])
    names = ways(decay, np.ones(1), np.ones(1), TRUTH)
    paths = [here, *sys.path]
    command = (sys.executable, "-m", "measure.large")
    return {way: float(run(*command, way, path=paths)) for way in names}


def apart(case: int) -> dict[str, list[float]]:
    """Return the seconds of SciPy's fits and of plain ones, each in new processes."""
    here = str(Path(__file__).resolve().parents[1])
    command = (sys.executable, "-m", "measure.large")
    times: dict[str, list[float]] = {"SciPy": [], "plain": []}
    for _ in range(APART):
        for way, seconds in times.items():
            text = run(*command, way, str(case), path=[here, *sys.path])
            seconds.append(float(text))
    return times


def seconds_of(way: str, case: int) -> float:
    """Return the median time of a fit, after one that is not timed."""
    _, f, truth, start, m = CASES[case]
    fit = ways(f, *data(f, truth, m), start)[way]
    fit()
    times = []
    for _ in range(APART):
        began = time.perf_counter()
        fit()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def resident(name: str) -> float:
    """Return VmRSS or VmHWM of this process in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return 1024 * float(line.split()[1])
    raise OSError(f"no {name} here")


def peak_beside_the_data(way: str) -> float:
    """Fit once with few points, and once with many."""
    _, f, truth, start, m = CASES[0]
    t, y = data(f, truth, m)
    ways(f, t[:1000], y[:1000], start)[way]()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # of the peak
    ways(f, t, y, start)[way]()
    return (resident("VmHWM") - before) / MB


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(seconds_of(sys.argv[1], int(sys.argv[2])))
    else:
        print(peak_beside_the_data(sys.argv[1]))

"""Many fits at once and compiled functions, beside loops over SciPy."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize

import minpack
from cases import Array, decay
from report import short, spread, table, verdict
from timing import interleaved, ratios, repeatedly

FITS = 10_000
LOOP = 500  # fits of a loop over SciPy that are timed
PER_PROCESS = 1000
SIZES = (50, 200, 1000)
THREADS = 2
ROUNDS = 9
START = np.array([1.0, 1.0, 0.0])

HEAD = """\
{fits:,} fits of an exponential decay with 3 parameters to m points each, by
differences, from one start; the machine must have nothing else to do, for the times are
of the wall clock. SciPy is a loop over `scipy.optimize.curve_fit`, "pool" the same in
a pool of {threads} processes that are there already, "batch"
`curve_fit_batch` with the same NumPy model on 1 and on {threads} threads, "compiled"
`leastsq_batch` with the same in Numba."""


def residuals(x: Array, t: Array, y: Array) -> Array:
    """Return the same, minus the data."""
    return decay(t, *x) - y


def jitted_residuals() -> Any:
    """Return them compiled, for calls from Python."""
    import numba

    @numba.njit  # type: ignore[untyped-decorator]
    def function(x: Array, t: Array, y: Array) -> Array:
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    return function


def compiled_residuals() -> Any:
    """Return them as a cfunc, or None without Numba."""
    try:
        import numba
    except ImportError:
        return None
    number, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(number(number, number, numbers, numbers, numbers))  # type: ignore[untyped-decorator]
    def function(m: int, n: int, x: Array, fvec: Array, data: Array) -> int:
        a, b, c = x[0], x[1], x[2]
        for i in range(m):
            fvec[i] = a * math.exp(-b * data[2 * i]) + c - data[2 * i + 1]
        return 0

    return function


def compiled_decay() -> Any:
    """Return the model as a cfunc."""
    import numba

    number, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(number(number, number, numbers, numbers, numbers))  # type: ignore[untyped-decorator]
    def function(m: int, n: int, x: Array, values: Array, t: Array) -> int:
        a, b, c = x[0], x[1], x[2]
        for i in range(m):
            values[i] = a * math.exp(-b * t[i]) + c
        return 0

    return function


def noisy_decays(count: int, m: int) -> tuple[Array, Array]:
    """Return the points, (m,), and data, (count, m)."""
    rng = np.random.default_rng(m)
    t = np.linspace(0, 10, m)
    truth = np.array([2.0, 0.7, 0.5]) * rng.uniform(0.8, 1.2, (count, 3))
    y = decay(t, *truth.T[:, :, None]) + rng.normal(scale=0.02, size=(count, m))
    return t, y


def batch() -> str:
    """Time batches beside loops, and one compiled fit beside one in NumPy."""
    compiled = compiled_residuals()
    rows, gains = [], {}
    for m in SIZES:
        found = rates(m, compiled)
        scipy_ = found.pop("SciPy")
        rows.append([f"{m:,}", short(statistics.median(scipy_))])
        for name, times in found.items():
            gains[m, name] = [s / t for s, t in zip(scipy_, times, strict=True)]
            rows[-1] += [short(statistics.median(times)), spread(gains[m, name])]
    header = ["m", "SciPy, µs a fit"]
    for name in found:
        header += [f"{name}, µs", "SciPy / it"]
    batch_gain = statistics.median(gains[50, f"batch × {THREADS}"])
    pool_gain = statistics.median(
        ours / pool
        for ours, pool in zip(
            gains[50, f"batch × {THREADS}"], gains[50, "pool"], strict=True
        )
    )
    texts = [
        HEAD.format(fits=FITS, threads=THREADS),
        table(header, rows),
        f"Target for the batch on {THREADS} threads at m = 50: "
        f"{verdict(batch_gain, 12)}, and {verdict(batch_gain, 25)}; it is "
        f"{short(pool_gain)} times as fast as the pool, targets "
        f"{verdict(pool_gain, 6)}, and {verdict(pool_gain, 12)}.",
    ]
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


def rates(m: int, compiled: Any) -> dict[str, list[float]]:
    """Return the microseconds that each way takes for a fit, round by round."""
    t, y = noisy_decays(FITS, m)
    work: dict[str, tuple[int, Callable[[], object]]] = {
        "SciPy": (LOOP, partial(loop, t, y[:LOOP]))
    }
    pool = ProcessPoolExecutor(THREADS)
    work["pool"] = (PER_PROCESS * THREADS, partial(in_processes, pool, t, y))
    for workers in (1, THREADS):
        run = partial(minpack.curve_fit_batch, decay, t, y, START, workers=workers)
        work[f"batch × {workers}"] = (FITS, run)
    if compiled is not None:
        data = np.stack([np.broadcast_to(t, y.shape), y], axis=-1)
        starts = np.tile(START, (FITS, 1))
        for workers in (1, THREADS):
            run = partial(
                minpack.leastsq_batch,
                compiled, starts, m=m, user_data=data, workers=workers,
            )  # fmt: skip
            work[f"compiled × {workers}"] = (FITS, run)
    found: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (count, function) in work.items():
            began = time.perf_counter()
            function()
            found[name].append(1e6 * (time.perf_counter() - began) / count)
    pool.shutdown()
    return found


def loop(t: Array, y: Array) -> None:
    """Fit one after the other with SciPy."""
    for row in y:
        scipy.optimize.curve_fit(decay, t, row, START)


def in_processes(pool: ProcessPoolExecutor, t: Array, y: Array) -> None:
    """Give each process so many fits in one piece."""
    pieces = [y[i * PER_PROCESS : (i + 1) * PER_PROCESS] for i in range(THREADS)]
    list(pool.map(partial(loop, t), pieces))


def one_fit(compiled: Any) -> str:
    """Time one fit of 100 points in NumPy and compiled."""
    t, (y,) = noisy_decays(1, 100)
    data = np.stack([t, y], axis=-1)
    names = ("SciPy", "SciPy, jitted", "fast", "compiled")
    jitted = jitted_residuals()
    jitted(START, t, y)  # compiles it
    solvers: tuple[Callable[[], object], ...] = (
        partial(scipy.optimize.leastsq, residuals, START, (t, y)),
        partial(scipy.optimize.leastsq, jitted, START, (t, y)),
        partial(minpack.leastsq, residuals, START, (t, y)),
        partial(minpack.leastsq, compiled, START, m=100, user_data=data),
    )
    timed = {
        name: repeatedly(solver) for name, solver in zip(names, solvers, strict=True)
    }
    times = interleaved(timed, seconds=5)
    row = ["100 × 3", *(short(1e6 * statistics.median(times[name])) for name in names)]
    gain = ratios(times, "compiled", "SciPy")
    over_jitted = ratios(times, "compiled", "SciPy, jitted")
    header = ["m × n", *names, "SciPy / compiled", "SciPy, jitted / compiled"]
    return f"""\
One fit of `leastsq`, in microseconds of CPU time; "SciPy" and "fast" have the model in
NumPy, "jitted" is `numba.njit`. Targets for compiled:
{verdict(statistics.median(gain), 4)}, and over the jitted one
{verdict(statistics.median(over_jitted), 2)}.

{table(header, [[*row, spread(gain), spread(over_jitted)]])}"""


def one_curve_fit() -> str:
    """Time the same fit by `curve_fit`."""
    t, (y,) = noisy_decays(1, 100)
    solvers: dict[str, Callable[[], object]] = {
        "SciPy": partial(scipy.optimize.curve_fit, decay, t, y, START),
        "fast": partial(minpack.curve_fit, decay, t, y, START),
        "compiled": partial(minpack.curve_fit, compiled_decay(), t, y, START),
    }
    times = interleaved({name: repeatedly(run) for name, run in solvers.items()}, 3)
    scipy_, fast, compiled = (short(1e6 * statistics.median(times[n])) for n in solvers)
    return (
        f"The same by `curve_fit`: {scipy_} µs in SciPy, {fast} µs, and compiled "
        f"{compiled} µs; SciPy / compiled {spread(ratios(times, 'compiled', 'SciPy'))}."
    )

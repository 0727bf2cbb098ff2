"""Many fits at once and compiled functions, beside loops over SciPy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.optimize

import minpack
from measure.cases import Array, decay
from measure.timing import interleaved, repeatedly
from minpack import _minpack
from minpack._traced.record import record

FITS = 10_000
POINTS = 20_000  # that the loops of a model alone run over at once
LOOP = 500  # fits of a loop over SciPy that are timed
PER_PROCESS = 1000
SIZES = (50, 200, 1000)
THREADS = 2
ROUNDS = 9
START = np.array([1.0, 1.0, 0.0])


def residuals(x: Array, t: Array, y: Array) -> Array:
    """Return the model minus the data."""
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


def in_turns(
    work: dict[str, tuple[int, Callable[[], object]]],
) -> dict[str, list[float]]:
    """Return the microseconds for each of so many fits, by what makes them."""
    found: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, (count, function) in work.items():
            began = time.perf_counter()
            function()
            found[name].append(1e6 * (time.perf_counter() - began) / count)
    return found


def rates(m: int, compiled: Any) -> dict[str, list[float]]:
    """Return the microseconds that each way takes for a fit, round by round."""
    t, y = noisy_decays(FITS, m)
    work: dict[str, tuple[int, Callable[[], object]]] = {
        "SciPy": (LOOP, partial(loop, t, y[:LOOP]))
    }
    pool = ProcessPoolExecutor(THREADS)
    work["pool"] = (PER_PROCESS * THREADS, partial(in_processes, pool, t, y))
    ways: dict[str, tuple[Any, bool]] = {
        "traced": (decay, True),
        "exact derivatives": (minpack.traced(decay), True),
        "not traced": (decay, False),
    }
    for name, (f, trace) in ways.items():
        for workers in (1, THREADS):
            run = partial(
                minpack.curve_fit_batch, f, t, y, START, workers=workers, trace=trace
            )
            work[f"{name} × {workers}"] = (FITS, run)
    if compiled is not None:
        data = np.stack([np.broadcast_to(t, y.shape), y], axis=-1)
        starts = np.tile(START, (FITS, 1))
        for workers in (1, THREADS):
            run = partial(
                minpack.leastsq_batch,
                compiled, starts, m=m, user_data=data, workers=workers,
            )  # fmt: skip
            work[f"compiled × {workers}"] = (FITS, run)
    found = in_turns(work)
    pool.shutdown()
    return found


@dataclass(frozen=True)
class Small:
    """Small fits, and how many times SciPy's speed is wanted on 1 and 2 threads."""

    model: Callable[..., Array]
    m: int
    truth: tuple[float, ...]
    start: tuple[float, ...]
    wanted: tuple[float, float]

    def data(self) -> tuple[Array, Array]:
        """Return the points, (m,), and data, (FITS, m)."""
        rng = np.random.default_rng(self.m)
        t = np.linspace(0, 10, self.m)
        p = np.array(self.truth) * rng.uniform(0.8, 1.2, (FITS, len(self.truth)))
        y = self.model(t, *p.T[:, :, None])
        return t, y + rng.normal(scale=0.02, size=y.shape)


def pure_decay(t: Array, a: Any, b: Any) -> Array:
    """Return an exponential decay."""
    value: Array = a * np.exp(-b * t)
    return value


def peak(t: Array, a: Any, b: Any, c: Any, d: Any) -> Array:
    """Return a Gaussian on a background."""
    value: Array = a * np.exp(-(((t - b) / c) ** 2) / 2) + d
    return value


_PEAK = (2.0, 5.0, 1.5, 0.5), (1.0, 4.5, 1.0, 0.0)
SMALL = {
    "decay, 16 × 2": Small(pure_decay, 16, (2.0, 0.7), (1.0, 1.0), (60, 100)),
    "decay, 50 × 3": Small(decay, 50, (2.0, 0.7, 0.5), (1.0, 1.0, 0.0), (50, 90)),
    "Gaussian, 16 × 4": Small(peak, 16, *_PEAK, (0, 0)),
    "Gaussian, 50 × 4": Small(peak, 50, *_PEAK, (45, 80)),
    "Gaussian, 200 × 4": Small(peak, 200, *_PEAK, (20, 36)),
}


def small_rates(case: Small) -> dict[str, list[float]]:
    """Return the microseconds that each way takes for a fit, round by round."""
    t, y = case.data()
    exact = minpack.traced(case.model)
    fit = minpack.curve_fit_batch
    work: dict[str, tuple[int, Callable[[], object]]] = {
        "SciPy": (LOOP, partial(loop, t, y[:LOOP], case.model, case.start)),
        "loops": (FITS, loops_alone(case)),
    }
    for workers in (1, THREADS):
        for name, f in ("traced", case.model), ("exact", exact):
            run = partial(fit, f, t, y, case.start, workers=workers)
            work[f"{name} × {workers}"] = (FITS, run)
    return in_turns(work)


def loops_alone(case: Small) -> Callable[[], None]:
    """Return what runs the model's loops for as many points as the fits evaluate.

    It is the program of `curve_fit_batch`, without fits, over as many points as stay in
    the cache; every evaluation is made in full.
    """
    t, y = case.data()
    nfev = minpack.curve_fit_batch(case.model, t, y, case.start).nfev.sum()
    points = np.tile(t, POINTS // case.m)
    program = record(
        case.model, (points,), {}, (points,), len(case.start), points.size,
        is_curve=True, wants_derivatives=False,
    ).program  # fmt: skip

    def run() -> None:
        for _ in range(round(nfev * case.m / points.size)):
            _minpack.program_values(program, (points,), case.truth)

    return run


def loop(
    t: Array, y: Array, model: Callable[..., Array] = decay, start: Any = START
) -> None:
    """Fit one after the other with SciPy."""
    for row in y:
        scipy.optimize.curve_fit(model, t, row, start)


def in_processes(pool: ProcessPoolExecutor, t: Array, y: Array) -> None:
    """Give each process so many fits in one piece."""
    pieces = [y[i * PER_PROCESS : (i + 1) * PER_PROCESS] for i in range(THREADS)]
    list(pool.map(partial(loop, t), pieces))


def one_fit(compiled: Any) -> dict[str, list[float]]:
    """Time one fit of 100 points in NumPy and compiled."""
    t, (y,) = noisy_decays(1, 100)
    data = np.stack([t, y], axis=-1)
    jitted = jitted_residuals()
    jitted(START, t, y)  # compiles it
    solvers: dict[str, Callable[[], object]] = {
        "SciPy": partial(scipy.optimize.leastsq, residuals, START, (t, y)),
        "SciPy, jitted": partial(scipy.optimize.leastsq, jitted, START, (t, y)),
        "fast": partial(minpack.leastsq, residuals, START, (t, y)),
        "compiled": partial(minpack.leastsq, compiled, START, m=100, user_data=data),
    }
    return interleaved({name: repeatedly(run) for name, run in solvers.items()}, 5)


def one_curve_fit() -> dict[str, list[float]]:
    """Time the same fit by `curve_fit`."""
    t, (y,) = noisy_decays(1, 100)
    solvers: dict[str, Callable[[], object]] = {
        "SciPy": partial(scipy.optimize.curve_fit, decay, t, y, START),
        "fast": partial(minpack.curve_fit, decay, t, y, START),
        "compiled": partial(minpack.curve_fit, compiled_decay(), t, y, START),
    }
    return interleaved({name: repeatedly(run) for name, run in solvers.items()}, 3)

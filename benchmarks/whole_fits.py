"""Whole fits, evaluations included, in one thread and in two."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from cases import SOLVERS, Array, spectrum_fit
from report import short, spread, table, verdict
from timing import interleaved, ratios, repeatedly

NAMES = ("SciPy", "fast")
THREADS = 2
CALLS = 2  # of each thread in a turn
ROUNDS = 9


def decay(x: Array, t: Array) -> Array:
    """Return an exponential decay on a background."""
    value: Array = x[0] * np.exp(-x[1] * t) + x[2]
    return value


def peaks(x: Array, t: Array) -> Array:
    """Return three Gaussian peaks on a background."""
    total = np.full_like(t, x[9])
    for height, place, width in x[:9].reshape(3, 3):
        total += height * np.exp(-(((t - place) / width) ** 2))
    return total


MODELS = (
    ("exponential decay", decay, np.array([2.0, 0.7, 0.5]), (50, 1000, 100_000)),
    (
        "three Gaussian peaks",
        peaks,
        np.array([2.0, 2.5, 0.8, 3.0, 5.0, 0.7, 1.5, 7.5, 0.9, 0.3]),
        (1000, 100_000),
    ),
)


def whole_fits() -> str:
    """Time fits of everyday models."""
    rows = []
    for title, model, truth, sizes in MODELS:
        for m in sizes:
            rng = np.random.default_rng(m)
            t = np.linspace(0, 10, m)
            y = model(truth, t) + rng.normal(scale=0.02, size=m)
            x0 = truth * (1 + 0.05 * rng.uniform(-1, 1, truth.size))
            residuals = _residuals(model, t, y)
            nfev = SOLVERS["fast"](residuals, x0, full_output=True)[2]["nfev"]
            timed = {
                name: repeatedly(partial(SOLVERS[name], residuals, x0))
                for name in NAMES
            }
            timed["model"] = repeatedly(partial(residuals, x0))
            times = interleaved(timed, seconds=3)
            middle = {name: statistics.median(times[name]) for name in times}
            rows.append(
                [
                    title,
                    f"{m:,} × {truth.size}",
                    nfev,
                    short(1e6 * middle["model"] * nfev),
                    *(short(1e6 * middle[name]) for name in NAMES),
                    spread(ratios(times, "fast", "SciPy")),
                ]
            )
    header = ["model", "m × n", "nfev", "evaluations", *NAMES, "SciPy / fast"]
    return f"""\
Microseconds a fit, with models in NumPy; "evaluations" is nfev times what the model
takes by itself.

{table(header, rows)}"""


def _residuals(
    model: Callable[[Array, Array], Array], t: Array, y: Array
) -> Callable[[Array], Array]:
    return lambda x: model(x, t) - y


def threads() -> str:
    """Compare the throughput of two threads with that of one."""
    m, n = 100_000, 12
    fit = spectrum_fit(m, n)
    calls = int(SOLVERS["fast"](fit.residuals, fit.x0, full_output=True)[2]["nfev"])

    def evaluations() -> None:
        for _ in range(calls):
            fit.residuals(fit.x0)

    work: dict[str, Callable[[], object]] = {
        name: partial(SOLVERS[name], fit.residuals, fit.x0) for name in NAMES
    }
    work["evaluations alone"] = evaluations
    alone: dict[str, list[float]] = {name: [] for name in work}
    gains: dict[str, list[float]] = {name: [] for name in work}
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            for name, function in work.items():
                one, both = (rate(pool, function, count) for count in (1, THREADS))
                alone[name].append(one)
                gains[name].append(both / one)
    rows = [
        [name, short(statistics.median(alone[name])), spread(gains[name])]
        for name in work
    ]
    header = ["", "a second, 1 thread", "2 threads / 1"]
    gain = statistics.median(gains["fast"])
    return f"""\
Fits of {m:,} × {n}, the model in NumPy, in two threads, by the wall clock: the machine
must have nothing else to do. Evaluations alone, as many as a fit makes, show what two
threads can gain at all. Target for fast: {verdict(gain, 1.5)}.

{table(header, rows)}"""


def rate(pool: ThreadPoolExecutor, function: Callable[[], object], count: int) -> float:
    """Return how many calls a second so many threads make."""

    def calls(_: int) -> None:
        for _ in range(CALLS):
            function()

    began = time.perf_counter()
    list(pool.map(calls, range(count)))
    return count * CALLS / (time.perf_counter() - began)

"""Whole fits, evaluations included, in one thread and in two."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from measure.cases import SOLVERS, Array, spectrum_fit
from measure.timing import interleaved, repeatedly
from minpack import traced

NAMES = ("SciPy", "fast")
TRACED = "traced"  # the fast solver with a traced function
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


class WholeFit(NamedTuple):
    """What was measured of a model at one size; times are seconds, one a round."""

    title: str
    m: int
    n: int
    nfev: int
    times: dict[str, list[float]]  # a solver's, a fit; the model's, an evaluation


class Threads(NamedTuple):
    """What was measured of each kind of work in threads."""

    alone: dict[str, list[float]]  # calls a second in one thread
    gains: dict[str, list[float]]  # how many times as many in two


def whole_fits() -> list[WholeFit]:
    """Time fits of everyday models."""
    found = []
    for title, model, truth, sizes in MODELS:
        for m in sizes:
            rng = np.random.default_rng(m)
            t = np.linspace(0, 10, m)
            y = model(truth, t) + rng.normal(scale=0.02, size=m)
            x0 = truth * (1 + 0.05 * rng.uniform(-1, 1, truth.size))
            residuals = _residuals(model)
            nfev = SOLVERS["fast"](residuals, x0, (t, y), full_output=True)[2]["nfev"]
            timed = {
                name: repeatedly(partial(SOLVERS[name], residuals, x0, (t, y)))
                for name in NAMES
            }
            timed[TRACED] = repeatedly(
                partial(SOLVERS["fast"], traced(residuals), x0, (t, y))
            )
            timed["model"] = repeatedly(partial(residuals, x0, t, y))
            times = interleaved(timed, seconds=3)
            found.append(WholeFit(title, m, truth.size, nfev, times))
    return found


def _residuals(
    model: Callable[[Array, Array], Array],
) -> Callable[[Array, Array, Array], Array]:
    return lambda x, t, y: model(x, t) - y


def threads(m: int, n: int) -> Threads:
    """Compare the throughput of two threads with that of one."""
    fit = spectrum_fit(m, n)
    calls = int(SOLVERS["fast"](fit.residuals, fit.x0, full_output=True)[2]["nfev"])

    def evaluations() -> None:
        for _ in range(calls):
            fit.residuals(fit.x0)

    work: dict[str, Callable[[], object]] = {
        name: partial(SOLVERS[name], fit.residuals, fit.x0) for name in NAMES
    }
    work["evaluations alone"] = evaluations
    found = Threads({name: [] for name in work}, {name: [] for name in work})
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            for name, function in work.items():
                one, both = (rate(pool, function, count) for count in (1, THREADS))
                found.alone[name].append(one)
                found.gains[name].append(both / one)
    return found


def rate(pool: ThreadPoolExecutor, function: Callable[[], object], count: int) -> float:
    """Return how many calls a second so many threads make."""

    def calls(_: int) -> None:
        for _ in range(CALLS):
            function()

    began = time.perf_counter()
    list(pool.map(calls, range(count)))
    return count * CALLS / (time.perf_counter() - began)

"""What a million fits take, on threads and on a cluster."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import dask
import dask.array as da
import distributed
import numba
import numpy as np

import minpack
import minpack.dask
from measure.cases import Array, decay

M, N = 50, 3
T = np.linspace(0.0, 10.0, M)
START = np.array([1.0, 1.0, 0.0])
WORKERS = 2
SAMPLE = 20_000  # fits, few enough to find both cores idle at times
SEVERAL = 100_000
MILLION = 1_000_000
BLOCKS = (100, 1000, 10_000, 50_000)
EMPTY = 300  # blocks of one fit
ROUNDS = 25

Fit = Callable[[Array, int], minpack.BatchResult]
Compute = Callable[..., object]
Clock = Callable[[], float]
Key = tuple[str, int]  # what fits, and how many workers
K = TypeVar("K")
WALL = time.perf_counter


def decays(count: int, seed: object = 0) -> Array:
    """Return so many decays with noise, each with its own parameters."""
    rng = np.random.default_rng(seed)  # type: ignore[arg-type]
    ranges = ((1.5, 2.5), (0.5, 0.9), (0.3, 0.7))
    y = decay(T, *(rng.uniform(low, high, (count, 1)) for low, high in ranges))
    return np.asarray(y + rng.normal(scale=0.02, size=y.shape))


def block_of_decays(block_info: Any = None) -> Array:
    """Return the decays of a block, which nobody has to send."""
    block = block_info[None]
    return decays(block["chunk-shape"][0], block["chunk-location"])


def fits_in_dask(count: int, size: int) -> list[Any]:
    """Return all results of so many fits, in blocks of that size."""
    chunks = da.core.normalize_chunks((size, M), (count, M))
    y = da.map_blocks(block_of_decays, chunks=chunks, meta=np.empty((0, 0)))
    return list(minpack.dask.curve_fit_batch(decay, T, y, START))


def with_numpy(y: Array, workers: int) -> minpack.BatchResult:
    """Fit the model in NumPy."""
    return minpack.curve_fit_batch(decay, T, y, START, workers=workers)


def with_numba() -> Fit:
    """Return what fits the same model, compiled: a row of data is its `user_data`."""
    size = numba.types.intc
    pointer = numba.types.CPointer(numba.types.double)

    @numba.cfunc(size(size, size, pointer, pointer, pointer))
    def residuals(m: int, n: int, x: Any, fvec: Any, y: Any) -> int:
        for i in range(m):
            fvec[i] = x[0] * math.exp(-x[1] * T[i]) + x[2] - y[i]
        return 0

    def fit(y: Array, workers: int) -> minpack.BatchResult:
        x0 = np.broadcast_to(START, (len(y), N))
        return minpack.leastsq_batch(residuals, x0, m=M, user_data=y, workers=workers)

    return fit


@contextmanager
def schedulers() -> Iterator[dict[str, Compute]]:
    """Give what computes in two threads, and in two processes of a cluster.

    The results stay where the fits are made.
    """
    with (
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield {
            "threads": partial(dask.persist, scheduler="threads", num_workers=WORKERS),
            "cluster": lambda *lazy: distributed.wait(client.persist(lazy)),
        }


def least(
    functions: Mapping[K, Callable[[], object]], rounds: int, clock: Clock = WALL
) -> dict[K, float]:
    """Return the seconds that each takes at least, when they take turns."""
    found: dict[K, list[float]] = {key: [] for key in functions}
    for _ in range(rounds):
        for key, function in functions.items():
            began = clock()
            function()
            found[key].append(clock() - began)
    return {key: min(times) for key, times in found.items()}


def calls(fits: dict[str, Fit], y: Array) -> dict[Key, Callable[[], object]]:
    """Return what makes the fits to y, by model and number of workers."""
    return {
        (name, workers): partial(fit, y, workers)
        for name, fit in fits.items()
        for workers in (1, WORKERS)
    }


def a_million(fits: dict[str, Fit], computes: dict[str, Compute]) -> dict[Key, float]:
    """Measure the seconds that a million fits take."""
    lazy = fits_in_dask(MILLION, BLOCKS[-2])
    work = calls(fits, decays(MILLION))
    for name, compute in computes.items():
        work["NumPy, minpack.dask, " + name, WORKERS] = partial(compute, *lazy)
    return least(work, 3)


def block_seconds(computes: dict[str, Compute]) -> dict[int, dict[str, float]]:
    """Measure the seconds that several fits take in blocks of each size."""
    found = {}
    for size in BLOCKS:
        lazy = fits_in_dask(SEVERAL, size)
        work = {name: partial(compute, *lazy) for name, compute in computes.items()}
        found[size] = least(work, 3)
    return found


def overheads(computes: dict[str, Compute]) -> dict[str, float]:
    """Measure the seconds that a block of one fit takes."""
    lazy = fits_in_dask(EMPTY, 1)
    work = {name: partial(compute, *lazy) for name, compute in computes.items()}
    return {name: seconds / EMPTY for name, seconds in least(work, 3).items()}


class Scaling(NamedTuple):
    """What was measured; times are seconds."""

    nfev: float  # of a fit, on average
    processor: dict[Key, float]  # of the sample, by one worker
    walls: dict[Key, float]  # of the sample, by one worker and by two
    blocks: dict[int, dict[str, float]]  # of several fits, by the size of a block
    overheads: dict[str, float]  # of a block of one fit
    million: dict[Key, float]  # of a million fits


def scaling() -> Scaling:
    """Measure all of it."""
    fits: dict[str, Fit] = {"NumPy": with_numpy, "Numba": with_numba()}
    y = decays(SAMPLE)
    work = calls(fits, y)
    alone = {key: function for key, function in work.items() if key[1] == 1}
    nfev = float(np.mean(with_numpy(y, WORKERS).nfev))
    walls = least(work, ROUNDS)
    processor = least(alone, ROUNDS, time.process_time)
    with schedulers() as computes:
        return Scaling(
            nfev=nfev,
            processor=processor,
            walls=walls,
            blocks=block_seconds(computes),
            overheads=overheads(computes),
            million=a_million(fits, computes),
        )

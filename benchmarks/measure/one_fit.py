"""What one fit of Dask arrays takes: more processes, and more chunks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import dask
import dask.array as da
import distributed
import numpy as np

import minpack
import minpack.dask
from measure.cases import Array, decay
from measure.scaling import Key

POINTS, PARAMETERS = 20_000_000, 3
CHUNKS = 40
START = np.array([1.0, 1.0, 0.0])
FEW = 100  # points in a chunk of which only the overhead counts
ROUNDS = 5
MODELS = {"NumPy": decay, "traced": minpack.traced(decay)}


def times_of_block(points: int, block_info: Any = None) -> Array:
    """Return the points of a chunk, which nobody has to send."""
    ((first, end),) = block_info[None]["array-location"]
    return 10.0 / points * np.arange(first, end)


def values_of_block(t: Array) -> Array:
    """Return noisy values at the points of a chunk."""
    noise = np.random.default_rng(t[-1:].view(np.uint64)).normal(scale=0.1, size=t.size)
    return np.asarray(decay(t, 2.0, 0.7, 0.5) + noise)


def data(points: int) -> tuple[Any, Any]:
    """Return xdata and ydata in chunks."""
    chunks = ((points // CHUNKS,) * CHUNKS,)
    t = da.map_blocks(times_of_block, points, chunks=chunks, meta=np.empty(0))
    return t, t.map_blocks(values_of_block, meta=np.empty(0))


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Give a client of so many processes, each with one thread."""
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        yield client


def fit_on(client: Any, f: Any, t: Any, y: Any) -> tuple[float, float]:
    """Fit by a cluster: the seconds, and those of its busiest process's processor."""
    before = client.run(time.process_time)
    began = time.perf_counter()
    with client.as_current():
        minpack.dask.curve_fit(f, t, y, START)
    wall = time.perf_counter() - began
    after = client.run(time.process_time)
    return wall, max(after[worker] - before[worker] for worker in before)


def fits() -> tuple[dict[Key, float], dict[Key, float]]:
    """Measure the seconds of a fit by one process and by two, which take turns."""
    work = {}
    found: dict[Key, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        for workers in (1, 2):
            client = stack.enter_context(cluster(workers))
            kept = client.persist(data(POINTS))
            with client.as_current():
                distributed.wait(kept)
            for name, f in MODELS.items():
                work[name, workers] = partial(fit_on, client, f, *kept)
        for _ in range(ROUNDS):
            for key, fit in work.items():
                found.setdefault(key, []).append(fit())
    walls = {key: min(wall for wall, _ in times) for key, times in found.items()}
    busy = {key: min(busy for _, busy in times) for key, times in found.items()}
    return walls, busy


def overheads() -> dict[str, float]:
    """Measure the seconds that an iteration takes where there is next to no work."""
    seen: list[float] = []

    def watch(x: Array) -> None:
        seen.append(time.perf_counter())

    def between(lazy: tuple[Any, Any]) -> float:
        seen.clear()
        minpack.dask.curve_fit(decay, *lazy, START, callback=watch)
        return (seen[-1] - seen[0]) / (len(seen) - 1)

    lazy = data(FEW * CHUNKS)
    with dask.config.set(scheduler="threads", num_workers=2):
        kept = dask.persist(*lazy)
        found = {"threads": min(between(kept) for _ in range(ROUNDS))}
    with cluster(2) as client, client.as_current():
        kept = dask.persist(*lazy)
        found["cluster"] = min(between(kept) for _ in range(ROUNDS))
    return found


class OneFit(NamedTuple):
    """What was measured; times are seconds."""

    walls: dict[Key, float]  # of a fit, by the model and the number of processes
    processors: dict[Key, float]  # the same of the busiest process's processor
    overheads: dict[str, float]  # of an iteration


def one_fit() -> OneFit:
    """Measure all of it."""
    return OneFit(*fits(), overheads())

"""What a million and a thousand million fits take: the page docs/scaling.md."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import dask
import dask.array as da
import distributed
import numba
import numpy as np

import minpack
import minpack.dask
from cases import Array, decay
from report import short, table, wrapped

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
CORES = (1, 2, 16, 64, 256)
RESULT = 8 * (N + N * N + 1) + 4 * (2 + N) + 1  # bytes of a fit

Fit = Callable[[Array, int], minpack.BatchResult]
Compute = Callable[..., object]
Clock = Callable[[], float]
Key = tuple[str, int]  # what fits, and how many workers
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
    functions: Mapping[Key, Callable[[], object]], rounds: int, clock: Clock = WALL
) -> dict[Key, float]:
    """Return the seconds that each takes at least, when they take turns."""
    found: dict[Key, list[float]] = {key: [] for key in functions}
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


def scaling(machine: str) -> str:
    """Measure, and return the page."""
    fits: dict[str, Fit] = {"NumPy": with_numpy, "Numba": with_numba()}
    y = decays(SAMPLE)
    nfev = float(np.mean(with_numpy(y, WORKERS).nfev))
    rates, rates_table = measure_rates(fits, y)
    with schedulers() as computes:
        blocks = block_table(computes)
        lazy = fits_in_dask(EMPTY, 1)
        overheads = {
            name: seconds / EMPTY
            for name, seconds in least(
                {name: partial(compute, *lazy) for name, compute in computes.items()}, 3
            ).items()
        }
        million = a_million(fits, computes)
    page = f"""\
# Many fits

`python benchmarks scaling` measures what is measured here and writes this page.

{machine} numba {numba.__version__}, dask {dask.__version__}.

The fit: an exponential decay on a background, {M} points, {N} parameters, forward
differences, default tolerances, {nfev:.0f} evaluations on average. "NumPy" is the model
`a * np.exp(-b * t) + c` for `curve_fit_batch`, "Numba" the same as a `numba.cfunc` for
`leastsq_batch`.

## Measured: fits a second

{SAMPLE:,} fits by one worker and by two, the best of {ROUNDS} rounds by the wall clock,
and for one worker the time of the processor too, which others disturb less.

{rates_table}

## Measured: a million fits

By the wall clock, the best of 3 rounds. Those of `minpack.dask` are in blocks of
{BLOCKS[-2]:,} on two cores, with the making of the data.

{million_table(million)}

{block_section(blocks, overheads, rates)}

{extrapolated_section(rates)}"""
    return wrapped(page) + "\n"


def measure_rates(fits: dict[str, Fit], y: Array) -> tuple[dict[Key, float], str]:
    """Return fits a second by one worker and by two, and the table of them."""
    work = calls(fits, y)
    walls = least(work, ROUNDS)
    alone = {key: function for key, function in work.items() if key[1] == 1}
    processor = least(alone, ROUNDS, time.process_time)
    rates = {key: len(y) / wall for key, wall in walls.items()}
    rows = [
        [
            name,
            short(len(y) / processor[name, 1]),
            short(rates[name, 1]),
            short(rates[name, WORKERS]),
            f"{rates[name, WORKERS] / rates[name, 1]:.2f}",
        ]
        for name in fits
    ]
    header = ["model", "1 worker, of the processor", "1 worker", "2 workers", "2 / 1"]
    return rates, table(header, rows)


def a_million(fits: dict[str, Fit], computes: dict[str, Compute]) -> dict[Key, float]:
    """Measure the seconds that a million fits take."""
    lazy = fits_in_dask(MILLION, BLOCKS[-2])
    work = calls(fits, decays(MILLION))
    for name, compute in computes.items():
        work["NumPy, minpack.dask, " + name, WORKERS] = partial(compute, *lazy)
    return least(work, 3)


def million_table(million: dict[Key, float]) -> str:
    """Return the table of what a million fits take."""
    rows = [
        [name, workers, f"{time:.1f}", f"{MILLION / time:,.0f}"]
        for (name, workers), time in million.items()
    ]
    return table(["", "workers", "seconds", "fits a second"], rows)


def block_table(computes: dict[str, Compute]) -> str:
    """Measure what a fit takes in blocks of several sizes."""
    rows = []
    for size in BLOCKS:
        lazy = fits_in_dask(SEVERAL, size)
        work = {name: partial(compute, *lazy) for name, compute in computes.items()}
        times = least(work, 3).values()
        rows.append([f"{size:,}", *(short(1e6 * time / SEVERAL) for time in times)])
    return table(["fits in a block", *computes], rows)


def block_section(
    blocks: str, overheads: dict[str, float], rates: dict[Key, float]
) -> str:
    """Return what blocks of several sizes, and of one fit, say of the best size."""
    rate = rates["NumPy", WORKERS]
    (threads, few), (cluster, more) = (
        (1e3 * seconds, two_digits(100 * seconds * rate))
        for seconds in overheads.values()
    )
    return f"""\
## Measured: the size of a block

Microseconds that a fit takes of the wall clock when `minpack.dask` makes {SEVERAL:,}
fits with two threads, or in two processes of a `distributed.LocalCluster`; best of 3.

{blocks}

A block of one fit takes {threads:.1f} ms with threads and {cluster:.1f} ms on the
cluster: the graph, the scheduler, seven results, and the calls that look whether the
model broadcasts. For that to be a hundredth of the time, a block should have some
{few:,} fits with threads, which are {few * M * 8 / 1e6:,.0f} MB of data, and
{more:,} on the cluster, {more * M * 8 / 1e6:,.0f} MB; for a tenth, a tenth of it. A
scheduler is one process, however many cores there are: on P cores of a cluster, let
blocks be P / 2 times as large, as far as the memory of a core allows."""


def extrapolated_section(rates: dict[Key, float]) -> str:
    """Return what the rates say of a thousand million fits, and of more cores."""

    def rate(name: str, cores: int) -> float:
        workers = min(cores, WORKERS)
        return rates[name, workers] * cores / workers

    def duration(count: float, name: str, cores: int) -> str:
        return as_duration(count / rate(name, cores))

    def gigabytes(name: str) -> str:
        return f"{rate(name, CORES[-1]) * M * 8 / 1e9:.0f}"

    gain = rates["NumPy", WORKERS] / rates["NumPy", 1]
    columns = [(count, name) for count in (1e6, 1e9) for name in ("NumPy", "Numba")]
    rows = [[c, *(duration(*column, c) for column in columns)] for c in CORES]
    header = ["cores", "10⁶, NumPy", "10⁶, Numba", "10⁹, NumPy", "10⁹, Numba"]
    return f"""\
## Extrapolated

None of these times is measured: they are the rates above, multiplied. One fit does not
know of another: the time grows as the number of fits and falls as that of the cores, as
long as the data come as fast as they are fitted. Beyond {WORKERS} cores each is taken
to be as fast as one of two. With a model in NumPy let them be of several processes, as
those of a cluster are: threads of one wait for each other where Python runs, and two
make {gain:.2f} times the fits of one. Nobody has made a thousand million fits for this
page.

{table(header, rows)}

A thousand million fits read {M * 8:,} GB of data in double precision (half of it as
float32, which are read as they are) and give {RESULT:,} GB of results, of which `x` is
{8 * N}. {CORES[-1]} cores take {gigabytes("NumPy")} GB of data a second with NumPy and
{gigabytes("Numba")} with Numba: there it is the disks that decide."""


def as_duration(seconds: float) -> str:
    """Return a time in hours, minutes or seconds."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{short(seconds / length)} {unit}"
    return f"{seconds:.2g} s"


def two_digits(value: float) -> int:
    """Return a number of fits as one may remember it."""
    return int(float(f"{value:.1e}"))

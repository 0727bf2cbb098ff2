"""The page docs/scaling.md: what a million and a thousand million fits take."""

from __future__ import annotations

import dask
import numba

import measure.scaling as measured
from measure.scaling import (
    BLOCKS,
    MILLION,
    ROUNDS,
    SAMPLE,
    SEVERAL,
    WORKERS,
    Key,
    M,
    N,
)
from pages.large import sizes
from pages.one_fit import one_fit
from pages.report import short, table, wrapped

CORES = (1, 2, 16, 64, 256)
RESULT = 8 * (N + N * N + 1) + 4 * (2 + N) + 1  # bytes of a fit


def scaling(machine: str) -> str:
    """Measure, and return the page."""
    found = measured.scaling()
    rates = {key: SAMPLE / wall for key, wall in found.walls.items()}
    page = f"""\
# Many fits, and one of many points

`python benchmarks scaling` measures what is measured here and writes this page.

{machine} numba {numba.__version__}, dask {dask.__version__}.

The fit: an exponential decay on a background, {M} points, {N} parameters, forward
differences, default tolerances, {found.nfev:.0f} evaluations on average. "NumPy" is the
model `a * np.exp(-b * t) + c` for `curve_fit_batch`, which traces it, "Numba" the same
as a `numba.cfunc` for `leastsq_batch`.

## Measured: fits a second

{SAMPLE:,} fits by one worker and by two, the best of {ROUNDS} rounds by the wall clock,
and for one worker the time of the processor too, which others disturb less.

{rates_table(rates, found.processor)}

## Measured: small fits

From [performance.md](performance.md), measured by `python benchmarks batch`.

```{{include}} performance.md
:start-after: <!-- small fits -->
:end-before: <!-- end of small fits -->
```

## Measured: a million fits

By the wall clock, the best of 3 rounds. Those of `minpack.dask` are in blocks of
{BLOCKS[-2]:,} on two cores, with the making of the data.

{million_table(found.million)}

{block_section(found.blocks, found.overheads, rates)}

{extrapolated_section(rates)}

{sizes()}

{one_fit()}"""
    return wrapped(page) + "\n"


def rates_table(rates: dict[Key, float], processor: dict[Key, float]) -> str:
    """Return the table of fits a second by one worker and by two."""
    rows = [
        [
            name,
            short(SAMPLE / processor[name, 1]),
            short(rates[name, 1]),
            short(rates[name, WORKERS]),
            f"{rates[name, WORKERS] / rates[name, 1]:.2f}",
        ]
        for name, _ in processor
    ]
    header = ["model", "1 worker, of the processor", "1 worker", "2 workers", "2 / 1"]
    return table(header, rows)


def million_table(million: dict[Key, float]) -> str:
    """Return the table of what a million fits take."""
    rows = [
        [name, workers, f"{time:.1f}", f"{MILLION / time:,.0f}"]
        for (name, workers), time in million.items()
    ]
    return table(["", "workers", "seconds", "fits a second"], rows)


def block_table(blocks: dict[int, dict[str, float]]) -> str:
    """Return the table of what a fit takes in blocks of several sizes."""
    rows = [
        [f"{size:,}", *(short(1e6 * time / SEVERAL) for time in times.values())]
        for size, times in blocks.items()
    ]
    return table(["fits in a block", *blocks[BLOCKS[0]]], rows)


def block_section(
    blocks: dict[int, dict[str, float]],
    overheads: dict[str, float],
    rates: dict[Key, float],
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

{block_table(blocks)}

A block of one fit takes {threads:.1f} ms with threads and {cluster:.1f} ms on the
cluster: the graph, the scheduler, seven results, and the record of the model with what
compares it. For that to be a hundredth of the time, a block should have some
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
to be as fast as one of two; two threads make {gain:.2f} times the fits of one with
NumPy. With a model that cannot be traced let them be of several processes, as those of
a cluster are: threads of one wait for each other where Python runs. Nobody has made a
thousand million fits for this page.

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

"""The part of docs/scaling.md on one fit of more data than memory."""

from __future__ import annotations

import measure.one_fit as measured
from measure.one_fit import CHUNKS, FEW, PARAMETERS, POINTS, ROUNDS
from measure.scaling import Key
from pages.report import at_most, short, table, verdict

LEAST_GAIN = 1.6  # of a second process
MOST_OVERHEAD = 60  # milliseconds of an iteration, on threads


def one_fit() -> str:
    """Measure, and return the part."""
    found = measured.one_fit()
    threads, cluster = (1e3 * seconds for seconds in found.overheads.values())
    hundredth = 100 * found.overheads["cluster"] / CHUNKS
    return f"""\
## One fit of more data than memory

`minpack.dask.curve_fit` makes one fit of Dask arrays, with the signature and the result
of `curve_fit`. A task calls the model for some thousands of points of its chunk at a
time, and reduces them to a triangle of n by n numbers; a tree of tasks merges the
triangles, always in the same order. So the caller's process holds no array of the data,
a task holds its chunk and less than a chunk of temporaries, and the bits of the result
depend on the chunks alone, not on the scheduler or the number of workers. A worker that
is lost costs its tasks.

### Where data come from

Each evaluation reads the data again, because nothing is kept. What fits into the memory
of the workers is worth keeping: `t, y = dask.persist(t, y)`. On a cluster do that with
arrays from memory in any case, or they travel each time.

Zarr and HDF5 have chunks of their own, and those of a Dask array should be multiples of
them; HDF5 files are for threads:

```python
t, y = (da.from_zarr("data.zarr", component=name) for name in ("t", "y"))
file = h5py.File("data.h5")
t, y = (da.from_array(file[name], chunks=10_000_000) for name in ("t", "y"))
```

Of Parquet the lengths of the parts are read first:

```python
table = dask.dataframe.read_parquet("data/*.parquet", columns=["t", "y"])
t, y = (table[name].to_dask_array(lengths=True) for name in ("t", "y"))
```

`da.from_array` copies a `np.memmap` into memory. A function that opens the file leaves
it where it is, and suits a cluster too, as for any other format:

```python
def load(name, block_info=None):
    ((first, end),) = block_info[None]["array-location"]
    return np.memmap(f"{{name}}.bin", dtype=float, mode="r")[first:end]
```

```python
chunks = da.core.normalize_chunks(10_000_000, (points,))
t, y = (da.map_blocks(load, name, chunks=chunks, meta=np.empty(0)) for name in "ty")
```

Chunks of unknown sizes, as of `y[y > 0]`, want `y.compute_chunk_sizes()`. Points with
several coordinates are an array of shape (k, m), as `da.stack([u, v])`.

### Measured: two processes

Seconds of a fit of {PARAMETERS} parameters to {POINTS:,} points in {CHUNKS} chunks,
kept in a `distributed.LocalCluster` of one process and in one of two, with one thread
each, which take turns; the best of {ROUNDS} rounds. "NumPy" is a model called by
Python, by differences, "traced" the same from `minpack.traced`. The seconds of the
processor are those of the busiest process, which others on the machine disturb less.

{walls_table(found.walls, found.processors)}

### Measured: the size of a chunk

An iteration on {CHUNKS} chunks of {FEW} points, where there is next to no work, takes
{threads:.1f} ms on two threads ({at_most(threads, MOST_OVERHEAD)}) and {cluster:.0f} ms
on two processes of a cluster. For that to be a hundredth of the time, a chunk should
take some {1e3 * hundredth:.0f} ms of a core for each evaluation, on a cluster: of the
models above those are about {hundredth_points(found.walls, hundredth):,} points. A
chunk of 100 MB is a good size. There should be a few for each core; beyond some
thousands the scheduler, which is one process, takes most of the time."""


def walls_table(walls: dict[Key, float], processors: dict[Key, float]) -> str:
    """Return the table of what a fit takes on one process and on two."""
    rows = []
    for clock, times in (("wall", walls), ("processor", processors)):
        for name in dict.fromkeys(name for name, _ in times):
            one, two = times[name, 1], times[name, 2]
            gain = verdict(one / two, LEAST_GAIN)
            rows.append(
                [f"{name}, {clock}", short(one), short(two), f"{one / two:.2f}", gain]
            )
    return table(["", "1 process", "2 processes", "1 / 2", "wanted"], rows)


def hundredth_points(walls: dict[Key, float], seconds: float) -> int:
    """Return how many points a core evaluates in so many seconds."""
    evaluations = 9  # of the fit above, with the derivatives
    rate = POINTS * evaluations / walls["NumPy", 1]
    return int(float(f"{rate * seconds:.1e}"))

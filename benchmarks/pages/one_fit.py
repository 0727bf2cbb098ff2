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

[any-size.md](any-size.md) says how such a fit is made and where its data come from.

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

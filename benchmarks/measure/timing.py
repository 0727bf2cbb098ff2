"""Timing of several things beside each other."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

CLOCK = time.process_time  # of all threads; other processes disturb it little
BATCH = 0.02  # seconds that are timed at once, at least

# Do something so many times and return the seconds that it took.
Timed = Callable[[int], float]


def repeatedly(function: Callable[[], object]) -> Timed:
    """Return what times calls of a function."""

    def seconds(times: int) -> float:
        began = CLOCK()
        for _ in range(times):
            function()
        return CLOCK() - began

    return seconds


def interleaved(
    timed: Mapping[str, Timed], seconds: float, least: int = 5, most: int = 31
) -> dict[str, list[float]]:
    """Return the seconds that each took once, round by round.

    In a round each has its turn, and each round starts with another one. There are as
    many rounds as fit into `seconds`, but at least `least` and at most `most`.
    """
    times, total = {}, 0.0
    for name, run in timed.items():
        once = min(run(1) for _ in range(3))
        times[name] = max(1, round(BATCH / once))
        total += times[name] * once
    names = list(timed)
    found: dict[str, list[float]] = {name: [] for name in names}
    gc.disable()
    for i in range(min(max(least, round(seconds / total)), most)):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(timed[name](times[name]) / times[name])
    gc.enable()
    return found


def ratios(times: dict[str, list[float]], ours: str, theirs: str) -> list[float]:
    """How many times less than theirs our time is, round by round."""
    return [t / o for o, t in zip(times[ours], times[theirs], strict=True)]

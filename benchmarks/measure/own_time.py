"""The own time of a fit: what it takes without the evaluations.

The residuals that a solver's fit asks for are recorded, then replayed to the same
solver by a function that costs as little as Python allows: `next` on the recording,
in C and the same for all solvers.
"""

from __future__ import annotations

import statistics
import sys
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle, repeat
from typing import Any

import numpy as np

from measure.cases import SOLVERS, Array, Spectrum, ill_posed_fit, spectrum_fit
from measure.timing import CLOCK, interleaved, ratios, repeatedly

SIZES = (
    (10, 3), (100, 3), (1000, 3), (10_000, 3), (100_000, 3), (1_000_000, 3),
    (100, 10), (1000, 10), (100_000, 10), (1000, 30), (10_000, 30), (2000, 200),
)  # fmt: skip
ILL_POSED = (20, 100, 1000, 10_000, 100_000)
SECONDS = 8  # for each size


class Replay:
    """A solver and the residuals that its fit asked for."""

    def __init__(self, solver: Callable[..., Any], fit: Spectrum) -> None:
        self.solver, self.x0 = solver, fit.x0
        self.recording: list[Array] = []

        def record(x: Array) -> Array:
            fvec = fit.residuals(x)
            self.recording.append(fvec.copy())
            return fvec

        self.x, self.nfev = self._solve(record)
        # `next` takes x for its default value, which it never needs: where a fit has
        # ended, the recording begins again.
        self.func = partial(next, cycle(self.recording))
        self.checksums = self._checksums()

    def _solve(self, func: Callable[[Array], Array]) -> tuple[bytes, int]:
        x, _, info, _, _ = self.solver(func, self.x0, full_output=True)
        return x.tobytes(), info["nfev"]

    def _checksums(self) -> list[int]:
        return [zlib.crc32(fvec.data) for fvec in self.recording]

    def seconds(self, fits: int) -> float:
        """Time some fits. Had one made fewer or more calls, the last x would differ."""
        solver, func, x0 = self.solver, self.func, self.x0
        began = CLOCK()
        for _ in range(fits):
            result = solver(func, x0)
        elapsed = CLOCK() - began
        if result[0].tobytes() != self.x:
            raise RuntimeError("a replay has left the path of its recording")
        return elapsed

    def function_seconds(self) -> float:
        """Return what the calls of a fit take without a solver."""
        calls = len(self.recording)
        loops = max(1, 10_000 // calls)
        began = CLOCK()
        deque(map(self.func, repeat(self.x0, loops * calls)), maxlen=0)
        return (CLOCK() - began) / loops

    def overwritten(self) -> set[int]:
        """Check x and nfev once more; return the calls whose arrays have changed."""
        if self._solve(self.func) != (self.x, self.nfev):
            raise RuntimeError("a replay has left the path of its recording")
        pairs = zip(self.checksums, self._checksums(), strict=True)
        return {call for call, (old, new) in enumerate(pairs, 1) if old != new}


@dataclass(frozen=True)
class OwnTime:
    """What was measured at one size; times are seconds a fit."""

    m: int
    n: int
    nfev: int
    calls: dict[str, int]
    times: dict[str, list[float]]  # a solver's, one a round
    copy: float
    function: float

    def median(self, name: str) -> float:
        """Return a solver's own time."""
        return statistics.median(self.times[name])

    def ratio(self, name: str = "fast") -> float:
        """Return how many times less than SciPy's it is."""
        return statistics.median(ratios(self.times, name, "SciPy"))


def copy_seconds(recording: list[Array]) -> float:
    """Return what a copy of each recorded array to one place takes."""
    stack = np.array(recording)
    place = np.empty(stack.shape[1])
    rows = np.lib.stride_tricks.as_strided(place, stack.shape, (0, place.itemsize))
    seconds = repeatedly(lambda: np.copyto(rows, stack))
    loops = max(1, 1_000_000 // stack.size)
    return statistics.median(seconds(loops) for _ in range(7)) / loops


def measure(fit: Spectrum) -> OwnTime:
    """Time all solvers on one fit."""
    print(f"own time of {fit.m} x {fit.n}", file=sys.stderr, flush=True)
    replays = {name: Replay(solver, fit) for name, solver in SOLVERS.items()}
    timed = {name: replay.seconds for name, replay in replays.items()}
    times = interleaved(timed, SECONDS)
    fast = replays["fast"]
    result = OwnTime(
        m=fit.m,
        n=fit.n,
        nfev=fast.nfev,
        calls={name: len(replay.recording) for name, replay in replays.items()},
        times=times,
        copy=copy_seconds(fast.recording),
        function=min(fast.function_seconds() for _ in range(5)),
    )
    # SciPy's second call tells it m, and gives it the memory for its result.
    for name, replay in replays.items():
        if replay.overwritten() - ({2} if name == "SciPy" else set()):
            raise RuntimeError(f"{name} has overwritten what is replayed to it")
    return result


def well_posed() -> list[OwnTime]:
    """Time all solvers on spectra of all sizes."""
    return [measure(spectrum_fit(m, n)) for m, n in SIZES]


def ill_posed() -> list[OwnTime]:
    """Time them on fits whose Jacobian has columns that nearly depend on each other."""
    return [measure(ill_posed_fit(m)) for m in ILL_POSED]

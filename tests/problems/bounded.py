"""Problems with bounds, made of those without.

From each start s of a problem with solution x*, three boxes:

- "loose": both s and x* are well inside, and the bounds play no part;
- "solution": every second parameter is stopped half way from s to x*, so that bounds
  bind at the solution;
- "start": s is on a bound of every second parameter, which has to leave it, and the
  last parameter is not let go towards x*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import minpack
from arrays import Array

from . import mgh, nist
from .ordinary_fits import ordinary_fit

KINDS = ("loose", "solution", "start")


@dataclass(frozen=True, eq=False)
class Problem:
    """A problem with bounds: lower <= start <= upper."""

    name: str
    residuals: Callable[[Array], Array]
    start: Array
    lower: Array
    upper: Array

    def __str__(self) -> str:
        """Return the name."""
        return self.name


def _problem(
    name: str,
    kind: str,
    residuals: Callable[[Array], Array],
    start: Array,
    solution: Array,
) -> Problem:
    step = solution - start
    size = 1 + np.abs(start) + np.abs(solution)
    lower = np.minimum(start, solution) - size
    upper = np.maximum(start, solution) + size
    second = np.arange(start.size) % 2 == 0
    if kind == "solution":
        middle = start + step / 2
        upper = np.where(second & (step > 0), middle, upper)
        lower = np.where(second & (step < 0), middle, lower)
    elif kind == "start":
        last = np.arange(start.size) == start.size - 1
        behind = second & ~last
        lower = np.where((behind & (step > 0)) | (last & (step < 0)), start, lower)
        upper = np.where((behind & (step < 0)) | (last & (step >= 0)), start, upper)
    return Problem(f"{name}-{kind}", residuals, start, lower, upper)


def _unbounded() -> Iterator[tuple[str, Callable[[Array], Array], Array, Array]]:
    """Name, residuals, start and solution."""
    for problem in mgh.PROBLEMS:
        solution, *_ = minpack.leastsq(
            problem.residuals, problem.start, Dfun=problem.jacobian, full_output=True
        )
        yield f"mgh-{problem}", problem.residuals, problem.start, solution
    for dataset in nist.DATASETS:
        start = dataset.starts[1]
        yield f"nist-{dataset.name}", dataset.residuals, start, dataset.certified
    for seed in range(30):
        fit = ordinary_fit(seed)
        solution, *_ = minpack.leastsq(fit.residuals, fit.x0, full_output=True)
        yield f"random-{seed}", fit.residuals, fit.x0, solution


PROBLEMS = tuple(
    _problem(name, kind, residuals, start, solution)
    for name, residuals, start, solution in _unbounded()
    for kind in KINDS
)

"""The fits on which the paths of solvers are compared.

Each is a function, a start, a Jacobian or None, and options of ``leastsq``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from minpack import _minpack

from . import mgh, nist
from .random_fits import random_fit

Function = Callable[[NDArray[Any]], NDArray[Any]]
Fit = tuple[Function, NDArray[Any], Function | None, dict[str, Any]]
RANDOM_FITS = 1400
TIGHT = {"ftol": 1e-15, "xtol": 1e-15, "maxfev": 10_000}  # rounding errors end a fit


def mgh_fits() -> Iterator[Fit]:
    """Yield those of Moré, Garbow and Hillstrom, with the Jacobian and without."""
    for problem, factor in mgh.RUNS:
        for dfun in (None, problem.jacobian):
            yield problem.residuals, problem.scaled_start(factor), dfun, {}


def nist_fits(**options: Any) -> Iterator[Fit]:
    """Yield those of NIST, with the Jacobian and without."""
    for dataset, start in nist.RUNS:
        for dfun in (None, dataset.jacobian):
            yield dataset.residuals, dataset.starts[start], dfun, options


def ill_posed_fits(least: int = 0, most: int = 1000) -> Iterator[Fit]:
    """Yield the random fits of `least` to `most` residuals."""
    for seed in range(RANDOM_FITS):
        random = random_fit(seed, most)
        if random.t.size >= least:
            dfun = random.jacobian if random.analytic else None
            yield random.residuals, random.x0, dfun, random.options


def leaves_minpacks_path(fit: Fit) -> bool:
    """Whether a fit takes longer difference steps than MINPACK, or another scale.

    It does where MINPACK's show rounding errors alone, or hold the fit to its start.
    """
    func, x0, dfun, given = fit
    options = {
        "ftol": 1.49012e-8, "xtol": 1.49012e-8, "gtol": 0.0, "maxfev": 0,
        "epsfcn": None, "factor": 100, "diag": None,
    } | given  # fmt: skip
    *_, beyond = _minpack.leastsq(
        func, x0, (), dfun, True, False, *options.values(), "fast", None, None, None,
        False, False,
    )  # fmt: skip
    return beyond > 0

"""The same bits on each instruction set, and the same paths as the reference."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minpack
from measure.cases import SOLVERS, Array, spectrum_fit
from measure.own_time import SIZES
from problems import nist
from problems.hard_fits import (
    TIGHT,
    Fit,
    ill_posed_fits,
    leaves_minpacks_path,
    mgh_fits,
    nist_fits,
)
from problems.ordinary_fits import ordinary_fit

ORDINARY_FITS = 2100
AS_LOW = 1e-9  # relative
COMPARED = ("fast", "SciPy")


def hashes() -> tuple[int, dict[str, str]]:
    """Hash what each instruction set gives of fits; return how many, and the hashes."""
    sets = minpack._minpack.instruction_sets()
    found = {name: hashlib.sha256() for name in sets}
    sizes = [(m, n) for m, n in SIZES if m * n <= 1_000_000]
    for m, n in sizes:
        fit = spectrum_fit(m, n)
        for name in sets:
            x, _, info, _, _ = minpack.leastsq(
                fit.residuals, fit.x0, full_output=True, kernels=f"fast:{name}"
            )
            for array in (x, info["fvec"], np.triu(info["fjac"].T[:n])):
                found[name].update(array.tobytes())
    return len(sizes), {name: sha.hexdigest()[:16] for name, sha in found.items()}


def _ordinary_fits() -> Iterator[Fit]:
    for seed in range(ORDINARY_FITS):
        ordinary = ordinary_fit(seed)
        yield ordinary.residuals, ordinary.x0, None, {}


def _fits() -> Iterator[tuple[str, Fit]]:
    """All test problems under the name of their collection."""
    collections: dict[str, Iterator[Fit]] = {
        "Moré, Garbow, Hillstrom": mgh_fits(),
        "NIST": nist_fits(),
        "NIST, tolerances 1e-15": nist_fits(**TIGHT),
        "ordinary fits": _ordinary_fits(),
        "ill-posed random fits": ill_posed_fits(),
        # where no fit has MINPACK's order of operations
        "ill-posed, 1,025 to 10,000 residuals": ill_posed_fits(1025, 10_000),
    }
    for title, fits in collections.items():
        for fit in fits:
            yield title, fit


def _end(solver: Callable[..., Any], fit: Fit) -> tuple[object, float]:
    """Return ier and nfev, or which exception there was, and the sum of squares."""
    func, x0, dfun, options = fit
    try:
        _, _, info, _, ier = solver(func, x0, Dfun=dfun, full_output=True, **options)
    except Exception as error:
        return type(error), np.nan
    return (ier, info["nfev"]), float(info["fvec"] @ info["fvec"])


@dataclass
class Paths:
    """Counts of the fits of a collection."""

    fits: int = 0
    same: Counter[str] = field(default_factory=Counter)  # by solver
    leaving: int = 0  # of those that are not the same with fast
    as_low: int = 0  # of those too


def paths() -> dict[str, Paths]:
    """Count the fits that end after as many evaluations as the reference, and why."""
    found: defaultdict[str, Paths] = defaultdict(Paths)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for title, fit in _fits():
            counts = found[title]
            counts.fits += 1
            expected, cost = _end(SOLVERS["reference"], fit)
            ends = {name: _end(SOLVERS[name], fit) for name in COMPARED}
            for name, (end, _) in ends.items():
                counts.same[name] += end == expected
            if ends["fast"][0] != expected:
                counts.leaving += leaves_minpacks_path(fit)
                counts.as_low += ends["fast"][1] <= (1 + AS_LOW) * cost
    return found


def digits(analytic: bool) -> dict[str, Array]:
    """Return the certified digits of the NIST fits by each solver."""
    with np.errstate(all="ignore"):
        return {
            name: np.array(
                [
                    nist.correct_digits(
                        dataset, nist.fit(solver, dataset, start, analytic=analytic)
                    ).b
                    for dataset, start in nist.RUNS
                ]
            )
            for name, solver in SOLVERS.items()
        }

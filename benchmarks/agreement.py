"""The same bits on each instruction set, and the same paths as the reference."""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import minpack
from cases import SOLVERS, spectrum_fit
from own_time import SIZES
from report import table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
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
AS_LOW = 1e-9
ENOUGH = (4, 6, 8)  # digits


def same_bits() -> str:
    """Hash the results of each instruction set on the sizes of the own times."""
    sets = minpack._minpack.instruction_sets()
    hashes = {name: hashlib.sha256() for name in sets}
    sizes = [(m, n) for m, n in SIZES if m * n <= 1_000_000]
    for m, n in sizes:
        fit = spectrum_fit(m, n)
        for name in sets:
            x, _, info, _, _ = minpack.leastsq(
                fit.residuals, fit.x0, full_output=True, kernels=f"fast:{name}"
            )
            for array in (x, info["fvec"], np.triu(info["fjac"].T[:n])):
                hashes[name].update(array.tobytes())
    digests = {name: found.hexdigest()[:16] for name, found in hashes.items()}
    same = len(set(digests.values())) == 1
    return f"""\
SHA-256 of x, the residuals and R of the {len(sizes)} fits above with m × n up to
1,000,000. Their model, sums, products and quotients alone, rounds alike everywhere: the
hash should be this one on every processor. The instruction sets of this one
{"agree" if same else "DIFFER"}.

{table(["instruction set", "hash"], digests.items())}"""


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


def same_paths() -> str:
    """Count the fits that end after as many evaluations as the reference, and why."""
    total: Counter[str] = Counter()
    same: dict[str, Counter[str]] = {name: Counter() for name in ("fast", "SciPy")}
    leaving: Counter[str] = Counter()
    as_low: Counter[str] = Counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for title, fit in _fits():
            total[title] += 1
            expected, cost = _end(SOLVERS["reference"], fit)
            ends = {name: _end(SOLVERS[name], fit) for name in same}
            for name, (end, _) in ends.items():
                same[name][title] += end == expected
            if ends["fast"][0] != expected:
                leaving[title] += leaves_minpacks_path(fit)
                as_low[title] += ends["fast"][1] <= (1 + AS_LOW) * cost
    rows = [
        [
            title,
            count,
            *(f"{100 * same[name][title] / count:.1f}" for name in same),
            leaving[title],
            f"{as_low[title]} of {count - same['fast'][title]}",
        ]
        for title, count in total.items()
    ]
    header = ["problems", "fits", *same, "others with fast: leave", "as low"]
    return f"""\
Of 100 fits, how many end with the same ier and nfev as with the reference kernels. All
tolerances are the defaults where nothing else is said; the first three are fitted with
their Jacobian and by differences. Of the others some leave MINPACK's path on purpose: a
difference with MINPACK's step holds rounding errors alone, and is taken again with a
longer one, or a first step that changes nothing is longer. "As low" are those of the
others whose sum of squares with fast kernels is at most {AS_LOW} (relative) above that
of the reference.

{table(header, rows)}

Certified digits of the 54 NIST fits, with tolerances of 1e-15: in how many of them the
worst parameter has so many, and how many it has on average. All fits but BoxBOD's from
its first start should find the certified solution.

{digits_table()}"""


def digits_table() -> str:
    """Return the certified digits of all solvers."""
    rows = []
    for analytic in (True, False):
        for name, solver in SOLVERS.items():
            with np.errstate(all="ignore"):
                digits = np.array(
                    [
                        nist.correct_digits(
                            dataset, nist.fit(solver, dataset, start, analytic=analytic)
                        ).b
                        for dataset, start in nist.RUNS
                    ]
                )
            how = "with the Jacobian" if analytic else "by differences"
            counts = [int(np.sum(digits >= enough)) for enough in ENOUGH]
            rows.append([f"{name}, {how}", *counts, f"{digits.mean():.2f}"])
    return table(["", *(f"≥ {enough} digits" for enough in ENOUGH), "mean"], rows)

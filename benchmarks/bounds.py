"""Problems with bounds: where the fits end, and after how many evaluations."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

import minpack
from cases import Array
from report import table, verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from problems.bounded import KINDS, PROBLEMS, Problem

METHODS = ("trf", "dogbox", "lm")
NO_WORSE = 1e-6  # relative
ZERO = 1e-20  # a cost of 0


class End(NamedTuple):
    """The end of a fit."""

    cost: float
    evaluations: int
    outside: int


def end(method: str, problem: Problem) -> End:
    """Fit, and count the evaluations and those of them outside the bounds."""
    inside: list[bool] = []

    def residuals(x: Array) -> Array:
        inside.append(bool(np.all((problem.lower <= x) & (x <= problem.upper))))
        return problem.residuals(x)

    solver: Callable[..., Any] = scipy.optimize.least_squares
    if method == "lm":
        solver = minpack.least_squares
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            cost = solver(
                residuals,
                problem.start,
                bounds=(problem.lower, problem.upper),
                method=method,
            ).cost
    except ValueError:  # SciPy's, where a difference is not finite
        cost = np.inf
    return End(cost, len(inside), inside.count(False))


def bounded() -> str:
    """Compare with SciPy's methods for bounds on all bounded problems."""
    ends = {
        problem: {how: end(how, problem) for how in METHODS} for problem in PROBLEMS
    }
    rows = []
    for kind in (*KINDS, "all"):
        found = [
            ends[problem]
            for problem in PROBLEMS
            if kind == "all" or problem.name.endswith(kind)
        ]
        good = {
            how: 100 * np.mean([no_worse(one, how) for one in found]) for how in METHODS
        }
        rows.append(
            [
                kind,
                len(found),
                *(f"{good[how]:.1f}" for how in METHODS),
                *(
                    f"{np.median([one[how].evaluations for one in found]):g}"
                    for how in METHODS
                ),
            ]
        )
    outside = sum(one["lm"].outside for one in ends.values())
    header = [
        "bounds",
        "problems",
        *METHODS,
        *(f"{how}, evaluations" for how in METHODS),
    ]
    names = [str(problem) for problem in PROBLEMS if not no_worse(ends[problem], "lm")]
    return f"""\
`least_squares` with its default tolerances, forward differences, by SciPy's 'trf' and
'dogbox' and by minpack ('lm'): of 100 fits, how many end with a cost that is at most
{NO_WORSE:g} (relative) above the least of those of the other methods, and the median
of the evaluations, differences included. Target for minpack: {verdict(good["lm"], 95)}.
Evaluations of minpack outside the bounds: {outside}.

{table(header, rows)}

minpack ends above another method in {", ".join(names)}."""


def no_worse(ends: dict[str, End], how: str) -> bool:
    """Whether no other method has found a lower cost."""
    others = min(found.cost for name, found in ends.items() if name != how)
    return ends[how].cost <= others * (1 + NO_WORSE) + ZERO

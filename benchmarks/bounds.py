"""Problems with bounds: where the fits end, and after how many evaluations."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

import minpack
from cases import Array
from report import spread, table, verdict
from timing import interleaved, ratios, repeatedly

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from problems.bounded import KINDS, PROBLEMS, Problem
from problems.positive import MODELS, positive_fits

METHODS = ("trf", "dogbox", "lm")
POSITIVE_FITS = 200
LINEAR_SIZES = (100, 200, 450)
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

    bounds = problem.lower, problem.upper
    cost = least_cost(method, residuals, problem.start, bounds=bounds)
    return End(cost, len(inside), inside.count(False))


def least_cost(method: str, *args: Any, **options: Any) -> float:
    """Fit by 'trf', 'dogbox' or, with minpack, by 'lm'."""
    solver: Callable[..., Any] = scipy.optimize.least_squares
    if method == "lm":
        solver = minpack.least_squares
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return float(solver(*args, method=method, **options).cost)
        except ValueError:  # SciPy's, where a difference is not finite
            return np.inf


def bounded() -> str:
    """Compare with SciPy's methods for bounds: where fits end, and how fast."""
    return "\n\n".join([all_problems(), positive_parameters(), non_negative_linear()])


def positive_parameters() -> str:
    """Count the fits of models with positive parameters that reach the minimum."""
    rows = []
    for name in MODELS:
        found = dict.fromkeys(METHODS, 0)
        for fit in positive_fits(name, POSITIVE_FITS):
            least = least_cost("trf", fit.residuals, fit.truth, bounds=(0, np.inf))
            for method in METHODS:
                cost = least_cost(method, fit.residuals, fit.start, bounds=(0, np.inf))
                found[method] += cost <= least * (1 + NO_WORSE)
        rows.append([name, *found.values()])
    return f"""\
Models of positive parameters, with bounds of 0, where they degenerate: how many of
{POSITIVE_FITS} fits, from starts within a factor of 5 of the truth, end at the minimum.

{table(["model", *METHODS], rows)}"""


def non_negative_linear() -> str:
    """Time linear least squares with bounds of 0 that bind for half the parameters."""
    rows = []
    for n in LINEAR_SIZES:
        rng = np.random.default_rng(n)
        matrix = rng.normal(size=(2 * n, n))
        right = matrix @ rng.normal(size=n) + rng.normal(size=2 * n)
        times = interleaved(
            {
                method: repeatedly(
                    partial(
                        least_cost,
                        method,
                        lambda x, a=matrix, b=right: a @ x - b,
                        np.ones(n),
                        jac=lambda x, a=matrix: a,
                        bounds=(0, np.inf),
                    )
                )
                for method in ("lm", "trf")
            },
            seconds=20,
            least=3,
        )
        rows.append(
            [
                n,
                *(f"{1e3 * np.median(times[method]):.0f} ms" for method in times),
                spread(ratios(times, "lm", "trf")),
            ]
        )
    return f"""\
Non-negative linear least squares with 2n residuals, from a start of ones, with the
Jacobian. Ratios above 1 mean that minpack ('lm') is faster, with quartiles.

{table(["n", "lm", "trf", "ratio"], rows)}"""


def all_problems() -> str:
    """Compare all bounded problems."""
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

"""Problems with bounds: where the fits end, and after how many evaluations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

import minpack
from measure.cases import Array
from measure.timing import interleaved, repeatedly
from problems.bounded import PROBLEMS, Problem
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


def all_problems() -> dict[Problem, dict[str, End]]:
    """Fit all bounded problems by each method."""
    return {
        problem: {how: end(how, problem) for how in METHODS} for problem in PROBLEMS
    }


def positive_parameters() -> dict[str, dict[str, int]]:
    """Count the fits of models with positive parameters that reach the minimum."""
    found = {name: dict.fromkeys(METHODS, 0) for name in MODELS}
    for name, counts in found.items():
        for fit in positive_fits(name, POSITIVE_FITS):
            least = least_cost("trf", fit.residuals, fit.truth, bounds=(0, np.inf))
            for method in METHODS:
                cost = least_cost(method, fit.residuals, fit.start, bounds=(0, np.inf))
                counts[method] += cost <= least * (1 + NO_WORSE)
    return found


def non_negative_linear() -> dict[int, dict[str, list[float]]]:
    """Time linear least squares with bounds of 0 that bind for half the parameters."""
    found = {}
    for n in LINEAR_SIZES:
        rng = np.random.default_rng(n)
        matrix = rng.normal(size=(2 * n, n))
        right = matrix @ rng.normal(size=n) + rng.normal(size=2 * n)
        found[n] = interleaved(
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
    return found


def no_worse(ends: dict[str, End], how: str) -> bool:
    """Whether no other method has found a lower cost."""
    others = min(found.cost for name, found in ends.items() if name != how)
    return ends[how].cost <= others * (1 + NO_WORSE) + ZERO

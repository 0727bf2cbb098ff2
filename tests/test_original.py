"""With the reference kernels a fit has the bits of the original MINPACK.

No tolerance and no exclusions. NaN counts as equal to NaN: neither IEEE 754 nor
Fortran says which NaN an operation gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import original
from minpack import leastsq
from problems import mgh, nist
from problems.random_fits import random_fit

RANDOM_FITS = 5600
BATCH = 100


def same_bits(ours: Any, theirs: Any) -> bool:
    """Whether every bit is the same, NaN for NaN."""
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    if ours.shape != theirs.shape:
        return False
    if ours.dtype != np.float64:
        return bool(np.array_equal(ours, theirs))
    equal = ours.view(np.int64) == theirs.view(np.int64)
    return bool(np.all(equal | (np.isnan(ours) & np.isnan(theirs))))


def differing(
    library: Any,
    func: Callable[..., Any],
    jac: Callable[..., Any] | None,
    x0: Any,
    **options: Any,
) -> list[str]:
    """What differs between the original's fit and ours."""
    theirs = original.fit(library, func, x0, jac, **options)
    x, _, info, _, ier = leastsq(
        func, x0, Dfun=jac, full_output=True, kernels="reference", **options
    )
    ours = info | {"x": x, "info": ier, "ipvt": info["ipvt"] + 1}
    return [name for name in ours if not same_bits(ours[name], getattr(theirs, name))]


def jacobian_or_none(problem: Any, analytic: bool) -> Callable[..., Any] | None:
    return problem.jacobian if analytic else None


with_and_without_jacobian = pytest.mark.parametrize(
    "analytic", [True, False], ids=["lmder", "lmdif"]
)


@with_and_without_jacobian
@pytest.mark.parametrize(
    ("problem", "factor"), mgh.RUNS, ids=[f"{p}-{f:g}" for p, f in mgh.RUNS]
)
def test_mgh_problems_have_the_bits_of_the_original(library, problem, factor, analytic):
    jac = jacobian_or_none(problem, analytic)
    start = problem.scaled_start(factor)
    assert differing(library, problem.residuals, jac, start) == []


@with_and_without_jacobian
@pytest.mark.parametrize(
    ("dataset", "start"), nist.RUNS, ids=[f"{d.name}-{s + 1}" for d, s in nist.RUNS]
)
def test_nist_problems_have_the_bits_of_the_original(library, dataset, start, analytic):
    jac = jacobian_or_none(dataset, analytic)
    start = dataset.starts[start]
    assert differing(library, dataset.residuals, jac, start) == []


@pytest.mark.parametrize("first", range(0, RANDOM_FITS, BATCH))
def test_random_fits_have_the_bits_of_the_original(library, first):
    different = {}
    for seed in range(first, first + BATCH):
        fit = random_fit(seed)
        jac = jacobian_or_none(fit, fit.analytic)
        names = differing(library, fit.residuals, jac, fit.x0, **fit.options)
        if names:
            different[seed] = names
    assert different == {}


def test_the_random_fits_end_in_every_way(library):
    """The generator would not be worth much if all fits took the same path."""
    ends = set()
    for seed in range(1500):
        fit = random_fit(seed)
        jac = jacobian_or_none(fit, fit.analytic)
        ends.add(original.fit(library, fit.residuals, fit.x0, jac, **fit.options).info)
    assert ends == {1, 2, 3, 4, 5, 6, 7, 8}

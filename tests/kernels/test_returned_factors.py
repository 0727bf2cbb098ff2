"""The factors that a fit returns are MINPACK's, with MINPACK's signs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from arrays import Array
from kernels.calling import Factors
from kernels.fitting import fit, path
from kernels.matrices import EPS, UNTIED, matrices
from problems.ordinary_fits import ordinary_fit


def factors_of_a_fit(jacobian: Array, f: Array, kernels: str) -> Factors:
    """What leastsq returns of the first Jacobian, signs and all."""
    n = jacobian.shape[1]
    result = fit(
        lambda x: f + jacobian @ x,
        np.zeros(n),
        lambda x: jacobian,
        maxfev=1,
        kernels=kernels,
    )
    return Factors(np.triu(result["fjac"].T[:n]), result["ipvt"], result["qtf"])


def assert_equal_factors(jacobian: Array, f: Array) -> None:
    """Equal but for what rounding errors do to J times its condition."""
    m, n = jacobian.shape
    ours, theirs = (factors_of_a_fit(jacobian, f, k) for k in ("fast", "reference"))
    assert ours.p.tolist() == theirs.p.tolist()
    norms = np.linalg.norm(jacobian[:, ours.p], axis=0)
    tolerance = 4 * EPS * math.sqrt(m * n) * np.linalg.cond(theirs.r / norms)
    assert (np.abs(ours.r - theirs.r) <= tolerance * norms).all()
    assert np.abs(ours.qtf - theirs.qtf).max() <= tolerance * np.linalg.norm(f)


@pytest.mark.parametrize("kind", sorted(UNTIED))
def test_a_fit_returns_minpacks_factors_with_minpacks_signs(kind: str) -> None:
    for jacobian, f in matrices(kind):
        assert_equal_factors(jacobian, f)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (9, 9), (200, 200), (450, 200)])
def test_factors_of_any_shape_have_minpacks_signs(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    for sign in (1, -1):
        assert_equal_factors(sign * rng.normal(size=shape), rng.normal(size=shape[0]))


def test_signs_are_minpacks_after_many_iterations() -> None:
    """But where the entry that decides is noise of the differences."""
    compared = other_signs = 0
    for seed in range(300):
        problem = ordinary_fit(seed)
        ours, theirs = (
            fit(problem.residuals, problem.x0, kernels=k) for k in ("fast", "reference")
        )
        if path(ours) != path(theirs) or (ours["ipvt"] != theirs["ipvt"]).any():
            continue
        n = ours["x"].size
        a, b = (np.diag(result["fjac"].T[:n]) for result in (ours, theirs))
        np.testing.assert_allclose(np.abs(a), np.abs(b), rtol=1e-3)
        compared += 1
        other_signs += (a * b < 0).any()
    assert compared > 280
    assert other_signs <= 3


@pytest.mark.parametrize("more_rows", [0, 100])
@pytest.mark.parametrize(
    "rows",
    [
        [[1, 0], [1, 2]],
        [[0, 0, 1], [3, 1, 1], [3, 2, 5], [9, 1, 1]],
        [[0, 0], [1, 2], [2, 1], [0, 3]],
    ],
)
def test_signs_are_minpacks_where_an_entry_is_zero(
    rows: list[list[int]], more_rows: int
) -> None:
    """MINPACK makes R(j,j) negative where it meets a zero."""
    n = len(rows[0])
    rest = (5 + np.arange(more_rows))[:, None] % np.arange(3, 3 + n)
    jacobian = np.concatenate([rows, rest]).astype(float)
    assert_equal_factors(jacobian, np.arange(1.0, len(jacobian) + 1))


@pytest.mark.parametrize("more_rows", [0, 8, 70, 500])
def test_signs_are_minpacks_where_the_longest_column_starts_with_zero(
    more_rows: int,
) -> None:
    """As at t = 0, where the derivative by a rate vanishes."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 8))
        jacobian = rng.normal(size=(n + more_rows, n))
        jacobian[:, seed % n] *= 10
        jacobian[0, seed % n] = 0
        assert_equal_factors(jacobian, rng.normal(size=len(jacobian)))

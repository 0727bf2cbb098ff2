"""A factorization is as accurate as MINPACK's, for Jacobians of many kinds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest

from arrays import Array
from kernels.calling import FEW, GO_IN_ORDER, Factors, Kernels, all_bits
from kernels.fitting import MANY
from kernels.matrices import EPS, LARGE_SHAPES, MATRICES, UNTIED, matrices

EXTENDED = np.longdouble

needs_extended = pytest.mark.skipif(
    np.finfo(EXTENDED).eps > 1e-18, reason="no extended precision here"
)

# Whether to start with the normal equations, or to know already that they are no good
tried_or_not = pytest.mark.parametrize("dependent", [0, 1])


class Errors(NamedTuple):
    """Of a factorization, relative to eps sqrt(m n), columns scaled to unit norm."""

    gram: float  # R'R - P'J'JP
    gradient: float  # R'Q'f - P'J'f
    singular_values: float  # those of R - those of J


def errors(factors: Factors, jacobian: Array, f: Array) -> Errors:
    m, n = jacobian.shape
    a = jacobian[:, factors.p].astype(EXTENDED)
    norms = np.sqrt((a * a).sum(axis=0))
    norms[norms == 0] = 1
    a, r = a / norms, factors.r / norms
    b, qtf = f.astype(EXTENDED), factors.qtf.astype(EXTENDED)
    size = np.sqrt((b * b).sum()) or 1
    s_a, s_r = (np.linalg.svd(x.astype(float), compute_uv=False) for x in (a, r))
    unit = EPS * math.sqrt(m * n)
    return Errors(
        float(abs(r.T @ r - a.T @ a).max() / unit),
        float(abs(r.T @ qtf - a.T @ b).max() / size / unit),
        float(abs(s_a - s_r).max() / (s_a[0] or 1) / unit),
    )


@needs_extended
@tried_or_not
@pytest.mark.parametrize("kind", MATRICES)
def test_a_factorization_is_as_accurate_as_minpacks(
    fast: Kernels, reference: Kernels, kind: str, dependent: int
) -> None:
    found = np.array(
        [
            [
                errors(kernels.factor(*problem, dependent=dependent), *problem)
                for kernels in (fast, reference)
            ]
            for problem in matrices(kind)
        ]
    )
    worst, median = found.max(axis=0), np.median(found, axis=0)
    assert (worst[0] <= 2.5).all()
    assert (worst[0] <= 4 * np.maximum(worst[1], 0.4)).all()
    assert (median[0] <= 2 * median[1] + 0.02).all()


@tried_or_not
@pytest.mark.parametrize("kind", MATRICES)
def test_a_factorization_has_the_same_bits_on_every_instruction_set(
    fast_sets: dict[str, Kernels], kind: str, dependent: int
) -> None:
    for problem in matrices(kind):
        results = [
            [a.tobytes() for a in fast.factor(*problem, dependent=dependent)]
            for fast in fast_sets.values()
        ]
        assert all(result == results[0] for result in results)


@pytest.mark.parametrize("m", [FEW, 60, 250, MANY, MANY + 1])
def test_columns_that_nearly_depend_on_others_are_reflected(
    fast: Kernels, m: int
) -> None:
    """And those that keep a sixteenth of their length are not."""
    q = np.linalg.qr(np.random.default_rng(m).normal(size=(m, 3)))[0]
    f = np.ones(m)
    reflected = 1 if m > MANY else GO_IN_ORDER
    for angle, says in ((0.05, reflected), (0.075, 0)):
        beside = np.cos(angle) * q[:, 0] + np.sin(angle) * q[:, 1]
        jacobian = np.column_stack([1e3 * q[:, 0], 1e-3 * beside, q[:, 2]])
        plain = all_bits(fast, jacobian, f)
        assert fast.dependent == says
        known = [a.tobytes() for a in fast.factor(jacobian, f, dependent=1)]
        assert fast.dependent == (says if m > MANY else GO_IN_ORDER)
        assert (plain[:3] == known) == (says != 0)


def residuals_around(jacobian: Array, f: Array) -> tuple[Array, Array]:
    """Residuals near f whose differences are nearly the Jacobian, and the steps."""
    h = 2.0 ** -(10 + np.arange(jacobian.shape[1]) % 4)
    with np.errstate(all="ignore"):
        return f + h[:, None] * jacobian.T, h


@tried_or_not
@pytest.mark.parametrize("kind", MATRICES)
def test_factors_of_differences_have_the_bits_of_those_of_the_jacobian(
    fast_sets: dict[str, Kernels], kind: str, dependent: int
) -> None:
    for jacobian, f in matrices(kind):
        around, h = residuals_around(jacobian, f)
        with np.errstate(all="ignore"):
            differences = ((around - f) / h[:, None]).T
        for offset, fast in enumerate(fast_sets.values()):
            expected = fast.factor(differences, f, dependent=dependent)
            remembered = fast.dependent
            norms = fast.acnorm
            found = fast.factor_differences(around, f, h, offset, dependent)
            assert fast.dependent == remembered
            assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]
            assert fast.acnorm.tobytes() == norms.tobytes()
            expected_norms = [fast.norm(column) for column in differences.T]
            np.testing.assert_allclose(norms, expected_norms, rtol=1e-14)


@tried_or_not
@pytest.mark.parametrize("shape", LARGE_SHAPES)
def test_differences_may_end_anywhere_in_a_block(
    fast: Kernels, shape: tuple[int, int], dependent: int
) -> None:
    rng = np.random.default_rng(6)
    f = rng.normal(size=shape[0])
    around, h = residuals_around(rng.normal(size=shape), f)
    expected = fast.factor(((around - f) / h[:, None]).T, f, dependent=dependent)
    found = fast.factor_differences(around, f, h, dependent=dependent)
    assert [a.tobytes() for a in found] == [a.tobytes() for a in expected]


@pytest.mark.parametrize("m", [10, 200, 1000])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_norms_of_differences_tell_that_an_entry_is_not_finite(
    fast: Kernels, m: int, value: float
) -> None:
    for row in (0, m // 2, m - 1):
        for column in range(3):
            around = np.ones((3, m))
            around[column, row] = value
            fast.factor_differences(around, np.zeros(m), np.full(3, 1e-8))
            assert np.isfinite(fast.acnorm).tolist() == [j != column for j in range(3)]


@tried_or_not
@pytest.mark.parametrize("kind", MATRICES)
def test_the_longest_column_is_the_pivot(
    fast: Kernels, reference: Kernels, kind: str, dependent: int
) -> None:
    """It is at least as long as what is left of the others.

    Norms are updated until they have lost half of their digits, which MINPACK
    allows, so a column that has all but gone may come a little too early or late.
    """
    for problem in matrices(kind):
        r, p, _ = fast.factor(*problem, dependent=dependent)
        n = len(r)
        assert sorted(p) == list(range(n))
        if kind in UNTIED:
            assert p.tolist() == reference.factor(*problem).p.tolist()
        largest = np.abs(r).max(axis=0)
        scaled = r / np.where(largest == 0, 1, largest)
        for j in range(n):
            left = np.sqrt(np.sum(scaled[j:, j:] ** 2, axis=0)) * largest[j:]
            noise = 1e-7 * np.linalg.norm(scaled[:, j:], axis=0) * largest[j:]
            assert (left <= (1 + 1e-9) * left[0] + noise).all()


def test_a_column_of_zeros_stays_one(fast: Kernels, reference: Kernels) -> None:
    for jacobian, f in matrices("zero columns"):
        rank = np.count_nonzero(jacobian.any(axis=0))
        for kernels in (fast, reference):
            r, p, _ = kernels.factor(jacobian, f)
            assert np.count_nonzero(np.diag(r)) == rank
            assert not r[:, rank:].any()
            assert not jacobian[:, p[rank:]].any()


@pytest.mark.parametrize("size", [1e-300, 1e-250, 1e-200, 1e200, 1e250, 1e300])
@pytest.mark.parametrize("column", [1e-69, 1e-40, 1.0, 1e40, 1e69])
def test_residuals_of_any_size_are_reflected(
    fast: Kernels, reference: Kernels, size: float, column: float
) -> None:
    rng = np.random.default_rng(0)
    jacobian, f = column * rng.normal(size=(20, 3)), size * rng.normal(size=20)
    expected = reference.factor(jacobian, f).qtf
    np.testing.assert_allclose(fast.factor(jacobian, f).qtf, expected, rtol=1e-12)


@needs_extended
@pytest.mark.parametrize("weight", [1e4, 1e8, 1e12])
@pytest.mark.parametrize("place", ["bottom", "middle", "anywhere"])
def test_heavy_rows_cost_no_more_digits_than_with_minpack(
    fast: Kernels, reference: Kernels, weight: float, place: str
) -> None:
    """Fewer rows than parameters have a weight, so the others count as well.

    Where they are the first rows, MINPACK happens to lose nothing at all.
    """
    lost: list[list[float]] = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        m, n = [(40, 5), (300, 8), (1500, 3)][seed % 3]
        heavy = n // 2 + 1
        first = {"bottom": m - heavy, "middle": m // 2}.get(place)
        rows = (
            rng.permutation(m)[:heavy]
            if first is None
            else np.arange(first, first + heavy)
        )
        jacobian = rng.normal(size=(m, n))
        f = jacobian @ rng.normal(size=n) + 0.1 * rng.normal(size=m)
        jacobian[rows] *= weight
        f[rows] *= weight
        exact = solution(jacobian, f)
        lost.append([])
        for kernels in (fast, reference):
            r, p, qtf = kernels.factor(jacobian, f)
            error = np.linalg.norm(np.linalg.solve(r, qtf) - exact[p])
            lost[-1].append(error / np.linalg.norm(exact))
    ours, theirs = np.median(lost, axis=0)
    assert ours <= 2 * theirs


def solution(jacobian: Array, f: Array) -> Array:
    """Least squares in extended precision, with the largest rows first."""
    n = jacobian.shape[1]
    a = np.column_stack([jacobian, f]).astype(EXTENDED)
    for j in range(n):
        pivot = j + np.argmax(abs(a[j:, j]))
        a[[j, pivot]] = a[[pivot, j]]
        v = a[j:, j].copy()
        v[0] += np.copysign(np.sqrt(v @ v), v[0])
        a[j:] -= np.outer(v, 2 * (v @ a[j:]) / (v @ v))
    x = np.zeros(n, dtype=EXTENDED)
    for j in reversed(range(n)):
        x[j] = (a[j, n] - a[j, j + 1 : n] @ x[j + 1 :]) / a[j, j]
    return x.astype(float)

"""A norm is as accurate as MINPACK's."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from arrays import Array
from kernels.calling import Kernels
from kernels.matrices import VECTORS

LARGEST = np.finfo(float).max


def root(square: Fraction) -> Fraction:
    """The square root, to 200 bits."""
    numerator, denominator = square.numerator, square.denominator
    shift = max(0, 400 - numerator.bit_length() + denominator.bit_length()) // 2
    return Fraction(math.isqrt((numerator << 2 * shift) // denominator), 1 << shift)


def error_of_norm(norm: float, x: Array) -> float:
    """In units of the last place."""
    exact = root(sum((Fraction(entry) ** 2 for entry in x), Fraction(0)))
    if exact > LARGEST:
        return 0.0 if norm == math.inf else math.inf
    if not math.isfinite(norm):
        return math.inf
    return float(abs(Fraction(norm) - exact) / Fraction(math.ulp(float(exact))))


@pytest.mark.parametrize("kind", VECTORS)
def test_a_norm_is_as_accurate_as_minpacks(
    fast: Kernels, reference: Kernels, kind: str
) -> None:
    rng = np.random.default_rng(1)
    errors = []
    for m in [*range(1, 71), 100, 333]:
        x = VECTORS[kind](rng, m)
        errors.append([error_of_norm(k.norm(x), x) for k in (fast, reference)])
    ours, theirs = np.max(errors, axis=0)
    assert ours <= max(3.5, theirs)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_norm_is_not_finite_where_an_entry_is_not(
    fast: Kernels, value: float
) -> None:
    for m in (1, 7, 8, 9, 16, 23, 24, 70):
        for row in range(m):
            for rest in (0.0, 1.0, 1e300, 1e-310):
                x = np.full(m, rest)
                x[row] = value
                assert not math.isfinite(fast.norm(x))

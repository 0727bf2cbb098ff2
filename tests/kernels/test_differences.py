"""A column of differences is MINPACK's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from arrays import Array
from kernels.calling import Kernels
from kernels.matrices import EPS

SMALLEST_NORMAL = np.finfo(float).smallest_normal


def assert_same_difference(
    fast_sets: dict[str, Kernels], reference: Kernels, f: Array, fvec: Array, h: float
) -> None:
    """The quotient of each set is that of a division, also where it is infinite."""
    with np.errstate(all="ignore"):
        expected = reference.difference(f, fvec, h)
        np.testing.assert_array_equal(expected, (f - fvec) / h)
        for fast in fast_sets.values():
            np.testing.assert_array_equal(fast.difference(f, fvec, h), expected)


@pytest.mark.parametrize(
    "h",
    [1e-8, -1e-8, 3.7e-11, 2.0**-26, 1.0, 1e20, 1e300, 1e-300,
     SMALLEST_NORMAL * (1 + EPS), SMALLEST_NORMAL, 1e-310, 5e-324],
)  # fmt: skip
def test_differences_are_minpacks_to_the_bit(
    fast_sets: dict[str, Kernels], reference: Kernels, h: float
) -> None:
    rng = np.random.default_rng(3)
    for m in range(1, 71):
        fvec = rng.normal(size=m)
        near = fvec + abs(h) * rng.normal(size=m) if abs(h) < 1 else fvec + 1
        tiny = h * rng.integers(-4, 5, (2, m))
        for f, before in ((near, fvec), (fvec, near), tiny, (fvec, fvec)):
            assert_same_difference(fast_sets, reference, f, before, h)


def test_differences_of_any_size_are_minpacks_to_the_bit(
    fast_sets: dict[str, Kernels], reference: Kernels
) -> None:
    """Quotients that overflow, or are subnormal, and those that need the last bit."""
    for seed in range(400):
        rng = np.random.default_rng([seed, 7])
        m = int(rng.integers(1, 300))
        # the common range, both ends of it, and all sizes at once
        lowest, highest = ((-3, 3), (-320, -240), (200, 308), (-320, 308))[seed % 4]
        f, fvec = rng.uniform(-1, 1, (2, m)) * 10 ** rng.uniform(lowest, highest, m)
        f[rng.random(m) < 0.1] = 0
        fvec[rng.random(m) < 0.5] = 0
        h = float(10 ** rng.uniform(-40, 20))
        near_a_tie = rng.integers(2**52, 2**53, m) * h
        for x in (f, near_a_tie, np.nextafter(near_a_tie, 0)):
            assert_same_difference(fast_sets, reference, x, fvec, h)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("both", [True, False])
def test_a_difference_of_what_is_not_finite_is_not_either(
    fast_sets: dict[str, Kernels], reference: Kernels, value: float, both: bool
) -> None:
    for m in (1, 7, 8, 9, 15, 16, 17, 29):
        for row in range(m):
            f, fvec = np.ones(m), np.ones(m)
            f[row] = value
            fvec[row] = value if both else 1
            assert_same_difference(fast_sets, reference, f, fvec, 1e-8)
            assert_same_difference(fast_sets, reference, fvec, f, 1e-8)

"""In MINPACK's order of operations the results are MINPACK's, to the bit."""

from __future__ import annotations

import itertools

import numpy as np

from kernels.calling import Kernels, all_bits
from kernels.fitting import FEW
from kernels.matrices import MATRICES, VECTORS, matrices


def test_norms_in_order_are_minpacks_to_the_bit(
    fast_sets: dict[str, Kernels], reference: Kernels
) -> None:
    for kind, seed in itertools.product(VECTORS, range(60)):
        rng = np.random.default_rng([seed, 8])
        x = VECTORS[kind](rng, int(rng.integers(1, 300)))
        for fast in fast_sets.values():
            assert fast.in_order.norm(x) == reference.norm(x), (kind, seed)
            if x.size < FEW:
                assert fast.norm(x) == reference.norm(x), (kind, seed)


def test_factors_in_order_are_minpacks_to_the_bit(
    fast_sets: dict[str, Kernels], reference: Kernels
) -> None:
    for kind in MATRICES:
        for number, (jacobian, f) in enumerate(matrices(kind)):
            expected = all_bits(reference, jacobian, f)
            for fast in fast_sets.values():
                found = all_bits(fast.in_order, jacobian, f)
                assert found == expected, (kind, number)

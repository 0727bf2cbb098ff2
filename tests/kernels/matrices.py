"""Vectors, Jacobians and shapes of many kinds for the kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

from arrays import Array
from kernels.calling import LANES
from kernels.fitting import MANY

EPS = 2.0**-52


def block_rows(m: int, n: int) -> int:
    """The rows that are annihilated together: lm_block_rows."""
    rows = 4480 // (n + 1) // LANES * LANES
    return min(max(384, min(rows, 512)), m)


def shapes_at_block_boundaries() -> Iterator[tuple[int, int]]:
    for n in (1, 3, 4, 5, 7, 8, 9, 12, 31, 40):
        rows = block_rows(10_000, n)
        for m in (rows - 1, rows, rows + 1, rows + 7, rows + 8, rows + 9):
            yield m, n
        for m in (2 * rows - 1, 2 * rows + 1, 3 * rows + 5):
            yield m, n


LARGE_SHAPES = [*shapes_at_block_boundaries(), (200, 200), (201, 200), (450, 200),
                (4000, 3), (50_003, 3), (16_700, 9)]  # fmt: skip

Draw = Callable[[np.random.Generator, int, int], Array]

VECTORS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "ordinary": lambda rng, m: rng.normal(size=m),
    "graded": lambda rng, m: rng.normal(size=m) * 10 ** rng.uniform(-25, 25, m),
    "of all sizes": lambda rng, m: rng.normal(size=m) * 10 ** rng.uniform(-300, 300, m),
    "tiny": lambda rng, m: rng.normal(size=m) * 1e-200,
    "subnormal": lambda rng, m: rng.normal(size=m) * 1e-310,
    "huge": lambda rng, m: rng.normal(size=m) * 1e200,
    "near overflow": lambda rng, m: rng.normal(size=m) * 1e300,
    "giant next to tiny": lambda rng, m: rng.choice([1e300, 1e200, 1, 1e-200], m),
    "at the lower bound": lambda rng, m: (
        rng.normal(size=m) * 10 ** rng.uniform(-73, -67)
    ),
    "at the upper bound": lambda rng, m: rng.normal(size=m) * 10 ** rng.uniform(66, 74),
    "mostly zero": lambda rng, m: rng.normal(size=m) * (rng.random(m) < 0.1),
}


def ill_conditioned(rng: np.random.Generator, m: int, n: int, digits: float) -> Array:
    u = np.linalg.qr(rng.normal(size=(m, n)))[0]
    v = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (u * np.logspace(0, -digits, n)) @ v


def with_equal_columns(rng: np.random.Generator, m: int, n: int) -> Array:
    jacobian = rng.normal(size=(m, n))
    jacobian[:, rng.integers(n, size=n // 2)] = jacobian[:, :1]
    return jacobian


def of_half_rank(rng: np.random.Generator, m: int, n: int) -> Array:
    rank = (n + 1) // 2
    return rng.normal(size=(m, rank)) @ rng.normal(size=(rank, n))


def with_a_negligible_block(rng: np.random.Generator, m: int, n: int) -> Array:
    """Rows whose squares underflow, above or below ordinary ones."""
    jacobian = rng.normal(size=(m, n))
    rows = slice(None, m // 2) if rng.random() < 0.5 else slice(m // 2, None)
    jacobian[rows] *= 10 ** rng.uniform(-170, -85)
    return jacobian


MATRICES: dict[str, Draw] = {
    "ordinary": lambda rng, m, n: rng.normal(size=(m, n)),
    "condition 3": functools.partial(ill_conditioned, digits=0.5),
    "condition 30": functools.partial(ill_conditioned, digits=1.5),
    "condition 60": functools.partial(ill_conditioned, digits=1.8),
    "condition 1e4": functools.partial(ill_conditioned, digits=4),
    "condition 1e9": functools.partial(ill_conditioned, digits=9),
    "condition 1e14": functools.partial(ill_conditioned, digits=14),
    "columns of all sizes": lambda rng, m, n: (
        rng.normal(size=(m, n)) * 10 ** rng.uniform(-69, 69, n)
    ),
    "columns beyond the bounds": lambda rng, m, n: (
        rng.normal(size=(m, n)) * 10 ** rng.uniform(-140, 140, n)
    ),
    "rows of all sizes": lambda rng, m, n: (
        rng.normal(size=(m, n)) * 10 ** rng.uniform(-6, 6, (m, 1))
    ),
    "entries of all sizes": lambda rng, m, n: (
        rng.normal(size=(m, n)) * 10 ** rng.uniform(-8, 8, (m, n))
    ),
    "small integers": lambda rng, m, n: rng.integers(-2, 3, (m, n)).astype(float),
    "equal columns": with_equal_columns,
    "zero columns": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random(n) < 0.7),
    "half the rank": of_half_rank,
    "the negligible and the ordinary": with_a_negligible_block,
}

# The norms of their columns differ by more than rounding errors, at every stage.
UNTIED = {"ordinary", "condition 1e4", "columns of all sizes"}


@functools.cache
def matrices(kind: str) -> list[tuple[Array, Array]]:
    """Forty Jacobians of many shapes, and residuals."""
    return list(draw_matrices(MATRICES[kind]))


def draw_matrices(draw: Draw) -> Iterator[tuple[Array, Array]]:
    for seed in range(40):
        rng = np.random.default_rng([seed, 5])
        n = int(rng.integers(1, 41))
        m = n + int(rng.integers(0, 70))
        if seed % 5 == 0:  # several blocks
            n = 1 + n // 2
            m = n + int(rng.integers(500, 900))
            m += MANY * (seed % 2)
        if seed % 7 == 0:
            m = n
        if seed == 39:  # more columns than a block has rows
            m = n = 140
        jacobian = draw(rng, m, n)
        solvable = seed % 3 == 0
        f = jacobian @ rng.normal(size=n) if solvable else rng.normal(size=m)
        yield jacobian, f

"""The fast kernels give the same bits on every instruction set, wherever data lie."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from arrays import Array
from fits import bits
from kernels.calling import LANES, Kernels
from kernels.fitting import INSTRUCTION_SETS, fit, with_and_without_jacobian
from kernels.matrices import LARGE_SHAPES
from problems import mgh, nist
from problems.ordinary_fits import ordinary_fit
from problems.random_fits import random_fit

needs_two_sets = pytest.mark.skipif(
    len(INSTRUCTION_SETS) < 2, reason="this processor has one instruction set"
)


def differing_sets(*args: Any, **options: Any) -> dict[str, list[str]]:
    """What differs from the best instruction set, by the name of the set."""
    best = bits(fit(*args, kernels="fast", **options))
    found = {}
    for name in INSTRUCTION_SETS[:-1]:
        other = bits(fit(*args, kernels=f"fast:{name}", **options))
        different = [key for key in best if best[key] != other[key]]
        if different:
            found[name] = different
    return found


class BentPlane:
    """Residuals of any shape, from element-wise operations alone.

    The same x gives the same bits whatever the memory it lies in.
    """

    def __init__(self, m: int, n: int) -> None:
        rng = np.random.default_rng([m, n])
        self.rows = rng.normal(size=(n, m))
        self.y = rng.normal(size=m)
        self.x0 = rng.normal(size=n)

    def residuals(self, x: Array) -> Array:
        return np.add.reduce(self.rows * (x + 0.1 * x * x)[:, None], axis=0) - self.y

    def jacobian(self, x: Array) -> Array:
        return (self.rows * (1 + 0.2 * x)[:, None]).T


SMALL_SHAPES = [(m, n) for n in range(1, 41) for m in range(n, 71)]


@needs_two_sets
@with_and_without_jacobian
def test_mgh_fits_have_the_same_bits_on_every_instruction_set(analytic: bool) -> None:
    found = {}
    for problem, factor in mgh.RUNS:
        jac = problem.jacobian if analytic else None
        found[f"{problem}-{factor:g}"] = differing_sets(
            problem.residuals, problem.scaled_start(factor), jac
        )
    assert {name for name in found if found[name]} == set()


@needs_two_sets
@with_and_without_jacobian
def test_nist_fits_have_the_same_bits_on_every_instruction_set(analytic: bool) -> None:
    found = {}
    for dataset, start in nist.RUNS:
        jac = dataset.jacobian if analytic else None
        found[f"{dataset.name}-{start}"] = differing_sets(
            dataset.residuals, dataset.starts[start], jac
        )
    assert {name for name in found if found[name]} == set()


@needs_two_sets
@pytest.mark.parametrize("first", range(0, 200, 100))
def test_random_fits_have_the_same_bits_on_every_instruction_set(first: int) -> None:
    different = {}
    for seed in range(first, first + 100):
        hard, ordinary = random_fit(seed), ordinary_fit(seed)
        jac = hard.jacobian if hard.analytic else None
        different[seed] = (
            differing_sets(hard.residuals, hard.x0, jac, **hard.options),
            differing_sets(ordinary.residuals, ordinary.x0),
        )
    assert {seed for seed in different if any(different[seed])} == set()


@needs_two_sets
@with_and_without_jacobian
def test_every_shape_has_the_same_bits_on_every_instruction_set(analytic: bool) -> None:
    different = {}
    for m, n in SMALL_SHAPES + LARGE_SHAPES:
        plane = BentPlane(m, n)
        jac = plane.jacobian if analytic else None
        maxfev = 1 if m * n > 1000 else n + 2
        different[m, n] = differing_sets(plane.residuals, plane.x0, jac, maxfev=maxfev)
    assert {shape for shape in different if different[shape]} == set()


@pytest.mark.parametrize("shape", [(7, 2), (8, 3), (61, 5), (1203, 4), (50_003, 3)])
@pytest.mark.parametrize("start", [*range(0, 64, 8), 1, 4, 13])
@with_and_without_jacobian
def test_the_alignment_of_what_the_functions_return_does_not_matter(
    shape: tuple[int, int], start: int, analytic: bool
) -> None:
    plane = BentPlane(*shape)

    def moved(answer: Array) -> Array:
        """The same array, `start` bytes past a multiple of 64."""
        memory = np.zeros(answer.size * 8 + 128, dtype=np.uint8)
        first = -memory.ctypes.data % 64 + start
        there = memory[first : first + answer.size * 8].view(float)
        there = there.reshape(answer.shape)
        there[...] = answer
        return there

    jac = plane.jacobian if analytic else None
    found = fit(
        lambda x: moved(plane.residuals(x)),
        plane.x0,
        (lambda x: moved(plane.jacobian(x))) if analytic else None,
    )
    assert bits(found) == bits(fit(plane.residuals, plane.x0, jac))


@pytest.mark.parametrize("shape", [(300, 3), (5003, 3), (50_003, 3)])
def test_one_array_for_all_residuals_gives_the_same_bits(
    shape: tuple[int, int],
) -> None:
    plane = BentPlane(*shape)
    buffer = np.empty(plane.y.size)

    def residuals(x: Array) -> Array:
        buffer[:] = plane.residuals(x)
        return buffer

    assert bits(fit(residuals, plane.x0)) == bits(fit(plane.residuals, plane.x0))


def test_the_thread_does_not_matter() -> None:
    planes = [BentPlane(m, n) for m, n in [(9, 4), (70, 9), (1500, 5), (20_000, 6)]]

    def all_fits(_: int = 0) -> list[dict[str, Any]]:
        return [bits(fit(plane.residuals, plane.x0)) for plane in planes]

    here = all_fits()
    with ThreadPoolExecutor(4) as threads:
        for there in threads.map(all_fits, range(8)):
            assert there == here


def test_memory_that_is_aligned_otherwise_gives_the_same_bits(
    fast_sets: dict[str, Kernels],
) -> None:
    rng = np.random.default_rng(4)
    for m, n in [(1, 1), (7, 7), (8, 3), (61, 5), (70, 40), (523, 8), (300, 200)]:
        jacobian, f = rng.normal(size=(m, n)), rng.normal(size=m)
        results = {
            (
                fast.norm(f, offset),
                fast.difference(jacobian[:, 0], f, 1e-8, offset).tobytes(),
                *(a.tobytes() for a in fast.factor(jacobian, f, offset)),
            )
            for fast in fast_sets.values()
            for offset in range(LANES)
        }
        assert len(results) == 1, (m, n)

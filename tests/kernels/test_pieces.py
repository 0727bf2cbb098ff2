"""Rows in pieces: their triangles, and what becomes of these when they are merged."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from arrays import Array
from kernels.calling import Factors, Kernels
from kernels.fitting import INSTRUCTION_SETS
from kernels.matrices import MATRICES, matrices
from kernels.test_factorization import errors, needs_extended

_pointer, _int = ctypes.c_void_p, ctypes.c_int


class Pieces:
    """lm_block_triangle and lm_merge, with canaries behind what they write."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        library.lm_kernels_named.restype = _pointer
        library.lm_kernels_named.argtypes = [ctypes.c_char_p]
        library.lm_piece_scratch.restype = ctypes.c_size_t
        library.lm_block_triangle.argtypes = [
            _pointer, _int, _int, _pointer, _int, *[_pointer] * 3
        ]  # fmt: skip
        library.lm_merge.argtypes = [_pointer, _int, *[_pointer] * 3]
        self.library = library
        self.kernels = library.lm_kernels_named(name.encode())

    def _scratch(self, m: int, n: int) -> Array:
        size = -(-self.library.lm_piece_scratch(m, n) // 8)
        scratch = np.full(size + 1, np.nan)
        scratch[size] = Kernels.canary
        return scratch

    def triangle(self, jacobian: Array, f: Array) -> Array:
        """R and as its last column Q'f, shape (n, n + 1)."""
        m, n = jacobian.shape
        columns, scratch = np.ascontiguousarray(jacobian.T), self._scratch(m, n)
        triangle = np.full((n + 2, n), Kernels.canary)
        self.library.lm_block_triangle(
            self.kernels, m, n, columns.ctypes.data, max(m, 1), f.ctypes.data,
            triangle.ctypes.data, scratch.ctypes.data,
        )  # fmt: skip
        assert scratch[-1] == Kernels.canary
        assert (triangle[-1] == Kernels.canary).all()
        return triangle[:-1].T

    def merge(self, one: Array, other: Array) -> Array:
        n = len(one)
        columns, added = one.T.copy(), np.ascontiguousarray(other.T)
        scratch = self._scratch(n, n)
        self.library.lm_merge(
            self.kernels, n, columns.ctypes.data, added.ctypes.data,
            scratch.ctypes.data,
        )  # fmt: skip
        assert scratch[-1] == Kernels.canary
        return columns.T

    def all(self, jacobian: Array, f: Array, ends: list[int]) -> Array:
        """The triangle of pieces that end there, one after the other."""
        parts = zip(np.split(jacobian, ends), np.split(f, ends), strict=True)
        first, *rest = [self.triangle(a, b) for a, b in parts]
        for each in rest:
            first = self.merge(first, each)
        return first


@pytest.fixture(params=INSTRUCTION_SETS)
def pieces(kernel_library: ctypes.CDLL, request: pytest.FixtureRequest) -> Pieces:
    return Pieces(kernel_library, request.param)


def unpivoted(triangle: Array) -> Factors:
    n = len(triangle)
    return Factors(triangle[:, :n], np.arange(n), triangle[:, n])


@needs_extended
@pytest.mark.parametrize("kind", MATRICES)
def test_merged_triangles_are_accurate(pieces: Pieces, kind: str) -> None:
    """Each of seven pieces may add the error of a whole factorization."""
    for jacobian, f in matrices(kind):
        m = len(f)
        ends = sorted([1, 3, 3, m // 5, m // 2, m - 1])  # few rows, and none
        triangle = pieces.all(jacobian, f, ends)
        assert np.array_equal(triangle[:, :-1], np.triu(triangle[:, :-1]))
        assert max(errors(unpivoted(triangle), jacobian, f)) <= 7 * 2.5


def test_columns_of_any_scale_have_the_same_bits(pieces: Pieces) -> None:
    rng = np.random.default_rng(3)
    jacobian, f = rng.standard_normal((700, 5)), rng.standard_normal(700)
    scales = np.ldexp(1.0, [900, -900, 3, 0, 1000])
    plain = pieces.all(jacobian, f, [300])
    scaled = pieces.all(jacobian * scales, f * 2.0**-950, [300])
    assert np.array_equal(scaled, plain * np.append(scales, 2.0**-950))


def test_what_is_not_finite_stays_so(pieces: Pieces) -> None:
    rng = np.random.default_rng(4)
    jacobian, f = rng.standard_normal((700, 3)), rng.standard_normal(700)
    jacobian[600, 1] = np.nan
    assert np.isnan(pieces.all(jacobian, f, [300])[1]).any()
    jacobian[600, 1] = np.inf
    assert not np.isfinite(pieces.all(jacobian, f, [300])[1]).all()


@pytest.mark.skipif(len(INSTRUCTION_SETS) < 2, reason="one instruction set")
@pytest.mark.parametrize("n", [1, 4, 7, 9])
def test_pieces_have_the_same_bits_on_every_instruction_set(
    kernel_library: ctypes.CDLL, n: int
) -> None:
    rng = np.random.default_rng(n)
    jacobian, f = rng.standard_normal((1300, n)), rng.standard_normal(1300)
    first, *rest = [
        Pieces(kernel_library, name).all(jacobian, f, [2, 500, 900])
        for name in INSTRUCTION_SETS
    ]
    for other in rest:
        assert np.array_equal(first, other)

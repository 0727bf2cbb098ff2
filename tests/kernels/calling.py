"""The kernels called through ctypes, with canaries around what they write."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrays import Array

LANES = 8
FEW = 32  # with fewer rows there is no other order than MINPACK's
REFERENCE, IN_ORDER, FREE = range(3)  # the paths through the rows, as in rows.c
GO_IN_ORDER = 2  # what a factorization says that has ended in MINPACK's order
_pointer, _int, _double, _text = (
    ctypes.c_void_p, ctypes.c_int, ctypes.c_double, ctypes.c_char_p
)  # fmt: skip


class Factors(NamedTuple):
    """J[:, p] = Q R and the first n entries of Q'f, with R(j,j) <= 0."""

    r: Array
    p: NDArray[np.intp]
    qtf: Array


def aligned(size: int, offset: int = 0) -> Array:
    """Memory for `size` numbers, `offset` numbers past a multiple of 64 bytes."""
    buffer = np.full(size + 2 * LANES, np.nan)
    first = -(buffer.ctypes.data // 8) % LANES + offset
    return buffer[first : first + size]


class Kernels:
    """One set of kernels, on one path."""

    canary = -1.2345e67
    dependent = 0  # what a factorization has told the next one of the same fit
    acnorm: Array  # the norms of the columns that it has found

    def __init__(self, library: ctypes.CDLL, name: str, path: int = FREE) -> None:
        self.name = name.encode()
        self.path = path
        self.library = library
        library.norm_by.restype = _double
        library.norm_by.argtypes = [_text, _int, _int, _pointer]
        library.difference_by.argtypes = [
            _text, _int, _pointer, _pointer, _double, _pointer
        ]  # fmt: skip
        library.scratch_of.restype = ctypes.c_size_t
        library.factor_by.argtypes = [
            _text, _int, _int, _int, _pointer, _int, *[_pointer] * 10
        ]  # fmt: skip
        if path == FREE:
            self.in_order = Kernels(library, name, IN_ORDER)

    def norm(self, x: Array, offset: int = 0) -> float:
        there = aligned(x.size, offset)
        there[:] = x
        return self.library.norm_by(self.name, self.path, x.size, there.ctypes.data)

    def difference(self, f: Array, fvec: Array, h: float, offset: int = 0) -> Array:
        """The column."""
        m = f.size
        memory = [aligned(m, offset), aligned(m, offset // 2), aligned(m + 1, offset)]
        memory[0][:], memory[1][:] = f, fvec
        column = memory[2]
        column[m] = self.canary
        self.library.difference_by(
            self.name, m, *(a.ctypes.data for a in memory[:2]), h, column.ctypes.data
        )
        assert column[m] == self.canary
        return column[:m]

    def factor(
        self, jacobian: Array, f: Array, offset: int = 0, dependent: int = 0
    ) -> Factors:
        return self._factor(jacobian.T, f, None, offset, dependent)

    def factor_differences(
        self,
        f: Array,
        fvec: Array,
        h: Array,
        offset: int = 0,
        dependent: int = 0,
    ) -> Factors:
        """The factors of (f[j] - fvec)/h[j] by columns."""
        return self._factor(f, fvec, h, offset, dependent)

    def _factor(
        self, columns: Array, f: Array, h: Array | None, offset: int, dependent: int
    ) -> Factors:
        n, m = columns.shape
        remembered = ctypes.c_int(dependent)
        fjac = aligned((m + 1) * n, offset).reshape(n, m + 1)
        fjac[:, :m], fjac[:, m] = columns, self.canary
        last = aligned(m, offset // 2)
        steps = None if h is None else np.array(h)
        if h is not None:  # the last column lies apart
            last[:], fjac[-1, :m] = columns[-1], self.canary
        residuals, r, norms = np.array(f), np.zeros((n, n)), np.zeros(n)
        ipvt, qtf, work = np.zeros(n, np.intc), np.zeros(n), np.zeros(m + 2 * n)
        size = -(-self.library.scratch_of(self.name, m, n) // 8)
        scratch = aligned(size + 1, offset)
        scratch[size] = self.canary
        path = IN_ORDER if self.path == FREE and m < FEW else self.path
        taken = self.library.factor_by(
            self.name, path, m, n, fjac.ctypes.data, m + 1,
            None if steps is None else steps.ctypes.data,
            None if steps is None else last.ctypes.data,
            *(a.ctypes.data for a in (residuals, r, ipvt, qtf, norms, work, scratch)),
            ctypes.addressof(remembered),
        )  # fmt: skip
        self.dependent, self.acnorm = remembered.value, norms
        if self.path == FREE and taken == IN_ORDER:
            self.dependent = GO_IN_ORDER
        assert scratch[size] == self.canary
        assert (fjac[:, m] == self.canary).all()
        assert (residuals == f).all() or np.isnan(f).any()
        return oriented(r, ipvt, qtf)


def oriented(columns: Array, ipvt: NDArray[np.intc], qtf: Array) -> Factors:
    """What a kernel has left."""
    r = np.triu(columns.T)
    signs = np.where(np.diag(r) > 0, -1.0, 1.0)
    return Factors(signs[:, None] * r, ipvt - 1, signs * qtf)


def all_bits(kernels: Kernels, jacobian: Array, f: Array) -> list[bytes]:
    return [a.tobytes() for a in (*kernels.factor(jacobian, f), kernels.acnorm)]

"""The kernels called through ctypes, with canaries around what they write."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arrays import Array

LANES = 8
GO_IN_ORDER = 2  # what a factorization says that leaves its work to such kernels
_pointer, _int, _double = ctypes.c_void_p, ctypes.c_int, ctypes.c_double
_norm = ctypes.CFUNCTYPE(_double, _int, _pointer)
_difference = ctypes.CFUNCTYPE(None, _int, _pointer, _pointer, _double, _pointer)
_factor = ctypes.CFUNCTYPE(
    None, _int, _int, _pointer, _int, *[_pointer] * 5, ctypes.c_double, *[_pointer] * 3
)
_factor_differences = ctypes.CFUNCTYPE(
    None, _int, _int, _pointer, _int, *[_pointer] * 6, ctypes.c_double, *[_pointer] * 3
)


class Table(ctypes.Structure):
    """``lm_kernels``."""

    _fields_ = [
        ("norm", _pointer),
        ("difference", _pointer),
        ("factor", _pointer),
        ("factor_differences", _pointer),
        ("faithful", _int),
        ("few", _int),
        ("many", _int),
        ("in_order", _pointer),
    ]


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
    """One set of kernels. A factorization that it leaves alone is done in order."""

    canary = -1.2345e67
    dependent = 0  # what a factorization has told the next one of the same fit
    acnorm: Array  # the norms of the columns that it has found

    def __init__(self, library: ctypes.CDLL, table: Table) -> None:
        self.scratch = library.lm_fast_scratch
        self.scratch.restype = ctypes.c_size_t
        self._norm = _norm(table.norm)
        self._difference = _difference(table.difference)
        self._factor = _factor(table.factor)
        if table.factor_differences:
            self._factor_differences = _factor_differences(table.factor_differences)
        if table.in_order:
            self.in_order = Kernels(library, Table.from_address(table.in_order))

    def norm(self, x: Array, offset: int = 0) -> float:
        there = aligned(x.size, offset)
        there[:] = x
        return self._norm(x.size, there.ctypes.data)

    def difference(self, f: Array, fvec: Array, h: float, offset: int = 0) -> Array:
        """The column."""
        m = f.size
        memory = [aligned(m, offset), aligned(m, offset // 2), aligned(m + 1, offset)]
        memory[0][:], memory[1][:] = f, fvec
        column = memory[2]
        column[m] = self.canary
        self._difference(m, *(a.ctypes.data for a in memory[:2]), h, column.ctypes.data)
        assert column[m] == self.canary
        return column[:m]

    def factor(
        self, jacobian: Array, f: Array, offset: int = 0, dependent: int = 0
    ) -> Factors:
        m, n = jacobian.shape
        remembered = ctypes.c_int(dependent)
        fjac = aligned((m + 1) * n, offset).reshape(n, m + 1)
        fjac[:, :m], fjac[:, m] = jacobian.T, self.canary
        norms, ipvt = np.zeros(n), np.zeros(n, dtype=np.intc)
        rdiag, work_n, qtf = np.zeros(n), np.zeros(n), np.zeros(m)
        fvec = np.array(f)
        size = -(-self.scratch(m, n) // 8)
        scratch = aligned(size + 1, offset)
        scratch[size] = self.canary
        before = (a.ctypes.data for a in (ipvt, norms, rdiag, work_n, fvec))
        after = (qtf.ctypes.data, ctypes.addressof(remembered), scratch.ctypes.data)
        self._factor(m, n, fjac.ctypes.data, m + 1, *before, self.norm(f), *after)
        self.dependent, self.acnorm = remembered.value, norms
        assert scratch[size] == self.canary
        assert (fjac[:, m] == self.canary).all()
        if self.dependent == GO_IN_ORDER:
            np.testing.assert_array_equal(fjac[:, :m].T, jacobian)
            found = self.in_order.factor(jacobian, f, offset)
            self.acnorm = self.in_order.acnorm
            return found
        return oriented(fjac, ipvt, qtf)

    def factor_differences(
        self,
        f: Array,
        fvec: Array,
        h: Array,
        offset: int = 0,
        dependent: int = 0,
    ) -> Factors:
        """The factors of (f[j] - fvec)/h[j] by columns."""
        n, m = f.shape
        remembered = ctypes.c_int(dependent)
        fjac = aligned((m + 1) * n, offset).reshape(n, m + 1)
        fjac[:-1, :m], fjac[:, m] = f[:-1], self.canary
        last = aligned(m, offset // 2)
        last[:] = f[-1]
        norms, ipvt = np.array(h), np.zeros(n, dtype=np.intc)
        rdiag, work_n, qtf = np.zeros(n), np.zeros(n), np.zeros(m)
        residuals = np.array(fvec)
        size = -(-self.scratch(m, n) // 8)
        scratch = aligned(size + 1, offset)
        scratch[size] = self.canary
        arrays = (last, norms, ipvt, rdiag, work_n, residuals)
        self._factor_differences(
            m, n, fjac.ctypes.data, m + 1, *(a.ctypes.data for a in arrays),
            self.norm(fvec), qtf.ctypes.data, ctypes.addressof(remembered),
            scratch.ctypes.data,
        )  # fmt: skip
        self.dependent, self.acnorm = remembered.value, norms
        assert scratch[size] == self.canary
        assert (fjac[:, m] == self.canary).all()
        assert (last == f[-1]).all() or np.isnan(f[-1]).any()
        if self.dependent == GO_IN_ORDER:
            np.testing.assert_array_equal(fjac[:-1, :m], f[:-1])
            np.testing.assert_array_equal(norms, h)
            found = self.in_order.factor_differences(f, fvec, h, offset)
            self.acnorm = self.in_order.acnorm
            return found
        return oriented(fjac, ipvt, qtf)


def oriented(fjac: Array, ipvt: NDArray[np.intc], qtf: Array) -> Factors:
    """What a kernel has left."""
    n = len(fjac)
    r = np.triu(fjac.T[:n])
    signs = np.where(np.diag(r) > 0, -1.0, 1.0)
    return Factors(signs[:, None] * r, ipvt - 1, signs * qtf[:n])


def all_bits(kernels: Kernels, jacobian: Array, f: Array) -> list[bytes]:
    return [a.tobytes() for a in (*kernels.factor(jacobian, f), kernels.acnorm)]

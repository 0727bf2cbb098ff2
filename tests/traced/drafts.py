"""Descriptions of programs, and calls of what `program_bind` makes of them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minpack import _minpack

ONE = np.array(1.0)


class Draft:
    """A description of a program, whose operands are numbered as they are added.

    They must be added in order: leaves, scalars, then what belongs to each segment.
    """

    def __init__(self, n: int, *leaves: Any) -> None:
        self.n = n
        self.leaves = leaves
        self.count = n + len(leaves)
        self.scalars: list[Any] = []
        self.split = 0
        self.segments: list[Any] = []

    def _add(self, part: list[Any], op: Any, types: str, operands: Any) -> int:
        part.append((op, types, operands))
        self.count += len(types.split("->")[1])
        return self.count - 1  # of two outputs the second one

    def scalar(self, op: Any, types: str, *operands: int, late: bool = False) -> int:
        self.split += not late
        return self._add(self.scalars, op, types, operands)

    def segment(self, length: int) -> None:
        self.segments.append([length, [], [], [], 0, None])

    def full(self, op: Any, types: str, *operands: int) -> int:
        return self._add(self.segments[-1][1], op, types, operands)

    def value(self, op: Any, types: str, *operands: int) -> int:
        return self._add(self.segments[-1][2], op, types, operands)

    def jac(self, op: Any, types: str, *operands: int) -> int:
        return self._add(self.segments[-1][3], op, types, operands)

    def ends(self, out: int, outs: tuple[int, ...] | None = None) -> Draft:
        self.segments[-1][4:] = out, outs
        return self

    def arguments(self) -> tuple[Any, ...]:
        segments = tuple(
            (length, tuple(full), tuple(value), tuple(jac), out, outs)
            for length, full, value, jac, out, outs in self.segments
        )
        return self.n, self.leaves, tuple(self.scalars), self.split, segments

    def build(self) -> Any:
        return _minpack.program(*self.arguments())


def rows(array: Any, k: int = 0) -> tuple[int, int, int, str, bool]:
    """A leaf: data array k, of one dimension."""
    return (k, 0, array.strides[0], array.dtype.char, False)


def decay_draft(t: Any) -> Draft:
    """a exp(-b t) + c, with its derivatives."""
    d = Draft(3, rows(t), ONE)
    rate = d.scalar(np.negative, "d->d", 1)
    factor = d.scalar(np.negative, "d->d", 0, late=True)
    d.segment(len(t))
    e = d.value(np.exp, "d->d", d.value(np.multiply, "dd->d", rate, 3))
    out = d.value(np.add, "dd->d", d.value(np.multiply, "dd->d", 0, e), 2)
    by_rate = d.jac(np.multiply, "dd->d", d.jac(np.multiply, "dd->d", factor, 3), e)
    return d.ends(out, (e, by_rate, 4))


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def raising_draft(n: int, m: int) -> Draft:
    """The first parameter, after a loop that sets an exception."""
    d = Draft(n, np.array(3), np.full(m, -1))
    d.segment(m)
    d.value(np.power, "ll->l", n, n + 1)
    return d.ends(0)


def decay_derivatives(t: Any, a: Any, b: Any, c: Any) -> Any:
    e = np.exp(-b * t)
    return np.stack([e, (-a * t) * e, np.ones_like(t)], axis=-1)


_POINTER = ctypes.pythonapi.PyCapsule_GetPointer
_POINTER.restype = ctypes.c_void_p
_POINTER.argtypes = [ctypes.py_object, ctypes.c_char_p]
_NAME = ctypes.pythonapi.PyCapsule_GetName
_NAME.restype = ctypes.c_char_p
_NAME.argtypes = [ctypes.py_object]
_CONTEXT = ctypes.pythonapi.PyCapsule_GetContext
_CONTEXT.restype = ctypes.c_void_p
_CONTEXT.argtypes = [ctypes.py_object]


def _address(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _call(capsule: Any, m: int, x: Any, to: Any, *ld: int) -> int:
    p, i = ctypes.c_void_p, ctypes.c_int
    kind = ctypes.CFUNCTYPE(i, i, i, p, p, *[i for _ in ld], p)
    function = kind(_POINTER(capsule, _NAME(capsule)))
    arguments = (m, len(x), _address(x), _address(to), *ld, _CONTEXT(capsule))
    return function(*arguments)


def call_values(capsule: Any, m: int, x: Any) -> Any:
    """The values by such a capsule, between numbers that it must not touch."""
    values = np.full(m + 2, 7.5)
    assert _call(capsule, m, x, values[1:]) == 0
    assert values[0] == values[-1] == 7.5
    return values[1:-1]


def call_jacobian(capsule: Any, m: int, x: Any) -> Any:
    """The Jacobian, its columns further apart than they are long."""
    columns = np.full((len(x), m + 3), 7.5)
    assert _call(capsule, m, x, columns, m + 3) == 0
    assert (columns[:, m:] == 7.5).all()
    return columns[:, :m].T


def refuses(capsule: Any, m: int, x: Any) -> bool:
    """Whether it says that there are other residuals or parameters than these."""
    return _call(capsule, m, x, np.empty(m)) < 0


needs_flags = pytest.mark.skipif(
    sys.platform == "win32", reason="the C library is not found by the name None"
)


def floating_point_flags(act: Callable[[], Any]) -> int:
    """Those of division by zero and the like that `act` leaves raised."""
    library = ctypes.CDLL(None)
    library.feclearexcept(0x1F)
    act()
    return int(library.fetestexcept(0x7))


def fit(f: Any, jac: Any, y: Any, p0: Any) -> tuple[Any, ...]:
    return _minpack.curve_fit(
        f, None, y, p0, None, None, jac, None, None, False, True, True, None, None,
        False, False, 1e-8, 1e-8, 0.0, 0, None, 100.0, None, "fast", "linear", 1.0,
        None, False, None, False,
    )  # fmt: skip


def same_bits(a: Any, b: Any) -> bool:
    """Whether all numbers are the same to the last bit; NaN may have any sign."""
    a, b = np.ascontiguousarray(a, float), np.ascontiguousarray(b, float)
    if a.shape != b.shape:
        return False
    same = a.view(np.int64) == b.view(np.int64)
    return bool((same | (np.isnan(a) & np.isnan(b))).all())

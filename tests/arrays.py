"""Arrays of numbers: their type, and the same numbers stored otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Sub(np.ndarray):
    """An array subclass that adds nothing."""


class Column:
    """As a column of a table: an array of numbers that takes no others but its own."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("other labels")


def read_only(values: Any) -> Any:
    values = np.array(values)
    values.flags.writeable = False
    return values


def strided(values: Any) -> Any:
    """The same values, every second row of a larger array."""
    return np.repeat(np.asarray(values), 2, axis=0)[::2]


def backwards(values: Any) -> Any:
    """The same values, at descending addresses."""
    return np.ascontiguousarray(np.asarray(values)[::-1])[::-1]


def byte_swapped(values: Any) -> Any:
    values = np.asarray(values, dtype=float)
    return values.astype(values.dtype.newbyteorder())


def unaligned(values: Any) -> Any:
    """The same values, one byte off."""
    values = np.asarray(values)
    room = np.empty(values.nbytes + 1, dtype=np.uint8)
    shifted = room[1:].view(values.dtype).reshape(values.shape)
    shifted[...] = values
    return shifted


def last_masked(values: Any) -> Any:
    return np.ma.masked_array(values, mask=[False] * (len(values) - 1) + [True])

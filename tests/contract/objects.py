"""Objects that users might hand over in place of plain numbers and arrays."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from contract.calls import decay_residuals

Extra = namedtuple("Extra", "first second")


class AsFloat:
    """A number that knows only __float__."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        return f"AsFloat({self.value})"


class AsIndex:
    """An integer that knows only __index__."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"AsIndex({self.value})"


class AsArray:
    """An object that knows only __array__."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype=dtype)


class RaisesAsFloat:
    """A number, until somebody wants to know it."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind

    def __float__(self) -> float:
        raise self.kind("on purpose")


class Residuals:
    """A callable object, with a method that does the same."""

    def __call__(self, x: Any) -> Any:
        return decay_residuals(x)

    def method(self, x: Any) -> Any:
        return decay_residuals(x)

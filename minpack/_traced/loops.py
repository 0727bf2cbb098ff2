"""Which of NumPy's loops an operation takes, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced import CHARS, INT

if TYPE_CHECKING:
    from collections.abc import Callable


class UntraceableError(TypeError):
    """What cannot be recorded, and what to write instead."""


def refuse(what: str, instead: str) -> UntraceableError:
    """Make the error that says what cannot be recorded, and what to write instead."""
    return UntraceableError(f"{what}; {instead}")


ARITHMETIC = frozenset((
    np.add, np.subtract, np.multiply, np.divide, np.power, np.minimum, np.maximum,
    np.floor_divide, np.remainder, np.arctan2, np.hypot, np.fmin, np.fmax,
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
))  # fmt: skip

_RESOLVED: dict[Any, str] = {}
FLOAT64: dict[np.ufunc, str] = {}  # loops that have been found


def char_of(dtype: Any) -> str:
    """Return the character of a type, the same for all types of 64-bit integers."""
    dtype = np.dtype(dtype)
    return INT if dtype == np.int64 else dtype.char


def _same_types(types: str, other: str) -> bool:
    return types == "".join(c if c in "->?" else char_of(c) for c in other if c != "O")


def all_float64(ufunc: np.ufunc) -> str | None:
    """Return the types of the loop for float64 alone, if there is one."""
    try:
        return FLOAT64[ufunc]
    except KeyError:
        wanted = "d" * ufunc.nin + "->"
        found = [types for types in ufunc.types if types.startswith(wanted)]
        if not found or ufunc.signature is not None:
            return None
        FLOAT64[ufunc] = found[0]
        return found[0]


def resolve(ufunc: np.ufunc, weak: tuple[Any, ...]) -> str:
    """Find the loop that NumPy takes for operands of these types.

    A Python number, which adapts to the others, stands for itself as int or float.
    """
    key = (ufunc, weak)
    types = _RESOLVED.get(key)
    if types is None:
        if ufunc.signature is not None:
            raise refuse(
                f"np.{ufunc.__name__}",
                "only the operator @ is traced of those that work on whole arrays",
            )
        try:
            found = ufunc.resolve_dtypes((*weak, *(None,) * ufunc.nout))
        except TypeError as error:
            raise refuse(f"{ufunc.__name__} of {weak}", str(error)) from None
        chars = [char_of(each) for each in found]
        if "O" in chars:
            raise refuse(
                f"{ufunc.__name__}, a Python function",
                "write it with NumPy's ufuncs and operators",
            )
        if not CHARS.issuperset(chars):
            raise refuse(
                f"{ufunc.__name__} in numbers of type "
                f"{next(np.dtype(c) for c in chars if c not in CHARS)}",
                "compute in float64",
            )
        types = "".join(chars[: ufunc.nin]) + "->" + "".join(chars[ufunc.nin :])
        if not any(_same_types(types, each) for each in ufunc.types):
            raise refuse(
                f"{ufunc.__name__}, which has no loop for {types}",
                "compute in float64",
            )
        _RESOLVED[key] = types
    return types


class _Probe(np.ndarray[Any, Any]):
    """An array that tells which ufunc an operator of NumPy's arrays applies."""

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        return ufunc, inputs


_MOST_POWERS = 1000
_POWERS: dict[Any, tuple[np.ufunc, tuple[Any, ...]]] = {}


def operator_power(char: str, exponent: Any) -> tuple[np.ufunc, tuple[Any, ...]]:
    """Return the ufunc of ``array ** exponent``, and its operands after the array."""
    key = (char, type(exponent), exponent)
    found = _POWERS.get(key)
    if found is None:
        if len(_POWERS) >= _MOST_POWERS:
            _POWERS.clear()
        ufunc, inputs = np.ones(2, char).view(_Probe) ** exponent
        found = _POWERS[key] = (
            ufunc,
            tuple(
                exponent if isinstance(each, np.ndarray) else each
                for each in inputs[1:]
            ),
        )
    return found


def ufunc_of(function: Callable[..., Any], *args: Any) -> np.ufunc:
    """Return the ufunc that a function of NumPy applies to an array."""
    found: np.ufunc = function(np.ones(2).view(_Probe), *args)[0]
    return found

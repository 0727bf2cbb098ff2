"""Functions that return a pair, their values and their Jacobian, as two functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from minpack import _minpack


def check_pair(function: Any, name: str, option: str) -> None:
    """Raise a TypeError where a function cannot return a pair."""
    if _minpack.is_compiled(function, name):
        raise TypeError(
            f"{option}=True is for a Python {name}: a compiled one returns no Jacobian "
            "beside its values, but in single fits one that computes a range of rows"
        )
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def pair_of(answer: Any, name: str, option: str) -> tuple[Any, Any]:
    """Return the values and the Jacobian that a function has returned."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(
            f"{name} must return a tuple of its values and their Jacobian, as "
            f"{option}=True says, not {type(answer).__name__}"
        )
    return answer


def two_functions(function: Any, name: str, option: str) -> tuple[Any, Any]:
    """Return the functions of the values and of the Jacobian of a single fit.

    The second answers from the last call of the first where that was at the same
    parameters: the first argument, or for a model `f` all after it. A compiled function
    of a range of rows needs no second one: True is returned in its place.
    """
    if _minpack.takes_range(function, name):
        return function, True
    check_pair(function, name, option)
    parameters = slice(1, None) if name == "f" else slice(1)
    last: list[Any] = [None, None]  # where `function` was called, and its Jacobian

    def place(args: tuple[Any, ...]) -> bytes:  # before `function` changes its own
        return np.array(args[parameters]).tobytes()

    def values(*args: Any, **kwargs: Any) -> Any:
        last[0] = place(args)
        answer, last[1] = pair_of(function(*args, **kwargs), name, option)
        return answer

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        if last[0] != place(args):
            values(*args, **kwargs)
        return last[1]

    return values, jacobian

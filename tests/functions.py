"""What functions do besides their work: raise, act at one point, call another."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class OnPurposeError(Exception):
    """What a user's own code raises."""


class Stop(BaseException):
    """The same, and no Exception."""


def raising(kind: type[BaseException]) -> Callable[..., Any]:
    """A function that raises, whatever it is given."""

    def act(*_: Any, **__: Any) -> Any:
        raise kind("on purpose")

    return act


def ignoring_args(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda x, *args: function(x)


def at_point(
    number: int, act: Callable[[Any], Any], function: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """`function`, but `act(result)` at the distinct point `number`, from 1.

    Points are counted, not calls: an implementation that evaluates its start
    three times is still at point 1.
    """
    points: list[tuple[float, ...]] = []

    def counted(x: Any) -> Any:
        point = tuple(np.asarray(x, dtype=float))
        if point not in points:
            points.append(point)
        result = function(x)
        return act(result) if points.index(point) + 1 == number else result

    return counted


def wrapped(call: dict[str, Any], wrap: Callable[[Any], Any]) -> dict[str, Any]:
    """The call with its func, and its Dfun if it has one, wrapped."""
    return call | {name: wrap(call[name]) for name in ("func", "Dfun") if name in call}


class Pair:
    """A function that returns what two others do, and counts its calls."""

    def __init__(
        self, values: Callable[..., Any], jacobian: Callable[..., Any]
    ) -> None:
        self.functions = values, jacobian
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return tuple(function(*args) for function in self.functions)


NO_PAIRS: dict[str, Any] = {
    "an array": np.ones((2, 30)),
    "a list": [np.ones(30), np.ones((30, 3))],
    "one thing": (np.ones(30),),
    "three": (1.0, 2.0, 3.0),
    "nothing": None,
}


def no_pair(name: str, option: str, answer: Any) -> str:
    """A pattern of the message about a function that returns `answer` and no pair."""
    return (
        f"^{name} must return a tuple of its values and their Jacobian, as "
        rf"{option}=True says, not (numpy\.)?{type(answer).__name__}$"
    )


COMPILED = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_double),
    ctypes.c_void_p,
)(lambda m, n, x, fvec, user_data: 0)


def killing_once(once: Path, function: Callable[..., Any], *args: Any) -> Any:
    """`function`; but who calls it first is killed, as by a machine out of memory."""
    try:
        once.touch(exist_ok=False)
    except FileExistsError:
        return function(*args)
    once.write_text(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)

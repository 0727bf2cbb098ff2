"""least_squares leaves no memory behind, where memory runs out neither."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest

from fits import plain
from functions import raising
from memory import each_extent, fail_each_allocation, references
from minpack import _minpack, least_squares
from models import soft

T = np.linspace(0.0, 1.0, 7)
Y = np.cos(T)
START = np.array([1.0, 1.0])
SCALE = np.array([1.0, 2.0])
LOWER = np.array([0.0, 0.5])
ARGS = tuple(object() for _ in range(5))
KWARGS = {name: object() for name in "abcde"}


def residuals(x: Any, *args: Any, **kwargs: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) - Y


def columns(x: Any) -> Any:
    return (x[0, :, None] * np.exp(-x[1, :, None] * T) - Y).T


def one_by_one(f: Any, points: list[Any]) -> list[Any]:
    return [f(x) for x in points]


def jacobian(x: Any, *args: Any, **kwargs: Any) -> Any:
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e], axis=1)


CALLS: dict[str, dict[str, Any]] = {
    "2-point": {},
    "3-point": {"jac": "3-point"},
    "cs": {"jac": "cs"},
    "jac": {"jac": jacobian},
    "bounds": {"bounds": (LOWER, [np.inf, 1.0])},
    "acceleration": {"acceleration": True},
    "options": {"x_scale": SCALE, "diff_step": SCALE * 1e-7},
    "args and kwargs": {"args": ARGS, "kwargs": KWARGS, "jac": jacobian},
    "a list of args": {"args": list(ARGS)},
    "a named loss": {"loss": "cauchy"},
    "a loss": {"loss": soft, "bounds": (LOWER, 9)},
    "callback": {"callback": lambda x: None},
    "callback that stops": {"callback": raising(StopIteration)},
    "callback that raises": {"callback": raising(LookupError)},
    "vectorized": {"fun": columns, "vectorized": True},
    "vectorized, of a wrong shape": {"fun": residuals, "vectorized": True},
    "workers": {"workers": one_by_one},
    "workers that return too few": {"workers": lambda f, points: []},
    "fun raises": {"fun": raising(LookupError)},
    "jac raises": {"jac": raising(LookupError)},
    "loss raises": {"loss": raising(LookupError)},
    "loss of a wrong shape": {"loss": lambda z: z},
    "loss that is negative": {"loss": lambda z: -np.stack([z, z, z])},
    "loss of complex numbers": {"loss": lambda z: [z * 1j] * 3},
    "no complex residuals": {"jac": "cs", "fun": lambda x: np.real(x)},
    "other complex residuals": {
        "jac": "cs",
        "fun": lambda x: x[: 2 - np.iscomplexobj(x)],
    },
    "not finite at x0": {"fun": lambda x: x * np.nan},
    "overflow at x0": {"fun": lambda x: x * 1.5e308},
    "not finite later": {"fun": lambda x: x / (x == START)},
    "too few residuals": {"fun": lambda x: x[:1]},
    "keys that are no text": {"kwargs": {1: 1}},
    "no such jac": {"jac": "4-point"},
    "no such loss": {"loss": "hinge"},
    "no scale": {"f_scale": None},
    "no tolerance": {"ftol": None},
    "no args": {"args": None},
}

HANDED = [START, SCALE, LOWER, residuals, jacobian, *ARGS, *KWARGS.values()]
HANDED += [item for call in CALLS.values() for item in call.values()]


def outcome(call: dict[str, Any]) -> str:
    """How the call ends."""
    try:
        with np.errstate(all="ignore"):
            fit = least_squares(**{"fun": residuals, "x0": START} | call)
        return repr({name: plain(part) for name, part in fit.items()})
    except MemoryError:
        return "MemoryError"
    except Exception as error:
        return repr(error)


def test_ten_thousands_of_calls_leave_memory_and_references_alone() -> None:
    def call_all(times: int) -> None:
        for _ in range(times):
            for call in CALLS.values():
                outcome(call)
        gc.collect()

    call_all(100)
    counts, blocks = references(HANDED), sys.getallocatedblocks()
    call_all(1000)
    assert references(HANDED) == counts
    assert sys.getallocatedblocks() - blocks < 500


@each_extent
@pytest.mark.parametrize("name", CALLS)
def test_a_failed_allocation_is_a_memory_error_and_leaks_nothing(
    memory: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    alone: bool,
) -> None:
    if name.endswith("at x0") and not getattr(sys, "_is_gil_enabled", lambda: True)():
        pytest.skip(
            "without its lock, CPython 3.13 crashes where it cannot make a list"
        )
    call = {"fun": residuals} | CALLS[name]
    for role in {"fun", "jac", "loss"} & call.keys():
        if callable(call[role]):
            call[role] = memory.sparing(call[role])

    def act() -> str:
        before = references(HANDED)
        ended = outcome(call)
        assert references(HANDED) == before
        return ended

    expected = act()
    failing = memory.failing(_minpack.least_squares)

    def solve(*args: Any) -> Any:
        *others, observer, vectorized, workers, bends = args
        observer, workers = (f and memory.sparing(f) for f in (observer, workers))
        return failing(*others, observer, vectorized, workers, bends)

    monkeypatch.setattr(_minpack, "least_squares", solve)
    fail_each_allocation(memory, alone, act, expected)

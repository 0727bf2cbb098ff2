"""Hundreds of thousands of calls, errors among them, leave the process as it was."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from functions import raising
from memory import references
from minpack import OptimizeWarning, curve_fit, leastsq

CALLS = 250_000
PAGE = os.sysconf("SC_PAGESIZE") if hasattr(os, "sysconf") else 0
STATM = Path("/proc/self/statm")

# A straight line through five points: a fit is short and no function has a state.
A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
Y = np.array([1.0, 3.0, 4.0, 7.5, 8.0])
WIDE = np.tile(A, (200, 1))
START = np.array([0.25, 0.25])
DIAG = np.array([1.0, 2.0])
ARGS = tuple(object() for _ in range(7))


T = A[:, 1].copy()
COVARIANCE = np.eye(5) + 0.5


def model(t: Any, a: Any, b: Any) -> Any:
    return a + b * t


def residuals(x: Any, *args: Any) -> Any:
    return A @ x - Y


def jacobian(x: Any, *args: Any) -> Any:
    return A


def at_first(act: Callable[[Any], Any], function: Any = residuals) -> Any:
    return lambda x, *args: act(function(x))


def later(act: Callable[[Any], Any], function: Any = residuals) -> Any:
    """`function`, but with `act` on its results away from the start."""
    return lambda x, *args: act(function(x)) if x[0] != START[0] else function(x)


# Each with the exception it ends in.
GOOD: list[tuple[dict[str, Any], None]] = [
    ({}, None),
    ({"Dfun": jacobian}, None),
    ({"Dfun": lambda x, *args: A.T, "col_deriv": True}, None),
    ({"diag": DIAG, "factor": 0.5}, None),
    ({"args": ARGS, "Dfun": jacobian}, None),
    ({"x0": START.tolist()}, None),
    ({"x0": 0.5, "func": lambda x: x - 2.0}, None),
    ({"func": lambda x: WIDE @ x - 1.0, "full_output": True}, None),
    ({"func": at_first(np.ndarray.tolist)}, None),
    ({"func": at_first(np.float32)}, None),
    ({"Dfun": at_first(np.ndarray.tolist, jacobian)}, None),
    ({"maxfev": 1, "full_output": True}, None),
    ({"x0": [], "func": lambda x: Y, "full_output": True}, None),
]
BAD: list[tuple[dict[str, Any], type[BaseException]]] = [
    ({"func": at_first(raising(LookupError))}, LookupError),
    ({"func": later(raising(LookupError))}, LookupError),
    ({"func": later(raising(KeyboardInterrupt))}, KeyboardInterrupt),
    ({"Dfun": at_first(raising(LookupError), jacobian)}, LookupError),
    ({"Dfun": "2-point"}, TypeError),
    ({"func": None}, TypeError),
    # The wrong sizes and shapes
    ({"func": at_first(lambda r: r[:1])}, TypeError),
    ({"func": later(lambda r: r[:4])}, ValueError),
    ({"func": at_first(lambda r: r.reshape(5, 1))}, ValueError),
    ({"Dfun": at_first(np.transpose, jacobian)}, TypeError),
    ({"Dfun": at_first(np.ravel, jacobian)}, TypeError),
    ({"diag": [1.0]}, ValueError),
    ({"diag": [DIAG]}, ValueError),
    # The wrong types
    ({"func": at_first(lambda r: r + 0j)}, TypeError),
    ({"func": later(lambda r: ["a"] * 5)}, TypeError),
    ({"func": at_first(lambda r: [object()] * 5)}, TypeError),
    ({"Dfun": at_first(lambda j: j + 0j, jacobian)}, TypeError),
    ({"x0": "start"}, TypeError),
    ({"x0": [[1.0], [1.0, 2.0]]}, ValueError),
    ({"diag": DIAG + 0j}, TypeError),
    ({"ftol": "small"}, TypeError),
    ({"epsfcn": 10**400}, OverflowError),
    ({"maxfev": "many"}, TypeError),
    ({"maxfev": 2**40}, OverflowError),
    # And what Python makes of the outcome
    ({"factor": -1.0}, TypeError),
    ({"maxfev": 1}, RuntimeWarning),
]
# The same with a model and data, all with an f.
CURVES: list[tuple[dict[str, Any], type[BaseException] | None]] = [
    ({"f": model}, None),
    ({"f": model, "p0": None}, None),
    ({"f": model, "sigma": Y, "full_output": True}, None),
    ({"f": model, "sigma": 0.5, "jac": lambda *args: A}, None),
    ({"f": model, "sigma": COVARIANCE, "jac": lambda *args: A}, None),
    ({"f": lambda *args: model(*args).tolist(), "sigma": Y}, None),
    ({"f": lambda t, *p: np.polyval(p, t), "p0": np.ones(1)}, None),
    ({"f": lambda t, *p: WIDE @ p[:2] - p[-1], "p0": np.ones(9), "ydata": 1.0},
     OptimizeWarning),
    ({"f": model, "bounds": (0, 1.5), "full_output": True}, None),
    ({"f": model, "xdata": None}, TypeError),
    ({"f": lambda *args: None}, TypeError),
    ({"f": lambda *args: A}, ValueError),
    ({"f": lambda *args: Y[:4]}, ValueError),
    ({"f": raising(LookupError)}, LookupError),
    ({"f": model, "jac": lambda *args: A.T, "sigma": Y}, TypeError),
    ({"f": model, "p0": np.ones(6)}, TypeError),
    ({"f": model, "ydata": Y * np.nan}, ValueError),
    ({"f": model, "sigma": Y * 0}, ValueError),
    ({"f": model, "p0": 1j}, TypeError),
    ({"f": None}, TypeError),
    ({"f": model, "maxfev": 1}, RuntimeError),
]  # fmt: skip
CASES = [*GOOD, *BAD, *CURVES]


def call(changes: dict[str, Any]) -> type[BaseException] | None:
    """Fit and drop the result; the kind of exception is all that remains."""
    try:
        if "f" in changes:
            curve_fit(**{"xdata": T, "ydata": Y, "p0": START} | changes)
        else:
            leastsq(**{"func": residuals, "x0": START} | changes)
    except (Exception, KeyboardInterrupt) as error:
        return type(error)
    return None


def call_all(calls: int) -> None:
    for _ in range(calls // len(CASES)):
        for changes, kind in CASES:
            assert call(changes) is kind, changes
    gc.collect()


HANDED = [START, DIAG, ARGS, *ARGS, A, T, Y, residuals, jacobian]
HANDED += [item for changes, _ in CASES for item in changes.values()]


def resident() -> int:
    """The resident memory of this process in bytes."""
    return int(STATM.read_text().split()[1]) * PAGE


def test_a_quarter_of_a_million_calls_leave_memory_and_references_alone() -> None:
    # The interpreter's own caches fill up first: its type cache alone holds 4096
    # names, and error messages with a dtype in them make new ones.
    call_all(CALLS // 10)
    counts, blocks = references(HANDED), sys.getallocatedblocks()
    memory = resident() if STATM.exists() else 0

    call_all(CALLS)

    assert references(HANDED) == counts
    # A leak of one object in one kind of call would be CALLS/len(CASES) = 4166 blocks.
    assert sys.getallocatedblocks() - blocks < 1000
    if memory:
        assert resident() - memory < 500_000

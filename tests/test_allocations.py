"""Where memory runs out, a fit raises MemoryError and leaves nothing behind.

Every allocation of a call is made to fail, one after the other: those of Python's
three allocators and those of NumPy for the data of arrays. The library allocates
nothing (test_classic.py). What the user's functions allocate themselves is let alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.calls import (
    Call,
    decay,
    decay_jacobian,
    decay_jacobian_by_columns,
    decay_residuals,
    decay_with_columns,
    decay_with_jacobian,
    rate,
    sum_alone,
)
from fits import plain
from functions import at_point, ignoring_args, raising
from memory import each_extent, fail_each_allocation, references
from minpack import _minpack, curve_fit, curve_fit_batch, leastsq, leastsq_batch

T = np.linspace(0.0, 1.0, 1000)
LONG = np.linspace(0.5, 1.0, 40_000)
KEPT = np.ones(10)


def exponential_residuals(x: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) - np.cos(T)


def exponential_jacobian(x: Any) -> Any:
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e], axis=1)


def large_residuals(x: Any) -> Any:
    return x[0] * LONG - 1.0


def large(**changes: Any) -> Call:
    """A call of leastsq with enough residuals for a handler of NumPy's memory."""
    return {"func": large_residuals, "x0": [1.0]} | changes


def exponential(t: Any, *p: Any) -> Any:
    return sum(p[1:]) * np.exp(-p[0] * t)


def model(**changes: Any) -> Call:
    """A call of curve_fit: a fit of two parameters to ten points, with `changes`."""
    t = np.linspace(0.0, 4.0, 10)
    return {
        "f": exponential,
        "xdata": t,
        "ydata": 2.5 * np.exp(-1.3 * t) + 0.05 * np.cos(7.0 * t),
        "p0": np.ones(2),
    } | changes


def model_derivatives(t: Any, a: Any, b: Any) -> Any:
    e = np.exp(-a * t)
    return np.stack([-b * t * e, e], axis=1)


def with_seven_more(call: Call) -> Call:
    """The call with more arguments than it can pass without an allocation."""
    functions = {name: ignoring_args(call[name]) for name in ("func", "Dfun")}
    return call | functions | {"args": tuple(object() for _ in range(7))}


def later(convert: Callable[[Any], Any], function: Callable[[Any], Any]) -> Any:
    """The third and later answers of `function` go through `convert`."""
    calls = 0

    def counted(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return convert(function(x)) if calls > 2 else function(x)

    return counted


# Built afresh for each call: some functions count.
CALLS: dict[str, Callable[[], Call]] = {
    "short": decay,
    "full": lambda: decay(full_output=True),
    "Dfun": lambda: decay_with_jacobian(full_output=True),
    "Dfun by columns": lambda: decay_with_columns(full_output=True),
    "diag": lambda: decay(diag=np.array([1.0, 20.0]), full_output=True),
    "diag in a list": lambda: decay(diag=[1, 20], full_output=True),
    "seven more arguments": lambda: with_seven_more(decay_with_jacobian()),
    "one parameter": lambda: rate(full_output=True),
    "one parameter in a number": lambda: rate(x0=0.5),
    "1000 residuals": lambda: {
        "func": exponential_residuals, "x0": [1.0, 1.0], "full_output": True,
    },
    "1000 residuals, Dfun": lambda: {
        "func": exponential_residuals, "x0": [1.0, 1.0], "Dfun": exponential_jacobian,
    },
    "residuals in a list": lambda: decay(func=lambda x: decay_residuals(x).tolist()),
    "residuals in objects": lambda: decay(
        func=lambda x: [Number(r) for r in decay_residuals(x)]
    ),
    "residuals in float32": lambda: decay(
        func=lambda x: decay_residuals(x).astype(np.float32)
    ),
    "residuals in long doubles": lambda: decay(
        func=lambda x: list(decay_residuals(x).astype(np.longdouble))
    ),
    "residual in a number": lambda: {"func": lambda x: x[0] ** 2 - 2, "x0": 1.0},
    "residuals that stay another's": lambda: decay(func=keeping(decay_residuals)),
    "Jacobian in lists": lambda: decay(Dfun=lambda x: decay_jacobian(x).tolist()),
    "singular": lambda: sum_alone(full_output=True),
    "no parameters": lambda: decay(x0=[], func=lambda x: np.ones(3), full_output=True),
    "maxfev reached": lambda: decay(maxfev=3),
    "maxfev reached, full": lambda: decay(maxfev=3, full_output=True),
    "func cannot be called": lambda: decay(func=1),
    "func raises": lambda: decay(func=raising(ValueError)),
    "func raises later": lambda: decay(
        func=at_point(3, raising(LookupError), decay_residuals)
    ),
    "Dfun raises": lambda: decay(Dfun=raising(ValueError)),
    "residuals in text": lambda: decay(func=lambda x: list("abc")),
    "residuals with text among them": lambda: decay(func=lambda x: ["a", None]),
    "residuals with None among them": lambda: decay(func=lambda x: [1.0, None]),
    "residuals too large for float64": lambda: decay(func=lambda x: [10**400, None]),
    "residuals in a ragged list": lambda: decay(func=lambda x: [[1.0], [1.0, 2.0]]),
    "residuals in objects of an array": lambda: decay(
        func=lambda x: np.array([None, None])
    ),
    "residuals in a table": lambda: decay(func=lambda x: np.ones((5, 2))),
    "fewer residuals than parameters": lambda: decay(func=lambda x: [1.0]),
    "fewer residuals later": lambda: decay(
        func=later(lambda r: r[1:], decay_residuals)
    ),
    "Jacobian of the wrong shape": lambda: decay(Dfun=decay_jacobian_by_columns),
    "Jacobian in complex numbers": lambda: decay(Dfun=lambda x: decay_jacobian(x) + 0j),
    "x0 in text": lambda: decay(x0=["a"]),
    "diag of the wrong length": lambda: decay(diag=[1.0]),
    "diag in a table": lambda: decay(diag=np.ones((2, 1))),
    "ftol is text": lambda: decay(ftol="small"),
    "gtol is too large": lambda: decay(gtol=10**400),
    "maxfev is text": lambda: decay(maxfev="many"),
    "maxfev is too large": lambda: decay(maxfev=2**40),
    "factor is negative": lambda: decay(factor=-1.0),
    "factor is negative, full": lambda: decay(
        factor=-1.0, func=keeping(decay_residuals), full_output=True
    ),
    "model": model,
    "model, vectorized": lambda: model(vectorized=True),
    "model, full": lambda: model(full_output=True),
    "model, sigma, jac": lambda: model(sigma=np.ones(10), jac=model_derivatives),
    "model, covariance": lambda: model(sigma=np.eye(10) + 0.5),
    "model, bounds": lambda: model(bounds=(0, 2)),
    "model of nine parameters": lambda: model(p0=np.ones(9), full_output=True),
    "model whose values stay another's": lambda: model(
        f=lambda *p: np.multiply(exponential(*p), 1.0, out=KEPT)
    ),
    "model of lists": lambda: model(f=lambda *p: exponential(*p).tolist()),
    "model of one value": lambda: model(f=lambda t, a: a, p0=1.0),
    "model of the wrong length": lambda: model(f=lambda *p: exponential(*p)[1:]),
    "model without parameters": lambda: model(p0=[]),
    "sigma is zero": lambda: model(sigma=0),
    "ydata infinite": lambda: model(ydata=np.full(10, np.inf)),
    "more parameters than data": lambda: model(p0=np.ones(11)),
    "jac is no function": lambda: model(jac=1),
}  # fmt: skip


class Number:
    """A number that NumPy does not know."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return float(self.value)


def keeping(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function`, which writes all its answers into one array."""
    answer = function(np.ones(2))

    def wrapper(x: Any) -> Any:
        answer[:] = function(x)
        return answer

    return wrapper


def build(make: Callable[[], Call], memory: Any) -> Call:
    """A call in which no allocation of the user's functions fails."""
    call = make()
    for name in {"func", "Dfun", "f", "jac"} & call.keys():
        if callable(call[name]):
            call[name] = memory.sparing(call[name])
    return call


def outcome(call: Call) -> str:
    """How the call ends."""
    fit, fit_many = (
        (curve_fit, curve_fit_batch) if "f" in call else (leastsq, leastsq_batch)
    )
    try:
        if "workers" not in call:
            return repr(plain(fit(**call)))
        result = fit_many(**call)
        return repr([result.x.tolist(), result.cov.tolist(), result.nfev.tolist()])
    except MemoryError:
        return "MemoryError"
    except Exception as error:
        return repr(error)


def fail_within(
    memory: Any,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], Call],
    entries: list[str],
    alone: bool,
) -> None:
    """Let a call meet each allocation failing that these functions of ours make."""

    def act() -> str:
        call = build(make, memory)
        handed = [*call.values(), *call.get("args", ())]
        before = references(handed)
        ended = outcome(call)
        assert references(handed) == before
        return ended

    expected = act()
    for name in entries:
        monkeypatch.setattr(_minpack, name, memory.failing(getattr(_minpack, name)))
    fail_each_allocation(memory, alone, act, expected)


@each_extent
@pytest.mark.parametrize("make", CALLS.values(), ids=CALLS)
def test_a_failed_allocation_is_a_memory_error_and_leaks_nothing(
    memory: Any, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Call], alone: bool
) -> None:
    fail_within(memory, monkeypatch, make, ["leastsq", "curve_fit"], alone)


@pytest.mark.parametrize(
    "make", [large, lambda: large(func=later(raising(LookupError), large_residuals))]
)
def test_a_fit_that_keeps_memory_survives_a_failed_allocation(
    memory: Any, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Call]
) -> None:
    """One at a time: Python's PyContextVar_Set crashes where two of its own fail."""
    fail_within(memory, monkeypatch, make, ["leastsq"], alone=True)


def batch(**changes: Any) -> Call:
    """A call of curve_fit_batch: three fits of two parameters, with `changes`.

    Each starts elsewhere, so that Python compares nothing once the batch is under way.
    """
    t = np.linspace(0.0, 4.0, 10)
    rates = np.array([[1.3], [0.4], [2.0]])
    return {
        "f": lambda t, a, b: b * np.exp(-a * t),
        "xdata": t,
        "ydata": 2.5 * np.exp(-rates * t) + 0.05 * np.cos(7.0 * t),
        "p0": np.array([[1.0, 1.0], [1.2, 0.8], [0.8, 1.2]]),
        "workers": 1,
        "trace": False,  # allocations are counted in this thread alone
    } | changes


def batch_derivatives(t: Any, a: Any, b: Any) -> Any:
    e = np.exp(-a * t)
    return np.stack([-b * t * e, e], axis=-1)


def pair_of_batch(t: Any, a: Any, b: Any) -> Any:
    return b * np.exp(-a * t), batch_derivatives(t, a, b)


def pair_of_lists(t: Any, a: Any, b: Any) -> Any:
    values, derivatives = pair_of_batch(t, a, b)
    return values.tolist(), derivatives.tolist()


def pair_at_first() -> Callable[..., Any]:
    calls = itertools.count(1)
    return lambda *args: pair_of_batch(*args)[: 2 if next(calls) < 7 else 1]


def in_the_end(function: Callable[..., Any]) -> Callable[..., Any]:
    """A model that is `function` once the batch is under way."""
    calls = itertools.count(1)

    def model(t: Any, a: Any, b: Any) -> Any:
        return function(t, a, b) if next(calls) > 6 else b * np.exp(-a * t)

    return model


BATCHES: dict[str, Callable[[], Call]] = {
    "model": batch,
    "sigma, jac": lambda: batch(sigma=np.ones(10), jac=batch_derivatives),
    "mask, bounds": lambda: batch(mask=np.arange(10) > 8, bounds=(0, 2)),
    "a loss": lambda: batch(loss="huber", f_scale=0.1, diff_step=1e-6),
    "pairs": lambda: batch(f=pair_of_batch, jac=True),
    "pairs in lists": lambda: batch(f=pair_of_lists, jac=True),
    "no pair": lambda: batch(f=pair_at_first(), jac=True),
    "x of its own": lambda: batch(xdata=np.linspace(np.zeros(3), 4, 10, axis=1)),
    "values in lists": lambda: batch(f=lambda t, a, b: (b - a * t).tolist()),
    "values in float32": lambda: batch(f=lambda t, a, b: np.float32(b - a * t)),
    "values of the wrong shape": lambda: batch(
        f=in_the_end(lambda *p: np.ones((2, 3, 4)))
    ),
    "model raises": lambda: batch(f=in_the_end(raising(ValueError))),
    "residuals": lambda: {
        "func": lambda x, rows: x[:, :1] * np.exp(-x[:, 1:] * T[::100]) - 0.5,
        "x0": np.ones((3, 2)),
        "workers": 1,
        "trace": False,
    },
}


@each_extent
@pytest.mark.parametrize("entry", ["batch", "batch_work"])
@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_a_failed_allocation_ends_a_batch_and_leaks_nothing(
    memory: Any,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], Call],
    entry: str,
    alone: bool,
) -> None:
    fail_within(memory, monkeypatch, make, [entry], alone)


@each_extent
def test_the_list_of_instruction_sets_survives_failed_allocations(
    memory: Any, alone: bool
) -> None:
    instruction_sets = memory.failing(_minpack.instruction_sets)

    def act() -> str:
        try:
            return repr(instruction_sets())
        except MemoryError:
            return "MemoryError"

    fail_each_allocation(memory, alone, act, repr(_minpack.instruction_sets()))

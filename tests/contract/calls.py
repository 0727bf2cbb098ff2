"""What a case is, and the fits that the cases vary."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Call = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A named call of leastsq, built afresh each time.

    Two implementations that run the same case start from equal arguments and
    share no array, counter or buffer. A case says only what to call; what must
    come back is for the test to say.

    name
        What is special about the call.
    build
        Gives the keyword arguments; "positional" holds those after x0 that go
        by position.
    argument
        The word that minpack's message must contain if the call raises. None:
        the exception is the user's own, and passes as it is.
    rtol
        How far apart two solutions may be.
    noisy
        The Jacobian at the solution is rounding error: compare shapes alone.
    """

    name: str
    build: Callable[[], Call]
    argument: str | None = None
    rtol: float = 1e-7
    noisy: bool = False


def over(
    text: str,
    values: Iterable[Any],
    build: Callable[[Any], Call],
    argument: str | None = None,
) -> list[Case]:
    """One case a value, for values that nobody can change."""
    return [
        Case(f"{text} {label(value)}", functools.partial(build, value), argument)
        for value in values
    ]


def made(
    text: str,
    makers: Mapping[str, Callable[[], Any]],
    build: Callable[[Any], Call],
    argument: str | None = None,
) -> list[Case]:
    """One case a maker, for values that have to be fresh."""

    def fresh(make: Callable[[], Any]) -> Call:
        return build(make())

    return [
        Case(f"{text} {name}", functools.partial(fresh, make), argument)
        for name, make in makers.items()
    ]


def label(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"a long {type(value).__name__}"


# The fits -------------------------------------------------------------------

T = np.linspace(0.0, 4.0, 10)
Y = 2.5 * np.exp(-1.3 * T) + 0.05 * np.cos(7.0 * T)


def decay_residuals(x: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) - Y


def decay_jacobian(x: Any) -> Any:
    """A row a residual: shape (m, n)."""
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e], axis=1)


def decay_jacobian_by_columns(x: Any) -> Any:
    """A row a parameter: shape (n, m)."""
    return np.ascontiguousarray(decay_jacobian(x).T)


def decay(**changes: Any) -> Call:
    """A well-conditioned fit of two parameters to ten points, with `changes`."""
    return {"func": decay_residuals, "x0": np.array([1.0, 1.0])} | changes


def decay_with_jacobian(**changes: Any) -> Call:
    return decay(Dfun=decay_jacobian) | changes


def decay_with_columns(**changes: Any) -> Call:
    return decay(Dfun=decay_jacobian_by_columns, col_deriv=True) | changes


def decay_returning(convert: Callable[[Any], Any], **changes: Any) -> Call:
    """The residuals go through `convert` before func returns them."""
    return decay(func=lambda x: convert(decay_residuals(x))) | changes


def jacobian_returning(convert: Callable[[Any], Any], **changes: Any) -> Call:
    """The Jacobian goes through `convert` before Dfun returns it."""
    return decay(Dfun=lambda x: convert(decay_jacobian(x))) | changes


def rate_residuals(x: Any) -> Any:
    return np.exp(x[0] * -T) - Y / 2.5


def rate_derivatives(x: Any) -> Any:
    """The Jacobian, flat: shape (m,)."""
    return -T * np.exp(x[0] * -T)


def rate(**changes: Any) -> Call:
    """A fit of one parameter to ten points."""
    return {"func": rate_residuals, "x0": np.array([0.5])} | changes


def single(func: Callable[[Any], Any], **changes: Any) -> Call:
    """A fit of one parameter to the one residual that func returns."""
    return {"func": func, "x0": np.array([0.5])} | changes


def constant(**changes: Any) -> Call:
    """A fit of one parameter that func does not even look at."""
    return {"func": lambda x: np.ones(3), "x0": np.array([0.5])} | changes


def rosenbrock_residuals(x: Any) -> Any:
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def rosenbrock_jacobian(x: Any) -> Any:
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])


def rosenbrock(**changes: Any) -> Call:
    """Two residuals of two parameters, zero at the solution."""
    return {"func": rosenbrock_residuals, "x0": [-1.2, 1.0]} | changes


def line(**changes: Any) -> Call:
    """A straight line through four points that do not lie on one."""
    t = np.array([0.0, 1.0, 2.0, 3.0])
    y = np.array([1.0, 3.0, 4.0, 7.5])
    return {"func": lambda x: x[0] + x[1] * t - y, "x0": [0.0, 0.0]} | changes


def sum_alone(**changes: Any) -> Call:
    """Residuals that depend on the sum of two parameters, exact in binary."""

    def func(x: Any) -> Any:
        return np.array([2.0 * (x[0] + x[1]) - 1.0, 3.0, 5.0])

    return {"func": func, "x0": [1.0, 2.0], "gtol": 1e-6} | changes


def with_args(*expected: Any, **changes: Any) -> Call:
    """A fit whose func wants just these arguments after x."""

    def func(x: Any, *rest: Any) -> Any:
        assert repr(rest) == repr(expected)
        return decay_residuals(x)

    return decay(func=func) | changes

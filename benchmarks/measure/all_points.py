"""Differences in one call of the function, beside one call for each point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from measure.cases import Array
from measure.timing import interleaved, repeatedly
from minpack import leastsq

SIZES = ((50, 3), (30, 6), (100, 10))


class Fit(NamedTuple):
    """A size, the calls of both functions in a fit, and the seconds of some fits."""

    m: int
    n: int
    calls: list[int]
    times: dict[str, list[float]]


def _decays(x: Array, t: Array) -> Any:
    """Return a constant, a slope where n is even, and decays: n parameters."""
    values, first = x[0], 1
    if len(x) % 2 == 0:
        values, first = x[0] + x[1] * t, 2
    for k in range(first, len(x), 2):
        values = values + x[k] * np.exp(-x[k + 1] * t)
    return values


def _start(n: int) -> Array:
    """Return a start for these decays, each three times as fast as the one before."""
    rates = slice(3 if n % 2 == 0 else 2, None, 2)
    x = np.ones(n)
    x[rates] = 0.4 * 3.0 ** np.arange(x[rates].size)
    return x


def _calls(one: Any, many: Any, start: Array, options: dict[str, Any]) -> list[int]:
    """Count the calls of both functions in a fit."""
    counts = []
    for func, vectorized in ((one, False), (many, True)):
        calls: list[Array] = []

        def counted(x: Array, func: Any = func, calls: list[Array] = calls) -> Any:
            calls.append(x)
            return func(x)

        leastsq(counted, start, vectorized=vectorized, full_output=True, **options)
        counts.append(len(calls))
    return counts


def fits() -> Iterator[Fit]:
    """Time fits whose function takes all points of a Jacobian in one call."""
    for m, n in SIZES:
        t = np.linspace(0, 4, m)
        start = _start(n)
        y = _decays(start * 1.1, t) + 0.01 * np.sin(40 * t)

        def one(x: Array, t: Array = t, y: Array = y) -> Any:
            return _decays(x, t) - y

        def many(x: Array, t: Array = t, y: Array = y) -> Any:
            return (_decays(x[:, :, None], t) - y).T

        options = {"maxfev": 20 * n}
        timed = {
            "one by one": repeatedly(
                lambda f=one, x=start, o=options: leastsq(f, x, full_output=True, **o)
            ),
            "vectorized": repeatedly(
                lambda f=many, x=start, o=options: leastsq(
                    f, x, full_output=True, vectorized=True, **o
                )
            ),
        }
        calls = _calls(one, many, start, options)
        yield Fit(m, n, calls, interleaved(timed, seconds=3))

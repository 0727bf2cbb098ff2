"""Fits of traced functions, and what a record, a look-up and an evaluation cost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

import minpack
from measure.cases import Array, decay
from measure.timing import interleaved, repeatedly
from minpack import _minpack, traced
from minpack._traced import store
from minpack._traced.record import Record, record

BLOCK = 2048  # points that are worked on together where the loops are called by hand
FEW = 4  # points; NumPy goes another way for one
SIZES = (10_000, 100_000, 1_000_000)


class Fit(NamedTuple):
    """A fit of `curve_fit`: its evaluations, and the seconds of each way."""

    title: str
    m: int
    n: int
    nfev: tuple[int, int]  # by differences, and with exact derivatives
    times: dict[str, list[float]]


class Evaluation(NamedTuple):
    """The seconds of an evaluation of m points in each way."""

    m: int
    times: dict[str, list[float]]


def gaussian(t: Array, height: Any, centre: Any, width: Any, offset: Any) -> Array:
    """Return a peak on a background."""
    value: Array = height * np.exp(-(((t - centre) / width) ** 2)) + offset
    return value


def sloping(t: Array, a: Any, b: Any, c: Any, d: Any) -> Array:
    """Return a peak on a slope, by ten operations."""
    value: Array = a * np.exp(-((t - b) ** 2) / (2 * c**2)) + d * t
    return value


CASES: tuple[tuple[str, Any, Array, int], ...] = (
    ("exponential decay", decay, np.array([2.0, 0.7, 0.5]), 50),
    ("Gaussian peak", gaussian, np.array([2.0, 4.0, 1.5, 0.5]), 50),
    ("exponential decay", decay, np.array([2.0, 0.7, 0.5]), 1000),
    ("exponential decay", decay, np.array([2.0, 0.7, 0.5]), 1_000_000),
)


def fits() -> Iterator[Fit]:
    """Time `curve_fit` of a function and of the same traced before, on one thread."""
    for title, f, truth, m in CASES:
        rng = np.random.default_rng(m)
        t = np.linspace(0, 10, m)
        y = f(t, *truth) + rng.normal(scale=0.02, size=m)
        start = truth * (1 + 0.1 * rng.uniform(-1, 1, truth.size))
        one_thread = partial(minpack.curve_fit, workers=1)
        ways: dict[str, tuple[Any, Any]] = {
            "SciPy": (scipy.optimize.curve_fit, f),
            "fast": (minpack.curve_fit, f),
            "by differences": (one_thread, traced(f, derivatives=False)),
            "traced": (one_thread, traced(f)),
        }
        nfev = tuple(
            minpack.curve_fit(ways[way][1], t, y, start, full_output=True)[2]["nfev"]
            for way in ("by differences", "traced")
        )
        timed = {
            way: repeatedly(partial(solver, function, t, y, start))
            for way, (solver, function) in ways.items()
        }
        yield Fit(title, m, truth.size, nfev, interleaved(timed, seconds=3))


def new_record(t: Array) -> Record:
    """Record a model and its derivatives."""
    return record(
        sloping, (t,), {}, (t,), 4, t.size, is_curve=True, wants_derivatives=True
    )


def first_record(t: Array) -> Record:
    """Do so as if no record of its structure had been made before."""
    store.KEPT.clear()
    return new_record(t)


def records() -> dict[str, list[float]]:
    """Time records of a model, and the start of a fit that finds one."""
    t, x = _points(50)
    kept = traced(sloping)
    kept.bind_curve(t, x, t.size)
    timed = {
        "first record": repeatedly(partial(first_record, t)),
        "record": repeatedly(partial(new_record, t)),
        "start": repeatedly(partial(kept.bind_curve, t, x, t.size)),
        "call": repeatedly(partial(sloping, t, *x)),
    }
    return interleaved(timed, seconds=3)


def evaluations() -> Iterator[Evaluation]:
    """Time a program beside the same loops of NumPy, called in blocks from Python.

    As many calls for a few points each tell what of that time is Python's.
    """
    for m in SIZES:
        t, x = _points(m)
        program = record(
            sloping, (t,), {}, (t,), 4, m, is_curve=True, wants_derivatives=False
        ).program
        few = np.linspace(0, 10, FEW * -(-m // BLOCK))
        timed = {
            "NumPy": repeatedly(partial(sloping, t, *x)),
            "blocks": repeatedly(partial(in_blocks, BLOCK, t, *x)),
            "calls": repeatedly(partial(in_blocks, FEW, few, *x)),
            "program": repeatedly(partial(_minpack.program_values, program, (t,), x)),
        }
        assert np.array_equal(in_blocks(BLOCK, t, *x), sloping(t, *x))
        yield Evaluation(m, interleaved(timed, seconds=3))


def in_blocks(block: int, t: Array, a: Any, b: Any, c: Any, d: Any) -> Array:
    """Return the values of `sloping`, by NumPy's loops on blocks of points."""
    out = np.empty_like(t)
    u, v = np.empty(block), np.empty(block)
    divisor = 2 * c**2
    for first in range(0, t.size, block):
        points = t[first : first + block]
        if points.size < block:
            u, v = u[: points.size], v[: points.size]
        np.subtract(points, b, u)
        np.square(u, u)
        np.negative(u, u)
        np.divide(u, divisor, u)
        np.exp(u, u)
        np.multiply(a, u, u)
        np.multiply(d, points, v)
        np.add(u, v, out[first : first + block])
    return out


def _points(m: int) -> tuple[Array, Array]:
    """Return m points and parameters."""
    return np.linspace(0, 10, m), np.array([2.0, 4.0, 1.5, 0.3])

"""docs/traced.md: its advice holds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from commands import ROOT
from minpack import traced

T = np.linspace(0.1, 3.0, 20)


def branch(t: Any, a: Any, b: Any) -> Any:
    if a > 0:
        return a * t
    return b * t


def to_some_points(t: Any, a: Any, b: Any) -> Any:
    y = a * t
    y[t > 1] = b
    return y


def into_an_array(t: Any, a: Any, b: Any) -> Any:
    y = np.empty(t.size)
    y[:] = a * t
    return y


def with_out(t: Any, a: Any, b: Any) -> Any:
    y = np.empty(t.size)
    np.multiply(a, t, out=y)
    return y


# What cannot be traced, and how it is written so that it can be.
REWRITTEN: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "if a > 0": (branch, lambda t, a, b: np.where(a > 0, a * t, b * t)),
    "x if a > 0 else y": (
        lambda t, a, b: a * t if a > 0 else b * t,
        lambda t, a, b: np.where(a > 0, a * t, b * t),
    ),
    "max(a, 0)": (
        lambda t, a, b: max(a, 0) * t,
        lambda t, a, b: np.maximum(a, 0) * t,
    ),
    "min(a, b)": (
        lambda t, a, b: min(a, b) * t,
        lambda t, a, b: np.minimum(a, b) * t,
    ),
    "math.exp(-b)": (
        lambda t, a, b: math.exp(-b) * t,
        lambda t, a, b: np.exp(-b) * t,
    ),
    "float(a)": (lambda t, a, b: float(a) * t, lambda t, a, b: a * t),
    "y[t > 1] = b": (to_some_points, lambda t, a, b: np.where(t > 1, b, a * t)),
    "y[:] = a * t": (into_an_array, lambda t, a, b: a * t),
    "np.multiply(a, t, out=y)": (with_out, lambda t, a, b: a * t),
    "1j * b * t": (
        lambda t, a, b: np.abs(a / (1 + 1j * b * t)),
        lambda t, a, b: np.abs(a) / np.sqrt(1 + (b * t) ** 2),
    ),
    "scipy.stats.norm.pdf(t, a, b)": (
        lambda t, a, b: stats.norm.pdf(t, a, b),
        lambda t, a, b: np.exp(-(((t - a) / b) ** 2) / 2) / (b * np.sqrt(2 * np.pi)),
    ),
}


def test_the_table_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs/traced.md").read_text()
    rows = re.findall(r"^\| (`.*) \| `.* \|$", page, re.MULTILINE)
    assert sum(row.count("`, `") + 1 for row in rows) == len(REWRITTEN)
    for written in REWRITTEN:
        assert any(written in row for row in rows), written


@pytest.mark.parametrize("written", REWRITTEN)
def test_what_cannot_be_traced_can_be_as_the_document_writes_it(written: str) -> None:
    before, after = REWRITTEN[written]
    with pytest.raises(TypeError, match="cannot be traced"):
        traced(before).jacobian(T, 1.5, 0.7)
    recorded = traced(after)
    recorded.jacobian(T, 1.5, 0.7)  # it would raise
    for p in (1.5, 0.7), (-0.4, 1.1):
        np.testing.assert_allclose(after(T, *p), before(T, *p), rtol=1e-13)


NEEDS_ALL_POINTS: dict[str, Callable[..., Any]] = {
    "sum": lambda t, a, b: a * t / np.sum(b * t),
    "maximum": lambda t, a, b: a * t / np.max(b * t),
    "np.cumsum": lambda t, a, b: np.cumsum(a * t),
    "np.convolve": lambda t, a, b: np.convolve(a * t, [0.5, 0.5], "same"),
    "np.gradient": lambda t, a, b: np.gradient(a * t),
    "np.interp": lambda t, a, b: np.interp(t - a, T, T),
    "transform": lambda t, a, b: np.abs(np.fft.fft(a * t)),
}


@pytest.mark.parametrize("function", NEEDS_ALL_POINTS.values(), ids=NEEDS_ALL_POINTS)
def test_what_needs_all_points_cannot_be_traced(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="cannot be traced"):
        traced(function).jacobian(T, 1.5, 0.7)

"""What the functions must not return."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import POINTS, X, peak, peak_jacobian, peaks
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch
from minpack import leastsq

NO_NUMBERS: dict[str, Any] = {
    "nothing": None,
    "text": "1.0",
    "bytes": b"1.0",
    "a dict": {},
    "a function": peak,
    "None among numbers": [None, *[1.0] * (POINTS - 1)],
    "text among numbers": ["a"] * POINTS,
    "objects in an array": np.full(POINTS, None),
    "complex numbers": np.ones(POINTS, complex),
    "a ragged list": [[1.0], [1.0, 2.0]],
}


@pytest.mark.parametrize("after", [0, 6], ids=["at first", "later"])
@pytest.mark.parametrize("wrong", NO_NUMBERS.values(), ids=NO_NUMBERS)
@pytest.mark.parametrize("name", ["f", "jac", "func", "Dfun"])
def test_what_is_no_number_is_the_error_that_it_is_for_leastsq(
    name: str, wrong: Any, after: int
) -> None:
    y, p0 = peaks(30)
    calls = itertools.count()

    def spoilt(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: function(*args) if next(calls) < after else wrong

    def func(p: Array, rows: Array) -> Array:
        return peak(X, *p.T[:, :, None]) - y[rows]

    def derivatives(p: Array, rows: Array) -> Array:
        return peak_jacobian(X, *p.T[:, :, None])

    functions: dict[str, Callable[..., Any]] = {
        "f": peak, "jac": peak_jacobian, "func": func, "Dfun": derivatives,
    }  # fmt: skip
    functions[name] = spoilt(functions[name])
    with pytest.raises((TypeError, ValueError)) as expected:
        leastsq(lambda p: wrong, p0[0])
    call = partial(curve_fit_batch, functions["f"], X, y, p0, jac=functions["jac"])
    if name in ("func", "Dfun"):
        call = partial(leastsq_batch, functions["func"], p0, Dfun=functions["Dfun"])
    with pytest.raises(expected.type) as caught:
        call(workers=1)
    assert str(caught.value) == str(expected.value).replace("func", name, 1)


def test_a_model_that_later_returns_another_shape_is_an_error() -> None:
    y, p0 = peaks(100)
    calls = itertools.count()

    def model(x: Array, *p: Any) -> Array:
        value = peak(x, *p)
        return value if next(calls) < 8 else value[:, 1:]

    with pytest.raises(ValueError, match=r"f must .*\(100, 30\).*\(100, 29\)"):
        curve_fit_batch(model, X, y, p0, workers=1)


def test_leastsq_batch_takes_no_other_shape_than_a_row_a_fit() -> None:
    for wrong in (lambda p, r: p[:, 0], lambda p, r: np.ones((2, 5, 1))):
        with pytest.raises(ValueError, match=r"func must return .*shape"):
            leastsq_batch(wrong, np.ones((4, 1)))
        with pytest.raises(ValueError, match=r"func must return .*\(4, 5\)"):
            leastsq_batch(wrong, np.ones((4, 1)), m=5)
    with pytest.raises(ValueError, match=r"m = 1 for n = 2"):
        leastsq_batch(lambda p, r: p[:, :1], np.ones((4, 2)))

"""Batches by one function for values and Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak, peak_jacobian, peaks, same
from functions import COMPILED, NO_PAIRS, Pair, no_pair
from minpack import curve_fit_batch, leastsq_batch

Y, STARTS = peaks(40)
each_number_of_workers = pytest.mark.parametrize("workers", [1, 3])


def rows_of_residuals(p: Any, rows: Any) -> Any:
    return peak(X, *p.T[:, :, None]) - Y[rows]


def rows_of_derivatives(p: Any, rows: Any) -> Any:
    return peak_jacobian(X, *p.T[:, :, None])


@each_number_of_workers
@pytest.mark.parametrize(
    "start", [STARTS, np.array([2.0, 1.0, 1.0])], ids=["own", "one"]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"xdata": X + np.linspace(0.0, 0.1, 40)[:, None]},
        {"mask": np.arange(POINTS) % 5 == 1},
        {"loss": "huber", "f_scale": 0.1, "sigma": 0.1},
        {"bounds": (-90.0, 90.0)},
    ],
    ids=str,
)
def test_a_batch_by_a_pair_is_that_by_two_functions(
    options: dict[str, Any], start: Any, workers: int
) -> None:
    call = {"xdata": X, "ydata": Y, "p0": start, "workers": workers} | options
    expected = curve_fit_batch(peak, **call, jac=peak_jacobian)
    assert same(curve_fit_batch(Pair(peak, peak_jacobian), **call, jac=True), expected)


@each_number_of_workers
def test_residuals_of_a_batch_by_a_pair_are_those_of_two_functions(
    workers: int,
) -> None:
    pair = Pair(rows_of_residuals, rows_of_derivatives)
    assert same(
        leastsq_batch(pair, STARTS, Dfun=True, workers=workers),
        leastsq_batch(rows_of_residuals, STARTS, Dfun=rows_of_derivatives),
    )


def test_a_batch_calls_a_pair_no_more_often_than_the_values_alone() -> None:
    call = partial(leastsq_batch, x0=STARTS, m=POINTS, workers=1)
    counted = Pair(rows_of_residuals, lambda *args: None)
    call(lambda *args: counted(*args)[0], Dfun=rows_of_derivatives)
    pair = Pair(rows_of_residuals, rows_of_derivatives)
    call(pair, Dfun=True)
    assert pair.calls == counted.calls


def test_a_pair_of_a_batch_may_return_one_buffer() -> None:
    room = np.empty(40 * POINTS), np.empty(40 * POINTS * 3)

    def pair(p: Any, rows: Any) -> Any:
        r, jacobian = rows_of_residuals(p, rows), rows_of_derivatives(p, rows)
        mine = tuple(
            buffer[: array.size].reshape(array.shape)
            for buffer, array in zip(room, (r, jacobian), strict=True)
        )
        mine[0][:], mine[1][:] = r, jacobian
        return mine

    assert same(
        leastsq_batch(pair, STARTS, Dfun=True, workers=1),
        leastsq_batch(rows_of_residuals, STARTS, Dfun=rows_of_derivatives),
    )


@pytest.mark.parametrize(
    "start", [STARTS, np.array([2.0, 1.0, 1.0])], ids=["own", "one"]
)
@pytest.mark.parametrize("part", ["f", "jac"])
def test_a_pair_that_mixes_up_fits_is_an_error_that_says_which_part(
    part: str, start: Any
) -> None:
    def mixed(x: Any, *p: Any) -> Any:
        values, jacobian = peak(x, *p), peak_jacobian(x, *p)
        if np.ndim(p[0]):
            values, jacobian = (
                (values[::-1], jacobian) if part == "f" else (values, jacobian[::-1])
            )
        return values, jacobian

    with pytest.raises(ValueError, match=f"^{part} does not broadcast"):
        curve_fit_batch(mixed, X, Y, start, jac=True, workers=1)


def test_a_batch_says_later_too_what_is_no_pair() -> None:
    pair = Pair(peak, peak_jacobian)

    def later(*args: Any) -> Any:
        return pair(*args)[: 2 if pair.calls < 6 else 1]

    with pytest.raises(TypeError, match="f must return a tuple"):
        curve_fit_batch(later, X, Y, STARTS, jac=True, workers=1)


@pytest.mark.parametrize("wrong", ["values", "Jacobian"])
def test_a_part_of_the_wrong_shape_is_an_error_that_names_it(wrong: str) -> None:
    def pair(p: Any, rows: Any) -> Any:
        answer = [rows_of_residuals(p, rows), rows_of_derivatives(p, rows)]
        k = wrong == "Jacobian"
        answer[k] = answer[k][:, 1:]
        return tuple(answer)

    name = "func, for its Jacobian," if wrong == "Jacobian" else "func"
    with pytest.raises(ValueError, match=f"^{name} must return .*{POINTS}"):
        leastsq_batch(pair, STARTS, Dfun=True, m=POINTS, workers=1)


def test_a_batch_counts_parameters_by_the_signature_of_a_pair() -> None:
    def pair(x: Any, height: Any, place: Any, width: Any) -> Any:
        p = height, place, width
        return peak(x, *p), peak_jacobian(x, *p)

    assert same(
        curve_fit_batch(pair, X, Y, jac=True),
        curve_fit_batch(peak, X, Y, jac=peak_jacobian),
    )


CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "f": ("jac", lambda f: curve_fit_batch(f, X, Y, STARTS, jac=True, workers=1)),
    "func": ("Dfun", lambda func: leastsq_batch(func, STARTS, Dfun=True, workers=1)),
    "func, m": (
        "Dfun",
        lambda func: leastsq_batch(func, STARTS, Dfun=True, m=POINTS, workers=1),
    ),
}
each_call = pytest.mark.parametrize("case", CALLS)


@pytest.mark.parametrize("answer", NO_PAIRS.values(), ids=NO_PAIRS)
@each_call
def test_what_is_no_pair_is_an_error_that_says_so(case: str, answer: Any) -> None:
    option, call = CALLS[case]
    name = case.partition(",")[0]
    with pytest.raises(TypeError, match=no_pair(name, option, answer)):
        call(lambda *args: answer)


@each_call
def test_what_cannot_be_called_or_is_compiled_is_no_pair(case: str) -> None:
    option, call = CALLS[case]
    with pytest.raises(TypeError, match=r"^f\w* must be callable, not int"):
        call(3)
    with pytest.raises(TypeError, match=f"^{option}=True is for a Python f"):
        call(COMPILED)

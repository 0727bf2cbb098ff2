"""One function for values and Jacobian: ``Dfun=True`` and ``jac=True``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak, peak_jacobian, peaks
from fits import bits, plain
from functions import COMPILED, NO_PAIRS, Pair, no_pair
from minpack import curve_fit, least_squares, leastsq
from minpack import traced as traced_function

Y, STARTS = (array[:40] for array in peaks(40))


def residuals(p: Any, row: int = 0) -> Any:
    return peak(X, *p) - Y[row]


def derivatives(p: Any, row: int = 0) -> Any:
    return peak_jacobian(X, *p)


def lsq(func: Any, x0: Any, jac: Any, **options: Any) -> Any:
    return bits(least_squares(func, x0, jac, **options))


def of_leastsq(func: Any, x0: Any, jac: Any, **options: Any) -> Any:
    return plain(leastsq(func, x0, Dfun=jac, full_output=True, **options))


def of_curve_fit(f: Any, p0: Any, jac: Any, **options: Any) -> Any:
    return plain(curve_fit(f, X, Y[0], p0, jac=jac, full_output=True, **options))


SINGLE: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "leastsq": (of_leastsq, residuals, derivatives, {}),
    "leastsq, args": (of_leastsq, residuals, derivatives, {"args": 3}),
    "leastsq, by columns": (
        of_leastsq, residuals, lambda p: derivatives(p).T, {"col_deriv": True},
    ),
    "least_squares": (lsq, residuals, derivatives, {}),
    "least_squares, args": (lsq, residuals, derivatives, {"args": (3,)}),
    "least_squares, a loss": (
        lsq, residuals, derivatives, {"loss": "cauchy", "f_scale": 0.1},
    ),
    "least_squares, bounds": (lsq, residuals, derivatives, {"bounds": (-9.0, 9.0)}),
    "curve_fit": (of_curve_fit, peak, peak_jacobian, {}),
    "curve_fit, sigma": (of_curve_fit, peak, peak_jacobian, {"sigma": 1 + X**2}),
    "curve_fit, traced": (of_curve_fit, peak, peak_jacobian, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", SINGLE)
def test_a_fit_by_a_pair_is_that_by_two_functions(case: str) -> None:
    fit, values, jacobian, options = SINGLE[case]
    pair: Any = Pair(values, jacobian)
    expected = fit(values, STARTS[0], jacobian, **options)
    if case.endswith("traced"):
        pair = traced_function(pair)
    assert fit(pair, STARTS[0], True, **options) == expected


@pytest.mark.parametrize("case", SINGLE)
def test_a_fit_by_a_pair_calls_it_once_for_each_evaluation(case: str) -> None:
    fit, values, jacobian, options = SINGLE[case]
    counted, pair = Pair(values, lambda *args: None), Pair(values, jacobian)
    fit(lambda *args: counted(*args)[0], STARTS[0], jacobian, **options)
    fit(pair, STARTS[0], True, **options)
    assert pair.calls == counted.calls


def test_a_pair_may_change_its_argument_and_return_one_buffer() -> None:
    room = np.empty(POINTS), np.empty((POINTS, 3))

    def pair(p: Any) -> Any:
        room[0][:], room[1][:] = residuals(p), derivatives(p)
        p[:] = np.nan
        return room

    expected = of_leastsq(residuals, STARTS[0], derivatives)
    assert of_leastsq(pair, STARTS[0], True) == expected


def test_the_jacobian_is_asked_for_where_the_values_were_not_asked_last() -> None:
    """As an observer that calls the function itself might have it."""
    from minpack._pairs import two_functions

    pair = Pair(residuals, derivatives)
    values, jacobian = two_functions(pair, "func", "Dfun")
    values(STARTS[0])
    values(STARTS[1])
    np.testing.assert_array_equal(jacobian(STARTS[1]), derivatives(STARTS[1]))
    assert pair.calls == 2
    np.testing.assert_array_equal(jacobian(STARTS[0]), derivatives(STARTS[0]))
    assert pair.calls == 3


def test_the_number_of_parameters_is_that_of_the_pairs_signature() -> None:
    def pair(x: Any, height: Any, place: Any, width: Any) -> Any:
        p = height, place, width
        return peak(x, *p), peak_jacobian(x, *p)

    expected = curve_fit(peak, X, Y[0], jac=peak_jacobian)
    for ours, theirs in zip(curve_fit(pair, X, Y[0], jac=True), expected, strict=True):
        assert ours.tobytes() == theirs.tobytes()


# What is no pair ----------------------------------------------------------------

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "func": ("Dfun", lambda func: leastsq(func, STARTS[0], Dfun=True)),
    "fun": ("jac", lambda fun: least_squares(fun, STARTS[0], True)),
    "f": ("jac", lambda f: curve_fit(f, X, Y[0], STARTS[0], jac=True)),
}
each_call = pytest.mark.parametrize("name", CALLS)


@pytest.mark.parametrize("answer", NO_PAIRS.values(), ids=NO_PAIRS)
@each_call
def test_what_is_no_pair_is_an_error_that_says_so(name: str, answer: Any) -> None:
    option, call = CALLS[name]
    with pytest.raises(TypeError, match=no_pair(name, option, answer)):
        call(lambda *args: answer)


@each_call
def test_what_cannot_be_called_or_is_compiled_is_no_pair(name: str) -> None:
    option, call = CALLS[name]
    with pytest.raises(TypeError, match=f"^{name} must be callable, not int"):
        call(3)
    with pytest.raises(
        TypeError, match=f"^{option}=True is for a Python {name}: a comp"
    ):
        call(COMPILED)

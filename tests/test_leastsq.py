"""leastsq within leastsq, and what happens to exceptions and arguments."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.calls import (
    T,
    decay,
    decay_jacobian,
    decay_residuals,
    decay_with_columns,
    decay_with_jacobian,
)
from fits import full
from functions import Stop, at_point, raising, wrapped
from minpack import leastsq

Fit = Callable[..., dict[str, Any]]

each_fit = pytest.mark.parametrize(
    "fit", [decay, decay_with_jacobian, decay_with_columns]
)
each_function = pytest.mark.parametrize("name", ["func", "Dfun"])


def words(error: BaseException) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in str(error)).split())


# Fits within fits -----------------------------------------------------------


@each_fit
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("point", [1, 2, 4])
def test_a_fit_within_a_fit_changes_neither(fit: Fit, depth: int, point: int) -> None:
    alone = full(**fit())
    fits = 0

    def nested(depth: int) -> list[Any]:
        nonlocal fits
        fits += 1

        def fit_inside(result: Any) -> Any:
            before = result.copy()
            assert nested(depth - 1) == alone
            np.testing.assert_array_equal(result, before)
            return result

        call = fit()
        if depth:
            call = wrapped(call, lambda inner: at_point(point, fit_inside, inner))
        return full(**call)

    assert nested(depth) == alone
    assert fits > depth


def test_a_fit_may_be_the_residuals_of_another() -> None:
    """The inner fit finds the best amplitude for each rate of the outer one."""
    data = 2.5 * np.exp(-1.3 * T)

    def amplitude(rate: float) -> Any:
        return leastsq(lambda a: a[0] * np.exp(-rate * T) - data, 1.0)[0][0]

    def func(x: Any) -> Any:
        return amplitude(x[0]) * np.exp(-x[0] * T) - data

    x, ier = leastsq(func, 0.5)
    assert ier in {1, 2, 3, 4}
    np.testing.assert_allclose([x[0], amplitude(x[0])], [1.3, 2.5], rtol=1e-7)


@each_function
def test_an_exception_in_an_inner_fit_ends_the_outer_one(name: str) -> None:
    def failing(x: Any) -> Any:
        call = decay_with_jacobian()
        return leastsq(**call | {name: at_point(2, raising(Stop), call[name])})

    with pytest.raises(Stop):
        leastsq(**decay_with_jacobian() | {name: failing})


@each_function
def test_an_outer_fit_may_catch_the_exception_of_an_inner_one(name: str) -> None:
    def recovering(result: Any) -> Any:
        call = decay_with_jacobian()
        with pytest.raises(Stop):
            leastsq(**call | {name: at_point(2, raising(Stop), call[name])})
        return result

    call = decay_with_jacobian()
    call[name] = at_point(2, recovering, call[name])
    assert full(**call) == full(**decay_with_jacobian())


# Exceptions -----------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [ValueError, LookupError, KeyboardInterrupt, SystemExit, Stop]
)
@each_function
@pytest.mark.parametrize("point", [1, 2])
def test_an_exception_comes_out_as_the_object_that_went_in(
    kind: type[BaseException], name: str, point: int
) -> None:
    exception, cause = kind("on purpose"), RuntimeError("the cause")

    def failing_here(_: Any) -> Any:
        raise exception from cause

    call = decay_with_jacobian()
    with pytest.raises(kind) as caught:
        leastsq(**call | {name: at_point(point, failing_here, call[name])})

    assert caught.value is exception
    assert exception.__cause__ is cause
    assert exception.__context__ is None
    frames = [frame.name for frame in traceback.extract_tb(exception.__traceback__)]
    assert frames[-1] == "failing_here"


@each_function
def test_an_exception_keeps_the_context_in_which_it_was_raised(name: str) -> None:
    def failing(x: Any) -> Any:
        try:
            raise LookupError("first")
        except LookupError:
            raise ArithmeticError("second")  # noqa: B904

    with pytest.raises(ArithmeticError, match="second") as caught:
        leastsq(**decay_with_jacobian() | {name: failing})
    assert isinstance(caught.value.__context__, LookupError)
    assert caught.value.__context__.__context__ is None


@pytest.mark.parametrize("call_number", range(1, 20))
def test_func_may_raise_in_any_of_its_calls(call_number: int) -> None:
    calls = 0

    def func(x: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call_number:
            raise Stop
        return decay_residuals(x)

    with pytest.raises(Stop):
        leastsq(**decay(func=func))
    assert calls == call_number


@each_function
@pytest.mark.parametrize("point", [1, 2, 3])
def test_a_fit_runs_as_ever_after_one_that_failed(name: str, point: int) -> None:
    before = full(**decay_with_jacobian())
    call = decay_with_jacobian()
    with pytest.raises(Stop):
        leastsq(**call | {name: at_point(point, raising(Stop), call[name])})
    assert full(**decay_with_jacobian()) == before


# Sizes ----------------------------------------------------------------------


@pytest.mark.parametrize("point", [2, 3, 4, 7])
@pytest.mark.parametrize("size", [1, 9, 11])
def test_residuals_that_change_in_number_are_an_error_with_both_numbers(
    point: int, size: int
) -> None:
    call = decay(func=at_point(point, lambda r: np.resize(r, size), decay_residuals))
    with pytest.raises(ValueError, match="func") as caught:
        leastsq(**call)
    assert {"10", str(size)} <= words(caught.value)


@pytest.mark.parametrize("point", [2, 3])
@pytest.mark.parametrize("shape", [(9, 2), (11, 2), (10, 3), (2, 10), (20,), (5, 4)])
def test_a_jacobian_that_changes_in_shape_is_an_error_with_both_shapes(
    point: int, shape: tuple[int, ...]
) -> None:
    call = decay(Dfun=at_point(point, lambda j: np.resize(j, shape), decay_jacobian))
    with pytest.raises(ValueError, match="Dfun") as caught:
        leastsq(**call)
    assert str(shape) in str(caught.value)
    assert "(10, 2)" in str(caught.value)


@pytest.mark.parametrize("length", [0, 1, 3, 100])
def test_a_diag_of_wrong_length_is_an_error_before_func_is_called(length: int) -> None:
    with pytest.raises(ValueError, match="diag") as caught:
        leastsq(**decay(func=raising(Stop), diag=np.ones(length)))
    assert {"2", str(length)} <= words(caught.value)


# Arguments ------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 5, 30])
def test_args_arrive_as_the_objects_that_were_given(count: int) -> None:
    given = tuple(object() for _ in range(count))

    def taking_args(function: Any) -> Any:
        def wrapper(x: Any, *args: object) -> Any:
            assert [id(arg) for arg in args] == [id(arg) for arg in given]
            return function(x)

        return wrapper

    call = wrapped(decay_with_jacobian(args=given), taking_args)
    assert full(**call) == full(**decay_with_jacobian())


def test_an_argument_that_is_no_tuple_arrives_as_the_only_one() -> None:
    data = [1.0, 2.0]

    def func(x: Any, *args: Any) -> Any:
        assert len(args) == 1
        assert args[0] is data
        return decay_residuals(x)

    leastsq(**decay(func=func, args=data))


@each_fit
def test_the_same_call_gives_the_same_bits(fit: Fit) -> None:
    results = [full(**fit()) for _ in range(20)]
    assert all(result == results[0] for result in results)


@each_fit
def test_the_factors_returned_are_those_of_the_jacobian(fit: Fit) -> None:
    # With ier 4 the last Jacobian is the one at the x that is returned.
    x, cov_x, info, _, ier = leastsq(**fit(gtol=1e-3), full_output=True)
    assert ier == 4
    jacobian, fvec = decay_jacobian(x), decay_residuals(x)
    permuted = jacobian[:, info["ipvt"]]
    r = np.triu(info["fjac"].T[: x.size])

    np.testing.assert_allclose(r.T @ r, permuted.T @ permuted, rtol=1e-6)
    np.testing.assert_allclose(r.T @ info["qtf"], permuted.T @ fvec, atol=1e-7)
    np.testing.assert_allclose(cov_x @ (jacobian.T @ jacobian), np.eye(2), atol=1e-6)
    np.testing.assert_array_equal(info["fvec"], fvec)
    assert abs(r[0, 0]) >= abs(r[1, 1])


@pytest.mark.parametrize("point", range(1, 8))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@each_fit
def test_a_fit_ends_also_if_residuals_are_not_finite(
    fit: Fit, point: int, value: float
) -> None:
    calls = 0
    spoiled = at_point(point, lambda r: np.full_like(r, value), decay_residuals)

    def func(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return spoiled(x)

    with np.errstate(all="ignore"):
        leastsq(**fit(func=func, maxfev=50), full_output=True)
    assert calls <= 52

"""Every array has one owner, and nothing is kept after a fit."""

from __future__ import annotations

import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.calls import (
    decay,
    decay_jacobian,
    decay_residuals,
    decay_with_columns,
    decay_with_jacobian,
)
from fits import arrays, full, plain
from functions import Stop, at_point, ignoring_args, raising, wrapped
from minpack import curve_fit, leastsq

Call = dict[str, Any]
Fit = Callable[..., Call]
Function = Callable[[Any], Any]

each_fit = pytest.mark.parametrize(
    "fit", [decay, decay_with_jacobian, decay_with_columns]
)


# What func and Dfun are given -------------------------------------------------


def recording(keep: list[Any]) -> Callable[[Function], Function]:
    """Keeps the very x of each call."""

    def wrap(function: Function) -> Function:
        def wrapper(x: Any) -> Any:
            keep.append(x)
            return function(x)

        return wrapper

    return wrap


@each_fit
@pytest.mark.parametrize(
    "x0", [[1.0, 1.0], [1, 1], np.ones((2, 1)), np.ones(2, dtype=np.float32)]
)
def test_x_is_a_plain_vector_that_may_be_written(fit: Fit, x0: Any) -> None:
    keep: list[Any] = []
    leastsq(**wrapped(fit(x0=x0), recording(keep)))
    for x in keep:
        assert type(x) is np.ndarray
        assert (x.dtype, x.shape) == (np.float64, (2,))
        assert x.flags.owndata
        assert x.flags.writeable
        assert x.flags.aligned


@each_fit
def test_every_x_that_is_kept_stays_as_it_was(fit: Fit) -> None:
    now: list[Any] = []
    then: list[Any] = []

    def keeping(function: Function) -> Function:
        def wrapper(x: Any) -> Any:
            now.append(x)
            then.append(x.copy())
            return function(x)

        return wrapper

    x = leastsq(**wrapped(fit(), keeping))[0]
    np.testing.assert_array_equal(now, then)
    assert len({id(kept) for kept in now}) == len(now)
    assert not any(np.shares_memory(kept, x) for kept in now)
    # They are the points of a fit, not one point many times.
    assert len({tuple(kept) for kept in now}) > 5


@each_fit
@pytest.mark.parametrize("value", [-7.0, np.nan])
def test_a_function_may_overwrite_its_x(fit: Fit, value: float) -> None:
    def overwriting(function: Function) -> Function:
        def wrapper(x: Any) -> Any:
            result = function(x)
            x[:] = value
            return result

        return wrapper

    assert full(**wrapped(fit(), overwriting)) == full(**fit())


def test_func_may_return_the_very_x_that_it_was_given() -> None:
    def in_place(x: Any) -> Any:
        x -= [3.0, 4.0]
        return x

    fresh = full(func=lambda x: x - [3.0, 4.0], x0=[1.0, 1.0])
    assert full(func=in_place, x0=[1.0, 1.0]) == fresh


def test_dfun_is_asked_where_func_was() -> None:
    func_points: list[Any] = []
    dfun_points: list[Any] = []
    call = decay_with_jacobian()
    call["func"] = recording(func_points)(call["func"])
    call["Dfun"] = recording(dfun_points)(call["Dfun"])
    leastsq(**call)

    np.testing.assert_array_equal(dfun_points[0], [1.0, 1.0])
    assert {tuple(x) for x in dfun_points} <= {tuple(x) for x in func_points}
    assert not {id(x) for x in dfun_points} & {id(x) for x in func_points}


# What func and Dfun return ----------------------------------------------------


@each_fit
def test_what_a_function_returned_stays_as_it_was(fit: Fit) -> None:
    kept: list[tuple[Any, Any]] = []

    def keeping(function: Function) -> Function:
        def wrapper(x: Any) -> Any:
            result = function(x)
            kept.append((result, result.copy()))
            return result

        return wrapper

    result = leastsq(**wrapped(fit(), keeping), full_output=True)
    for now, then in kept:
        np.testing.assert_array_equal(now, then)
        for name, array in arrays(result).items():
            assert not np.shares_memory(now, array), name


@pytest.mark.parametrize("points", [20, 2000])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_the_answer_is_the_same_where_no_arrays_are_wanted(
    points: int, kernels: str
) -> None:
    """Whoever holds the residuals, now the function and now the fit alone."""
    t = np.linspace(0.0, 3.0, points)
    buffer = np.empty(points)
    calls = 0

    def alternating(x: Any) -> Any:
        nonlocal calls
        calls += 1
        fresh = x[0] * np.exp(-x[1] * t) + x[2] - 2 / (1 + t)
        if calls % 3:
            return fresh
        buffer[:] = fresh
        return buffer

    answers = []
    for full_output in (False, True):
        calls = 0
        result = leastsq(
            alternating, np.ones(3), full_output=full_output, kernels=kernels
        )
        answers.append((result[0].tobytes(), result[-1], calls))
    assert answers[0] == answers[1]
    assert answers[0][2] > 10


@each_fit
@pytest.mark.parametrize("spoil", [False, True])
def test_one_buffer_is_as_good_as_fresh_arrays(fit: Fit, spoil: bool) -> None:
    """Also if each call first spoils what the calls before it returned."""
    buffers: list[Any] = []

    def buffered(function: Function) -> Function:
        buffer = np.empty_like(function(np.ones(2)))
        buffers.append(buffer)

        def wrapper(x: Any) -> Any:
            if spoil:
                for used in buffers:
                    used[...] = np.nan
            buffer[...] = function(x)
            return buffer

        return wrapper

    assert full(**wrapped(fit(), buffered)) == full(**fit())


# Arrays of objects ---------------------------------------------------------------


class Objects:
    """As a column of a table does, gives an array of objects that is its own."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


def every_other(values: Any) -> Any:
    wide = np.full(tuple(2 * size for size in values.shape), None, dtype=object)
    view = wide[tuple(slice(None, None, 2) for _ in values.shape)]
    view[...] = values
    return view


def backwards(values: Any) -> Any:
    return values[::-1].astype(object)[::-1]


def by_columns(values: Any) -> Any:
    return np.asfortranarray(values.astype(object))


layouts = pytest.mark.parametrize("layout", [every_other, backwards, by_columns])


@each_fit
@layouts
def test_objects_may_lie_anywhere_in_memory(
    fit: Fit, layout: Callable[[Any], Any]
) -> None:
    """Of residuals and of Jacobians."""

    def give(function: Function) -> Function:
        return lambda x: Objects(layout(function(x)))

    assert full(**wrapped(fit(), give)) == full(**fit())


@layouts
def test_objects_of_a_model_and_of_data_may_lie_anywhere_in_memory(
    layout: Callable[[Any], Any],
) -> None:
    t = np.linspace(0, 4, 20)
    y = np.exp(-t) + 0.01 * np.cos(9 * t)

    def model(t: Any, a: float, b: float) -> Any:
        return a * np.exp(-b * t)

    def of_objects(t: Any, a: float, b: float) -> Any:
        return Objects(layout(model(t, a, b)))

    plainly = curve_fit(model, t, y, [2.0, 2.0])
    given = curve_fit(of_objects, t, Objects(layout(y)), [2.0, 2.0])
    for array, same in zip(given, plainly, strict=True):
        assert array.tolist() == same.tolist()


def test_a_number_may_empty_the_array_that_it_is_in() -> None:
    """Its __float__ does so while the array is read."""

    class Emptying:
        def __init__(self, value: float) -> None:
            self.value = value

        def __float__(self) -> float:
            array[...] = None
            gc.collect()
            return self.value

    call = decay()
    array = np.empty(call["func"](np.ones(2)).size, dtype=object)

    def residuals(x: Any) -> Any:
        array[...] = [Emptying(value) for value in call["func"](x).tolist()]
        return Objects(array)

    assert full(**call | {"func": residuals}) == full(**call)


@each_fit
def test_a_fit_lets_go_of_every_array(fit: Fit) -> None:
    passed: list[weakref.ref[Any]] = []

    def watched(function: Function) -> Function:
        def wrapper(x: Any) -> Any:
            result = function(x)
            passed.extend([weakref.ref(x), weakref.ref(result)])
            return result

        return wrapper

    result = leastsq(**wrapped(fit(), watched), full_output=True)
    gc.collect()
    assert result[-1] == 1
    assert len(passed) > 10
    assert all(array() is None for array in passed)


def test_a_fit_lets_go_of_its_function() -> None:
    def func(x: Any) -> Any:
        return decay_residuals(x)

    alive = weakref.ref(func)
    leastsq(**decay(func=func))
    del func
    gc.collect()
    assert alive() is None


# What leastsq returns -----------------------------------------------------------


@each_fit
def test_the_arrays_returned_are_the_callers_own(fit: Fit) -> None:
    call = fit(x0=np.array([1.0, 1.0]), diag=np.array([1.0, 1.0]))
    returned = arrays(leastsq(**call, full_output=True))
    everything = [*returned.values(), call["x0"], call["diag"]]
    for name, array in returned.items():
        assert array.flags.writeable, name
        assert array.flags.c_contiguous, name
        assert sum(np.shares_memory(array, other) for other in everything) == 1, name


@each_fit
def test_the_arrays_of_one_fit_outlive_the_next(fit: Fit) -> None:
    first = leastsq(**fit(), full_output=True)
    before = plain(first)
    for _ in range(20):
        leastsq(**fit(x0=[3.0, 0.1]), full_output=True)
    assert plain(first) == before


@each_fit
def test_x0_and_diag_stay_as_they_were(fit: Fit) -> None:
    x0, diag = np.array([1.0, 1.0]), np.array([1.0, 20.0])
    x = leastsq(**fit(x0=x0, diag=diag))[0]
    np.testing.assert_array_equal(x0, [1.0, 1.0])
    np.testing.assert_array_equal(diag, [1.0, 20.0])
    assert not np.array_equal(x, x0)


# References ---------------------------------------------------------------------

OUTCOMES: dict[str, Call] = {
    "differences": {"Dfun": None},
    "a Jacobian": {},
    "a Jacobian by columns": {"Dfun": lambda x: decay_jacobian(x).T, "col_deriv": True},
    "residuals in a list": {"func": lambda x: decay_residuals(x).tolist()},
    "residuals in float32": {"func": lambda x: decay_residuals(x).astype(np.float32)},
    "Jacobian in lists": {"Dfun": lambda x: decay_jacobian(x).tolist()},
    "maxfev reached": {"maxfev": 2},
    "func raises": {"func": raising(ValueError)},
    "func raises later": {"func": at_point(3, raising(Stop), decay_residuals)},
    "Dfun raises": {"Dfun": raising(ValueError)},
    "Dfun raises later": {"Dfun": at_point(2, raising(Stop), decay_jacobian)},
    "func returns text": {"func": lambda x: ["a", "b", "c"]},
    "func returns objects": {"func": lambda x: [object(), object()]},
    "func returns complex numbers": {"func": lambda x: decay_residuals(x) + 0j},
    "func returns a matrix": {"func": lambda x: decay_residuals(x)[:, None]},
    "func returns too little": {"func": lambda x: [1.0]},
    "func returns less later": {"func": at_point(2, lambda r: r[:-1], decay_residuals)},
    "func returns text later": {
        "func": at_point(2, lambda r: r.astype(str), decay_residuals)
    },
    "Dfun returns a wrong shape": {"Dfun": lambda x: decay_jacobian(x).T},
    "Dfun returns a wrong shape later": {
        "Dfun": at_point(2, np.transpose, decay_jacobian)
    },
    "Dfun returns text": {"Dfun": lambda x: decay_jacobian(x).astype(str)},
    "Dfun cannot be called": {"Dfun": "2-point"},
    "func cannot be called": {"func": "residuals"},
    "x0 is text": {"x0": np.array(["a", "b"])},
    "x0 is complex": {"x0": np.ones(2, dtype=complex)},
    "x0 is empty": {"x0": np.ones(0)},
    "diag is complex": {"diag": np.ones(2, dtype=complex)},
    "diag is too short": {"diag": np.ones(1)},
    "diag is negative": {"diag": -np.ones(2)},
    "ftol is text": {"ftol": "1e-8"},
    "ftol is negative": {"ftol": -1.0},
    "maxfev is text": {"maxfev": "100"},
    "maxfev is too large": {"maxfev": 2**40},
}

each_outcome = pytest.mark.parametrize("changes", OUTCOMES.values(), ids=OUTCOMES)


def repeatable(changes: Call) -> Callable[[], None]:
    """The call with `changes`, in which every object is its own, as often as wanted."""
    call = decay_with_jacobian(x0=np.array([1.0, 1.0]), diag=np.array([1.0, 2.0]))
    call |= {"args": (object(), np.ones(3)), "full_output": True} | changes
    for name in ("func", "Dfun"):
        if callable(call[name]):
            call[name] = ignoring_args(call[name])

    def run() -> None:
        try:
            leastsq(**call)
        except (Exception, Stop):
            return

    run.call = call
    return run


@each_outcome
def test_a_thousand_calls_leave_every_reference_count_as_it_was(changes: Call) -> None:
    run = repeatable(changes)
    counted = [run.call[name] for name in ("func", "Dfun", "args", "x0", "diag")]
    counted = [item for item in [*counted, *run.call["args"]] if item is not None]
    run()
    gc.collect()
    before = [sys.getrefcount(item) for item in counted]
    for _ in range(1000):
        run()
    gc.collect()
    assert [sys.getrefcount(item) for item in counted] == before


@each_outcome
def test_calls_leave_no_memory_behind(changes: Call) -> None:
    run = repeatable(changes)

    def traced_after(calls: int) -> int:
        for _ in range(calls):
            run()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    # Python and NumPy fill caches in the first calls, and only those that are made
    # while memory is traced count.
    tracemalloc.start()
    try:
        traced_after(200)
        grown = -traced_after(20) + traced_after(200)
    finally:
        tracemalloc.stop()
    # An array that leaks in every call is 200 times 100 bytes, and more.
    assert grown < 10_000

"""What the model and its derivatives see and keep, and what they may do."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from curve_fit.calls import CALLS, COVARIANCE, SIGMA, M, Table, X, Y, fit, with_jacobian
from minpack import OptimizeWarning, curve_fit
from models import decay, decay_jacobian


def test_a_model_gets_numpys_numbers_and_the_data_themselves() -> None:
    x = X.copy()

    def f(data: Any, *p: Any) -> Any:
        assert data is x
        assert [type(number) for number in p] == [np.float64] * 3
        return decay(data, *p)

    curve_fit(f, x, Y, [1, 1, 1], jac=lambda d, *p: f(d, *p) is not None and
              decay_jacobian(d, *p))  # fmt: skip
    table = Table()
    curve_fit(lambda t, a: a * X if t is table else None, table, Y)


def test_what_the_functions_keep_does_not_change() -> None:
    kept: list[tuple[Any, Any]] = []

    def keeping(function: Any, x: Any, *p: Any) -> Any:
        values = function(x, *p)
        kept.append((p, [float(number) for number in p]))
        kept.append((values, values.copy()))
        return values

    alone = curve_fit(**with_jacobian(sigma=SIGMA))
    call = with_jacobian(sigma=SIGMA, p0=[1, 1, 1])
    wrapped = {name: functools.partial(keeping, call[name]) for name in ("f", "jac")}
    fitted = curve_fit(**call | wrapped)
    assert len(kept) > 10
    for seen, before in kept:
        np.testing.assert_array_equal(seen, before)
    for part, other in zip(fitted, alone, strict=True):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["1", "s", "C"])
@pytest.mark.parametrize("view", [False, True], ids=["the buffer", "a view of it"])
def test_a_model_may_return_the_same_memory_each_time(sigma: Any, view: bool) -> None:
    buffer = np.empty(M)

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        buffer[:] = decay(x, a, b, c)
        return buffer[:] if view else buffer

    for part, other in zip(
        curve_fit(**fit(f=f, sigma=sigma)), curve_fit(**fit(sigma=sigma)), strict=True
    ):
        np.testing.assert_array_equal(part, other)


def test_a_model_may_return_the_data_or_its_argument() -> None:
    x, y = X.copy(), Y.copy()
    with pytest.warns(OptimizeWarning):
        curve_fit(lambda data, a: y, x, y)
    with pytest.warns(OptimizeWarning):
        curve_fit(lambda data, a: data, x, y)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize(
    "name", ["plain", "sigma", "covariance", "jac, sigma", "NaN omitted, covariance"]
)
def test_the_arguments_are_not_changed(name: str) -> None:
    call = CALLS[name] | {"p0": np.ones(len(curve_fit(**CALLS[name])[0]))}
    arrays = {key: item for key, item in call.items() if isinstance(item, np.ndarray)}
    before = {key: array.copy() for key, array in arrays.items()}
    curve_fit(**call)
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, before[key])


def test_the_start_is_evaluated_once() -> None:
    points = []

    def f(x: Any, *p: Any) -> Any:
        points.append(p)
        return decay(x, *p)

    info = curve_fit(f, X, Y, [1, 1, 1], full_output=True)[2]
    assert len(points) == info["nfev"]
    assert points.count(points[0]) == 1


def test_fits_may_be_nested() -> None:
    alone = curve_fit(**fit())

    def f(x: Any, a: Any, b: Any, c: Any) -> Any:
        for part, other in zip(curve_fit(**fit()), alone, strict=True):
            np.testing.assert_array_equal(part, other)
        return decay(x, a, b, c)

    for part, other in zip(curve_fit(**fit(f=f)), alone, strict=True):
        np.testing.assert_array_equal(part, other)

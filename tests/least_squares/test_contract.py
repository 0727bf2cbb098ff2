"""SciPy's contract: signature, result, status, limits, arguments of fun."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from arrays import Array
from least_squares.cases import START, decay, decay_jacobian, each_jac, label
from minpack import OptimizeResult, least_squares


def test_the_signature_is_scipys_but_for_the_default_method(optimize):
    def parameters(function: Any) -> list[Any]:
        return [
            (p.name, p.kind, p.default if p.name != "method" else None)
            for p in inspect.signature(function).parameters.values()
        ]

    *ours, m, user_data, vectorized, acceleration = parameters(least_squares)
    assert ours == parameters(optimize.least_squares)
    only = inspect.Parameter.KEYWORD_ONLY
    assert [m, user_data] == [("m", only, None), ("user_data", only, None)]
    assert vectorized == ("vectorized", only, False)
    assert acceleration == ("acceleration", only, False)
    assert inspect.signature(least_squares).parameters["method"].default is None


@each_jac
@pytest.mark.parametrize("x_scale", [None, "jac", 2.0, [1.0, 0.5, 2.0]], ids=label)
def test_the_result_is_scipys(optimize, jac, x_scale):
    ours = least_squares(decay, START, jac, x_scale=x_scale)
    theirs = optimize.least_squares(decay, START, jac, method="lm", x_scale=x_scale)
    assert ours.keys() == theirs.keys()
    for name in ("x", "cost", "fun", "jac"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-6)
        assert np.shape(ours[name]) == np.shape(theirs[name])
    np.testing.assert_array_equal(ours.active_mask, theirs.active_mask)
    assert ours.active_mask.dtype == theirs.active_mask.dtype
    assert (ours.success, ours.nfev) == (theirs.success, theirs.nfev)
    assert ours.status == theirs.status or {ours.status, theirs.status} <= {2, 3, 4}
    assert (ours.njev is None) == (theirs.njev is None) == (not callable(jac))


@each_jac
def test_the_parts_of_the_result_belong_together(jac):
    fit = least_squares(decay, START, jac)
    np.testing.assert_array_equal(fit.fun, decay(fit.x))
    np.testing.assert_allclose(fit.jac, decay_jacobian(fit.x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.cost, 0.5 * fit.fun @ fit.fun, rtol=1e-14)
    np.testing.assert_allclose(fit.grad, fit.jac.T @ fit.fun, rtol=1e-9, atol=1e-14)
    assert fit.optimality == np.abs(fit.grad).max()
    assert isinstance(fit, OptimizeResult)
    assert fit.success is True


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"gtol": 1.0}, 1),
        ({"ftol": 1e-3, "xtol": 1e-15, "gtol": 1e-15}, 2),
        ({"ftol": 1e-15, "xtol": 1e-3, "gtol": 1e-15}, 3),
        ({"ftol": 1e-3, "xtol": 1e-3, "gtol": 1e-15}, 4),
        ({"max_nfev": 2}, 0),
    ],
)
def test_the_status_says_which_test_ended_the_fit(optimize, options, status):
    ours = least_squares(decay, START, decay_jacobian, **options)
    theirs = optimize.least_squares(
        decay, START, decay_jacobian, method="lm", **options
    )
    assert ours.status == theirs.status == status
    assert ours.success == theirs.success == (status > 0)
    assert ours.message.startswith("Converged" if status > 0 else "Stopped")
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-9)


def test_nfev_and_max_nfev_leave_out_differences():
    calls = []

    def counted(x: Array) -> Array:
        calls.append(x.copy())
        return decay(x)

    with_jacobian = least_squares(counted, START, decay_jacobian)
    assert with_jacobian.nfev == len(calls)
    for jac, each in (("2-point", 3), ("3-point", 6), ("cs", 3)):
        calls.clear()
        fit = least_squares(counted, START, jac)
        assert fit.nfev == with_jacobian.nfev
        assert fit.njev is None
        assert len(calls) == fit.nfev + each * with_jacobian.njev
        calls.clear()
        limited = least_squares(counted, START, jac, max_nfev=3)
        assert (limited.nfev, limited.status, limited.success) == (3, 0, False)
        assert limited.cost < 0.5 * np.sum(decay(np.array(START)) ** 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_nfev_is_100_n_by_default(n):
    fit = least_squares(lambda x: np.exp(-x), np.ones(n))  # the minimum is at infinity
    assert (fit.nfev, fit.status) == (100 * n, 0)


@each_jac
def test_args_and_kwargs_reach_both_functions(jac):
    def fun(x: Array, a: float, *, shift: float) -> Array:
        return decay(x - shift) * a

    def jacobian(x: Array, a: float, *, shift: float) -> Array:
        return decay_jacobian(x - shift) * a

    fit = least_squares(
        fun,
        np.add(START, 1.0),
        jacobian if callable(jac) else jac,
        args=[2.0],
        kwargs={"shift": 1.0},
    )
    np.testing.assert_allclose(fit.x - 1, least_squares(decay, START).x, rtol=1e-5)


def test_many_args_and_kwargs_are_passed_in_their_order():
    def fun(x: Array, *args: float, **kwargs: float) -> Array:
        assert args == tuple(range(9))
        assert list(kwargs) == list("zywabcdefghi")
        return x - kwargs["c"]

    kwargs = {name: float(i) for i, name in enumerate("zywabcdefghi")}
    assert least_squares(fun, [1.0], args=range(9), kwargs=kwargs).x == [5.0]


def test_kwargs_that_change_during_the_fit_do_not_change_it():
    kwargs = {"a": np.ones(3)}

    def fun(x: Array, a: Array) -> Array:
        kwargs.clear()
        return x * a - 3

    assert least_squares(fun, 1.0, kwargs=kwargs).x == pytest.approx(3)


@pytest.mark.parametrize("x0", [2.0, np.float32(2), [2], np.array([2.0])])
def test_one_parameter_may_be_a_number(x0):
    fit = least_squares(lambda x: x - 3, x0)
    assert fit.x.shape == (1,)
    assert fit.jac.shape == (1, 1)
    assert fit.x == pytest.approx(3)


def test_residuals_in_single_precision_have_longer_differences():
    t = np.linspace(0, 1, 100, dtype=np.float32)

    def fun(x: Array) -> Any:
        return (x[0] * np.exp(-x[1] * t) - 2 * np.exp(-0.5 * t)).astype(np.float32)

    assert least_squares(fun, [1.0, 1.0]).x == pytest.approx([2, 0.5], rel=1e-4)

"""Results have the types that type checkers see: `make lint` checks this file too."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from minpack import (
    BatchResult,
    OptimizeResult,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
)

Vector = NDArray[np.float64]

T = np.arange(4.0)
Y = 2 * T + 1


def line(t: Vector, a: Any, b: Any) -> Vector:
    return np.asarray(a * t + b)


def residuals(p: Vector) -> Vector:
    return line(T, *p) - Y


def derivatives(p: Vector) -> Vector:
    return np.stack([T, np.ones(4)], axis=1)


def rows_of_residuals(p: Vector, rows: NDArray[np.intp]) -> Vector:
    return line(T, p[:, :1], p[:, 1:]) - Y


def dtypes(*arrays: NDArray[Any]) -> set[np.dtype[Any]]:
    return {array.dtype for array in arrays}


def test_leastsq_returns_what_full_output_says() -> None:
    x, ier = leastsq(residuals, [1, 1])
    assert_type(x, Vector)
    assert_type(ier, int)
    x, cov_x, info, mesg, ier = leastsq(residuals, [1, 1], full_output=True)
    assert_type(cov_x, Vector | None)
    assert_type(mesg, str)
    assert_type(info.get("nfev"), int)  # which is always there
    assert_type(info["fvec"], Vector)
    assert_type(info["fjac"], Vector)
    assert_type(info["qtf"], Vector)
    assert_type(info["ipvt"], NDArray[np.intc])
    assert_type(info.get("njev"), int | None)
    assert dtypes(x, info["fvec"], info["fjac"], info["qtf"]) == {np.dtype(float)}
    assert dtypes(info["ipvt"]) == {np.dtype(np.intc)}


def test_curve_fit_returns_what_full_output_says() -> None:
    popt, pcov = curve_fit(line, T, Y)
    assert_type(popt, Vector)
    popt, pcov, info, *_ = curve_fit(line, T, Y, full_output=True)
    assert_type(pcov, Vector)
    assert_type(info["nfev"], int)
    assert dtypes(popt, pcov, info["fvec"]) == {np.dtype(float)}


def test_full_output_may_be_a_variable() -> None:
    for full in (False, True):
        fit = leastsq(residuals, [1, 1], full_output=full)
        curve = curve_fit(line, T, Y, full_output=full)
        assert_type(fit[0], Vector)
        assert_type(curve[1], Vector)
        assert len(fit) == len(curve) == (5 if full else 2)


def test_the_entries_of_least_squares_have_types() -> None:
    def callback(intermediate_result: OptimizeResult) -> bool:
        assert_type(intermediate_result.nit, int)
        return False

    fit = least_squares(residuals, [1, 1], jac=derivatives, callback=callback)
    assert_type(fit.x, Vector)
    assert_type(fit.fun, Vector)
    assert_type(fit.jac, Vector)
    assert_type(fit.grad, Vector)
    assert_type(fit.active_mask, NDArray[np.intp])
    assert_type(fit.cost, float)
    assert_type(fit.optimality, float)
    assert_type(fit.success, bool)
    assert_type(fit.message, str)
    assert_type(fit.status, int)
    assert_type(fit.nfev, int)
    assert_type(fit.njev, int | None)
    assert dtypes(fit.x, fit.fun, fit.jac, fit.grad) == {np.dtype(float)}
    assert dtypes(fit.active_mask) == {np.dtype(np.intp)}
    assert {type(fit[name]) for name in ("cost", "optimality")} == {float}
    assert {type(fit[name]) for name in ("status", "nfev", "njev")} == {int}
    assert (type(fit.success), type(fit.message)) == (bool, str)


def test_an_entry_of_ones_own_may_be_anything() -> None:
    result = OptimizeResult(own="mine")
    assert_type(result.own, Any)
    assert result.own == "mine"


def test_the_arrays_of_a_batch_have_types() -> None:
    for batch in (
        curve_fit_batch(line, T, [Y, Y]),
        leastsq_batch(rows_of_residuals, [[1, 1], [2, 2]]),
    ):
        assert_type(batch.x, Vector)
        assert_type(batch.cov, Vector)
        assert_type(batch.cost, Vector)
        assert_type(batch.nfev, NDArray[np.intc])
        assert_type(batch.ier, NDArray[np.intc])
        assert_type(batch.active_mask, NDArray[np.intc])
        assert_type(batch.success, NDArray[np.bool_])
        assert dtypes(batch.x, batch.cov, batch.cost) == {np.dtype(float)}
        assert dtypes(batch.nfev, batch.ier, batch.active_mask) == {np.dtype(np.intc)}
        assert dtypes(batch.success) == {np.dtype(bool)}
        assert_type(batch.stderr, Vector)
        assert_type(batch.correlation, Vector)
        assert dtypes(batch.stderr, batch.correlation) == {np.dtype(float)}
        assert_type(batch[0], BatchResult)
        assert_type(batch[~batch.success], BatchResult)
        assert_type(list(batch), list[BatchResult])
        assert_type(batch.message((0,)), str)
        assert {type(each) for each in (batch[0], *batch)} == {BatchResult}


def test_functions_that_return_pairs_have_types() -> None:
    def both(p: Vector) -> tuple[Vector, Vector]:
        return residuals(p), derivatives(p)

    def model(t: Vector, a: Any, b: Any) -> tuple[Vector, Vector]:
        return line(t, a, b), np.stack(
            np.broadcast_arrays(t, np.ones_like(t * a)), axis=-1
        )

    def rows(p: Vector, rows: NDArray[np.intp]) -> tuple[Vector, Vector]:
        return rows_of_residuals(p, rows), np.tile(derivatives(p), (len(p), 1, 1))

    x, _ = leastsq(both, [1, 1], Dfun=True)
    assert_type(x, Vector)
    popt, _ = curve_fit(model, T, Y, jac=True)
    assert_type(popt, Vector)
    assert_type(least_squares(both, [1, 1], True).x, Vector)
    batches = (
        curve_fit_batch(model, T, [Y, Y], jac=True),
        leastsq_batch(rows, [[1, 1], [2, 2]], Dfun=True),
    )
    for found in (x, popt, *(batch.x for batch in batches)):
        np.testing.assert_allclose(found, np.broadcast_to([2.0, 1.0], found.shape))

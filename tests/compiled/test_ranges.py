"""Compiled functions of a range of rows: in blocks, on threads, and the same bits."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import (
    RANGE,
    SIGNATURE,
    by_ctypes,
    by_ctypes_with_types,
    capsule,
    each_make_with_types,
)
from compiled.quotients import value_of
from fits import unscaled
from lock import lets_others_run
from minpack import (
    check_jacobian,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
)

pytestmark = unscaled

BLOCKS = 13
M = 100_003  # 13 leaves, and 13 strips, of which the last are not whole
T = np.linspace(0.0, 3.0, M)
Y = value_of(T, 2.0, 1.5) + 0.05 * np.random.default_rng(0).standard_normal(M)
PAIRS = np.stack([T, Y], axis=-1)
START = [1.0, 1.0]
SMALL = 20  # rows that a fit computes in one call


@pytest.fixture(scope="module")
def residual_range(path: Path) -> Any:
    return by_ctypes_with_types(path, "residual_range")


@pytest.fixture(scope="module")
def value_range(path: Path) -> Any:
    return by_ctypes_with_types(path, "value_range")


@pytest.fixture(scope="module")
def counting_range(path: Path) -> Any:
    return by_ctypes_with_types(path, "counting_range")


def curve(f: Any, jac: Any, m: int, **options: Any) -> list[Any]:
    """All that is known of a curve_fit to every so many points."""
    t, y = every(T, m), every(Y, m)
    options = {
        name: every(value, m) if np.shape(value) == T.shape else value
        for name, value in options.items()
    }
    popt, pcov, info, message, ier = curve_fit(
        f, t, y, START, jac=jac, full_output=True, **options
    )
    return bits([popt, pcov, *info.values(), message, ier])


def every(values: Any, m: int) -> Array:
    return np.ascontiguousarray(values[:: M // m][:m])


def bits(items: list[Any]) -> list[Any]:
    return [each.tobytes() if isinstance(each, np.ndarray) else each for each in items]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "sigma": {"sigma": 1 + T, "absolute_sigma": True},
    "one sigma": {"sigma": 0.3},
    "bounds": {"bounds": ([0, 0], [1.9, 9])},
    "soft_l1": {"loss": "soft_l1", "f_scale": 0.05},
    "cauchy and bounds": {
        "loss": "cauchy",
        "f_scale": 0.05,
        "bounds": ([0, 0], [1.9, 9]),
    },
    "diag": {"diag": [1.0, 2.0], "factor": 0.1},
    "callback": {"callback": lambda x: None},
    "reference": {"kernels": "reference"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("m", [SMALL, 1024, 1025, 8193, M])
@pytest.mark.parametrize("exact", [True, False], ids=["jac", "differences"])
def test_a_fit_has_the_bits_of_functions_of_all_rows(
    path: Path, functions: Any, value_range: Any, m: int, exact: bool, options: Any
) -> None:
    jac = functions.derivatives if exact else None
    expected = curve(functions.values, jac, m, **options)
    assert curve(value_range, True if exact else None, m, **options) == expected


@pytest.mark.parametrize("workers", [1, 2, 3, 7, -1])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("exact", [True, False], ids=["jac", "differences"])
def test_the_bits_do_not_depend_on_the_threads(
    value_range: Any, workers: int, exact: bool, options: Any
) -> None:
    jac = True if exact else None
    expected = curve(value_range, jac, M, **options)
    for _ in range(3):
        assert curve(value_range, jac, M, workers=workers, **options) == expected


def test_a_covariance_of_the_data_goes_with_a_range_too(
    functions: Any, value_range: Any
) -> None:
    m = 1100
    covariance = np.diag(0.01 + 0.01 * every(T, m)) + 1e-4
    options = {"sigma": covariance, "absolute_sigma": True}
    assert curve(value_range, True, m, **options) == curve(
        functions.values, functions.derivatives, m, **options
    )


@each_make_with_types
@pytest.mark.parametrize("m", [SMALL, 2000])
@pytest.mark.parametrize("exact", [True, False], ids=["jac", "differences"])
def test_a_range_may_come_from_whoever_tells_its_types(
    path: Path, functions: Any, make: Callable[..., Any], m: int, exact: bool
) -> None:
    jac = functions.derivatives if exact else None
    expected = curve(functions.values, jac, m)
    assert curve(make(path, "value_range"), exact or None, m) == expected


@pytest.mark.parametrize("m", [SMALL, M])
@pytest.mark.parametrize("exact", [True, False], ids=["Dfun", "differences"])
def test_leastsq_takes_a_range_of_residuals(
    functions: Any, residual_range: Any, m: int, exact: bool
) -> None:
    def fit(func: Any, dfun: Any) -> list[Any]:
        x, cov, info, *rest = leastsq(
            func, START, Dfun=dfun, full_output=True, m=m, user_data=every(PAIRS, m)
        )
        return bits([x, cov, *info.values(), *rest])

    expected = fit(functions.residuals, functions.jacobian if exact else None)
    assert fit(residual_range, exact or None) == expected


@pytest.mark.parametrize("m", [SMALL, M])
@pytest.mark.parametrize("jac", [True, "2-point", "3-point"])
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_least_squares_takes_a_range_of_residuals(
    functions: Any, residual_range: Any, m: int, jac: Any, loss: str
) -> None:
    options = {"m": m, "user_data": every(PAIRS, m), "loss": loss, "f_scale": 0.05}
    theirs = functions.jacobian if jac is True else jac
    expected = least_squares(functions.residuals, START, theirs, **options)
    for workers in (None, 1, 3):
        fit = least_squares(residual_range, START, jac, workers=workers, **options)
        np.testing.assert_allclose(fit.optimality, expected.optimality, atol=1e-9)
        for name in ("x", "fun", "jac", "cost", "nfev", "njev", "status", "message"):
            assert np.array_equal(fit[name], expected[name]), name


def test_a_small_fit_is_one_call_for_all_rows(counting_range: Any) -> None:
    counts = np.zeros(3, np.intc)
    fit = least_squares(counting_range, START, True, m=1024, user_data=counts)
    assert counts[1] == 1024
    assert counts[0] == fit.nfev + fit.njev


@pytest.mark.parametrize("jac", [True, "2-point"])
def test_a_large_fit_is_calls_for_some_rows(counting_range: Any, jac: Any) -> None:
    counts = np.zeros(3, np.intc)
    fit = least_squares(counting_range, START, jac, m=M, user_data=counts, workers=1)
    assert fit.success
    assert counts[1] <= 8192
    assert counts[0] > M / 8192 * fit.nfev


def test_a_low_level_callable_may_bring_its_user_data(
    path: Path, residual_range: Any
) -> None:
    scipy = pytest.importorskip("scipy")
    function = scipy.LowLevelCallable(
        residual_range, PAIRS.ctypes.data_as(ctypes.c_void_p)
    )
    x, _ = leastsq(function, START, Dfun=True, m=M)
    expected, _ = leastsq(residual_range, START, Dfun=True, m=M, user_data=PAIRS)
    assert np.array_equal(x, expected)


def test_a_range_in_python_runs_on_threads_and_waits_for_the_lock() -> None:
    callers = set()

    @ctypes.CFUNCTYPE(ctypes.c_int, *RANGE)
    def f(first, count, n, x, fvec, fjac, ld, data):  # type: ignore[no-untyped-def]
        callers.add(threading.get_ident())
        t = T[first : first + count]
        fvec = np.ctypeslib.as_array(fvec, (count,))
        fvec[:] = x[0] * t + x[1]
        if ld:
            np.ctypeslib.as_array(fjac, (n, ld))[0, :count] = t
            np.ctypeslib.as_array(fjac, (n, ld))[1, :count] = 1
        return 0

    y = 3 * T + 2
    popt, _ = curve_fit(f, None, y, START, jac=True, workers=3)
    np.testing.assert_allclose(popt, [3, 2])
    assert len(callers) > 1
    callers.clear()
    curve_fit(f, None, y, START, jac=True, workers=1)
    assert callers == {threading.get_ident()}


# --- The end --------------------------------------------------------------------------


@pytest.mark.parametrize("m", [SMALL, M])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("jac", [True, "2-point"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_negative_number_stops_the_fit(
    counting_range: Any, m: int, workers: int, jac: Any, at: int
) -> None:
    counts = np.array([0, 0, at], np.intc)
    options = {"m": m, "user_data": counts, "workers": workers}
    fit = least_squares(counting_range, START, jac, **options)
    assert (fit.status, fit.success) == (-1, False)
    assert "-6" in fit.message
    assert np.isnan(fit.jac).all()
    if m == SMALL or workers == 1:
        assert counts[0] == at  # it is called no more
    else:  # the other threads may end the evaluation before they hear of it
        assert at <= counts[0] <= BLOCKS
    assert np.isfinite(fit.x).all()


@pytest.mark.parametrize("m", [SMALL, M])
def test_a_range_that_stops_is_an_error_of_curve_fit_and_the_ier_of_leastsq(
    counting_range: Any, m: int
) -> None:
    counts = np.array([0, 0, -1], np.intc)
    with pytest.raises(RuntimeError, match="-6"):
        curve_fit(counting_range, None, Y[:m], START, jac=True, user_data=counts)
    x, cov, info, message, ier = leastsq(
        counting_range, START, Dfun=True, full_output=True, m=m, user_data=counts
    )
    assert (ier, cov) == (-6, None)
    assert "-6" in message
    assert info["fvec"].shape == (m,)
    assert np.array_equal(x, START)


def test_residuals_that_are_not_finite_end_a_fit(value_range: Any) -> None:
    with pytest.raises(RuntimeError, match="not finite"):
        curve_fit(value_range, T, Y, [np.nan, 1.0], jac=True)


@pytest.mark.parametrize("workers", [1, 3])
def test_data_that_are_not_finite_are_errors(value_range: Any, workers: int) -> None:
    for name in ("xdata", "ydata"):
        arrays = {"xdata": T.copy(), "ydata": Y.copy()}
        arrays[name][M // 2] = np.nan
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            curve_fit(value_range, **arrays, p0=START, jac=True, workers=workers)


BOTH = r"func must be compiled from 'int func.int m.* or 'int func.int first, int count"


def test_a_wrong_signature_is_an_error_that_shows_both(path: Path) -> None:
    one_less = by_ctypes_with_types(path, "value_range")
    one_less.argtypes = RANGE[1:]
    wrong = capsule(path, "value_range", SIGNATURE["range"].replace("(int", "(long"))
    for function in (one_less, wrong):
        with pytest.raises(TypeError, match=BOTH):
            leastsq(function, START, m=M)


def test_a_function_without_types_is_not_taken_for_a_range(path: Path) -> None:
    with pytest.raises(TypeError, match="True is for a Python func: a compiled one"):
        leastsq(by_ctypes(path, "residual_range"), START, Dfun=True, m=SMALL)


def test_bad_arguments_are_errors_that_name_them(
    functions: Any, value_range: Any, residual_range: Any
) -> None:
    with pytest.raises(TypeError, match="jac must be True, or None for differences: f"):
        curve_fit(value_range, T, Y, START, jac=functions.derivatives)
    with pytest.raises(TypeError, match="Dfun must be True, or None"):
        leastsq(residual_range, START, Dfun=lambda x: x, m=M)
    with pytest.raises(TypeError, match="m is needed"):
        leastsq(residual_range, START, Dfun=True)
    with pytest.raises(TypeError, match="m = 1 for n = 2"):
        leastsq(residual_range, START, Dfun=True, m=1)
    with pytest.raises(ValueError, match="p0 is needed: a compiled f"):
        curve_fit(value_range, T, Y, jac=True)
    with pytest.raises(ValueError, match=r"workers must be a positive .* not 0"):
        curve_fit(value_range, T, Y, START, jac=True, workers=0)
    with pytest.raises(TypeError, match=r"workers must be a number of .* float"):
        least_squares(residual_range, START, True, m=M, workers=1.5)
    with pytest.raises(ValueError, match="jac='cs' needs a Python fun"):
        least_squares(residual_range, START, "cs", m=M)


def test_workers_are_not_for_compiled_functions_of_all_rows(functions: Any) -> None:
    with pytest.raises(ValueError, match="workers must be None or 1, not 2"):
        curve_fit(functions.values, T, Y, START, workers=2)


def test_batches_and_the_check_of_derivatives_take_no_range(
    value_range: Any, residual_range: Any
) -> None:
    for jac in (None, True):
        with pytest.raises(TypeError, match=r"f must be compiled from 'int f|Python f"):
            curve_fit_batch(value_range, T, Y[None], START, jac=jac)
    with pytest.raises(TypeError, match="func must be compiled from 'int func"):
        leastsq_batch(residual_range, [START], m=M, user_data=PAIRS[None])
    with pytest.raises(TypeError, match="compiled"):
        check_jacobian(residual_range, True, START)


def test_functions_and_data_are_kept_no_longer_than_the_call(
    value_range: Any, residual_range: Any
) -> None:
    def run() -> None:
        curve_fit(value_range, T, Y, START, jac=True, workers=2, full_output=True)
        curve_fit(value_range, None, Y, START, user_data=T)
        leastsq(residual_range, START, Dfun=True, m=M, user_data=PAIRS)
        with pytest.raises(TypeError):
            curve_fit(value_range, T, Y, START, jac=residual_range)
        with pytest.raises(ValueError, match="bounds"):
            curve_fit(value_range, T, Y, START, jac=True, bounds=([1], [2]))

    run()
    counted = [value_range, residual_range, T, Y, PAIRS, START]
    before = [sys.getrefcount(each) for each in counted]
    for _ in range(10):
        run()
    assert [sys.getrefcount(each) for each in counted] == before


# --- Threads, the lock and memory -----------------------------------------------------


def test_a_fit_lets_other_threads_run(value_range: Any) -> None:
    def work(begin: Callable[[], None]) -> None:
        begin()
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            curve_fit(value_range, T, Y, START, jac=True, check_finite=False)

    assert lets_others_run(work)


def test_threads_of_python_may_fit_one_function_at_once(value_range: Any) -> None:
    expected = curve(value_range, True, M)
    results: list[Any] = []

    def act() -> None:
        for _ in range(5):
            results.append(curve(value_range, True, M, workers=3))

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 20


@pytest.mark.parametrize(
    "options", [{}, {"loss": "huber"}, {"bounds": (0, 9)}, {"sigma": 1 + T}]
)
def test_a_large_fit_allocates_less_than_an_array_of_its_rows(
    value_range: Any, options: dict[str, Any]
) -> None:
    tracemalloc.start()
    try:
        curve_fit(value_range, T, Y, START, jac=True, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < Y.nbytes / 2

"""curve_fit: a compiled model has the bits of the same model in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import by_ctypes_with_types, each_make
from compiled.quotients import (
    COVARIANCE,
    SIGMA,
    M,
    T,
    bits_of_full,
    data,
    derivatives_of,
    value_of,
)
from fits import unscaled
from minpack import curve_fit

pytestmark = unscaled

CURVES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sigma in a number": {"sigma": 0.05, "absolute_sigma": True},
    "sigma": {"sigma": SIGMA},
    "covariance": {"sigma": COVARIANCE, "absolute_sigma": True},
    "bounds": {"bounds": ([0, 0], [9, 1])},
    "bounds and sigma": {"bounds": ([0, 0], [2, 9]), "sigma": SIGMA},
    "diag": {"diag": [1.0, 2.0], "factor": 1.0},
    "reference": {"kernels": "reference", "sigma": SIGMA},
}
each_curve = pytest.mark.parametrize("options", CURVES.values(), ids=CURVES)


def all_of(
    f: Any, y: Array, p0: Array, jac: Any, *, xdata: Any = T, **options: Any
) -> list[Any]:
    """All that is known of a curve_fit."""
    p0 = np.clip(p0, *options.get("bounds", (-np.inf, np.inf)))
    popt, pcov, info, message, ier = curve_fit(
        f, xdata, y, p0, jac=jac, full_output=True, **options
    )
    return bits_of_full((popt, pcov, info, message, ier))


@each_make
@each_curve
@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
def test_a_curve_fit_has_the_bits_of_the_same_model_in_python(
    path: Path, make: Callable[..., Any], options: dict[str, Any], with_jac: bool
) -> None:
    f = make(path, "values")
    jac = make(path, "derivatives") if with_jac else None
    for pairs, p0 in zip(*data(20), strict=True):
        y = pairs[:, 1]
        assert all_of(f, y, p0, jac, **options) == all_of(
            value_of, y, p0, derivatives_of if with_jac else None, **options
        )


def test_a_compiled_model_of_many_points_has_these_bits_too(
    functions: ctypes.CDLL,
) -> None:
    """From some thousands of points on, the factorization forms the differences."""
    t = np.linspace(0.0, 3.0, 5000)
    y = value_of(t, 2.0, 1.5) + 0.01 * np.cos(40 * t)
    start = np.array([1.0, 1.0])
    for options in ({}, {"sigma": 1 + t}, {"bounds": (0, 2)}):
        assert all_of(functions.values, y, start, None, xdata=t, **options) == all_of(
            value_of, y, start, None, xdata=t, **options
        )


@pytest.mark.parametrize(
    "xdata",
    [
        T.tolist(),
        tuple(T),
        np.repeat(T, 2)[::2],
        np.asfortranarray(np.stack([T, T + 1])),
        memoryview(T),
    ],
    ids=["list", "tuple", "strided", "by columns", "buffer"],
)
def test_a_compiled_model_gets_xdata_as_contiguous_numbers(
    functions: ctypes.CDLL, xdata: Any
) -> None:
    (pairs,), (p0,) = data(1)
    expected = all_of(value_of, pairs[:, 1], p0, None)
    assert all_of(functions.values, pairs[:, 1], p0, None, xdata=xdata) == expected


def test_whole_numbers_in_xdata_become_floats(functions: ctypes.CDLL) -> None:
    t = np.arange(M)
    y = value_of(t, 2.0, 0.3) + 0.01 * np.cos(7.0 * t)
    start = np.array([1.0, 1.0])
    assert all_of(functions.values, y, start, None, xdata=t) == all_of(
        value_of, y, start, None, xdata=t
    )


def test_user_data_takes_the_place_of_xdata(path: Path, functions: Any) -> None:
    scipy = pytest.importorskip("scipy")
    (pairs,), (p0,) = data(1)
    y, elsewhere = pairs[:, 1], T + 1
    expected = all_of(value_of, y, p0, None)
    for xdata in (None, elsewhere, object()):
        assert expected == all_of(
            functions.values, y, p0, None, xdata=xdata, user_data=T
        )
    bringing = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "values"), T.ctypes.data_as(ctypes.c_void_p)
    )
    for xdata in (None, elsewhere):
        assert all_of(bringing, y, p0, None, xdata=xdata) == expected
    brought = all_of(bringing, y, p0, None, user_data=elsewhere)
    assert brought == all_of(value_of, y, p0, None, xdata=elsewhere)


def test_without_xdata_and_user_data_a_model_gets_none(functions: ctypes.CDLL) -> None:
    popt, pcov = curve_fit(functions.plain, None, np.ones(2), [1.0, 2.0], sigma=2.0,
                           absolute_sigma=True)  # fmt: skip
    np.testing.assert_allclose(popt, 4.0)
    np.testing.assert_allclose(pcov, 4 * np.eye(2), atol=1e-12)


def test_a_number_for_ydata_is_one_datum_of_a_compiled_model(
    functions: ctypes.CDLL,
) -> None:
    popt, _ = curve_fit(functions.plain, None, 2.0, 1.0, absolute_sigma=True)
    np.testing.assert_allclose(popt, 5.0)
    with pytest.raises(TypeError, match="2 parameters cannot be fitted to 1 data"):
        curve_fit(functions.plain, None, 2.0, [1.0, 1.0])


def test_points_with_nan_are_left_out_of_xdata_but_not_of_user_data(
    functions: ctypes.CDLL,
) -> None:
    (pairs,), (p0,) = data(1)
    y = pairs[:, 1].copy()
    y[[3, 8]] = np.nan
    for xdata in (T, np.stack([T, T])):
        result = all_of(functions.values, y, p0, None, xdata=xdata, nan_policy="omit")
        assert result == all_of(value_of, y, p0, None, nan_policy="omit")
    with pytest.raises(ValueError, match="user_data"):
        curve_fit(functions.values, T, y, p0, nan_policy="omit", user_data=T)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_negative_value_ends_a_curve_fit_in_a_runtime_error(
    functions: ctypes.CDLL, at: int
) -> None:
    for bounds in ((-np.inf, np.inf), (-9, 9)):
        count = np.array([at], dtype=np.intc)
        with pytest.raises(RuntimeError, match="compiled function returned -7"):
            curve_fit(
                functions.stopping, None, np.zeros(3), [1.0, 2.0], user_data=count,
                bounds=bounds,
            )  # fmt: skip
        assert count[0] == 0
    with pytest.raises(RuntimeError, match="compiled function returned -8"):
        curve_fit(
            functions.stopping, None, np.zeros(3), [1.0, 2.0],
            jac=functions.stopping_jacobian, user_data=np.array([99], np.intc),
        )  # fmt: skip


def test_values_that_are_not_finite_are_no_solution(functions: ctypes.CDLL) -> None:
    with pytest.raises(RuntimeError, match="not finite"):
        curve_fit(functions.values, T, np.ones(M), [np.nan, 1.0])


def test_a_compiled_curve_fit_changes_no_argument(functions: ctypes.CDLL) -> None:
    (pairs,), (p0,) = data(1)
    given = [T.copy(), pairs[:, 1].copy(), p0.copy(), SIGMA.copy()]
    for array in given:
        array.flags.writeable = False
    curve_fit(functions.values, *given[:3], sigma=given[3])
    for array, before in zip(given, (T, pairs[:, 1], p0, SIGMA), strict=True):
        np.testing.assert_array_equal(array, before)

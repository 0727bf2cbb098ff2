"""leastsq: a compiled function has the bits of the same function in Python."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiled.makes import RESIDUALS, by_ctypes_with_types, each_make
from compiled.quotients import M, bits_of_full, data, in_python
from minpack import leastsq, leastsq_batch


@each_make
@pytest.mark.parametrize("with_jacobian", [False, True], ids=["differences", "Dfun"])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_a_fit_has_the_bits_of_the_same_function_in_python(
    path: Path, make: Callable[..., Any], with_jacobian: bool, kernels: str
) -> None:
    func = make(path, "residuals")
    dfun = make(path, "jacobian") if with_jacobian else None
    for options in ({}, {"diag": [1.0, 2.0], "factor": 1.0}, {"maxfev": 4}):
        for pairs, p0 in zip(*data(30), strict=True):
            result = leastsq(
                func, p0, (), dfun, True, m=M, user_data=pairs, kernels=kernels,
                **options,
            )  # fmt: skip
            assert bits_of_full(result) == in_python(
                pairs, p0, with_jacobian, kernels=kernels, **options
            )


def test_without_user_data_the_function_gets_none(functions: ctypes.CDLL) -> None:
    x, ier = leastsq(functions.plain, [1.0, 2.0], m=5)
    np.testing.assert_allclose(x, 3.0)
    assert ier in (1, 2, 3, 4)


def test_a_pointer_to_a_python_function_works_too(path: Path) -> None:
    calls = []
    inner = by_ctypes_with_types(path, "residuals")

    @ctypes.CFUNCTYPE(ctypes.c_int, *RESIDUALS)
    def func(*args: Any) -> int:
        calls.append(threading.get_ident())
        return inner(*args)

    (pairs,), (p0,) = data(1)
    result = leastsq(func, p0, full_output=True, m=M, user_data=pairs)
    assert bits_of_full(result) == in_python(pairs, p0, False)
    assert len(calls) == result[2]["nfev"]


def test_a_low_level_callable_may_bring_its_user_data(path: Path) -> None:
    scipy = pytest.importorskip("scipy")
    (pairs, other), (p0, _) = data(2)
    function = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "residuals"), pairs.ctypes.data_as(ctypes.c_void_p)
    )
    expected = in_python(pairs, p0, False)
    assert bits_of_full(leastsq(function, p0, full_output=True, m=M)) == expected
    result = leastsq(function, p0, full_output=True, m=M, user_data=other)
    assert bits_of_full(result) == in_python(other, p0, False)


@pytest.mark.parametrize("at", [1, 2, 3, 6])
def test_a_negative_value_stops_the_fit_and_becomes_its_ier(
    functions: ctypes.CDLL, at: int
) -> None:
    count = np.array([at], dtype=np.intc)
    x, cov, info, message, ier = leastsq(
        functions.stopping, [1.0, 2.0], full_output=True, m=3, user_data=count
    )
    assert ier == -7
    assert "-7" in message
    assert count[0] == 0
    assert cov is None
    assert np.isfinite(x).all()
    assert not info["fjac"].any()
    with pytest.warns(RuntimeWarning, match="-7"):
        leastsq(functions.stopping, [1.0, 2.0], m=3, user_data=np.array([at], np.intc))


@pytest.mark.parametrize("m", [2**31 - 1, 2**31 - 8])
def test_as_many_residuals_as_an_int_can_count_are_no_riddle(
    functions: ctypes.CDLL, m: int
) -> None:
    """The fit ends at its first evaluation, if there is memory for it."""
    count = np.array([1], np.intc)
    try:
        result = leastsq_batch(
            functions.stopping, [[1.0, 2.0]], m=m, user_data=count, workers=1
        )
    except MemoryError:
        return
    assert result.ier == -7


def test_a_jacobian_stops_the_fit_as_well(functions: ctypes.CDLL) -> None:
    count = np.array([1000], dtype=np.intc)
    with pytest.warns(RuntimeWarning, match="-8"):
        ier = leastsq(
            functions.stopping, [1.0, 2.0], (), functions.stopping_jacobian,
            m=3, user_data=count,
        )[1]  # fmt: skip
    assert ier == -8

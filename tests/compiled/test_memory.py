"""Fits of compiled functions leave nothing behind, also where memory runs out."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compiled.makes import SIGNATURE, capsule, each_make
from compiled.quotients import SIGMA, M, T, data
from fits import unscaled
from memory import each_extent, fail_each_allocation
from minpack import (
    _minpack,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
)
from models import soft

pytestmark = unscaled


@each_make
def test_functions_and_data_are_kept_no_longer_than_the_call(
    path: Path, make: Callable[..., Any]
) -> None:
    func, dfun = make(path, "residuals"), make(path, "jacobian")
    f, jac = make(path, "values"), make(path, "derivatives")
    pairs, p0 = data(20)
    y = np.ascontiguousarray(pairs[:, :, 1])
    strided = np.repeat(T, 2)[::2]

    keywords = {"user_data": T}

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leastsq(func, p0[0], (), dfun, m=M, user_data=pairs)
            leastsq(func, p0[0], m=M, user_data=pairs, maxfev=2)
        leastsq_batch(func, p0, (), dfun, m=M, user_data=pairs, workers=2)
        with pytest.raises(TypeError):
            leastsq(dfun, p0[0], m="a", user_data=pairs)
        for xdata, extra in ((T, {}), (strided, {"sigma": SIGMA}), (None, keywords)):
            curve_fit(f, xdata, y[0], p0[0], jac=jac, full_output=True, **extra)
        curve_fit_batch(f, T, y, p0, jac=jac, mask=y > 9, workers=2)
        curve_fit_batch(f, None, y, p0, user_data=y)
        least_squares(func, p0[0], dfun, m=M, user_data=pairs, loss=soft)
        with pytest.raises(TypeError):
            curve_fit(f, T, y[0], [], user_data=pairs)
        with pytest.raises(ValueError, match="cs"):
            least_squares(func, p0[0], "cs", m=M, user_data=pairs)

    run()
    gc.collect()
    counted = [func, dfun, f, jac, pairs, p0, y, strided, T, SIGMA]
    before = [sys.getrefcount(each) for each in counted]
    for _ in range(50):
        run()
    gc.collect()
    assert [sys.getrefcount(each) for each in counted] == before


FAILING: dict[str, Callable[[SimpleNamespace], Any]] = {
    "leastsq": lambda c: leastsq(c.residuals, START, m=M, user_data=PAIRS),
    "curve_fit": lambda c: curve_fit(
        c.values, T, PAIRS[:, 1], START, jac=c.derivatives, bounds=(0, 9)
    ),
    "curve_fit, strided": lambda c: curve_fit(
        c.values, PAIRS[:, 0], PAIRS[:, 1], START, sigma=SIGMA, full_output=True
    ),
    "curve_fit that stops": lambda c: curve_fit(
        c.stopping, None, T, START, user_data=np.array([3], np.intc)
    ),
    "xdata is no array": lambda c: curve_fit(c.values, {}, PAIRS[:, 1], START),
    "user_data has no memory": lambda c: curve_fit(
        c.values, T, PAIRS[:, 1], START, user_data=1
    ),
    "least_squares": lambda c: least_squares(
        c.residuals, START, c.jacobian, m=M, user_data=PAIRS, loss="cauchy"
    ),
    "least_squares that stops": lambda c: least_squares(
        c.stopping, START, m=3, user_data=np.array([3], np.intc)
    ),
    "a range": lambda c: least_squares(
        c.residual_range, START, True, m=M, user_data=PAIRS
    ),
    "a range in blocks": lambda c: curve_fit(
        c.value_range, MANY, MANY, START, jac=True, workers=2, full_output=True
    ),
    "a range beside a Jacobian": lambda c: curve_fit(
        c.value_range, T, T, START, jac=c.derivatives
    ),
    "no m": lambda c: least_squares(c.residuals, START),
}
(PAIRS,), (START,) = data(1)
MANY = np.linspace(0.0, 3.0, 70_000)


@each_extent
@pytest.mark.parametrize("name", FAILING)
def test_where_memory_runs_out_a_compiled_fit_leaves_nothing_behind(
    path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, name: str, alone: bool
) -> None:
    """With capsules: ctypes itself does not always say that memory has run out."""
    names = ("residuals", "jacobian", "values", "derivatives", "stopping")
    functions = SimpleNamespace(**{name: capsule(path, name, None) for name in names})
    for name_of_range in ("residual_range", "value_range"):
        signature = SIGNATURE[name_of_range]
        setattr(functions, name_of_range, capsule(path, name_of_range, signature))

    def act() -> str:
        try:
            result = FAILING[name](functions)
        except MemoryError:
            return "MemoryError"
        except Exception as error:
            return repr(error)
        return repr(result)

    expected = act()
    for solver in ("leastsq", "curve_fit", "least_squares"):
        failing = memory.failing(getattr(_minpack, solver))
        monkeypatch.setattr(_minpack, solver, failing)
    fail_each_allocation(memory, alone, act, expected)

"""Functions of a lower precision, and the steps of their differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import X, peak, peak_jacobian, peaks
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch
from minpack import curve_fit, least_squares, leastsq


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("dtype", ["float32", ">f4", "float16", "int32"])
def test_a_fit_in_low_precision_has_the_bits_that_it_has_alone(
    dtype: str, jacobian: bool
) -> None:
    y, p0 = peaks(100)
    unit = 1e6 if dtype == "int32" else 1.0

    def coarse(x: Array, *p: Any) -> Array:
        return (unit * peak(x, *p)).astype(dtype)

    def derivatives(x: Array, *p: Any) -> Array:
        d = unit * peak_jacobian(x, *p)
        return d if dtype == "int32" else d.astype(dtype)

    jac = derivatives if jacobian else None
    result = curve_fit_batch(coarse, X, unit * y, p0, jac=jac)
    good = np.flatnonzero(result.success & np.isfinite(result.cov).all(axis=(1, 2)))
    if dtype != "int32":  # a step of a difference does not change an integer
        fine = curve_fit_batch(peak, X, y, p0)
        np.testing.assert_allclose(result.cost, fine.cost, rtol=0.1)
        assert len(good) > 90
    for i in good:
        x, cov = curve_fit(coarse, X, unit * y[i], p0[i], jac=jac)
        assert x.tobytes() == result.x[i].tobytes()
        assert cov.tobytes() == result.cov[i].tobytes()

    result = leastsq_batch(
        lambda p, rows: coarse(X, *p.T[:, :, None]) - (unit * y[rows]).astype(dtype),
        p0,
        Dfun=(lambda p, rows: derivatives(X, *p.T[:, :, None])) if jacobian else None,
    )
    for i in range(100):
        x, *_ = leastsq(
            lambda p, i=i: coarse(X, *p) - (unit * y[i]).astype(dtype),
            p0[i],
            Dfun=(lambda p: derivatives(X, *p)) if jacobian else None,
            full_output=True,
        )
        assert x.tobytes() == result.x[i].tobytes()


FITS: dict[str, Callable[..., Any]] = {
    "curve_fit": lambda f, **k: curve_fit(f, X, X, [1.0], **k),
    "curve_fit_batch": lambda f: curve_fit_batch(f, X, X[None], [1.0]),
    "leastsq": lambda f, **k: leastsq(lambda p: f(X, *p), [1.0], full_output=True, **k),
    "leastsq_batch": lambda f: leastsq_batch(lambda p, rows: f(X, p), [[1.0]]),
    "least_squares": lambda f: least_squares(lambda p: f(X, *p), [1.0]),
}


def first_step(fit: Callable[..., Any], values: Callable[..., Any], **k: Any) -> float:
    """Return the step of the first difference from 1."""
    asked: list[float] = []

    def f(x: Array, a: Any) -> Any:
        asked.append(np.ravel(a)[0])
        return values(2 * a * x)

    fit(f, **k)
    return next(a for a in asked if a != 1.0) - 1.0


@pytest.mark.filterwarnings("ignore:The covariance")
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(
    ("values", "epsilon"),
    [
        (np.float64, 2.0**-52),
        (np.float32, 2.0**-23),
        (np.float16, 2.0**-10),
        (np.int64, 2.0**-52),
        (np.bool_, 2.0**-52),
        (lambda v: v.astype(">f4"), 2.0**-23),
        (lambda v: v.astype(np.float32).tolist(), 2.0**-52),
    ],
    ids=["float64", "float32", "float16", "int64", "bool", ">f4", "a list"],
)
def test_difference_steps_are_those_of_the_precision_that_the_function_has(
    fit: Callable[..., Any], values: Callable[..., Any], epsilon: float
) -> None:
    step = first_step(fit, values)
    np.testing.assert_allclose(step, np.sqrt(epsilon), rtol=1e-6)


@pytest.mark.parametrize("name", ["curve_fit", "leastsq"])
def test_a_step_that_is_asked_for_is_taken_whatever_the_precision(name: str) -> None:
    step = first_step(FITS[name], np.float32, epsfcn=1e-4)
    np.testing.assert_allclose(step, 1e-2, rtol=1e-6)

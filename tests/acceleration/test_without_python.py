"""Acceleration of compiled and traced functions, and of batches."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from compiled.conftest import functions, path  # noqa: F401
from minpack import (
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
    traced,
)

from .fits import P0, Array, T, decay, derivatives

M = 40
DATA = np.stack([np.linspace(0, 4, M), 1 / (1 + np.linspace(0, 6, M) ** 2)], 1)


def lorentzian(x: Array) -> Array:
    u = x[1] * DATA[:, 0]
    return x[0] / (1 + u * u) - DATA[:, 1]


# --- Compiled and traced -------------------------------------------------------------


@pytest.mark.parametrize("solver", [leastsq, least_squares])
def test_a_compiled_fit_has_the_bits_of_python(
    functions: ctypes.CDLL,  # noqa: F811
    solver: Any,
) -> None:
    start = [5.0, 9.0]
    compiled = solver(
        functions.residuals, start, m=M, user_data=DATA, acceleration=True
    )
    python = solver(lorentzian, start, acceleration=True)
    plain = solver(lorentzian, start)
    if solver is leastsq:
        np.testing.assert_array_equal(compiled[0], python[0])
        assert (python[0] != plain[0]).any()
    else:
        np.testing.assert_array_equal(compiled.x, python.x)
        assert compiled.nfev == python.nfev != plain.nfev


def test_a_compiled_function_may_stop_the_fit_ahead_of_a_step(
    functions: ctypes.CDLL,  # noqa: F811
) -> None:
    """It stops at its n-th evaluation, the second of which is ahead of a step."""
    for calls in range(1, 6):
        count = np.array([calls], np.intc)
        fit = leastsq(
            functions.stopping, [1.0, 2.0], m=3, user_data=count, full_output=True,
            acceleration=True,
        )  # fmt: skip
        assert fit[-1] == -7


@pytest.mark.parametrize("m", [12, 3000])
def test_a_traced_fit_is_that_with_exact_derivatives(m: int) -> None:
    """With many points its rows are kept in memory for once."""
    t = np.linspace(0.0, 3.0, m)
    y = decay(t, 2.5, 1.3, 0.5) + 0.01 * np.cos(9 * t)
    ours = curve_fit(traced(decay), t, y, P0, full_output=True, acceleration=True)
    theirs = curve_fit(
        decay, t, y, P0, jac=derivatives, full_output=True, acceleration=True
    )
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    assert ours[2]["nfev"] == theirs[2]["nfev"]


def test_a_traced_fit_of_many_points_takes_bounds_and_a_loss() -> None:
    t = np.linspace(0.0, 3.0, 3000)
    y = decay(t, 2.5, 1.3, 0.5)
    y[::50] += 3
    options: dict[str, Any] = {
        "bounds": ([0, 0, -5], [50, 20, 0.4]), "loss": "cauchy", "f_scale": 0.05,
    }  # fmt: skip
    bent, plain = (
        curve_fit(traced(decay), t, y, [9, 4, 0], acceleration=bends, **options)[0]
        for bends in (True, False)
    )
    np.testing.assert_allclose(bent, plain, rtol=1e-5)


# --- Batches -------------------------------------------------------------------------


def many(count: int) -> tuple[Array, Array]:
    """Data, and starts that are far from their minima."""
    rng = np.random.default_rng(5)
    true = rng.uniform([1, 0.5, 0], [4, 2, 1], (count, 3))
    y = decay(T, *true.T[:, :, None]) + 0.01 * rng.standard_normal((count, T.size))
    return y, true * rng.uniform(0.3, 6, (count, 3))


LIMITS: dict[str, Any] = {"maxfev": 5000, "acceleration": True}
CASES: dict[str, dict[str, Any]] = {
    "differences": {},
    "derivatives": {"jac": derivatives},
    "bounds": {"bounds": ([0, 0, -50], [50, 50, 0.7])},
    "loss": {"loss": "soft_l1", "f_scale": 0.01},
    "bounds and loss": {
        "bounds": ([0, 0, -50], [50, 50, 0.7]), "loss": "cauchy", "f_scale": 0.02,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_batch_has_the_bits_of_its_single_fits(case: str, workers: int) -> None:
    options = CASES[case]
    y, p0 = many(20)
    if "bounds" in options:
        p0 = np.clip(p0, *options["bounds"])
    batch = curve_fit_batch(
        decay, T, y, p0, workers=workers, trace=False, **LIMITS, **options
    )
    for row, start, x, nfev in zip(y, p0, batch.x, batch.nfev, strict=True):
        one, _, info, *_ = curve_fit(
            decay, T, row, start, full_output=True, **LIMITS, **options
        )
        np.testing.assert_array_equal(x, one)
        assert nfev == info["nfev"]
    plain = curve_fit_batch(
        decay, T, y, p0, trace=False, **LIMITS | {"acceleration": False}, **options
    )
    assert (plain.nfev != batch.nfev).mean() > 0.5


def test_a_recorded_batch_has_the_bits_of_one_that_is_called() -> None:
    y, p0 = many(20)
    called, recorded = (
        curve_fit_batch(decay, T, y, p0, trace=trace, **LIMITS)
        for trace in (False, True)
    )
    assert recorded.traced
    np.testing.assert_array_equal(recorded.x, called.x)
    np.testing.assert_array_equal(recorded.nfev, called.nfev)


def test_points_that_are_masked_do_not_count() -> None:
    y, p0 = many(6)
    mask = np.zeros(y.shape, bool)
    mask[:, 3] = True
    spoiled = np.where(mask, np.nan, y)
    batch = curve_fit_batch(decay, T, spoiled, p0, mask=mask, **LIMITS)
    few = curve_fit_batch(
        decay, np.delete(T, 3), np.delete(y, 3, 1), p0, trace=False, **LIMITS
    )
    np.testing.assert_array_equal(batch.x, few.x)


def test_pairs_of_residuals_and_derivatives_make_the_same_fits() -> None:
    y, p0 = many(8)

    def pair(x: Array, rows: Array) -> tuple[Array, Array]:
        parameters = x.T[:, :, None]
        return decay(T, *parameters) - y[rows], np.broadcast_to(
            derivatives(T, *parameters), (len(x), T.size, 3)
        )

    def residuals(x: Array, rows: Array) -> Array:
        return pair(x, rows)[0]

    def jacobian(x: Array, rows: Array) -> Array:
        return pair(x, rows)[1]

    ours = leastsq_batch(pair, p0, Dfun=True, **LIMITS)
    theirs = leastsq_batch(residuals, p0, Dfun=jacobian, **LIMITS)
    np.testing.assert_array_equal(ours.x, theirs.x)


def test_a_fit_that_is_not_finite_ahead_leaves_the_others_alone() -> None:
    y, p0 = many(5)
    p0[2] = [1e308, -1e308, 1.0]
    with np.errstate(all="ignore"):
        batch = curve_fit_batch(decay, T, y, p0, trace=False, **LIMITS)
    others = [0, 1, 3, 4]
    assert batch.success[others].all()
    alone = curve_fit_batch(decay, T, y[others], p0[others], trace=False, **LIMITS)
    np.testing.assert_array_equal(batch.x[others], alone.x)


def test_an_exception_ahead_of_a_step_ends_the_batch() -> None:
    y, p0 = many(3)
    calls = []

    def fail(x: Array, rows: Array) -> Array:
        calls.append(len(x))
        if len(calls) == 12:
            raise KeyError("ahead")
        return decay(T, *x.T[:, :, None]) - y[rows]

    with pytest.raises(KeyError, match="ahead"):
        leastsq_batch(fail, p0, trace=False, **LIMITS)

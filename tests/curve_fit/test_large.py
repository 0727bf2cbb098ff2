"""Large fits of Python models: differences in place, and threads that add up rows."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minpack._workers
from arrays import Array
from minpack import curve_fit, least_squares, leastsq

M = 400_000  # rows of four numbers, which are worth three threads
T = np.linspace(0.0, 4.0, M)
SIGMA = 1 + T
START = [1.5, 1.0, 0.8]


def decay(t: Array, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


def nearly_dependent(t: Array, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c * np.exp(-1.0001 * b * t)


def decay_jacobian(t: Array, a: float, b: float, c: float) -> Any:
    e = np.exp(-b * t)
    return np.stack([e, -a * t * e, np.ones_like(t)], axis=-1)


Y = decay(T, 2.0, 0.7, 0.5) + 0.01 * np.random.default_rng(0).standard_normal(M)


def bits(items: Any) -> list[Any]:
    return [each.tobytes() if isinstance(each, np.ndarray) else each for each in items]


def fit(f: Any, **options: Any) -> list[Any]:
    popt, pcov, info, message, ier = curve_fit(
        f, T, Y, START, full_output=True, **options
    )
    return bits([popt, pcov, *info.values(), message, ier])


@pytest.mark.parametrize("sigma", [None, 0.3, SIGMA], ids=["none", "one", "each"])
def test_residuals_that_go_into_the_jacobian_have_the_bits_of_leastsq(
    sigma: Any,
) -> None:
    weight = 1.0 if sigma is None else 1.0 / sigma
    x, _, info, *rest = leastsq(
        lambda p: (decay(T, *p) - Y) * weight, START, full_output=True
    )
    popt, _, ours, *others = curve_fit(
        decay, T, Y, START, sigma, sigma is not None, full_output=True
    )
    assert bits([popt, *ours.values(), *others]) == bits([x, *info.values(), *rest])


def test_what_a_model_returns_may_be_of_any_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(minpack._workers, "processors", lambda: 3)
    buffer = np.empty(M)
    kept: list[Array] = []

    def in_one_buffer(t: Array, *p: float) -> Any:
        buffer[:] = decay(t, *p)
        return buffer

    def keeping(t: Array, *p: float) -> Any:
        kept.append(decay(t, *p))
        return kept[-1]

    def strided(t: Array, *p: float) -> Any:
        return np.repeat(decay(t, *p), 2)[::2]

    def in_rows(t: Array, *p: float) -> Any:
        values = decay(t, *p)
        values.flags.writeable = False
        return values

    expected = fit(decay)
    for f in (in_one_buffer, keeping, strided, in_rows):
        assert fit(f, check_finite=False) == expected, f.__name__
    for values in kept[:3]:
        np.testing.assert_allclose(values, decay(T, *START), rtol=1e-6)


def test_a_model_that_returns_fewer_values_later_on_is_an_error() -> None:
    calls: list[int] = []

    def shrinking(t: Array, *p: float) -> Any:
        calls.append(0)
        return decay(t[: M - (len(calls) > 2)], *p)

    with pytest.raises(ValueError, match=f"must return an array of shape .{M},"):
        fit(shrinking)


@pytest.mark.parametrize("at", range(2, 10))
def test_an_exception_at_any_point_is_the_models_own(
    monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The values at the point before are then on their way into the Jacobian."""
    monkeypatch.setattr(minpack._workers, "processors", lambda: 3)
    calls: list[int] = []

    def raising(t: Array, *p: float) -> Any:
        calls.append(0)
        if len(calls) == at:
            raise KeyError("mine")
        return decay(t, *p)

    with pytest.raises(KeyError, match="mine"):
        curve_fit(raising, T, Y, START)
    assert len(calls) == at


# --- Threads --------------------------------------------------------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "differences": {},
    "jac": {"jac": decay_jacobian},
    "sigma": {"sigma": SIGMA},
    "bounds": {"bounds": ([0, 0, 0.6], [3, 2, 9])},
    "3-point": {"jac": "3-point"},
    "cauchy": {"loss": "cauchy", "f_scale": 0.05},
    "callable loss": {"loss": lambda z: np.stack([z, np.ones_like(z), 0 * z])},
    "callback": {"callback": lambda x: None},
    "reference": {"kernels": "reference"},
}


@pytest.mark.parametrize(
    ("f", "options"),
    [*((decay, each) for each in OPTIONS.values()), (nearly_dependent, {})],
    ids=[*OPTIONS, "nearly dependent"],
)
@pytest.mark.filterwarnings("ignore:The covariance")
def test_the_bits_do_not_depend_on_the_threads(
    monkeypatch: pytest.MonkeyPatch, f: Any, options: Any
) -> None:
    expected = fit(f, workers=1, **options)
    monkeypatch.setattr(minpack._workers, "processors", lambda: 3)
    assert fit(f, **options) == expected


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads there")
@pytest.mark.parametrize("solver", ["curve_fit", "leastsq", "least_squares"])
def test_a_large_fit_has_threads_and_takes_them_along_at_its_end(
    monkeypatch: pytest.MonkeyPatch, solver: str
) -> None:
    monkeypatch.setattr(minpack._workers, "processors", lambda: 3)
    counts: list[int] = []
    before = len(os.listdir("/proc/self/task"))

    def model(t: Array, *p: float) -> Any:
        counts.append(len(os.listdir("/proc/self/task")) - before)
        return decay(t, *p)

    def residuals(p: Array) -> Any:
        return model(T, *p) - Y

    def few(p: Array) -> Any:
        return residuals(p)[:1000]

    fits: dict[str, Any] = {
        "curve_fit": lambda **options: curve_fit(model, T, Y, START, **options),
        "leastsq": lambda: leastsq(residuals, START),
        "least_squares": lambda **options: least_squares(residuals, START, **options),
    }
    fits[solver]()
    assert max(counts) == 2
    until = time.perf_counter() + 10
    while len(os.listdir("/proc/self/task")) > before and time.perf_counter() < until:
        time.sleep(0.01)
    counts.clear()
    if solver == "leastsq":
        leastsq(few, START)
    else:
        fits[solver](workers=1)
    assert max(counts) == 0

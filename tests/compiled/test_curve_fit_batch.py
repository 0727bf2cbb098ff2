"""curve_fit_batch: every fit of a compiled model has the bits of one curve_fit."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import by_ctypes_with_types, each_make
from compiled.quotients import SIGMA, T, data, derivatives_of, value_of
from fits import bits_of_batch, unscaled
from minpack import OptimizeWarning, curve_fit, curve_fit_batch

pytestmark = unscaled


def single(t: Array, y: Array, p0: Array, jac: bool, **options: Any) -> tuple[Any, ...]:
    """One fit of the Python model, as bits_of_batch shows those of a batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        popt, pcov, info, _, ier = curve_fit(
            value_of, t, y, p0, jac=derivatives_of if jac else None, full_output=True,
            **options,
        )  # fmt: skip
    if np.isinf(pcov).any():  # which a batch says by NaN
        pcov[:] = np.nan
    return popt.tobytes(), pcov.tobytes(), info["nfev"], ier


@each_make
@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("workers", [1, 2])
def test_every_fit_of_a_batch_has_the_bits_of_one_curve_fit(
    path: Path, make: Callable[..., Any], with_jac: bool, workers: int
) -> None:
    pairs, p0 = data(150)
    y = pairs[:, :, 1]
    result = curve_fit_batch(
        make(path, "values"), T, y, p0,
        jac=make(path, "derivatives") if with_jac else None, workers=workers,
    )  # fmt: skip
    assert bits_of_batch(result) == [
        single(T, *each, with_jac) for each in zip(y, p0, strict=True)
    ]


@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("masked", [False, True], ids=["all points", "mask"])
@pytest.mark.parametrize("sigma", ["none", "shared", "own"])
@pytest.mark.parametrize("bounds", [None, (0.0, 2.0)], ids=["free", "bounds"])
def test_masks_errors_and_bounds_of_a_batch_are_those_of_one_curve_fit(
    functions: ctypes.CDLL,
    with_jac: bool,
    masked: bool,
    sigma: str,
    bounds: tuple[float, float] | None,
) -> None:
    pairs, p0 = data(60)
    rng = np.random.default_rng(5)
    y = pairs[:, :, 1].copy()
    mask = rng.random(y.shape) < 0.2
    y[mask & masked] = np.nan
    errors = {
        "none": None,
        "shared": SIGMA,
        "own": rng.uniform(0.03, 0.09, y.shape),
    }[sigma]
    options: dict[str, Any] = {"absolute_sigma": sigma == "shared"}
    if bounds is not None:
        options["bounds"] = bounds
        p0 = np.clip(p0, *bounds)
    result = curve_fit_batch(
        functions.values, T, y, p0, errors, mask=mask if masked else None,
        jac=functions.derivatives if with_jac else None, **options,
    )  # fmt: skip
    for i, fit in enumerate(bits_of_batch(result)):
        kept = ~(mask[i] & masked)
        own = None if errors is None else np.broadcast_to(errors, y.shape)[i][kept]
        assert fit == single(T[kept], y[i][kept], p0[i], with_jac, sigma=own, **options)


def test_a_fit_of_a_batch_gets_its_row_of_xdata_or_of_user_data(
    path: Path, functions: ctypes.CDLL
) -> None:
    scipy = pytest.importorskip("scipy")
    p0 = data(30)[1]
    t = T + np.linspace(0.0, 1.0, 30)[:, None]
    y = value_of(t, *(1.2 * p0.T[:, :, None])) + 0.02 * np.cos(40 * t)
    expected = [single(*each, False) for each in zip(t, y, p0, strict=True)]

    def fits(f: Any, xdata: Any, **options: Any) -> list[Any]:
        return bits_of_batch(curve_fit_batch(f, xdata, y, p0, **options))

    for xdata in (t, t.tolist(), np.asfortranarray(t), np.repeat(t, 2, axis=1)[:, ::2]):
        assert fits(functions.values, xdata) == expected
    for xdata in (None, T, t[::-1]):
        assert fits(functions.values, xdata, user_data=t) == expected
    of_floats = t.astype(np.float32)
    assert fits(functions.values, of_floats) == [
        single(*each, False)
        for each in zip(of_floats.astype(float), y, p0, strict=True)
    ]
    shared = [single(T, *each, False) for each in zip(y, p0, strict=True)]
    for xdata in (T, T.tolist(), np.repeat(T, 2)[::2], np.stack([T, T + 1])):
        assert fits(functions.values, xdata) == shared
    assert fits(functions.values, (T, T + 1)) == shared  # a tuple is for all fits
    assert fits(functions.values, tuple(t)) == fits(functions.values, t[0])
    bringing = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "values"), T.ctypes.data_as(ctypes.c_void_p)
    )
    for xdata in (None, t):
        assert fits(bringing, xdata) == shared
    assert fits(bringing, None, user_data=t) == expected


def test_a_model_that_stops_one_fit_disturbs_no_other(functions: ctypes.CDLL) -> None:
    counts = np.full((40, 1), 9999, dtype=np.intc)
    counts[::3] = np.arange(1, 15)[:, None]
    y, start = np.zeros((40, 3)), np.ones(2)
    result = curve_fit_batch(functions.stopping, None, y, start, user_data=counts)
    good = curve_fit_batch(
        functions.stopping, None, y, start, user_data=np.full((40, 1), 9999, np.intc)
    )
    stopped = result.ier == -7
    assert stopped.sum() >= 5
    assert np.isnan(result.x[0]).all()
    assert "-7" in result.message(0)
    for i in np.flatnonzero(~stopped):
        assert bits_of_batch(result)[i] == bits_of_batch(good)[i]


def test_bounds_may_tell_a_batch_how_many_parameters_there_are(
    functions: ctypes.CDLL,
) -> None:
    y = data(5)[0][:, :, 1]
    result = curve_fit_batch(functions.values, T, y, bounds=(np.zeros(2), 9.0))
    assert bits_of_batch(result) == [
        single(T, row, np.array([4.5, 4.5]), False, bounds=(0, 9)) for row in y
    ]

"""`workers` may be a map, which gets slices of a batch: the fits are the same."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import X, peak, peak_jacobian, peaks, same
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch
from functions import OnPurposeError
from minpack import curve_fit_batch as curve_fit_batch_traced

COUNT = 103

OPTIONS: dict[str, dict[str, Any]] = {
    "differences": {},
    "jac": {"jac": peak_jacobian},
    "bounds": {"bounds": (0.0, 20.0)},
    "sigma": {"sigma": np.linspace(1, 2, X.size)},
    "sigmas": {"sigma": np.linspace(1, 2, COUNT)[:, None]},
    "mask": {"mask": np.arange(COUNT)[:, None] % X.size == np.arange(X.size)},
    "xdata": {"xdata": X + np.linspace(0, 0.1, COUNT)[:, None]},
    "loss": {"loss": "huber", "f_scale": 0.1},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_slices_have_the_fits_of_one_batch(options: dict[str, Any]) -> None:
    y, p0 = peaks(COUNT)
    given = {"xdata": X} | options
    ours = curve_fit_batch(peak, ydata=y, p0=abs(p0), workers=map, **given)
    assert same(ours, curve_fit_batch(peak, ydata=y, p0=abs(p0), workers=1, **given))


def targets_of(x: Array, rows: Array, targets: Array) -> Array:
    return np.concatenate([x - targets[rows], x**2], axis=1)


def test_slices_of_residuals_know_which_fits_they_are() -> None:
    targets = np.random.default_rng(0).uniform(1, 2, (COUNT, 3))
    starts = np.ones((COUNT, 3))
    ours = leastsq_batch(targets_of, starts, (targets,), workers=map)
    assert same(ours, leastsq_batch(targets_of, starts, (targets,), workers=1))


def test_results_of_slices_have_the_shape_of_the_fits() -> None:
    y, p0 = peaks(24)
    shaped = y.reshape(2, 3, 4, X.size), p0.reshape(2, 3, 4, -1)
    ours = curve_fit_batch(peak, X, *shaped, workers=map)
    assert ours.cov.shape == (2, 3, 4, p0.shape[1], p0.shape[1])
    assert same(ours, curve_fit_batch(peak, X, *shaped, workers=1))


@pytest.mark.parametrize(
    "pool",
    [
        lambda: ThreadPoolExecutor(2),
        lambda: ProcessPoolExecutor(2, multiprocessing.get_context("spawn")),
        lambda: multiprocessing.get_context("spawn").Pool(2),
    ],
    ids=["ThreadPoolExecutor", "ProcessPoolExecutor", "Pool"],
)
def test_a_pool_has_a_map(pool: Callable[[], Any]) -> None:
    y, p0 = peaks(COUNT)
    with pool() as workers:
        ours = curve_fit_batch(peak, X, y, p0, workers=workers.map)
    assert same(ours, curve_fit_batch(peak, X, y, p0, workers=1))


def failing(x: Array, *p: Any) -> Array:
    if np.size(p[0]) > 1:
        raise OnPurposeError("thrown")
    return peak(x, *p)


def test_an_exception_in_a_slice_is_the_users_own() -> None:
    y, p0 = peaks(COUNT)
    with pytest.raises(OnPurposeError, match="thrown"):
        curve_fit_batch(failing, X, y, p0, workers=map)


def test_a_map_must_return_all_results() -> None:
    y, p0 = peaks(COUNT)
    with pytest.raises(ValueError, match=r"each of \d+ slices, .* returned 1 results"):
        curve_fit_batch(peak, X, y, p0, workers=lambda f, parts: [f(parts[0])])


def test_slices_show_their_progress(capsys: pytest.CaptureFixture[str]) -> None:
    y, p0 = peaks(COUNT)
    curve_fit_batch(peak, X, y, p0, workers=map, progress=True)
    shown = capsys.readouterr().err
    assert f"{COUNT} of {COUNT}" in shown or f"{COUNT}/{COUNT}" in shown


def test_a_traced_model_needs_no_processes() -> None:
    def unwanted(function: Any, parts: Any) -> Any:
        raise AssertionError("called")

    y, p0 = peaks(COUNT)
    result = curve_fit_batch_traced(peak, X, y, p0, workers=unwanted)
    assert result.traced


def test_no_fits_need_no_map() -> None:
    y, p0 = peaks(2)
    assert len(curve_fit_batch(peak, X, y[:0], p0[:0], workers=map)) == 0


@pytest.mark.parametrize("workers", ["two", 1.5, [2]])
def test_workers_that_are_neither_are_errors(workers: Any) -> None:
    y, p0 = peaks(2)
    with pytest.raises(TypeError, match="workers"):
        curve_fit_batch(peak, X, y, p0, workers=workers)

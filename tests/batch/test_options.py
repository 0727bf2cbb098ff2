"""Losses and steps of differences: each fit has the bits that it has alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import POINTS, X, each_number_of_workers, peak, peak_jacobian, peaks
from fits import quiet_fit, unscaled
from minpack import curve_fit, curve_fit_batch, least_squares, leastsq, leastsq_batch
from minpack import traced as traced_function
from models import soft

pytestmark = unscaled

LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]
each_loss = pytest.mark.parametrize("loss", LOSSES)


def with_outliers(count: int, points: int = POINTS) -> tuple[Array, Array, Array]:
    x = np.linspace(-2.0, 4.0, points)
    _, p0 = peaks(count)
    rng = np.random.default_rng(1)
    y = peak(x, *(1.1 * p0).T[:, :, None]) + rng.normal(
        scale=0.05, size=(count, points)
    )
    y[rng.random(y.shape) < 0.1] += 3.0
    return x, y, p0


def assert_fits_have_the_bits_of_curve_fit(
    f: Any, x: Array, y: Array, p0: Array, batch: dict[str, Any], **options: Any
) -> None:
    result = curve_fit_batch(f, x, y, p0, **options, **batch)
    mask = options.pop("mask", np.zeros(y.shape, bool))
    good = np.flatnonzero(result.success & np.isfinite(result.cov).all(axis=(1, 2)))
    assert len(good) > 0.6 * len(y)
    for i in good:
        keep = ~mask[i]
        popt, pcov, info, _, ier = quiet_fit(
            curve_fit, f, x[keep], y[i, keep], p0[i], full_output=True, **options
        )
        assert result.x[i].tobytes() == popt.tobytes()
        assert result.cov[i].tobytes() == pcov.tobytes()
        assert (result.nfev[i], result.ier[i]) == (info["nfev"], ier)


@each_loss
@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("trace", [False, True])
@each_number_of_workers
def test_a_fit_with_a_loss_has_the_bits_of_curve_fit(
    loss: str, jacobian: bool, trace: bool, workers: int
) -> None:
    x, y, p0 = with_outliers(80)
    assert_fits_have_the_bits_of_curve_fit(
        peak, x, y, p0, {"trace": trace, "workers": workers}, loss=loss, f_scale=0.1,
        jac=peak_jacobian if jacobian else None,
    )  # fmt: skip


@each_loss
@pytest.mark.parametrize(
    "options",
    [
        {"bounds": ([-20.0, -20, 0.8], 20.0)},
        {"absolute_sigma": True, "sigma": 0.05},
        {"mask": np.random.default_rng(4).random((40, POINTS)) < 0.2},
        {"ftol": 1e-3, "xtol": 1e-3},
        {"ftol": 1e-15, "xtol": 1e-15},
    ],
    ids=str,
)
@pytest.mark.parametrize("trace", [False, True])
def test_a_loss_goes_with_all_other_options(
    loss: str, options: dict[str, Any], trace: bool
) -> None:
    x, y, p0 = with_outliers(40)
    p0[:, 2] = np.maximum(p0[:, 2], 0.8)
    assert_fits_have_the_bits_of_curve_fit(
        peak, x, y, p0, {"trace": trace}, loss=loss, f_scale=0.1, **options
    )


@pytest.mark.parametrize("points", [1024, 1025, 3000])
@pytest.mark.parametrize("trace", [False, True])
def test_a_loss_is_added_up_as_with_one_fit_of_many_points(
    points: int, trace: bool
) -> None:
    x, y, p0 = with_outliers(5, points)
    assert_fits_have_the_bits_of_curve_fit(
        peak, x, y, p0, {"trace": trace}, loss="cauchy", f_scale=0.1
    )


def test_a_traced_model_with_a_loss_has_the_bits_of_its_single_fits() -> None:
    x, y, p0 = with_outliers(40)
    assert_fits_have_the_bits_of_curve_fit(
        traced_function(peak), x, y, p0, {}, loss="soft_l1", f_scale=0.1
    )


@each_loss
@pytest.mark.parametrize("limit", [0, 6])
@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "Dfun"])
def test_residuals_with_a_loss_have_the_bits_of_least_squares(
    loss: str, jacobian: bool, limit: int
) -> None:
    x, y, p0 = with_outliers(60)

    def func(p: Array, rows: Array) -> Array:
        return peak(x, *p.T[:, :, None]) - y[rows]

    def derivatives(p: Array, rows: Array) -> Array:
        return peak_jacobian(x, *p.T[:, :, None])

    options: dict[str, Any] = {"bounds": (-90.0, 90.0), "loss": loss, "f_scale": 0.1}
    result = leastsq_batch(
        func, p0, Dfun=derivatives if jacobian else None, maxfev=limit, **options
    )
    assert (result.ier == 5).any() == (limit == 6)
    for i in range(60):
        one = least_squares(
            lambda p, i=i: peak(x, *p) - y[i],
            p0[i],
            jac=(lambda p: peak_jacobian(x, *p)) if jacobian else "2-point",
            ftol=1.49012e-8, xtol=1.49012e-8, gtol=None, max_nfev=limit or None,
            **options,
        )  # fmt: skip
        assert result.x[i].tobytes() == one.x.tobytes()
        assert (result.cost[i], result.nfev[i]) == (one.cost, one.nfev)
        if result.success[i] and np.isfinite(result.cov[i]).all():
            np.testing.assert_allclose(
                result.cov[i], np.linalg.inv(one.jac.T @ one.jac), rtol=1e-6
            )


def test_a_compiled_model_takes_a_loss() -> None:
    numba = pytest.importorskip("numba")
    number, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(number(number, number, numbers, numbers, numbers))
    def line(m: Any, n: Any, p: Any, values: Any, x: Any) -> Any:
        for i in range(m):
            values[i] = p[0] + p[1] * x[i]
        return 0

    y = 1.0 + np.array([[2.0], [3.0]]) * X
    y[:, 4] = 99.0
    options: dict[str, Any] = {"loss": "huber", "f_scale": 0.1}
    result = curve_fit_batch(line, X, y, [0.0, 0.0], **options)
    for i in range(2):
        popt, pcov = curve_fit(line, X, y[i], [0.0, 0.0], **options)
        assert result.x[i].tobytes() == popt.tobytes()
        assert result.cov[i].tobytes() == pcov.tobytes()


def test_the_linear_loss_is_least_squares_at_every_scale() -> None:
    x, y, p0 = with_outliers(40)
    assert_fits_have_the_bits_of_curve_fit(
        peak, x, y, p0, {"loss": "linear", "f_scale": 0.1}
    )


@pytest.mark.parametrize("company", [1, 3, 40])
def test_the_company_of_fits_with_a_loss_does_not_matter(
    company: int, chunk: Callable[[int], None]
) -> None:
    chunk(company)
    x, y, p0 = with_outliers(40)
    assert_fits_have_the_bits_of_curve_fit(
        peak, x, y, p0, {"trace": False}, loss="cauchy", f_scale=0.1
    )


STEPS: list[dict[str, Any]] = [
    {"epsfcn": 1e-4},
    {"epsfcn": 1e-10},
    {"diff_step": 1e-3},
    {"diff_step": [1e-3, 1e-5, 1e-4]},
    {"diff_step": 1e-3, "bounds": (-50.0, 50.0)},
    {"epsfcn": 1e-4, "bounds": (-50.0, 50.0)},
    {"diff_step": 1e-3, "loss": "huber", "f_scale": 0.1},
]


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("options", STEPS, ids=str)
def test_steps_of_differences_are_those_of_curve_fit(
    options: dict[str, Any], trace: bool
) -> None:
    x, y, p0 = with_outliers(60)
    assert_fits_have_the_bits_of_curve_fit(peak, x, y, p0, {"trace": trace}, **options)
    plain = curve_fit_batch(peak, x, y, p0)
    assert curve_fit_batch(peak, x, y, p0, **options).x.tobytes() != plain.x.tobytes()


@pytest.mark.parametrize("trace", [False, True])
def test_steps_of_residuals_are_those_of_leastsq_and_least_squares(trace: bool) -> None:
    x, y, p0 = with_outliers(40)

    def func(p: Array, rows: Array) -> Array:
        return peak(x, *p.T[:, :, None]) - y[rows]

    by_epsfcn = leastsq_batch(func, p0, epsfcn=1e-4, trace=trace)
    by_step = leastsq_batch(
        func, p0, diff_step=[1e-3, 1e-4, 1e-5], bounds=(-90.0, 90.0), trace=trace
    )
    for i in range(40):

        def residuals(p: Array, i: int = i) -> Array:
            return peak(x, *p) - y[i]

        alone = quiet_fit(leastsq, residuals, p0[i], epsfcn=1e-4)
        assert by_epsfcn.x[i].tobytes() == alone[0].tobytes()
        bounded = least_squares(
            residuals, p0[i], diff_step=[1e-3, 1e-4, 1e-5], bounds=(-90.0, 90.0),
            ftol=1.49012e-8, xtol=1.49012e-8, gtol=None,
        )  # fmt: skip
        assert by_step.x[i].tobytes() == bounded.x.tobytes()


def test_epsfcn_holds_for_models_in_float32_too() -> None:
    def low(x: Array, *p: Any) -> Array:
        return peak(x, *p).astype(np.float32)

    x, y, p0 = with_outliers(30)
    assert_fits_have_the_bits_of_curve_fit(low, x, y, p0, {}, epsfcn=1e-5)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"loss": soft}, TypeError, "loss must be one of the names .* in a batch"),
        ({"loss": None}, TypeError, "loss must be one of the names linear, soft_l1"),
        ({"loss": "hubert"}, ValueError, "loss must be one of .*, not 'hubert'"),
        ({"f_scale": 0.0}, ValueError, "f_scale must be a positive number, not 0.0"),
        ({"f_scale": np.nan}, ValueError, "f_scale must be a positive number"),
        ({"f_scale": "wide"}, TypeError, "f_scale must be a real number, not str"),
        ({"epsfcn": "small"}, TypeError, "epsfcn must be a real number, not str"),
        ({"diff_step": -1e-3}, ValueError, "diff_step must be a positive number"),
        ({"diff_step": [1e-3, 1e-3]}, ValueError, "diff_step must be .* 3 parameters"),
    ],
    ids=str,
)
def test_bad_options_are_errors_that_name_them(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        curve_fit_batch(peak, X, np.ones((5, POINTS)), **change)
    with pytest.raises(error, match=match):
        leastsq_batch(lambda p, rows: p, np.ones((5, 3)), **change)

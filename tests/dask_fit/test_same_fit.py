"""A fit of chunks is the fit of the whole, but for rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("dask.array")

import minpack
from dask_fit.decays import ERRORS, START, M, T, Y, lazy
from minpack import OptimizeWarning, traced
from minpack.dask import curve_fit
from models import decay, decay_jacobian

# Of differences with steps of 1e-8 the eighth digit is rounding: with these the twelfth
WIDE = {"epsfcn": 1e-6}
TIGHT = {"epsfcn": 1e-12, "ftol": 1e-12, "xtol": 1e-12}
FAR = [20.0, 8.0, -3.0]
NUMPY_DECAY = traced(decay)
FITS: dict[str, dict[str, Any]] = {
    "differences": WIDE,
    "differences by name": {"jac": "2-point", **WIDE},
    "traced": {"f": NUMPY_DECAY},
    "traced, differences": {"f": traced(decay, derivatives=False), **WIDE},
    "traced, differences by name": {"f": NUMPY_DECAY, "jac": "2-point", **WIDE},
    "traced, jac": {"f": NUMPY_DECAY, "jac": decay_jacobian},
    "jac": {"jac": decay_jacobian},
    "start from the signature": {"p0": None, **WIDE},
    "sigma for all": {"sigma": 0.05, **WIDE},
    "sigma for all, absolute": {"sigma": 0.05, "absolute_sigma": True, **WIDE},
    "sigma each": {"sigma": ERRORS, **WIDE},
    "sigma each, jac": {"sigma": ERRORS, "jac": decay_jacobian},
    "sigma each, absolute": {"sigma": ERRORS, "absolute_sigma": True, **WIDE},
    "far bounds": {"bounds": (-10, 10), **WIDE},
    "bounds": {"bounds": ([0, 0, 0], [1.9, 3, 3]), **WIDE},
    "bounds, traced": {"f": NUMPY_DECAY, "bounds": (0, [1.9, np.inf, 3])},
    "a fixed parameter": {"bounds": ([0, 0, 0.1], [3, 3, 0.1]), **WIDE},
    "start from bounds": {"p0": None, "bounds": (0, 4), **WIDE},
    "a loss": {"loss": "soft_l1", "f_scale": 0.05, **WIDE},
    "a loss, jac": {"loss": "huber", "f_scale": 0.02, "jac": decay_jacobian},
    "a loss, traced": {"f": NUMPY_DECAY, "loss": "cauchy", "f_scale": 0.05},
    "a loss, sigma, bounds": {
        "loss": "arctan", "f_scale": 3.0, "sigma": ERRORS, "bounds": (0, [1.9, 3, 3]),
        **WIDE,
    },
    "factor": {"factor": 0.5, **WIDE},
    "diag": {"diag": [1.0, 5.0, 2.0], **WIDE},
    "x_scale": {"x_scale": [1.0, 0.2, 0.5], **WIDE},
    "diff_step": {"diff_step": 1e-3},
    "acceleration": {"acceleration": True, "p0": FAR, "jac": decay_jacobian},
    "acceleration, differences": {"acceleration": True, "p0": FAR, **TIGHT},
    "acceleration, traced": {"acceleration": True, "p0": FAR, "f": NUMPY_DECAY},
    "acceleration, traced, differences": {
        "acceleration": True, "p0": FAR, "f": traced(decay, derivatives=False), **TIGHT,
    },
    "acceleration, sigma, bounds": {
        "acceleration": True, "p0": [9, 4, 0.5], "jac": decay_jacobian, "sigma": ERRORS,
        "bounds": (0, [10, 9, 0.9]),
    },
    "acceleration, a loss": {
        "acceleration": True, "p0": FAR, "jac": decay_jacobian, "loss": "cauchy",
        "f_scale": 0.05,
    },
    "ftol, xtol, gtol": {"ftol": 1e-3, "xtol": 1e-3, "gtol": 1e-3, **WIDE},
}  # fmt: skip


def assert_same(ours: Any, whole: Any) -> None:
    popt, pcov, said, mesg, ier = ours
    np.testing.assert_allclose(popt, whole[0], rtol=1e-9)
    np.testing.assert_allclose(pcov, whole[1], rtol=1e-9, atol=1e-13)
    assert (mesg, ier) == whole[3:]
    assert said["nfev"] == whole[2]["nfev"]
    assert ("njev" in said) == ("njev" in whole[2])
    if "active_mask" in whole[2]:
        assert said["active_mask"].tolist() == whole[2]["active_mask"].tolist()


@pytest.mark.parametrize("arguments", FITS.values(), ids=FITS)
def test_it_is_that_of_the_arrays_in_memory(arguments):
    call = {"f": decay, "p0": START, "full_output": True} | arguments
    whole = minpack.curve_fit(xdata=T, ydata=Y, **call)
    if isinstance(call.get("sigma"), np.ndarray):
        call["sigma"] = lazy(call["sigma"], 999)
    assert_same(curve_fit(xdata=lazy(T, 500), ydata=lazy(Y), **call), whole)


@pytest.mark.parametrize("f", [decay, NUMPY_DECAY], ids=["python", "traced"])
def test_acceleration_bends_the_steps(f):
    nfev = [
        curve_fit(f, lazy(T), lazy(Y), FAR, full_output=True, acceleration=bends)[2][
            "nfev"
        ]
        for bends in (False, True)
    ]
    assert nfev[0] != nfev[1]


def test_a_model_that_is_not_finite_ahead_of_a_step_leaves_it_straight():
    """The point ahead of the first step is the second one."""
    points: dict[Any, None] = {}

    def pitted(t: Any, *x: Any) -> Any:
        points[x] = None
        return decay(t, *x) * (np.nan if list(points).index(x) == 1 else 1)

    popt, _ = curve_fit(
        pitted, lazy(T, M), lazy(Y, M), [2.5, 0.9, 0.3], jac=decay_jacobian,
        acceleration=True,
    )  # fmt: skip
    start, ahead, trial = map(np.array, list(points)[:3])
    np.testing.assert_allclose(trial - start, 10 * (ahead - start), rtol=1e-9)
    np.testing.assert_allclose(
        popt, minpack.curve_fit(decay, T, Y, START)[0], rtol=1e-5
    )


def test_the_cost_is_half_the_sum_of_squares():
    popt, _, said, _, _ = curve_fit(decay, T, lazy(Y), START, full_output=True)
    expected = 0.5 * np.sum((decay(T, *popt) - Y) ** 2)
    np.testing.assert_allclose(said["cost"], expected, rtol=1e-12)


def test_the_steps_of_differences_are_minpacks():
    popt, pcov = curve_fit(decay, lazy(T), lazy(Y), START)
    whole = minpack.curve_fit(decay, T, Y, START)
    np.testing.assert_allclose(popt, whole[0], rtol=1e-9)
    np.testing.assert_allclose(pcov, whole[1], rtol=1e-5)


@pytest.mark.parametrize("chunks", [M, 1500, 64, (2999, 2), (0, 0, M, 0), (1,) * 9])
def test_chunks_may_have_any_sizes(chunks):
    m = sum(chunks) if isinstance(chunks, tuple) else M
    t, y = T[:: M // m][:m], Y[:: M // m][:m]
    whole = minpack.curve_fit(decay, t, y, START, jac=decay_jacobian, full_output=True)
    ours = curve_fit(
        decay, lazy(t, chunks), lazy(y, chunks), START, jac=decay_jacobian,
        full_output=True,
    )  # fmt: skip
    assert_same(ours, whole)


def test_a_chunk_may_be_longer_than_what_a_task_works_on_at_a_time():
    t = np.linspace(0, 10, 100_001)
    y = decay(t, 2.0, 0.7, 0.5) + 0.1 * np.sin(1e4 * t)
    for f in (decay, NUMPY_DECAY):
        whole = minpack.curve_fit(f, t, y, START, full_output=True, **WIDE)
        ours = curve_fit(
            f, lazy(t, 70_000), lazy(y, 90_000), START, full_output=True, **WIDE
        )
        assert_same(ours, whole)


def lazy_of(kind: str, values: Any) -> Any:
    return lazy(values, 700) if kind == "Dask" else values


@pytest.mark.parametrize("kind", ["NumPy", "Dask"])
@pytest.mark.parametrize("make", [lambda f: f, traced], ids=["plain", "traced"])
def test_there_may_be_several_predictors(kind, make):
    def surface(x: Any, a: Any, b: Any, c: Any) -> Any:
        return a * np.exp(-b * x[0]) + c * x[1]

    x = np.stack([T, np.cos(T)])
    y = surface(x, 2.0, 0.7, 0.5) + 0.01 * np.sin(100 * T)
    whole = minpack.curve_fit(make(surface), x, y, START, full_output=True, **WIDE)
    xdata, sigma = lazy_of(kind, x), lazy_of(kind, np.ones(M))
    if kind == "Dask":
        xdata = xdata.rechunk((1, 500))
    ours = curve_fit(
        make(surface), xdata, lazy(y), START, sigma, full_output=True, **WIDE
    )
    assert_same(ours, whole)


@pytest.mark.parametrize("sigma", [0.05, np.array(0.05), lazy(np.array([0.05]), 1)[0]])
def test_one_sigma_may_be_a_number_or_an_array(sigma):
    ours = curve_fit(decay, lazy(T), lazy(Y), START, sigma, True, jac=decay_jacobian)
    whole = minpack.curve_fit(decay, T, Y, START, 0.05, True, jac=decay_jacobian)
    np.testing.assert_allclose(ours[1], whole[1], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_data_of_other_types_are_read_as_in_memory(dtype):
    t, y = np.round(100 * T).astype(dtype), (1000 * Y).astype(dtype)
    start = [1000, 0.01, 1]
    whole = minpack.curve_fit(decay, t, y, start, full_output=True, **WIDE)
    assert_same(
        curve_fit(decay, lazy(t), lazy(y), start, full_output=True, **WIDE), whole
    )


def test_models_in_float32_take_the_steps_of_their_precision():
    def rough(t: Any, a: Any, b: Any, c: Any) -> Any:
        return decay(t, a, b, c).astype(np.float32)

    popt, _ = curve_fit(rough, lazy(T), lazy(Y), START)
    np.testing.assert_allclose(popt, minpack.curve_fit(decay, T, Y)[0], rtol=1e-3)


def test_a_model_of_one_value_for_all_is_a_mean():
    popt, _ = curve_fit(lambda t, a: a, lazy(T), lazy(Y))
    np.testing.assert_allclose(popt, Y.mean(), rtol=1e-9)


# A parameter that is fitted to 0 ----------------------------------------------


def line(x: Any, a: Any, b: Any) -> Any:
    return a * x + b


def line_jacobian(x: Any, a: Any, b: Any) -> Any:
    return np.stack([x, np.ones_like(x)], axis=-1)


def centred(y: Any) -> Any:
    return y - y.mean()


X = np.linspace(-1.0, 1.0, M)
LINE = centred(3 * X + np.sin(1000 * X))


def test_errors_are_right_where_differences_fit_a_parameter_to_0():
    exact = minpack.curve_fit(line, X, LINE, [1, 1], jac=line_jacobian)[1]
    wrong = minpack.curve_fit(line, X, LINE, [1, 1], kernels="reference")[1]
    ours = curve_fit(line, lazy(X), lazy(LINE), [1, 1])[1]
    assert not np.allclose(wrong, exact, rtol=0.1)
    np.testing.assert_allclose(np.diag(ours), np.diag(exact), rtol=1e-6)


def test_a_parameter_that_no_row_of_the_sample_shows_keeps_minpacks_step():
    def spike(x: Any, a: Any, b: Any) -> Any:
        return a * x + np.exp(1e9 * b) * (np.abs(x - x_spike) < 1e-9)

    x_spike = X[1234]
    y = spike(X, 3.0, 1e-9) + 1e-3 * np.sin(1000 * X)
    popt, pcov = curve_fit(spike, lazy(X, 1000), lazy(y, 1000), [3.0, 1e-9])
    whole = minpack.curve_fit(spike, X, y, [3.0, 1e-9])
    np.testing.assert_allclose(popt, whole[0], rtol=1e-6)
    np.testing.assert_allclose(np.diag(pcov), np.diag(whole[1]), rtol=1e-5)


# What is said of the errors ---------------------------------------------------


@pytest.mark.parametrize(
    ("f", "p0", "y"),
    [
        (lambda t, a, b: 0 * a * t + 0 * b, [1, 1], Y),
        (lambda t, a, b: a * t, [1, 1], Y),
        (lambda t, a, b, c: a + b * t + c * t**2, [1, 1, 1], Y[:3]),
    ],
)
def test_covariances_that_are_not_known_are_told_as_in_memory(f, p0, y):
    with pytest.warns(OptimizeWarning) as whole:
        minpack.curve_fit(f, T[: len(y)], y, p0)
    with pytest.warns(OptimizeWarning) as ours:
        _, pcov = curve_fit(f, lazy(T[: len(y)], 700), lazy(y, 500), p0)
    assert [str(each.message) for each in ours] == [str(each.message) for each in whole]
    assert ours[0].filename == __file__
    assert np.isinf(pcov).all()


def test_absolute_sigma_without_sigma_gives_the_warning_of_curve_fit():
    with pytest.warns(OptimizeWarning, match="there is no sigma"):
        curve_fit(decay, lazy(T), lazy(Y), START, absolute_sigma=True)

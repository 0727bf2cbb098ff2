"""Large fits of traced functions: rows are computed and reduced in blocks."""

from __future__ import annotations

import threading
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest

from minpack import OptimizeWarning, curve_fit, least_squares, leastsq, traced

M = 100_003  # 13 leaves, of which the last is not whole
T = np.linspace(0.0, 4.0, M)
RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(M)
START = [1.5, 1.0, 0.8]


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def nearly_dependent(t, a, b, c):
    return a * np.exp(-b * t) + c * np.exp(-1.0001 * b * t)


def pieces(t, a, b, c):
    return np.where(t < 1.3, a * t, b * np.cos(t) + c)


def joined(t, a, b, c):
    left, right = t[: t.size // 3], t[t.size // 3 :]
    return np.concatenate([a * np.exp(-b * left), c * right**2])


def idle(t, a, b, c):
    return a * np.exp(-b * t) + 0.0 * c


def constant(t, a, b, c):
    """What does not show that t is not finite."""
    return np.where(np.isfinite(t), a, b) + c


def huge(t, a, b, c):
    return 1e80 * (a * np.exp(-b * t) + c)


def tiny(t, a, b, c):
    return 1e-90 * (a * np.exp(-b * t) + c)


def apart(t, a, b, c):
    """Derivatives that are out of range on both sides."""
    return 1e80 * a * t + 1e-80 * b + c * t**2


UNITS = {apart: np.array([1e-80, 1e80, 1.0])}


def data(model: Any) -> Any:
    units = UNITS.get(model, 1.0)
    return model(T, *(np.array([2.0, 0.7, 0.5]) * units)) * (1 + 0.01 * NOISE)


def fit(f: Any, y: Any, **options: Any) -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        start = options.pop("p0", START)
        return curve_fit(f, T[: y.size], y, start, full_output=True, **options)


def all_of(result: tuple[Any, ...]) -> list[Any]:
    popt, pcov, info, message, ier = result
    return [popt, pcov, *(np.asarray(value) for value in info.values()), message, ier]


def assert_same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    for a, b in zip(all_of(ours), all_of(theirs), strict=True):
        assert np.array_equal(a, b)


OPTIONS = {
    "plain": {},
    "far": {"p0": [10.0, 8.0, -5.0]},
    "sigma": {"sigma": 1 + T, "absolute_sigma": True},
    "one sigma": {"sigma": 0.3},
    "bounds": {"bounds": ([0, 0, 0.6], [3, 2, 9])},
    "diag": {"diag": [1.0, 2.0, 3.0], "factor": 0.1},
}
LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]


@pytest.mark.parametrize("model", [decay, nearly_dependent, pieces, joined])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_fit_in_blocks_has_the_bits_of_one_in_memory(model, options):
    g, y = traced(model), data(model)
    assert_same(fit(g, y, **options), fit(model, y, jac=g.jacobian, **options))


@pytest.mark.parametrize("m", [1025, 8192, 8193, 50_000])
def test_any_number_of_rows_has_the_bits_of_a_fit_in_memory(m):
    g, t = traced(decay), T[:: M // m][:m]
    y = decay(t, 2.0, 0.7, 0.5) + NOISE[: t.size]
    assert t.size == m
    assert_same(
        curve_fit(g, t, y, START, full_output=True),
        curve_fit(decay, t, y, START, jac=g.jacobian, full_output=True),
    )


@pytest.mark.parametrize("columns", [1, 2, 20])
@pytest.mark.parametrize("sigma", [None, 0.3, "each"])
def test_rows_that_do_not_stay_in_the_cache_have_the_bits_of_a_fit_in_memory(
    columns, sigma
):
    t = np.zeros((200_001, columns))[:, 0]
    t[:] = np.linspace(0.0, 4.0, t.size)
    y = decay(t, 2.0, 0.7, 0.5) + 0.01 * np.sin(37.0 * t)
    sigma = 1 + t if sigma == "each" else sigma
    g = traced(decay)
    assert_same(
        curve_fit(g, t, y, START, sigma, full_output=True),
        curve_fit(decay, t, y, START, sigma, jac=g.jacobian, full_output=True),
    )


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0, 0, 0.6], [3, 2, 9])])
def test_a_loss_in_blocks_is_the_one_in_memory(loss, bounds):
    g = traced(decay)
    y = data(decay) + 20 * (RNG.random(M) < 0.05)
    options = {"loss": loss, "f_scale": 0.1, "bounds": bounds, "p0": [2.0, 1.0, 1.0]}
    assert_same(fit(g, y, **options), fit(decay, y, jac=g.jacobian, **options))


@pytest.mark.parametrize("model", [idle, huge, tiny, apart])
def test_squares_out_of_range_and_columns_of_zeros_cost_no_digits(model):
    g, y, start = traced(model), data(model), START * UNITS.get(model, np.ones(3))
    ours, theirs = fit(g, y, p0=start), fit(model, y, p0=start, jac=g.jacobian)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-10)
    n = len(START)
    r = [np.triu(info["fjac"][:, :n].T) for info in (ours[2], theirs[2])]
    np.testing.assert_allclose(r[0], r[1], rtol=1e-9, atol=1e-12 * abs(r[1]).max())


@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_not_finite_ends_a_fit():
    with pytest.raises(RuntimeError, match="not finite"):
        fit(traced(decay), data(decay), p0=[np.nan, 1.0, 1.0])
    with pytest.raises(RuntimeError, match="not finite"):
        fit(traced(decay), data(decay), p0=[1.0, -1000.0, 1.0])


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("place", [0, M // 2, M - 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_data_that_are_not_finite_are_errors(workers, place, bad, loss):
    options = {"workers": workers, "loss": loss}
    for name in ("xdata", "ydata"):
        arrays = {"xdata": T.copy(), "ydata": data(decay)}
        arrays[name][place] = bad
        for f in (traced(decay), traced(constant)):
            with pytest.raises(ValueError, match=f"{name} must be finite"):
                curve_fit(f, **arrays, p0=START, **options)


@pytest.mark.parametrize("loss", ["linear", "cauchy"])
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([0, 0, 0.6], [3, 2, 9])])
def test_least_squares_shows_all_that_it_does_in_memory(loss, bounds):
    y = data(decay)

    def residuals(p, t, y):
        return decay(t, *p) - y

    g, rows = traced(residuals), traced(decay)
    options = {"args": (T, y), "loss": loss, "bounds": bounds, "f_scale": 0.1}
    ours = least_squares(g, START, **options)
    theirs = least_squares(
        residuals, START, lambda p, t, y: rows.jacobian(t, *p), **options
    )
    for name in ("x", "fun", "jac", "grad", "cost", "optimality"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-11, atol=1e-11)
    for name in ("active_mask", "nfev", "njev", "status", "message"):
        assert np.array_equal(ours[name], theirs[name]), name


def test_leastsq_shows_all_that_it_does_in_memory():
    y = data(decay)

    def residuals(p):
        return decay(T, *p) - y

    g, rows = traced(residuals), traced(decay)
    ours = leastsq(g, START, full_output=True)
    theirs = leastsq(
        residuals, START, Dfun=lambda p: rows.jacobian(T, *p), full_output=True
    )
    assert_same(ours, theirs)


def test_a_matrix_times_the_parameters_may_be_fitted_in_blocks():
    matrix = np.stack([np.ones_like(T), T, np.cos(T)], axis=1)

    def linear(x, a, b, c):
        return x @ np.stack([a, b, c])

    y = linear(matrix, 2.0, 0.7, 0.5) + 0.01 * NOISE
    g = traced(linear)
    popt, pcov = curve_fit(g, matrix, y, START, workers=3)
    theirs = curve_fit(linear, matrix, y, START, jac=g.jacobian)
    np.testing.assert_allclose(popt, theirs[0], rtol=1e-12)
    np.testing.assert_allclose(pcov, theirs[1], rtol=1e-11)


# --- Threads --------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 3, 7])
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_the_bits_do_not_depend_on_the_threads(workers, loss):
    g, y = traced(decay), data(decay)
    large = {"loss": loss, "f_scale": 0.1}
    for _ in range(5):
        assert_same(fit(g, y, workers=workers, **large), fit(g, y, workers=1, **large))


def test_threads_of_python_may_fit_one_function_at_once():
    g, y = traced(decay), data(decay)
    expected = fit(g, y, workers=1)
    results: list[Any] = []

    def act():
        for _ in range(5):
            results.append(fit(g, y, workers=3))

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    for result in results:
        assert_same(result, expected)


@pytest.mark.parametrize(
    ("workers", "error", "says"),
    [
        (0, ValueError, "workers must be a positive number, or -1 for all .*, not 0"),
        (
            1.5,
            TypeError,
            "workers must be a number of threads for this function, not float",
        ),
        (
            "all",
            TypeError,
            "workers must be a number of threads for this function, not str",
        ),
    ],
)
def test_workers_that_are_no_number_are_errors(workers, error, says):
    with pytest.raises(error, match=says):
        fit(traced(decay), data(decay), workers=workers)


# --- Memory ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"loss": "huber"}, {"bounds": (0, 9)}, {"sigma": 1 + T}, {"sigma": 0.3}],
)
def test_a_large_fit_allocates_less_than_an_array_of_its_rows(options):
    g, y = traced(decay), data(decay)
    curve_fit(g, T, y, START, **options)
    tracemalloc.start()
    try:
        curve_fit(g, T, y, START, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < y.nbytes / 2


# --- The check at the start -----------------------------------------------------------


def counting(f: Any, calls: list[int]) -> Any:
    def counted(t, *p):
        calls.append(np.size(t))
        return f(t, *p)

    return counted


def test_a_large_fit_calls_its_function_for_some_points_alone():
    calls: list[int] = []
    g, y = traced(counting(decay, calls)), data(decay)
    curve_fit(g, T, y, START)
    assert 0 < sum(n for n in calls[1:]) < M / 20  # the first call is recorded
    calls.clear()
    curve_fit(g, T, y, START)
    assert 0 < sum(calls) < M / 20


@pytest.mark.parametrize("named", [False, True])
def test_large_residuals_are_computed_for_some_points_alone(named):
    calls: list[int] = []
    y = data(decay)

    def residuals(p, t, y):
        calls.append(np.size(t))
        return decay(t, *p) - y

    given = {"kwargs": {"t": T, "y": y}} if named else {"args": (T, y)}
    g = traced(residuals)
    for _ in range(2):
        calls.clear()
        if named:
            x = least_squares(g, START, **given).x
        else:
            x, _ = leastsq(g, START, **given)
        np.testing.assert_allclose(x, fit(traced(decay), y)[0], rtol=1e-7)
    assert 0 < sum(calls) < M / 20


RATE = 1.0


def test_a_changed_global_is_seen_in_a_large_fit():
    global RATE

    def model(t, a, c):
        return a * np.exp(-RATE * t) + c

    g, y = traced(model), 2 * np.exp(-0.7 * T) + 0.5
    try:
        RATE = 0.7
        popt, _ = curve_fit(g, T, y, [1.0, 1.0])
        np.testing.assert_allclose(popt, [2.0, 0.5])
        RATE = 1.4
        popt, _ = curve_fit(g, T, 2 * np.exp(-1.4 * T) + 0.5, [1.0, 1.0])
        np.testing.assert_allclose(popt, [2.0, 0.5])
    finally:
        RATE = 1.0


@pytest.mark.parametrize(
    "model",
    [
        lambda t, a, b: a * np.exp(-b * (t - t[0] + 0.1)),
        lambda t, a, b: a * np.exp(-b * t / t.max()),
        lambda t, a, b: a * np.exp(-b * t[::-1]),
        lambda t, a, b: a * np.exp(-b * t) * t.size,
        lambda t, a, b: a * np.exp(-b * np.linspace(0, 1, t.size)),
        lambda t, a, b: a * np.exp(-b * t) if t.size > 1000 else a * t,
    ],
    ids=["first", "largest", "reversed", "size", "from outside", "branch"],
)
def test_models_that_need_all_points_are_compared_at_all_of_them(model):
    y = model(T, 2.0, 0.7)
    for _ in range(2):
        popt, _ = curve_fit(traced(model), T, y, [1.0, 1.0])
        np.testing.assert_allclose(popt, [2.0, 0.7])


def test_an_exception_of_a_large_function_is_its_own():
    def model(t, a, b):
        if np.size(a) and float(np.asarray(t).min()) < 1:
            raise KeyError("mine")
        return a * t + b

    with pytest.raises(KeyError, match="mine"):
        curve_fit(traced(model), T, T, [1.0, 1.0])


def test_rows_of_two_dimensional_data_are_compared_by_points():
    xdata = np.stack([T, np.cos(T)])

    def plane(x, a, b, c):
        return a * x[0] + b * x[1] + c

    y = plane(xdata, 1.0, 2.0, 3.0)
    popt, _ = curve_fit(traced(plane), xdata, y, [1.0, 1.0, 1.0])
    np.testing.assert_allclose(popt, [1.0, 2.0, 3.0])

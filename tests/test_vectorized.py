"""All points of a Jacobian by differences at once: vectorized=True, and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import minpack
from functions import COMPILED
from minpack import curve_fit, least_squares, leastsq

T = np.linspace(0, 4, 40)
Y = 2 * np.exp(-0.5 * T) + 1 + 0.01 * np.sin(40 * T)
START = [1.0, 1.0, 0.5]
N = len(START)
COVARIANCE = 0.01 * np.exp(-np.abs(T[:, None] - T))
MANY = np.linspace(
    0, 4, 60_000
)  # so many that differences would be taken while added up


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def residuals(x: Any, t: Any = T, y: Any = Y) -> Any:
    """Take one point, shape (n,), or S of them as columns."""
    if x.ndim == 2:
        t, y = t[:, None], y[:, None]
    return decay(t, x[0], x[1], x[2]) - y


def in_float32(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.asarray(f(*args), np.float32)


class Counted:
    """A function, and the shapes of what it was called with."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, *args: Any) -> Any:
        self.shapes.append(np.shape(args[-1]))
        return self.f(*args)


def bits(result: Any) -> list[Any]:
    """Return all parts of a result, so that equal ones have equal bits."""
    if isinstance(result, dict):
        if "ipvt" in result:  # fjac is not specified below R
            result["fjac"] = np.triu(result["fjac"].T[: len(result["ipvt"])])
        result = tuple(result[key] for key in sorted(result))
    if isinstance(result, tuple):
        return [bits(part) for part in result]
    return [result.tobytes() if isinstance(result, np.ndarray) else result]


# The same bits ------------------------------------------------------------------

CURVES: dict[str, dict[str, Any]] = {
    "plain": {},
    "from 0, with longer steps": {"p0": [1.0, 0.0, 0.0]},
    "bounds": {"bounds": (0, [1.9, 1, 2])},
    "equal bounds": {"bounds": ([0, 0.4, 0], [3, 0.4, 2]), "p0": [1.0, 0.4, 0.5]},
    "3-point": {"jac": "3-point"},
    "3-point at a bound": {"jac": "3-point", "bounds": ([1.0, 0, 0.5], 3)},
    "a loss": {"loss": "cauchy", "f_scale": 0.01},
    "diff_step": {"diff_step": [1e-5, 1e-6, 1e-7]},
    "sigma": {"sigma": 0.1 + T},
    "one sigma": {"sigma": 0.1},
    "a covariance": {"sigma": COVARIANCE},
    "float32": {"f": in_float32(decay)},
    "reference kernels": {"kernels": "reference"},
    "one number of ydata": {"ydata": 1.5},
    "many data": {"xdata": MANY, "ydata": decay(MANY, 2, 0.5, 1) + np.sin(99 * MANY)},
    "a callback": {"callback": lambda x: None},
}


@pytest.mark.parametrize("options", CURVES.values(), ids=CURVES)
def test_curve_fit_has_the_same_bits_in_one_call(options: dict[str, Any]) -> None:
    call = {"f": decay, "xdata": T, "ydata": Y, "p0": START, "full_output": True}
    call |= options
    f = Counted(call.pop("f"))
    g = Counted(f.f)
    assert bits(curve_fit(g, vectorized=True, **call)) == bits(curve_fit(f, **call))
    assert len(g.shapes) < len(f.shapes)
    assert {len(shape) for shape in g.shapes} == {2}
    assert {shape[1] for shape in g.shapes} == {1}


SQUARES: dict[str, dict[str, Any]] = {
    "plain": {},
    "from 0, with longer steps": {"x0": [1.0, 0.0, 0.0]},
    "bounds": {"bounds": (0, [1.9, 1, 2])},
    "equal bounds": {"bounds": ([0, 0.4, 0], [3, 0.4, 2]), "x0": [1.0, 0.4, 0.5]},
    "3-point": {"jac": "3-point"},
    "3-point at a bound": {"jac": "3-point", "bounds": ([1.0, 0, 0.5], 3)},
    "a loss": {"loss": "soft_l1", "f_scale": 0.01},
    "diff_step": {"diff_step": 1e-6},
    "float32": {"fun": in_float32(residuals)},
    "args": {"args": (MANY, decay(MANY, 2, 0.5, 1) + np.sin(99 * MANY))},
    "kwargs": {"kwargs": {"y": Y + 0.1}},
    "an end amid an iteration": {"max_nfev": 3},
}


@pytest.mark.parametrize("option", [{"vectorized": True}, {"workers": map}], ids=str)
@pytest.mark.parametrize("options", SQUARES.values(), ids=SQUARES)
def test_least_squares_has_the_same_bits_with_all_points_at_once(
    options: dict[str, Any], option: dict[str, Any]
) -> None:
    call = {"fun": residuals, "x0": START} | options
    assert bits(least_squares(**call, **option)) == bits(least_squares(**call))


LEASTSQ: dict[str, dict[str, Any]] = {
    "plain": {},
    "from 0, with longer steps": {"x0": [1.0, 0.0, 0.0]},
    "float32": {"func": in_float32(residuals)},
    "reference kernels": {"kernels": "reference"},
    "many residuals": {"args": SQUARES["args"]["args"]},
    "diag": {"diag": [1, 2, 3]},
    "an end amid an iteration": {"maxfev": 6},
}


@pytest.mark.parametrize("options", LEASTSQ.values(), ids=LEASTSQ)
def test_leastsq_has_the_same_bits_in_one_call(options: dict[str, Any]) -> None:
    call = {"func": residuals, "x0": START, "full_output": True} | options
    assert bits(leastsq(**call, vectorized=True)) == bits(leastsq(**call))


def test_the_points_are_columns_and_one_where_one_is_wanted() -> None:
    func = Counted(residuals)
    _, _, infodict, _, _ = leastsq(func, START, full_output=True, vectorized=True)
    assert set(func.shapes) == {(N, 1), (N, N)}
    jacobians = func.shapes.count((N, N))
    assert infodict["nfev"] == func.shapes.count((N, 1)) + N * jacobians


def test_fixed_parameters_are_not_moved() -> None:
    fun = Counted(residuals)
    bounds = ([0, 0.4, 0], [3, 0.4, 2])
    least_squares(fun, [1, 0.4, 0.5], bounds=bounds, vectorized=True)
    assert set(fun.shapes) == {(N, 1), (N, N - 1)}


# What a function may do ------------------------------------------------------------


def test_arguments_that_a_function_keeps_do_not_change() -> None:
    kept: list[tuple[Any, Any]] = []

    def keeping(*args: Any) -> Any:
        kept.extend((arg, arg.copy()) for arg in args if np.ndim(arg) == 2)
        return decay(*args) if len(args) > 1 else residuals(*args)

    curve_fit(keeping, T, Y, START, vectorized=True)
    leastsq(keeping, START, vectorized=True)
    assert all((now == then).all() for now, then in kept)


def test_a_function_may_overwrite_its_arguments_and_return_one_buffer() -> None:
    buffers = {s: np.empty((T.size, s)) for s in (1, N)}

    def careless(x: Any) -> Any:
        buffer = buffers[x.shape[1]]
        buffer[:] = residuals(x)
        x[:] = np.nan
        return buffer

    expected = leastsq(residuals, START)
    assert bits(leastsq(careless, START, vectorized=True)) == bits(expected)


def test_lists_and_transposed_arrays_will_do() -> None:
    expected = bits(leastsq(residuals, START))
    for changed in (np.ndarray.tolist, np.asfortranarray):
        func = lambda x, changed=changed: changed(residuals(x))  # noqa: E731
        assert bits(leastsq(func, START, vectorized=True)) == expected


@pytest.mark.parametrize("option", [{"vectorized": True}, {"workers": map}], ids=str)
@pytest.mark.parametrize("call", range(1, 6))
def test_exceptions_pass_unchanged(option: dict[str, Any], call: int) -> None:
    error = KeyError("mine")
    calls = 0

    def raising(x: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return residuals(x)

    with pytest.raises(KeyError) as caught:
        least_squares(raising, START, **option)
    assert caught.value is error


# Clear errors ------------------------------------------------------------------------


def one_row_less(values: Any) -> Any:
    return values[:-1]


@pytest.mark.parametrize(
    ("change", "from_call", "message"),
    [
        (np.ravel, 1, r"shape \(m, 1\).*returned shape \(40,\)"),
        (np.sum, 1, r"shape \(m, 1\).*returned shape \(\)"),
        (np.transpose, 2, r"shape \(40, 3\).*returned shape \(3, 40\)"),
        (one_row_less, 2, r"shape \(40, 3\).*returned shape \(39, 3\)"),
        (one_row_less, 3, r"shape \(40, 1\).*returned shape \(39, 1\)"),
    ],
)
def test_residuals_of_a_wrong_shape(
    change: Callable[[Any], Any], from_call: int, message: str
) -> None:
    calls = 0

    def func(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return change(residuals(x)) if calls >= from_call else residuals(x)

    with pytest.raises(ValueError, match=f"func must return .*{message}"):
        leastsq(func, START, vectorized=True)


@pytest.mark.parametrize(
    ("change", "from_call", "message"),
    [
        (one_row_less, 2, r"\(3, 40\).*returned shape \(2, 40\)"),
        (np.transpose, 1, r"\(1, 40\).*returned shape \(40, 1\)"),
        (lambda values: values[None], 1, r"\(1, 40\).*returned shape \(1, 1, 40\)"),
    ],
)
def test_values_of_a_wrong_shape(
    change: Callable[[Any], Any], from_call: int, message: str
) -> None:
    calls = 0

    def f(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        return change(decay(*args)) if calls >= from_call else decay(*args)

    with pytest.raises(ValueError, match=f"f must return .*{message}"):
        curve_fit(f, T, Y, START, vectorized=True)


def test_too_few_residuals() -> None:
    with pytest.raises(TypeError, match="m = 2 for n = 3"):
        leastsq(lambda x: residuals(x)[:2], START, vectorized=True)


def jacobian(*args: Any) -> Any:
    raise AssertionError("called")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: leastsq(residuals, START, Dfun=jacobian, vectorized=True), "Dfun"),
        (lambda: curve_fit(decay, T, Y, START, jac=jacobian, vectorized=True), "jac"),
        (lambda: least_squares(residuals, START, jacobian, vectorized=True), "jac"),
        (lambda: least_squares(residuals, START, "cs", vectorized=True), "jac='cs'"),
        (lambda: least_squares(residuals, START, jacobian, workers=map), "workers"),
        (lambda: least_squares(residuals, START, "cs", workers=map), "jac='cs'"),
        (
            lambda: least_squares(residuals, START, vectorized=True, workers=map),
            "vectorized=True leaves nothing to workers",
        ),
        (lambda: least_squares(residuals, START, workers=0), "workers .* not 0"),
        (lambda: least_squares(residuals, START, workers=-2), "workers .* not -2"),
        (lambda: curve_fit(decay, T, Y, START, workers=2), "workers"),
        (
            lambda: least_squares(residuals, START, workers=lambda f, points: []),
            "each of the 3 points that it gets; it returned 0",
        ),
    ],
)
def test_what_does_not_go_together(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_workers_of_another_type() -> None:
    with pytest.raises(TypeError, match=r"workers must be a number, or .* not str"):
        least_squares(residuals, START, workers="two")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: leastsq(COMPILED, START, m=5, vectorized=True),
        lambda: least_squares(COMPILED, START, m=5, vectorized=True),
        lambda: least_squares(COMPILED, START, m=5, workers=map),
        lambda: curve_fit(COMPILED, T, Y, START, vectorized=True),
    ],
)
def test_compiled_functions_take_one_point_in_each_call(
    call: Callable[[], Any],
) -> None:
    with pytest.raises(
        ValueError, match=r"needs a Python f.*: a compiled one takes one"
    ):
        call()


# Workers ---------------------------------------------------------------------------


def test_a_map_gets_all_points_of_a_jacobian() -> None:
    seen: list[int] = []

    def workers(f: Callable[[Any], Any], points: Iterable[Any]) -> list[Any]:
        points = list(points)
        seen.append(len(points))
        assert {point.shape for point in points} == {(N,)}
        return [f(point) for point in points]

    fit = least_squares(residuals, START, workers=workers)
    assert set(seen) == {N}
    assert fit.success


@pytest.mark.parametrize("count", [2, -1])
def test_processes_give_the_same_bits(count: int) -> None:
    call: dict[str, Any] = {"fun": residuals, "x0": START, "args": (T, Y)}
    alone = least_squares(**call)
    assert bits(least_squares(**call, workers=count)) == bits(alone)


def test_a_model_of_curve_fit_batch_is_one_of_curve_fit() -> None:
    batch = minpack.curve_fit_batch(decay, T, Y[None], p0=START)
    popt, pcov = curve_fit(decay, T, Y, START, vectorized=True)
    assert bits((popt, pcov)) == bits((batch.x[0], batch.cov[0]))

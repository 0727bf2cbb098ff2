"""What goes wrong, and who looks on."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

import minpack  # noqa: E402
from dask_fit.decays import START, M, T, Y, lazy  # noqa: E402
from functions import OnPurposeError, raising  # noqa: E402
from minpack import traced  # noqa: E402
from minpack.dask import curve_fit  # noqa: E402
from models import decay, decay_jacobian, soft  # noqa: E402


def unknown(values: Any) -> Any:
    array = lazy(values)
    return array[array < np.inf]


COMPILED = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_int, *[ctypes.POINTER(ctypes.c_double)] * 2,
    ctypes.c_void_p,
)(lambda *args: 0)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"ydata": Y}, TypeError, "ydata must be a Dask array, not ndarray: .*from_ar"),
        ({"ydata": lazy(Y)[None]}, ValueError, r"ydata.*one dimension.*\(1, 3001\)"),
        ({"ydata": da.ones(0, chunks=1)}, ValueError, "ydata must not be empty"),
        ({"ydata": lazy(Y) + 0j}, TypeError, "ydata.*complex"),
        ({"ydata": unknown(Y)}, ValueError, r"ydata.*ydata.compute_chunk_sizes\(\)"),
        ({"xdata": unknown(T)}, ValueError, r"xdata.*xdata.compute_chunk_sizes\(\)"),
        ({"sigma": unknown(T)}, ValueError, r"sigma.*sigma.compute_chunk_sizes\(\)"),
        ({"xdata": T[1:]}, ValueError, r"xdata.*\(3000,\) and \(3001,\)"),
        ({"xdata": lazy(T)[1:]}, ValueError, r"xdata.*\(3000,\) and \(3001,\)"),
        ({"xdata": lazy(np.ones((M, 2)), 2)}, ValueError, r"xdata.*\(3001, 2\)"),
        ({"xdata": None}, ValueError, "xdata"),
        ({"xdata": "points"}, ValueError, "xdata"),
        ({"sigma": T[1:]}, ValueError, r"sigma.*\(3001,\), not \(3000,\)"),
        ({"sigma": np.ones((2, 2))}, ValueError, r"sigma.*not \(2, 2\)"),
        (
            {"sigma": lazy(T)},
            ValueError,
            "sigma must hold numbers .* divide by, not 0.0",
        ),
        ({"sigma": 0.0}, ValueError, "sigma must hold numbers .* divide by, not 0.0"),
        ({"p0": []}, TypeError, "0 parameters cannot"),
        ({"p0": np.ones(M + 1)}, TypeError, "3002 parameters cannot .* 3001 data"),
        ({"f": lambda t, *p: t, "p0": None}, ValueError, "p0 is needed"),
        (
            {"p0": [3, 1, 0], "bounds": (0, 2)},
            ValueError,
            "p0 must be within the bounds",
        ),
        ({"bounds": 3}, TypeError, "bounds must be a pair"),
        ({"f": 3}, TypeError, "f must be callable"),
        ({"f": COMPILED}, TypeError, "f must be a Python function.*compiled"),
        ({"jac": 3}, ValueError, "jac must be a callable, '2-point' or None, not 3"),
        ({"jac": "3-point"}, ValueError, "jac must be .* not '3-point'"),
        ({"jac": lambda *p: T}, TypeError, "jac"),
        ({"loss": soft}, TypeError, "loss must be the name of one"),
        ({"loss": "none"}, ValueError, "loss must be 'linear'"),
        ({"loss": "huber", "f_scale": 0}, ValueError, "f_scale"),
        ({"ftol": "small"}, TypeError, "ftol"),
        ({"maxfev": 2**40}, OverflowError, "maxfev"),
        ({"diag": [1.0]}, ValueError, "diag"),
        ({"kernels": "fast"}, TypeError, "no argument 'kernels'"),
        ({"weights": 1}, TypeError, "no argument 'weights'"),
        ({"verbose": 3}, ValueError, "verbose"),
        (
            {"f": lambda t, a, b, c: t[1:]},
            ValueError,
            "f must return an array of shape",
        ),
        ({"f": lambda t, a, b, c: "?" * t.size}, TypeError, "f"),
    ],
)
def test_bad_arguments_are_named(arguments, error, match):
    call = {"f": decay, "xdata": lazy(T), "ydata": lazy(Y), "p0": START}
    with pytest.raises(error, match=match):
        curve_fit(**{**call, **arguments})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["xdata", "ydata"])
@pytest.mark.parametrize("f", [decay, traced(decay)], ids=["plain", "traced"])
def test_data_that_are_not_finite_are_found_in_the_first_evaluation(name, bad, f):
    whole = {"xdata": T.copy(), "ydata": Y.copy()}
    whole[name][2000] = bad
    with pytest.raises(ValueError, match=f"{name} must be finite") as expected:
        minpack.curve_fit(f, **whole, p0=START)
    chunks = {key: lazy(values) for key, values in whole.items()}
    with pytest.raises(ValueError, match=f"{name} must be finite") as found:
        curve_fit(f, **chunks, p0=START)
    assert str(found.value) == str(expected.value)
    if name == "ydata":
        with pytest.raises(RuntimeError, match="not finite"):
            curve_fit(f, **chunks, p0=START, check_finite=False)


# Functions that raise ---------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
@pytest.mark.parametrize("name", ["f", "jac"])
def test_an_exception_in_a_task_passes_unchanged(name, scheduler):
    error = OnPurposeError()

    def fail(*_: Any) -> Any:
        raise error

    call = {"f": decay, "jac": decay_jacobian} | {name: fail}
    with (
        dask.config.set(scheduler=scheduler),
        pytest.raises(OnPurposeError) as raised,
    ):
        curve_fit(xdata=lazy(T), ydata=lazy(Y), p0=START, **call)
    assert raised.value is error


def failing(t: Any, a: Any, b: Any, c: Any) -> Any:
    raise ZeroDivisionError("on purpose")


def test_an_exception_in_another_process_passes(client):
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        curve_fit(decay, lazy(T), lazy(Y), START, jac=failing)


def test_a_model_that_cannot_be_traced_is_refused():
    with pytest.raises(TypeError, match="cannot be traced"):
        curve_fit(traced(lambda t, a, b: a * np.sum(b * t)), lazy(T), lazy(Y), [1, 1])


# Limits and observers ---------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"jac": decay_jacobian}, {"bounds": (0, 9)}])
def test_a_limit_of_evaluations_ends_the_fit_as_in_memory(arguments):
    for fit, data in ((minpack.curve_fit, (T, Y)), (curve_fit, (lazy(T), lazy(Y)))):
        with pytest.raises(RuntimeError, match="maxfev = 3 times") as raised:
            fit(decay, *data, START, maxfev=3, **arguments)
        messages = locals().setdefault("messages", [])
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("arguments", [{}, {"bounds": (0, [1.9, 3, 3])}])
def test_the_callback_sees_the_iterates_of_the_fit_in_memory(arguments):
    def iterates(fit: Any, *data: Any) -> Any:
        def callback(intermediate_result: Any) -> None:
            r = intermediate_result
            seen.append([*r.x, r.cost, r.nit, r.nfev])
            optimality.append(r.optimality)

        seen: list[Any] = []
        optimality: list[float] = []
        fit(decay, *data, START, callback=callback, jac=decay_jacobian, **arguments)
        return np.array(seen), np.array(optimality)

    ours, our_optimality = iterates(curve_fit, lazy(T), lazy(Y))
    whole, optimality = iterates(minpack.curve_fit, T, Y)
    assert len(ours) > 2
    np.testing.assert_allclose(ours, whole, rtol=1e-9)
    np.testing.assert_allclose(our_optimality, optimality, rtol=1e-6, atol=1e-9)


def test_the_callback_gets_no_residuals():
    seen: list[Any] = []

    def callback(intermediate_result: Any) -> None:
        seen.append("fun" in intermediate_result)

    curve_fit(decay, lazy(T), lazy(Y), START, callback=callback)
    assert not any(seen)


def stop(x: Any) -> None:
    raise StopIteration


@pytest.mark.parametrize("callback", [stop, lambda x: True])
def test_the_callback_stops_the_fit(callback):
    with pytest.raises(RuntimeError, match="Stopped by the callback"):
        curve_fit(decay, lazy(T), lazy(Y), START, callback=callback)


def test_an_exception_of_the_callback_passes_unchanged():
    with pytest.raises(OnPurposeError):
        curve_fit(decay, lazy(T), lazy(Y), START, callback=raising(OnPurposeError))


def test_verbose_prints_the_iterates(capsys):
    curve_fit(decay, lazy(T), lazy(Y), START, verbose=2)
    printed = capsys.readouterr().out
    assert "Total nfev" in printed
    assert "Converged" in printed

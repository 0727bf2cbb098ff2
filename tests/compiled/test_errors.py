"""What is no compiled function, and arguments that make no sense with one."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import (
    RESIDUALS,
    SIGNATURE,
    by_ctypes,
    by_ctypes_with_types,
    capsule,
)
from compiled.quotients import M, T, derivatives_of, value_of
from minpack import curve_fit, curve_fit_batch, least_squares, leastsq, leastsq_batch


def test_other_signatures_are_errors_that_show_the_right_one(path: Path) -> None:
    short = by_ctypes_with_types(path, "residuals")
    short.argtypes = RESIDUALS[:4]
    of_floats = by_ctypes_with_types(path, "residuals")
    of_floats.argtypes = [ctypes.c_double, *RESIDUALS[1:]]
    returning = by_ctypes_with_types(path, "residuals")
    returning.restype = ctypes.c_double
    wrong = [
        short, of_floats, returning, capsule(path, "other", "double (double)"),
        capsule(path, "residuals", SIGNATURE["jacobian"]),
        capsule(path, "residuals", SIGNATURE["residuals"].replace("int", "long")),
        capsule(path, "residuals", "int (int, int, double *, double *)"),
        by_ctypes_with_types(path, "jacobian"),
    ]  # fmt: skip
    for function in wrong:
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq(function, [1.0, 1.0], m=M)
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq_batch(function, np.ones((2, 2)), m=M)


def test_other_signatures_of_cffi_and_numba_are_errors_too(path: Path) -> None:
    ffi = pytest.importorskip("cffi").FFI()
    numba = pytest.importorskip("numba")
    ffi.cdef("double other(double);")
    double = numba.types.double
    for function in (
        ffi.dlopen(str(path)).other,
        ffi.new("double[3]"),
        numba.cfunc(double(double))(lambda x: x),
    ):
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq(function, [1.0, 1.0], m=M)


def test_a_function_that_needs_the_lock_is_an_error(path: Path) -> None:
    with pytest.raises(TypeError, match="without Python's lock"):
        leastsq(ctypes.PyDLL(str(path)).residuals, [1.0, 1.0], m=M)


def test_a_null_pointer_is_an_error() -> None:
    null = ctypes.CFUNCTYPE(ctypes.c_int, *RESIDUALS)()
    with pytest.raises(ValueError, match="func is a null pointer"):
        leastsq(null, [1.0, 1.0], m=M)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, TypeError, "m is needed"),
        ({"m": 1}, TypeError, "m = 1 for n = 2"),
        ({"m": "20"}, TypeError, "m must be an integer"),
        ({"m": M, "args": (1.0,)}, TypeError, "args are for Python"),
        ({"m": M, "user_data": 1.0}, TypeError, "user_data must be"),
        (
            {"m": M, "user_data": np.ones((9, 9))[:, ::2]},
            TypeError,
            "user_data must be",
        ),
        ({"m": M, "Dfun": lambda x: x}, TypeError, "both be compiled"),
    ],
)
def test_bad_arguments_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        leastsq(functions.residuals, [1.0, 1.0], **options)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"m": None}, TypeError, "m is needed"),
        ({"m": 1}, ValueError, "m = 1 for n = 2"),
        ({"args": (1.0,)}, TypeError, "args are for Python"),
        ({"user_data": np.ones((3, 2))}, ValueError, "row for each of the 5"),
        ({"user_data": np.array([None] * 5)}, ValueError, "row for each of the 5"),
        ({"user_data": np.ones((5, 9))[:, ::2]}, ValueError, "contiguous"),
        ({"Dfun": lambda x: x}, TypeError, "both be compiled"),
    ],
)
def test_bad_arguments_of_a_batch_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        leastsq_batch(functions.plain, np.ones((5, 2)), **({"m": M} | options))


def test_a_python_function_takes_neither_m_nor_user_data() -> None:
    for options in ({"m": 2}, {"user_data": np.ones(2)}):
        with pytest.raises(TypeError, match="compiled functions"):
            leastsq(lambda x: x, [1.0, 1.0], **options)
    with pytest.raises(TypeError, match="compiled functions"):
        leastsq_batch(lambda x, r: x, np.ones((2, 2)), user_data=np.ones(2))


def test_what_only_looks_like_one_is_called_as_python() -> None:
    class CFunc:
        def __call__(self, x: Array) -> Array:
            return x - 3

    looks = type("_cffi_backend._CDataBase", (), {"__call__": lambda self, x: x - 3})
    named = CFunc()
    assert leastsq(named, [1.0, 1.0])[1] in (1, 2, 3, 4)
    named.address = 0
    named.ctypes = SimpleNamespace(argtypes=None, restype=ctypes.c_int)
    with pytest.raises(ValueError, match="null pointer"):
        leastsq(named, [1.0, 1.0], m=2)
    with pytest.raises(TypeError):
        leastsq(looks(), [1.0, 1.0], m=2)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": None}, ValueError, "p0 is needed: a compiled f"),
        ({"p0": None, "bounds": (0, 9)}, ValueError, "p0 is needed: a compiled f"),
        ({"p0": []}, TypeError, "p0 must hold"),
        ({"p0": np.ones(M + 1)}, TypeError, f"{M + 1} parameters cannot be fitted"),
        ({"jac": derivatives_of}, TypeError, "f and jac must both be compiled"),
        ({"user_data": 1.0}, TypeError, "user_data must be"),
        ({"user_data": np.ones((9, 9))[:, ::2]}, TypeError, "user_data must be"),
        ({"xdata": {}}, TypeError, "xdata must be an array of real numbers"),
        ({"xdata": object()}, TypeError, "xdata must be an array of real numbers"),
        ({"xdata": T * np.nan}, ValueError, "xdata must be finite"),
        ({"sigma": np.zeros(M)}, ValueError, "sigma"),
        ({"bounds": (5, 6)}, ValueError, "p0 must be within"),
        ({"args": (1.0,)}, ValueError, "args"),
    ],
)
def test_bad_arguments_of_curve_fit_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"xdata": T, "ydata": np.ones(M), "p0": [1.0, 1.0]} | options
    with pytest.raises(error, match=match):
        curve_fit(functions.values, **call)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"m": None}, TypeError, "m is needed: a compiled fun"),
        ({"m": 1}, ValueError, "m = 1 for n = 2"),
        ({"m": 1.5}, TypeError, "m must be an integer"),
        ({"jac": "cs"}, ValueError, "jac='cs' needs a Python fun"),
        ({"jac": "4-point"}, ValueError, "jac must be"),
        ({"jac": lambda x: x}, TypeError, "fun and jac must both be compiled"),
        ({"args": (1.0,)}, TypeError, "args are for Python"),
        ({"kwargs": {"a": 1}}, TypeError, "args are for Python"),
        ({"user_data": 1.0}, TypeError, "user_data must be"),
    ],
)
def test_bad_arguments_of_least_squares_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        least_squares(functions.residuals, [1.0, 1.0], **({"m": M} | options))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": None}, ValueError, "p0 is needed: a compiled f"),
        ({"jac": derivatives_of}, TypeError, "f and jac must both be compiled"),
        ({"xdata": {}}, TypeError, "xdata must be real numbers"),
        ({"xdata": np.ones((5, M - 1))}, ValueError, f"the {M} points"),
        ({"user_data": np.ones((3, M))}, ValueError, "row for each of the 5"),
        ({"user_data": np.ones((5, 9))[:, ::2]}, ValueError, "contiguous"),
    ],
)
def test_bad_arguments_of_a_batch_of_models_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"xdata": T, "ydata": np.ones((5, M)), "p0": [1.0, 1.0]} | options
    with pytest.raises(error, match=match):
        curve_fit_batch(functions.values, **call)


def test_what_is_for_compiled_functions_is_an_error_with_others() -> None:
    y = np.ones(M)
    for call in (
        lambda: curve_fit(value_of, T, y, [1.0, 1.0], user_data=T),
        lambda: curve_fit_batch(value_of, T, y[None], [1.0, 1.0], user_data=T[None]),
        lambda: least_squares(lambda x: x, [1.0, 1.0], m=2),
        lambda: least_squares(lambda x: x, [1.0, 1.0], user_data=T),
    ):
        with pytest.raises(TypeError, match="compiled functions"):
            call()


def test_other_signatures_are_errors_wherever_a_function_is_taken(path: Path) -> None:
    wrong = capsule(path, "other", "double (double)")
    start, y = [1.0, 1.0], np.ones((1, M))
    for name, call in (
        ("f", lambda: curve_fit(wrong, T, y[0], start)),
        ("f", lambda: curve_fit(wrong, T, y[0])),
        ("f", lambda: curve_fit_batch(wrong, T, y, start)),
        ("fun", lambda: least_squares(wrong, start, m=M)),
    ):
        with pytest.raises(
            TypeError, match=f"{name} must be compiled from 'int {name}"
        ):
            call()
    good = by_ctypes(path, "values")
    for call in (
        lambda: curve_fit(good, T, y[0], start, jac=wrong),
        lambda: curve_fit_batch(good, T, y, start, jac=wrong),
        lambda: least_squares(good, start, wrong, m=M),
    ):
        with pytest.raises(TypeError, match="jac must be compiled from 'int jac"):
            call()

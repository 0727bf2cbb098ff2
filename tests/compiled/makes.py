"""How a compiled function may come: from ctypes, SciPy, cffi or Numba, in a capsule."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOUBLES = ctypes.POINTER(ctypes.c_double)
RESIDUALS = [ctypes.c_int, ctypes.c_int, DOUBLES, DOUBLES, ctypes.c_void_p]
JACOBIAN = [*RESIDUALS[:4], ctypes.c_int, ctypes.c_void_p]
RANGE = [ctypes.c_int, *RESIDUALS[:4], DOUBLES, ctypes.c_int, ctypes.c_void_p]
TYPES = {"residuals": RESIDUALS, "values": RESIDUALS}
TYPES |= dict.fromkeys(("residual_range", "value_range", "counting_range"), RANGE)
SIGNATURE = {
    "residuals": "int (int, int, double *, double *, void *)",
    "jacobian": "int (int, int, double *, double *, int, void *)",
    "range": "int (int, int, int, double *, double *, double *, int, void *)",
}
SIGNATURE |= {"values": SIGNATURE["residuals"], "derivatives": SIGNATURE["jacobian"]}
SIGNATURE |= dict.fromkeys(("residual_range", "value_range"), SIGNATURE["range"])


def by_ctypes(path: Path, name: str) -> Any:
    return getattr(ctypes.CDLL(str(path)), name)


def by_ctypes_with_types(path: Path, name: str) -> Any:
    function = getattr(ctypes.CDLL(str(path)), name)
    function.argtypes = TYPES.get(name, JACOBIAN)
    function.restype = ctypes.c_int
    return function


def by_ctypes_with_numpy(path: Path, name: str) -> Any:
    function = by_ctypes_with_types(path, name)
    vector = np.ctypeslib.ndpointer(dtype=float, ndim=1)
    function.argtypes = [vector if t is DOUBLES else t for t in function.argtypes]
    return function


def capsule(path: Path, name: str, signature: str | None) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    address = ctypes.cast(by_ctypes(path, name), ctypes.c_void_p)
    return new(address, _kept(signature.encode() if signature else None), None)


def _kept(text: bytes | None, kept: list[Any] = []) -> bytes | None:  # noqa: B006
    """A capsule does not copy its name."""
    kept.append(text)
    return text


def by_capsule(path: Path, name: str) -> Any:
    return capsule(path, name, SIGNATURE[name])


def by_capsule_with_const(path: Path, name: str) -> Any:
    return capsule(path, name, SIGNATURE[name].replace("double *", "const double*", 1))


def by_capsule_without_name(path: Path, name: str) -> Any:
    return capsule(path, name, None)


def by_scipy(path: Path, name: str) -> Any:
    scipy = pytest.importorskip("scipy")
    return scipy.LowLevelCallable(by_ctypes_with_types(path, name))


def by_cffi(path: Path, name: str) -> Any:
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef(SIGNATURE[name].replace("int ", f"int {name}", 1) + ";")
    return getattr(ffi.dlopen(str(path)), name)


def by_numba(path: Path, name: str) -> Any:
    numba = pytest.importorskip("numba")
    i, p = numba.types.intc, numba.types.CPointer(numba.types.double)
    if name == "residuals":

        @numba.cfunc(i(i, i, p, p, p))
        def function(m, n, x, fvec, data):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * data[2 * k]
                fvec[k] = x[0] / (1 + u * u) - data[2 * k + 1]
            return 0

    elif name == "values":

        @numba.cfunc(i(i, i, p, p, p))
        def function(m, n, x, fvec, t):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * t[k]
                fvec[k] = x[0] / (1 + u * u)
            return 0

    elif name == "derivatives":

        @numba.cfunc(i(i, i, p, p, i, p))
        def function(m, n, x, fjac, ldfjac, t):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * t[k]
                over = 1 / (1 + u * u)
                fjac[k] = over
                fjac[k + ldfjac] = -2 * x[0] * over * over * u * t[k]
            return 0

    elif name in ("residual_range", "value_range"):
        step = 2 if name == "residual_range" else 1

        @numba.cfunc(i(i, i, i, p, p, p, i, p))
        def function(first, count, n, x, fvec, fjac, ldfjac, data):  # type: ignore[no-untyped-def]
            for k in range(count):
                t = data[step * (first + k)]
                u = x[1] * t
                over = 1 / (1 + u * u)
                fvec[k] = x[0] / (1 + u * u)
                if step == 2:
                    fvec[k] -= data[2 * (first + k) + 1]
                if ldfjac:
                    fjac[k] = over
                    fjac[k + ldfjac] = -2 * x[0] * over * over * u * t
            return 0

    else:

        @numba.cfunc(i(i, i, p, p, i, numba.types.voidptr))
        def function(m, n, x, fjac, ldfjac, address):  # type: ignore[no-untyped-def]
            data = numba.carray(address, (m, 2), numba.float64)
            for k in range(m):
                u = x[1] * data[k, 0]
                over = 1 / (1 + u * u)
                fjac[k] = over
                fjac[k + ldfjac] = -2 * x[0] * over * over * u * data[k, 0]
            return 0

    return function


MAKES = [
    by_ctypes, by_ctypes_with_types, by_ctypes_with_numpy, by_capsule,
    by_capsule_with_const, by_capsule_without_name, by_scipy, by_cffi, by_numba,
]  # fmt: skip

# Those that tell the types of the arguments, without which no range is known.
MAKES_WITH_TYPES = [
    make for make in MAKES if make not in (by_ctypes, by_capsule_without_name)
]

each_make = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__[3:])
each_make_with_types = pytest.mark.parametrize(
    "make", MAKES_WITH_TYPES, ids=lambda make: make.__name__[3:]
)

"""MINPACK's own compiled ``lmdif`` and ``lmder``, called through ctypes.

Debian and Ubuntu ship Argonne's Fortran as ``libminpack1``. Nothing of ours is in
the path: the arguments go straight into the original's calling sequence.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arrays import Array

_INT = ctypes.POINTER(ctypes.c_int)
_DOUBLE = ctypes.POINTER(ctypes.c_double)
_LMDIF_FCN = ctypes.CFUNCTYPE(None, _INT, _INT, _DOUBLE, _DOUBLE, _INT)
_LMDER_FCN = ctypes.CFUNCTYPE(None, _INT, _INT, _DOUBLE, _DOUBLE, _DOUBLE, _INT, _INT)


@dataclass
class Fit:
    """All that ``lmdif`` or ``lmder`` returns; ``fjac`` has shape (n, m)."""

    x: Array
    fvec: Array
    fjac: Array
    ipvt: NDArray[np.intc]
    qtf: Array
    diag: Array
    info: int
    nfev: int
    njev: int


def load() -> ctypes.CDLL | None:
    """The original library, or None where it is not installed."""
    for name in ("libminpack.so.1", ctypes.util.find_library("minpack")):
        try:
            if name:
                return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def fit(
    library: ctypes.CDLL,
    func: Callable[[Array], Array],
    x0: Array,
    jac: Callable[[Array], Array] | None = None,
    *,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float = np.finfo(float).eps,
    factor: float = 100.0,
    diag: Array | None = None,
) -> Fit:
    """Fit with the library's ``lmdif``, or ``lmder`` where ``jac`` is given.

    ``jac(x)`` has shape (m, n). The defaults are those of ``leastsq``. An exception
    in a callback stops the fit and is raised.
    """
    x = np.array(x0, dtype=float).ravel()
    n = x.size
    m = np.asarray(func(x.copy())).size
    raised: list[BaseException] = []

    def evaluate(f: Callable[[Array], Array], at, into, shape, iflag) -> None:
        try:
            point = np.ctypeslib.as_array(at, (n,)).copy()
            np.ctypeslib.as_array(into, shape)[...] = f(point)
        except BaseException as error:
            raised.append(error)
            iflag[0] = -1

    def lmdif_fcn(_m, _n, at, fvec, iflag):
        evaluate(func, at, fvec, (m,), iflag)

    def lmder_fcn(_m, _n, at, fvec, fjac, _ldfjac, iflag):
        if iflag[0] == 1:
            evaluate(func, at, fvec, (m,), iflag)
        else:
            evaluate(lambda p: np.asarray(jac(p)).T, at, fjac, (n, m), iflag)

    fvec, fjac, qtf = np.zeros(m), np.zeros((n, m)), np.zeros(n)
    ipvt = np.zeros(n, dtype=np.intc)
    scale = np.zeros(n) if diag is None else np.array(diag, dtype=float)
    work = [np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(m)]
    info, nfev, njev = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()

    def i(value: int):
        return ctypes.byref(ctypes.c_int(value))

    def d(value: float):
        return ctypes.byref(ctypes.c_double(value))

    def a(array):
        return array.ctypes.data_as(ctypes.c_void_p)

    maxfev = maxfev or (100 if jac else 200) * (n + 1)
    tolerances = (d(ftol), d(xtol), d(gtol), i(maxfev))
    scaling = (a(scale), i(1 if diag is None else 2), d(factor), i(0))
    ends = (a(ipvt), a(qtf), *map(a, work))
    if jac is None:
        library.lmdif_(
            _LMDIF_FCN(lmdif_fcn), i(m), i(n), a(x), a(fvec), *tolerances, d(epsfcn),
            *scaling, ctypes.byref(info), ctypes.byref(nfev), a(fjac), i(m), *ends,
        )  # fmt: skip
    else:
        library.lmder_(
            _LMDER_FCN(lmder_fcn), i(m), i(n), a(x), a(fvec), a(fjac), i(m),
            *tolerances, *scaling, ctypes.byref(info), ctypes.byref(nfev),
            ctypes.byref(njev), *ends,
        )  # fmt: skip
    if raised:
        raise raised[0]
    return Fit(x, fvec, fjac, ipvt, qtf, scale, info.value, nfev.value, njev.value)

"""The compiled part: a fit from Python's arguments to a tuple of results."""

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Vector = NDArray[np.float64]

@overload
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: tuple[Any, ...],
    Dfun: Callable[..., ArrayLike] | None,
    full_output: Literal[False],
    col_deriv: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float | None,
    factor: float,
    diag: ArrayLike | None,
    kernels: str,
    /,
) -> tuple[_Vector, int]:
    """Fit, and return ``(x, info)``."""

@overload
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: tuple[Any, ...],
    Dfun: Callable[..., ArrayLike] | None,
    full_output: Literal[True],
    col_deriv: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float | None,
    factor: float,
    diag: ArrayLike | None,
    kernels: str,
    /,
) -> tuple[
    _Vector,
    int,
    _Vector | None,
    _Vector,
    int,
    int,
    _Vector,
    NDArray[np.intc],
    _Vector,
]:
    """Fit, and return ``(x, info, cov, fvec, nfev, njev, fjac, ipvt, qtf)``."""

def instruction_sets() -> tuple[str, ...]:
    """The instruction sets whose fast kernels run here, the best last."""

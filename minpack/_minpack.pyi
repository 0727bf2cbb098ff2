"""The compiled part: a fit from Python's arguments to a tuple of results."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Vector = NDArray[np.float64]

def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any,
    Dfun: Callable[..., ArrayLike] | None,
    full_output: bool,
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
) -> (
    tuple[_Vector, int]
    | tuple[
        _Vector,  # x, (n,)
        int,  # info
        _Vector | None,  # cov_x, (n, n)
        _Vector,  # fvec, (m,)
        int,  # nfev
        int,  # njev
        _Vector,  # fjac, (n, m)
        NDArray[np.intc],  # ipvt, (n,)
        _Vector,  # qtf, (n,)
    ]
):
    """Fit; the short result where full_output is False, else the long one."""

def instruction_sets() -> tuple[str, ...]:
    """Name the instruction sets whose fast kernels run here, the best last."""

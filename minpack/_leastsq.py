"""``leastsq``: MINPACK's ``lmdif`` and ``lmder`` behind SciPy's interface."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

from numpy.typing import ArrayLike

from minpack import _minpack
from minpack._status import Info, message, SUCCESS


def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., ArrayLike] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    *,
    kernels: str = "fast",
) -> Any:
    """Doc."""
    if not isinstance(args, tuple):
        args = (args,)
    full_output = bool(full_output)
    fit = _minpack.leastsq(
        func, x0, args, Dfun, full_output, bool(col_deriv),
        ftol, xtol, gtol, maxfev, epsfcn, factor, diag, kernels,
    )  # fmt: skip
    info = fit[1]
    if not full_output and info in SUCCESS:
        return fit
    x = fit[0]
    maxfev = operator.index(maxfev) if maxfev else 0
    if maxfev <= 0:
        maxfev = (200 if Dfun is None else 100) * (x.size + 1)
    mesg = message(info, ftol=ftol, xtol=xtol, gtol=gtol, maxfev=maxfev)
    if not full_output:
        if info == Info.BAD_INPUT:
            raise TypeError(mesg)
        warnings.warn(mesg, RuntimeWarning, stacklevel=2)
        return fit
    _, _, cov_x, fvec, nfev, njev, fjac, ipvt, qtf = fit
    infodict = {"fvec": fvec, "nfev": nfev, "njev": njev, "fjac": fjac, "ipvt": ipvt,
                "qtf": qtf}  # fmt: skip
    if Dfun is None:
        del infodict["njev"]
    return x, cov_x, infodict, mesg, info

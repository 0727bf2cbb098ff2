"""INFO codes: what each says, and how bad it is."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # numpy.typing would be most of what importing minpack costs
    from collections.abc import Sequence

    from numpy.typing import NDArray

    _Vector = NDArray[np.float64]


class Info(IntEnum):
    """Why a fit ended; the names and numbers of ``minpack.h``."""

    BAD_INPUT = 0
    FTOL = 1
    XTOL = 2
    FTOL_XTOL = 3
    GTOL = 4
    MAXFEV = 5
    FTOL_TOO_SMALL = 6
    XTOL_TOO_SMALL = 7
    GTOL_TOO_SMALL = 8
    NOT_FINITE = 9


class Covariance(IntEnum):
    """What is known of the covariance of the parameters; the names of ``fit.h``."""

    KNOWN = 0
    OPEN = 1
    NO_FREEDOM = 2
    OUT_OF_RANGE = 3


SUCCESS = frozenset(map(int, (Info.FTOL, Info.XTOL, Info.FTOL_XTOL, Info.GTOL)))

_MESSAGES = {
    Info.BAD_INPUT: "Bad input: ftol = {ftol:g}, xtol = {xtol:g} and gtol = {gtol:g} "
    "must not be negative, factor = {factor:g} and every entry of diag must be "
    "positive, and {start} must not be empty.",
    Info.FTOL: "Converged: the last step lowered the sum of squares, and could have "
    "lowered it, by a relative ftol = {ftol:g} at most.",
    Info.XTOL: "Converged: the next step would change x by a relative xtol = {xtol:g} "
    "at most.",
    Info.FTOL_XTOL: "Converged: the last step lowered the sum of squares by a relative "
    "ftol = {ftol:g} at most, and the next would change x by a relative "
    "xtol = {xtol:g} at most.",
    Info.GTOL: "Converged: the cosine of the angle between the residuals and every "
    "column of the Jacobian is at most gtol = {gtol:g} in absolute value.",
    Info.MAXFEV: "Stopped: {function} has been evaluated maxfev = {maxfev} times or "
    "more. A better {start}, a larger maxfev or parameters of similar size may help.",
    Info.FTOL_TOO_SMALL: "Stopped: rounding errors allow no further reduction of the "
    "sum of squares; ftol = {ftol:g} is too small.",
    Info.XTOL_TOO_SMALL: "Stopped: rounding errors allow no further improvement of x; "
    "xtol = {xtol:g} is too small.",
    Info.GTOL_TOO_SMALL: "Stopped: the residuals are orthogonal to the columns of the "
    "Jacobian to machine precision; gtol = {gtol:g} is too small.",
    Info.NOT_FINITE: "Stopped: the residuals, their Jacobian, x or the next step are "
    "not finite: NaN, infinite, or too large for a norm in float64.",
}


def stopped_by_function(info: int) -> str:
    """Say that a compiled function has ended the fit by what it returned."""
    return f"Stopped: a compiled function returned {info}."


_STALLED = (
    Info.MAXFEV, Info.FTOL_TOO_SMALL, Info.XTOL_TOO_SMALL, Info.GTOL_TOO_SMALL,
)  # fmt: skip
_STALLED_AT_START = (Info.XTOL, Info.FTOL_XTOL, Info.GTOL)


def advice_on_jacobian(
    info: int | None, name: str, x: _Vector, start: Any, fvec: _Vector | None = None
) -> str:
    """Say how to check the user's Jacobian, if the fit has stalled; else "".

    Without `fvec` it is not asked whether the fit has left its start.
    """
    stalled = info in _STALLED or (
        info in _STALLED_AT_START
        and fvec is not None
        and bool(fvec.any())
        and bool((x == np.ravel(start)).all())
    )
    if not stalled:
        return ""
    return (
        f" If the fit should have gone further, check {name} with "
        "minpack.check_jacobian."
    )


def idle_parameters(
    idle: Sequence[int], n: int, values: str, names: Sequence[str] = ()
) -> str:
    """Say which of n parameters have no effect on the values; "" where all have one."""
    if not idle:
        return ""
    if len(idle) == n:
        return (
            f"No parameter has an effect on {values}: the Jacobian is zero. Do they "
            "take steps, as integers and rounded numbers do?"
        )
    shown = [f"{j} ({names[j]})" if j < len(names) else str(j) for j in idle]
    if len(shown) == 1:
        return f"Parameter {shown[0]} has no effect on {values}."
    return f"Parameters {', '.join(shown)} have no effect on {values}."


def message(
    info: int,
    *,
    maxfev: int,
    function: str = "func",
    start: str = "x0",
    **limits: float,
) -> str:
    """Say why a fit ended, with ``ftol``, ``xtol``, ``gtol`` and ``factor``.

    `function` and `start` are what the caller calls its function and its start.
    """
    if info < 0:
        return stopped_by_function(info)
    numbers = {name: float(limit) for name, limit in limits.items()}
    return _MESSAGES[Info(info)].format(
        maxfev=maxfev, function=function, start=start, **numbers
    )

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
    "more.{progress} {remedies} may help.",
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
# What ends a fit that has not moved, with what then is to be said
_UNMOVED = (*SUCCESS, Info.FTOL_TOO_SMALL, Info.XTOL_TOO_SMALL, Info.GTOL_TOO_SMALL)
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
    idle: Sequence[int],
    x: _Vector,
    start: Any,
    values: str,
    names: Sequence[str] = (),
) -> str:
    """Say which parameters have no effect on the values, and why; "" if all have one.

    One that has left its start has had an effect on the way.
    """
    if not idle:
        return ""
    left = x != np.ravel(start)
    if len(idle) == x.size and not left.any():
        return (
            f"No parameter has an effect on {values}: the Jacobian is zero. Do they "
            "take steps, as integers and rounded numbers do?"
        )
    lost = [j for j in idle if left[j]]
    never = [j for j in idle if not left[j]]
    said = []
    if never:
        who, has, it = _subject(never, names)
        said.append(
            f"{who} {has} no effect on {values}, and {has} had none on the way: the "
            f"function does not depend on {it}, or not near the start."
        )
    if lost:
        who, has, it = _subject(lost, names)
        said.append(
            f"{who} {has} no effect on {values}, but {has} had one on the way: the "
            f"data do not determine {it} there. Another start, or bounds, may help."
        )
    return " ".join(said)


def _subject(numbers: Sequence[int], names: Sequence[str]) -> tuple[str, str, str]:
    """Return what the parameters are called, their verb and their pronoun."""
    shown = [f"{j} ({names[j]})" if j < len(names) else str(j) for j in numbers]
    if len(shown) == 1:
        return f"Parameter {shown[0]}", "has", "it"
    return f"Parameters {', '.join(shown)}", "have", "them"


def progress(
    lowered: float | None, start: str, what: str = "the sum of squares"
) -> str:
    """Say how fast a fit went down at last, where that is known.

    `lowered` is the part that its last step has saved, 0 where none has been taken.
    """
    if lowered is None:
        return ""
    if lowered == 0:
        return f" No step from {start} has lowered {what}: the fit is where it started."
    part = f"{100 * lowered:.3g} %" if lowered >= 1e-4 else f"a relative {lowered:.1g}"
    return f" Its last step lowered {what} by {part}."


def remedies(limit: str, start: str, may_accelerate: bool) -> str:
    """Say what may help a fit that takes too many evaluations."""
    bent = "acceleration=True, " if may_accelerate else ""
    return f"A larger {limit}, {bent}parameters of similar size or a better {start}"


def message(
    info: int,
    *,
    maxfev: int,
    function: str = "func",
    start: str = "x0",
    lowered: float | None = None,
    may_accelerate: bool = True,
    **limits: float,
) -> str:
    """Say why a fit ended, with ``ftol``, ``xtol``, ``gtol`` and ``factor``.

    `function` and `start` are what the caller calls its function and its start; for
    `lowered` see `progress`. `may_accelerate` where the fit could, and did not.
    """
    if info < 0:
        return stopped_by_function(info)
    numbers = {name: float(limit) for name, limit in limits.items()}
    said = _MESSAGES[Info(info)].format(
        maxfev=maxfev,
        function=function,
        start=start,
        progress=progress(lowered, start),
        remedies=remedies("maxfev", start, may_accelerate),
        **numbers,
    )
    if lowered == 0 and info in _UNMOVED:
        said += progress(lowered, start)
    return said

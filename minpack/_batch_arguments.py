"""The arguments of a batch, with errors that name them: numbers, bounds and starts."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._arguments import (
    bounds_pair,
    check_order,
    check_start,
    parameter_count,
    start_within,
)
from minpack._batch_data import INT_MAX, check_size, float_array, per_fit, real_array
from minpack._options import positive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from minpack._batch_data import Shape

    Array = NDArray[Any]

_LOSSES = ("linear", "soft_l1", "huber", "cauchy", "arctan")


def check_callable(name: str, function: Any) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def integer_argument(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {type(value).__name__}"
        ) from None


def count_argument(name: str, value: Any) -> int:
    """Return an integer that the solver can count to."""
    number = integer_argument(name, value)
    if abs(number) > INT_MAX:
        raise OverflowError(f"{name} must be at most {INT_MAX} in size, not {number}")
    return number


def number_argument(name: str, value: Any) -> float:
    try:
        return math.copysign(value, value)  # unlike float, it takes no text
    except TypeError:
        raise TypeError(
            f"{name} must be a real number, not {type(value).__name__}"
        ) from None
    except OverflowError:
        raise OverflowError(f"{name} is too large for float64") from None


def read_options(
    loss: Any, f_scale: Any, epsfcn: Any, diff_step: Any, n: int, acceleration: Any
) -> dict[str, Any]:
    """Read the loss of fits of n parameters, their differences and their steps."""
    if not isinstance(loss, str) or loss not in _LOSSES:
        raise (ValueError if isinstance(loss, str) else TypeError)(
            f"loss must be one of the names {', '.join(_LOSSES)}, not {loss!r}: in a "
            "batch it is no function"
        )
    scale = number_argument("f_scale", f_scale)
    if not 0 < scale < math.inf:
        raise ValueError(f"f_scale must be a positive number, not {f_scale}")
    return {
        "loss": loss,
        "f_scale": scale,
        "epsfcn": None if epsfcn is None else number_argument("epsfcn", epsfcn),
        "diff_step": None if diff_step is None else positive("diff_step", diff_step, n),
        "acceleration": bool(acceleration),
    }


def read_limits(maxfev: int, ftol: float, xtol: float, gtol: float) -> dict[str, Any]:
    limits = {"ftol": ftol, "xtol": xtol, "gtol": gtol}
    for name, value in limits.items():
        limits[name] = number_argument(name, value)
        if not limits[name] >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    return {"maxfev": max(count_argument("maxfev", maxfev), 0), **limits}


def bounds_and_start(
    f: Any, name: str, p0: Any, bounds: Any, lead: Shape
) -> tuple[Array | None, Array | None, Array]:
    """Return the bounds, shape (B, n) or None, and a new array of starts, (B, n).

    `lead` is the shape that the B fits have.

    What all fits share is an error where it is wrong; what is a fit's own is left to
    the fit.
    """
    low, high = (
        float_array(f"the {side} bounds", bound).astype(np.float64, copy=False)
        for side, bound in zip(("lower", "upper"), bounds_pair(bounds), strict=True)
    )
    if p0 is not None:
        start = np.atleast_1d(real_array(name, p0))
        n = start.shape[-1]
    else:
        sizes = [bound.shape[-1] for bound in (low, high) if bound.ndim]
        n = sizes[0] if sizes else parameter_count(f)
        name = "bounds"
    if n == 0:
        raise TypeError(
            f"{name} must hold one number for each parameter of f, not none"
        )
    check_size(name + " must hold at most {} parameters, not {}", n)
    lower, upper = (
        per_fit(f"the {side} bounds", bound, lead, n, contiguous=True)
        for side, bound in (("lower", low), ("upper", high))
    )
    own = p0 is not None
    rows = per_fit(name, start, lead, n) if own else start_within(lower, upper)
    if low.ndim < 2 and high.ndim < 2 and len(lower):
        _check_shared(lower[0], upper[0], start if own else None)
    starts = np.array(rows, np.float64, order="C")
    if np.isneginf(low).all() and np.isposinf(high).all():
        return None, None, starts
    return lower, upper, starts


def _check_shared(lower: Array, upper: Array, start: Array | None) -> None:
    check_order(lower, upper)
    if start is not None and start.ndim == 1 and not np.isnan(start).any():
        check_start("p0", start, lower, upper)

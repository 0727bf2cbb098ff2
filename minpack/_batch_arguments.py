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

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


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


def read_limits(maxfev: int, ftol: float, xtol: float, gtol: float) -> dict[str, Any]:
    limits = {"ftol": ftol, "xtol": xtol, "gtol": gtol}
    for name, value in limits.items():
        try:
            limits[name] = math.copysign(value, value)  # unlike float, it takes no text
        except TypeError:
            raise TypeError(
                f"{name} must be a real number, not {type(value).__name__}"
            ) from None
        except OverflowError:
            raise OverflowError(f"{name} is too large for float64") from None
        if not limits[name] >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    return {"maxfev": max(count_argument("maxfev", maxfev), 0), **limits}


def bounds_and_start(
    f: Any, name: str, p0: Any, bounds: Any, count: int
) -> tuple[Array | None, Array | None, Array]:
    """Return the bounds, shape (B, n) or None, and a new array of starts, (B, n).

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
        per_fit(f"the {side} bounds", bound, count, n, contiguous=True)
        for side, bound in (("lower", low), ("upper", high))
    )
    if p0 is None:
        start = start_within(lower, upper)
    if start.shape not in ((n,), (count, n)):
        raise ValueError(
            f"p0 must be of shape ({n},) or a row a fit, ({count}, {n}), not "
            f"{start.shape}"
        )
    if low.ndim < 2 and high.ndim < 2 and count:
        _check_shared(lower[0], upper[0], start if p0 is not None else None)
    starts = np.array(np.broadcast_to(start, (count, n)), np.float64, order="C")
    if np.isneginf(low).all() and np.isposinf(high).all():
        return None, None, starts
    return lower, upper, starts


def _check_shared(lower: Array, upper: Array, start: Array | None) -> None:
    check_order(lower, upper)
    if start is not None and start.ndim == 1 and not np.isnan(start).any():
        check_start("p0", start, lower, upper)

"""Arguments that more than one function takes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OptimizeWarning(UserWarning):
    """The fit has worked, but what comes with it is not to be relied on."""


_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


def parameter_names(f: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters of a model ``f(xdata, a, b, ...)``."""
    if type(f) is FunctionType and not f.__dict__:  # no __wrapped__ nor __signature__
        code = f.__code__
        return list(code.co_varnames[1 : code.co_argcount])
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [each.name for each in parameters if each.kind in _POSITIONAL][1:]


def parameter_count(f: Callable[..., Any], bounds: Any = None) -> int:
    """Count a model's parameters, by its signature ``f(xdata, a, b)`` or by bounds."""
    compiled = _minpack.is_compiled(f, "f")
    if not compiled and not callable(f):
        raise TypeError(f"f must be callable, not {type(f).__name__}")
    count = 0 if compiled else len(parameter_names(f))
    if count == 0 and bounds is not None:
        count = max(map(np.size, filter(np.ndim, bounds_pair(bounds))), default=0)
    if count > 0:
        return count
    if compiled:
        raise ValueError(
            "p0 is needed: a compiled f does not tell the number of parameters"
        )
    raise ValueError(
        "p0 is needed: the signature of f does not tell the number of parameters, "
        "as f(xdata, a, b) would, nor do bounds, one for each"
    )


def bounds_pair(bounds: Any) -> tuple[Any, Any]:
    """Tell the lower bounds from the upper ones; None becomes an infinite bound.

    Pairs, one for each parameter, are taken unless there are two of them.
    """
    sized = hasattr(bounds, "__len__") and not isinstance(bounds, dict | set)
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        lower, upper = bounds.lb, bounds.ub
    elif sized and len(bounds) == 2:
        lower, upper = bounds[0], bounds[1]
    elif sized and len(bounds) > 0 and all(map(_is_pair, bounds)):
        lower, upper = ([pair[k] for pair in bounds] for k in (0, 1))
    else:
        raise (ValueError if sized else TypeError)(
            "bounds must be a pair (lower, upper), have the attributes lb and ub, or "
            f"be a list of pairs, one for each parameter, not {bounds!r}"
        )
    return _without_none(lower, -np.inf), _without_none(upper, np.inf)


def _is_pair(object: Any) -> bool:
    return hasattr(object, "__len__") and len(object) == 2


def _without_none(bound: Any, infinity: float) -> Any:
    if isinstance(bound, np.ndarray) and bound.dtype == object:
        bound = bound.tolist()
    if isinstance(bound, list | tuple):
        return [_without_none(entry, infinity) for entry in bound]
    return infinity if bound is None else bound


def bounds_arrays(
    bounds: Any, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Read bounds for n parameters: lower and upper, or None where all are infinite."""
    arrays = []
    for name, bound in zip(("lower", "upper"), bounds_pair(bounds), strict=True):
        refuse_masked(f"the {name} bounds", bound, "infinity stands for no bound")
        try:
            array = np.array(bound, dtype=float)
        except (TypeError, ValueError) as error:
            if type(error) not in (TypeError, ValueError):  # not NumPy's
                raise
            raise type(error)(
                f"the {name} bounds must be real numbers, not {bound!r}"
            ) from error
        if array.ndim == 0:
            array = np.full(n, float(array))
        if array.shape != (n,):
            raise ValueError(
                f"the {name} bounds must be one number or one for each of the {n} "
                f"parameters, not of shape {array.shape}"
            )
        arrays.append(array)
    lower, upper = arrays
    check_order(lower, upper)
    if np.isneginf(lower).all() and np.isposinf(upper).all():
        return None
    return lower, upper


def check_order(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> None:
    """Raise a ValueError where a lower bound is above the upper one, or is NaN."""
    wrong = ~(lower <= upper)
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"the lower bound of parameter {j}, {lower[j]}, must not be greater than "
            f"its upper bound, {upper[j]}"
        )


def start_within(
    lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Choose a start: the middle of each interval, 1 from its one finite end, or 1."""
    below, above = np.isfinite(lower), np.isfinite(upper)
    start = np.ones_like(lower)
    both = below & above
    start[both] = 0.5 * (lower[both] + upper[both])
    start[below & ~above] = lower[below & ~above] + 1
    start[above & ~below] = upper[above & ~below] - 1
    return start


def check_start(
    name: str,
    start: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> None:
    """Raise a ValueError where a start is outside its bounds."""
    outside = ~((lower <= start) & (start <= upper))
    if outside.any():
        j = int(outside.argmax())
        raise ValueError(
            f"{name} must be within the bounds: parameter {j} starts at {start[j]}, "
            f"outside [{lower[j]}, {upper[j]}]"
        )


def refuse_masked(name: str, values: Any, advice: str) -> None:
    """Raise a TypeError where an array, or one in a sequence, has masked entries."""
    parts = values if isinstance(values, list | tuple) else (values,)
    for part in parts:
        masked = isinstance(part, np.ma.MaskedArray) and np.count_nonzero(part.mask)
        if masked:
            raise TypeError(
                f"{name} must be plain numbers, but {masked} of them are masked: "
                f"{advice}"
            )


def warn_of_absolute_sigma(stacklevel: int) -> None:
    """Warn that there are no errors of the data that could be known absolutely."""
    warnings.warn(
        "absolute_sigma is true, and there is no sigma: the covariance is that of data "
        "with errors of 1, whatever their scatter",
        OptimizeWarning,
        stacklevel=stacklevel + 1,
    )

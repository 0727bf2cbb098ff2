"""How NumPy's functions that are not ufuncs are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.cells import (
    MOST_ENTRIES,
    cells_of,
    each_node,
    get,
    of_cells,
)
from minpack._traced.registry import FUNCTIONS, no_more, records
from minpack._traced.shapes import cut, expand_dims, in_one_axis
from minpack._traced.stand_ins import (
    STAND_INS,
    Cells,
    Joined,
    Scalar,
    StandIn,
    Vector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack._traced.trace import Trace

__all__ = ["FUNCTIONS"]

_SUM = (
    "a {} over the points",
    "a residual or value of each point may depend on that point alone: compute what "
    "needs all of them before the fit, or leave the function untraced",
)

# --- Choices ----------------------------------------------------------------------


@records(np.where)
def _where(trace: Trace, condition: Any, *choices: Any) -> Any:
    if len(choices) != 2:
        raise trace.refuse("np.where with a condition alone", "give it two choices")
    return trace.select(condition, *choices)


@records(np.clip)
def _clip(
    trace: Trace, a: Any, a_min: Any = None, a_max: Any = None, **kwargs: Any
) -> Any:
    low, high = kwargs.pop("min", a_min), kwargs.pop("max", a_max)
    no_more(trace, np.clip, kwargs)
    if low is None or high is None:
        if high is not None:
            return trace.apply(np.minimum, (a, high))
        return a if low is None else trace.apply(np.maximum, (a, low))
    return trace.apply(trace.clip(), (a, low, high))


@records(np.select)
def _select(trace: Trace, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    out = default
    pairs = list(zip(condlist, choicelist, strict=True))
    for condition, choice in pairs[::-1]:
        out = trace.select(condition, choice, out)
    types = [
        each.dtype if isinstance(each, StandIn) else np.asarray(each).dtype
        for each in (*choicelist, default)
    ]
    return trace.as_type(out, np.result_type(*types))


@records(np.piecewise)
def _piecewise(
    trace: Trace, x: Any, condlist: Any, funclist: Any, *args: Any, **kwargs: Any
) -> Any:
    if not isinstance(condlist, list | tuple):
        condlist = [condlist]
    x = trace.leaf(x)
    if x.dtype != np.float64:
        raise trace.refuse(
            "np.piecewise of numbers that are not float64",
            "convert them by astype(float)",
        )
    out: Any = trace.constant(0.0)
    conditions = list(condlist)
    if len(funclist) == len(condlist) + 1:
        none: Any = None
        for condition in condlist:
            part = trace.apply(np.invert, (condition,))
            none = part if none is None else trace.apply(np.bitwise_and, (none, part))
        conditions.append(none)
    elif len(funclist) != len(condlist):
        raise ValueError(
            "np.piecewise takes as many functions as conditions, or one more"
        )
    for condition, function in zip(conditions, funclist, strict=True):
        value = function(x, *args, **kwargs) if callable(function) else function
        out = trace.select(condition, value, out)
    return out


@records(np.nan_to_num)
def _nan_to_num(
    trace: Trace,
    x: Any,
    copy: bool = True,
    nan: float = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Any:
    info = np.finfo(np.float64)
    high = info.max if posinf is None else posinf
    low = info.min if neginf is None else neginf
    out = trace.select(trace.apply(np.isnan, (x,)), float(nan), x)
    out = trace.select(trace.apply(np.equal, (out, np.inf)), float(high), out)
    return trace.select(trace.apply(np.equal, (out, -np.inf)), float(low), out)


# --- Functions made of ufuncs -------------------------------------------------------


@records(np.polyval)
def _polyval(trace: Trace, p: Any, x: Any) -> Any:
    x = trace.leaf(x)
    y: Any = _full_like(trace, x, 0)
    coefficients = list(p)
    if any(isinstance(each, float | StandIn) for each in coefficients):
        coefficients = [
            each if isinstance(each, StandIn) else np.float64(each)
            for each in coefficients
        ]
    else:
        coefficients = list(np.asarray(coefficients))
    for coefficient in coefficients:
        y = trace.apply(np.add, (trace.apply(np.multiply, (y, x)), coefficient))
    return y


@records(np.sinc)
def _sinc(trace: Trace, x: Any) -> Any:
    x = trace.leaf(x)
    y = trace.apply(np.multiply, (np.pi, trace.select(x == 0, 1.0e-20, x)))
    return trace.apply(np.divide, (trace.apply(np.sin, (y,)), y))


@records(np.round, np.around)
def _round(trace: Trace, a: Any, decimals: int = 0, out: None = None) -> Any:
    if decimals != 0:
        raise trace.refuse("rounding to digits", "use np.rint")
    return trace.apply(np.rint, (a,))


@records(np.diff)
def _diff(trace: Trace, a: Any, n: int = 1, axis: int = -1, **kwargs: Any) -> Any:
    no_more(trace, np.diff, kwargs)
    a = trace.leaf(a)
    for _ in range(n):
        pair = cut(trace, a, axis, (slice(1, None), slice(None, -1)))
        a = trace.apply(np.subtract, pair)
    return a


@records(np.copy)
def _copy(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return a.copy()


@records(np.real)
def _same(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return a


@records(np.zeros_like, np.empty_like)
def _zeros_like(
    trace: Trace, a: Any, dtype: Any = None, *args: Any, **kwargs: Any
) -> Any:
    return _full_like(trace, a, 0, dtype)


@records(np.ones_like)
def _ones_like(
    trace: Trace, a: Any, dtype: Any = None, *args: Any, **kwargs: Any
) -> Any:
    return _full_like(trace, a, 1, dtype)


@records(np.full_like)
def _full_like(
    trace: Trace, a: Any, fill_value: Any, dtype: Any = None, *args: Any, **kwargs: Any
) -> Any:
    a = trace.leaf(a)
    char = np.dtype(a.dtype if dtype is None else dtype).char
    if not a.depends and not isinstance(fill_value, STAND_INS):
        # NumPy's own array: parts of it may be assigned.
        found = np.full(a.shape, fill_value, char)
        trace.own[id(found)] = found
        return found
    if isinstance(fill_value, STAND_INS):
        ones = _full_like(trace, a, 1, float)
        return trace.apply(np.multiply, (ones, fill_value))
    value = np.array(fill_value).astype(char).item()
    if isinstance(a, Vector):
        return trace.filled(trace.constant(value, char), a.length)
    if isinstance(a, Scalar):
        return trace.constant(value, char)
    if isinstance(a, Joined):
        one = trace.constant(value, char)
        return Joined(trace, [trace.filled(one, piece.length) for piece in a.pieces])
    filled = each_node(a.array, lambda node: _full_like(trace, node, value, char))
    return Cells(trace, filled, a.points)


# --- Sums over a short axis -----------------------------------------------------------


def _pairwise(trace: Trace, ufunc: np.ufunc, nodes: Sequence[Any]) -> Any:
    """Add in the order of NumPy's sum over contiguous numbers."""
    n = len(nodes)
    if n < 8:
        return _in_order(trace, ufunc, nodes)
    if n <= 128:
        parts = list(nodes[:8])
        whole = n - n % 8
        for i in range(8, whole):
            parts[i % 8] = trace.apply(ufunc, (parts[i % 8], nodes[i]))
        while len(parts) > 1:
            parts = [
                trace.apply(ufunc, pair)
                for pair in zip(parts[::2], parts[1::2], strict=True)
            ]
        return _in_order(trace, ufunc, [parts[0], *nodes[whole:]])
    half = n // 2
    half -= half % 8
    return trace.apply(
        ufunc,
        (_pairwise(trace, ufunc, nodes[:half]), _pairwise(trace, ufunc, nodes[half:])),
    )


def _in_order(trace: Trace, ufunc: np.ufunc, nodes: Sequence[Any]) -> Any:
    out = nodes[0]
    for node in nodes[1:]:
        out = trace.apply(ufunc, (out, node))
    return out


def reduce(
    trace: Trace,
    name: str,
    ufunc: np.ufunc,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    **kwargs: Any,
) -> Any:
    """Reduce over an axis that is not that of the points."""
    no_more(trace, name, kwargs)
    value = trace.leaf(a)
    if out is not None or dtype not in (None, float, np.float64):
        raise trace.refuse(f"np.{name} with out= or dtype=", "leave them out")
    if not value.depends:
        found = ufunc.reduce(trace.value(value), axis=axis, keepdims=keepdims)
        return trace.leaf(np.asarray(found)) if np.ndim(found) else found
    if isinstance(value, Scalar):
        return value
    if isinstance(value, Joined):
        raise trace.refuse(_SUM[0].format(name), _SUM[1])
    array, points = cells_of(value)
    ndim = len(value.shape)
    if axis is None:
        axis = tuple(range(ndim))
    axes = [a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    if points is not None and points in axes:
        length = value.length
        if length > MOST_ENTRIES or length == trace.m or keepdims or len(axes) > 1:
            raise trace.refuse(_SUM[0].format(name), _SUM[1])
        return _pairwise(trace, ufunc, cut(trace, value, points, range(length)))
    contiguous = points is None or points < min(axes)
    order = _pairwise if contiguous and max(axes) == ndim - 1 else _in_order
    if ufunc is not np.add:
        order = _in_order
    inner = [a - (points is not None and a > points) for a in axes]
    kept = [a for a in range(array.ndim) if a not in inner]
    moved = array.transpose(kept + inner)
    moved = moved.reshape(*moved.shape[: len(kept)], -1)
    result = np.empty(moved.shape[:-1], object)
    for index in np.ndindex(result.shape):
        result[index] = order(trace, ufunc, list(moved[index]))
    if points is not None:
        points -= sum(a < points for a in axes)
    found = of_cells(trace, result, points)
    if keepdims:
        key = tuple(None if a in axes else slice(None) for a in range(ndim))
        found = get(trace, found, key) if not isinstance(found, Scalar) else found
    return found


@records(np.sum)
def _sum(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return reduce(trace, "sum", np.add, a, *args, **kwargs)


@records(np.prod)
def _prod(trace: Trace, a: Any, *args: Any, **kwargs: Any) -> Any:
    return reduce(trace, "product", np.multiply, a, *args, **kwargs)


@records(np.max, np.amax)
def _max(trace: Trace, a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    return reduce(trace, "maximum", np.maximum, a, axis, None, *args, **kwargs)


@records(np.min, np.amin)
def _min(trace: Trace, a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    return reduce(trace, "minimum", np.minimum, a, axis, None, *args, **kwargs)


@records(np.mean)
def _mean(trace: Trace, a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    total = reduce(trace, "mean", np.add, a, axis, *args, **kwargs)
    shape = trace.leaf(a).shape
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
    count = int(np.prod([shape[k] for k in axes]))
    return trace.apply(np.divide, (total, float(count)))


# --- Products -------------------------------------------------------------------------


@records(np.dot)
def _dot(trace: Trace, a: Any, b: Any, out: None = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return trace.apply(np.multiply, (a, b))
    return trace.matmul(a, b)


@records(np.inner)
def _inner(trace: Trace, a: Any, b: Any) -> Any:
    return _dot(trace, a, b.T if isinstance(b, StandIn | np.ndarray) else b)


@records(np.outer)
def _outer(trace: Trace, a: Any, b: Any, out: None = None) -> Any:
    a, b = in_one_axis(trace, a), in_one_axis(trace, b)
    return trace.apply(
        np.multiply, (expand_dims(trace, a, 1), expand_dims(trace, b, 0))
    )


@records(np.broadcast_to)
def _broadcast_to(trace: Trace, a: Any, shape: Any, **kwargs: Any) -> Any:
    ones = np.ones(shape)
    return trace.apply(np.multiply, (ones, a))

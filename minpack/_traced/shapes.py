"""What NumPy's functions record that change shapes, cut and join arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.cells import cells_of, get, of_cells, ravel, reshape, transpose
from minpack._traced.registry import no_more, records
from minpack._traced.stand_ins import Cells, Joined, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minpack._traced.trace import Trace


@records(np.shape)
def _shape(trace: Trace, a: Any) -> Any:
    return a.shape


@records(np.ndim)
def _ndim(trace: Trace, a: Any) -> Any:
    return len(a.shape)


@records(np.size)
def _size(trace: Trace, a: Any, axis: int | None = None) -> Any:
    return a.size if axis is None else a.shape[axis]


@records(np.iscomplexobj)
def _false(trace: Trace, *args: Any) -> bool:
    return False


@records(np.isrealobj)
def _true(trace: Trace, *args: Any) -> bool:
    return True


@records(np.ravel)
def in_one_axis(trace: Trace, a: Any, order: str = "C") -> Any:
    a = trace.leaf(a)
    if isinstance(a, Scalar):
        return get(trace, Cells(trace, cells_of(a)[0].reshape(1), None), slice(None))
    return ravel(trace, a)


@records(np.reshape)
def _reshape(trace: Trace, a: Any, *shape: Any, **kwargs: Any) -> Any:
    wanted = kwargs.pop("shape", kwargs.pop("newshape", None))
    if wanted is None:
        wanted = shape[0] if len(shape) == 1 else shape
    if kwargs.pop("order", "C") != "C":
        raise trace.refuse("np.reshape in another order than C's", "transpose before")
    return reshape(trace, a, wanted)


@records(np.transpose)
def _transpose(trace: Trace, a: Any, axes: Any = None, *more: Any) -> Any:
    if isinstance(axes, int):
        axes = (axes, *more)
    return transpose(trace, a, axes)


@records(np.squeeze)
def _squeeze(trace: Trace, a: Any, axis: Any = None) -> Any:
    axes = None if axis is None else {k % len(a.shape) for k in np.atleast_1d(axis)}
    key = tuple(
        0 if size == 1 and (axes is None or k in axes) else slice(None)
        for k, size in enumerate(a.shape)
    )
    return get(trace, a, key)


@records(np.expand_dims)
def expand_dims(trace: Trace, a: Any, axis: Any) -> Any:
    axes = [axis] if isinstance(axis, int) else list(axis)
    ndim = len(a.shape) + len(axes)
    places = {k % ndim for k in axes}
    return get(
        trace, a, tuple(None if k in places else slice(None) for k in range(ndim))
    )


@records(np.atleast_1d)
def _atleast_1d(trace: Trace, *arrays: Any) -> Any:
    out = [in_one_axis(trace, a) if isinstance(a, Scalar) else a for a in arrays]
    return out[0] if len(out) == 1 else tuple(out)


@records(np.atleast_2d)
def _atleast_2d(trace: Trace, a: Any) -> Any:
    a = _atleast_1d(trace, a)
    return get(trace, a, None) if len(a.shape) < 2 else a


@records(np.flip)
def _flip(trace: Trace, a: Any, axis: int | None = None) -> Any:
    backwards = slice(None, None, -1)
    key = tuple(
        backwards if axis is None or k == axis % len(a.shape) else slice(None)
        for k in range(len(a.shape))
    )
    return get(trace, a, key)


def cut(trace: Trace, a: Any, axis: int, keys: Iterable[Any]) -> list[Any]:
    """Return the parts that some indices of one axis choose."""
    key: list[Any] = [slice(None)] * len(a.shape)
    out = []
    for each in keys:
        key[axis] = each
        out.append(get(trace, a, tuple(key)))
    return out


@records(np.split, np.array_split)
def _split(trace: Trace, a: Any, sections: Any, axis: int = 0) -> Any:
    parts = np.array_split(np.arange(a.shape[axis]), sections)
    ends = np.cumsum([0, *map(len, parts)]).tolist()
    return cut(trace, a, axis, map(slice, ends[:-1], ends[1:]))


@records(np.unstack) if hasattr(np, "unstack") else (lambda own: own)
def _unstack(trace: Trace, a: Any, *, axis: int = 0) -> Any:
    return tuple(cut(trace, a, axis, range(a.shape[axis])))


@records(np.stack)
def _stack(trace: Trace, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    no_more(trace, np.stack, kwargs)
    return _join(trace, [_new_axis(trace, trace.leaf(a), axis) for a in arrays], axis)


def _new_axis(trace: Trace, a: Any, axis: int) -> Any:
    return (
        in_one_axis(trace, a) if isinstance(a, Scalar) else expand_dims(trace, a, axis)
    )


@records(np.vstack)
def _vstack(trace: Trace, arrays: Any, **kwargs: Any) -> Any:
    no_more(trace, np.vstack, kwargs)
    return _join(trace, [_atleast_2d(trace, trace.leaf(a)) for a in arrays], 0)


@records(np.column_stack)
def _column_stack(trace: Trace, arrays: Any) -> Any:
    columns = [trace.leaf(a) for a in arrays]
    return _join(
        trace,
        [expand_dims(trace, a, 1) if len(a.shape) == 1 else a for a in columns],
        1,
    )


@records(np.hstack)
def _hstack(trace: Trace, arrays: Any, **kwargs: Any) -> Any:
    no_more(trace, np.hstack, kwargs)
    parts = [_atleast_1d(trace, trace.leaf(a)) for a in arrays]
    return _join(trace, parts, 0 if len(parts[0].shape) == 1 else 1)


@records(np.concatenate)
def _concatenate(trace: Trace, arrays: Any, axis: Any = 0, **kwargs: Any) -> Any:
    no_more(trace, np.concatenate, kwargs)
    parts = [trace.leaf(a) for a in arrays]
    if axis is None:
        parts, axis = [in_one_axis(trace, a) for a in parts], 0
    return _join(trace, parts, axis)


@records(np.append)
def _append(trace: Trace, arr: Any, values: Any, axis: Any = None) -> Any:
    return _concatenate(trace, (arr, values), axis)


def _join(trace: Trace, parts: list[Any], axis: int) -> Any:
    ndim = len(parts[0].shape)
    axis %= ndim
    if ndim == 1:
        if all(isinstance(part, Cells) for part in parts):
            return Cells(trace, np.concatenate([part.array for part in parts]), None)
        if not any(part.depends for part in parts):
            values = [np.atleast_1d(trace.value(part)) for part in parts]
            return trace.array(np.concatenate(values), captured=False)
        pieces: list[Node] = []
        for part in parts:
            if isinstance(part, Joined):
                pieces.extend(part.pieces)
            elif isinstance(part, Cells):
                pieces.extend(part.array)
            else:
                pieces.append(part)
        return Joined(trace, pieces)
    cells = [cells_of(part) for part in parts]
    places = {points for _, points in cells} - {None}
    if len(places) > 1 or axis in places:
        raise trace.refuse(
            "arrays joined along the axis of the points, with others", "join 1-D arrays"
        )
    points = places.pop() if places else None
    arrays = []
    for array, own in cells:
        if points is not None and own is None:
            array = array.take(0, axis=points)
        arrays.append(array)
    inner = axis - (points is not None and axis > points)
    return of_cells(trace, np.concatenate(arrays, inner), points)

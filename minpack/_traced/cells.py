"""Operations on the stand-ins for arrays with several axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.stand_ins import STAND_INS, Cells, Joined, Node, Scalar, Vector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from minpack._traced.trace import Trace

MOST_ENTRIES = 64  # the most entries of a vector that is taken apart


def cells_of(value: Any) -> tuple[NDArray[Any], int | None]:
    """Return the cells of a stand-in or a number, and the axis of the points."""
    if isinstance(value, Cells):
        return value.array, value.points
    array = np.empty((), object)
    array[()] = value
    return array, 0 if isinstance(value, Vector) else None


def of_cells(trace: Trace, array: Any, points: int | None) -> Any:
    """Return the stand-in that has these cells."""
    if not isinstance(array, np.ndarray):
        return array
    if array.ndim == 0:
        return array[()]
    if all(isinstance(node, Scalar) for node in array.flat):
        if points is not None:
            array = np.expand_dims(array, points)
        points = None
    return Cells(trace, array, points)


def _position(array: NDArray[Any], points: int | None) -> int | None:
    """Return the axis of the points, counted from the last one."""
    return None if points is None else array.ndim - points


def cell_map(trace: Trace, function: Callable[..., Node], values: Sequence[Any]) -> Any:
    """Apply a function of nodes to each cell of operands that are broadcast."""
    parts = [cells_of(value) for value in values]
    places = {_position(*part) for part in parts} - {None}
    if len(places) > 1:  # take apart the arrays that have another length than m
        parts = [
            part if _length(part[0]) in (None, trace.m) else _taken_apart(trace, *part)
            for part in parts
        ]
        places = {_position(*part) for part in parts} - {None}
    if len(places) > 1:  # and captured arrays, whose length may be m by chance
        parts = [
            _taken_apart(trace, *part) if _is_captured(part[0]) else part
            for part in parts
        ]
        places = {_position(*part) for part in parts} - {None}
    if len(places) > 1:
        raise trace.refuse(
            "an operation on arrays with the points in different axes",
            "let the axis of the points be the last in all of them",
        )
    place = places.pop() if places else None
    if place is not None and any(
        points is None and array.ndim > place and array.shape[-1 - place] != 1
        for array, points in parts
    ):
        parts = [_taken_apart(trace, *part) for part in parts]
        place = None
    arrays = []
    for array, points in parts:
        if place is not None and points is None and array.ndim > place:
            array = array.take(0, axis=array.ndim - 1 - place)
        arrays.append(array)
    try:
        together = np.broadcast(*arrays)
    except ValueError as error:
        raise trace.refuse(str(error), "see docs/traced.md") from None
    out = np.empty(together.shape, object)
    for index, operands in zip(np.ndindex(together.shape), together, strict=True):
        out[index] = function(*operands)
    ndim = out.ndim + (place is not None)
    if place is not None and ndim <= place:
        ndim = place + 1
        out = out.reshape((1,) * (place - out.ndim) + out.shape)
    return of_cells(trace, out, None if place is None else ndim - 1 - place)


def _length(array: NDArray[Any]) -> int | None:
    return next((n.length for n in array.flat if isinstance(n, Vector)), None)


def _is_captured(array: NDArray[Any]) -> bool:
    if not all(isinstance(n, Vector) and n.op == "array" for n in array.flat):
        return False
    return (_length(array) or 0) <= MOST_ENTRIES


def _taken_apart(
    trace: Trace, array: NDArray[Any], points: int | None
) -> tuple[NDArray[Any], None]:
    """Make each point of the cells a cell of its own."""
    if points is None:
        return array, None
    length = _length(array)
    if length is None or length > MOST_ENTRIES:
        raise trace.refuse(
            f"an operation on {length} points and on an array of other length",
            "their lengths must be the same",
        )
    out = np.empty((*array.shape, length), object)
    for index, node in np.ndenumerate(array):
        for i in range(length):
            out[(*index, i)] = trace.index(node, i)
    return np.moveaxis(out, -1, points), None


def join_map(trace: Trace, function: Callable[..., Node], nodes: Sequence[Any]) -> Any:
    """Apply a function of nodes to each piece of joined arrays."""
    first = next(node for node in nodes if isinstance(node, Joined))
    if first.depends and not any(isinstance(n, Cells) for n in nodes):
        lengths = [piece.length for piece in first.pieces]
        split = []
        for node in nodes:
            if isinstance(node, Joined):
                if [piece.length for piece in node.pieces] != lengths:
                    raise trace.refuse(
                        "an operation on arrays that are joined of different pieces",
                        "join them alike",
                    )
                split.append(node.pieces)
            elif isinstance(node, Vector):
                split.append(pieces_of(trace, node, lengths))
            else:
                split.append([node] * len(lengths))
        return Joined(trace, [function(*each) for each in zip(*split, strict=True)])
    if not any(node.depends for node in nodes if isinstance(node, STAND_INS)):
        values = [trace.value(node) for node in nodes]
        return function(*(trace.array(np.asarray(v), captured=False) for v in values))
    raise trace.refuse("this operation on joined arrays", "apply it before")


def pieces_of(trace: Trace, node: Node, lengths: Sequence[int | None]) -> list[Node]:
    """Cut a vector in pieces of these lengths; None stands for one number."""
    out, at = [], 0
    for length in lengths:
        key = at if length is None else slice(at, at + length)
        out.append(trace.index(node, key))
        at += length or 1
    if at != node.length:
        raise trace.refuse(
            f"an operation on {at} and {node.length} points", "they must be as many"
        )
    return out


# --- Indices and shapes -----------------------------------------------------------


def each_axis(keys: Sequence[Any], ndim: int) -> list[Any]:
    """Return an index with a part for each axis, and None for new ones."""
    used = sum(
        each.ndim if isinstance(each, np.ndarray) and each.dtype == bool else 1
        for each in keys
        if each is not None and each is not Ellipsis
    )
    if used > ndim:
        raise IndexError(f"too many indices for an array with {ndim} axes")
    at = next((k for k, each in enumerate(keys) if each is Ellipsis), len(keys))
    return [*keys[:at], *[slice(None)] * (ndim - used), *keys[at + 1 :]]


def get(trace: Trace, stand_in: Any, key: Any) -> Any:
    """Return ``stand_in[key]``."""
    keys = list(key) if isinstance(key, tuple) else [key]
    for k, each in enumerate(keys):
        if isinstance(each, STAND_INS):
            if each.depends:
                raise trace.refuse(
                    "an index that depends on a parameter", "use np.where"
                )
            keys[k] = trace.value(each)
        elif isinstance(each, list):
            keys[k] = np.asarray(each)
    array, points = cells_of(stand_in)
    given = sum(each is not Ellipsis for each in keys)
    cell_keys: list[Any] = []
    axis = out_axis = 0
    point_key: Any = slice(None)
    out_points = None
    for each in each_axis(keys, len(stand_in.shape)):
        fancy = each.ndim if isinstance(each, np.ndarray) else 0
        if fancy > 1 or (fancy and given > 1 and axis != points):
            raise trace.refuse("this index", "use slices, or np.where")
        if each is None:
            cell_keys.append(None)
            out_axis += 1
            continue
        if axis == points:
            point_key = each
            if isinstance(each, slice) or fancy:
                out_points = out_axis
                out_axis += 1
        else:
            cell_keys.append(each)
            out_axis += isinstance(each, slice) or fancy > 0
        axis += 1
    out = array[tuple(cell_keys)]
    if not (isinstance(point_key, slice) and point_key == slice(None)):
        out = each_node(out, lambda node: trace.index(node, point_key))
    return of_cells(trace, out, out_points)


def each_node(array: Any, function: Callable[[Node], Node]) -> Any:
    """Apply a function to a node, or to each of an array."""
    if not isinstance(array, np.ndarray):
        return function(array)
    out = np.empty(array.shape, object)
    for index, node in np.ndenumerate(array):
        out[index] = function(node)
    return out


def transpose(trace: Trace, value: Any, axes: Any = None) -> Any:
    """Return ``np.transpose(value, axes)``."""
    ndim = len(value.shape)
    if ndim < 2:
        return value
    order = list(range(ndim))[::-1] if axes is None else [a % ndim for a in axes]
    array, points = cells_of(value)
    if points is None:
        return Cells(trace, array.transpose(order), None)
    without = [a - (a > points) for a in order if a != points]
    return Cells(trace, array.transpose(without), order.index(points))


def reshape(trace: Trace, value: Any, shape: Any) -> Any:
    """Reshape in C's order, where the axis of the points stays as it is."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    size = value.size
    if -1 in shape:
        known = int(np.prod([s for s in shape if s != -1]))
        shape = tuple(size // known if s == -1 else s for s in shape)
    if shape == value.shape:
        return value
    array, points = cells_of(value)
    if points is None and not isinstance(value, Joined):
        return of_cells(trace, array.reshape(shape), None)
    if not isinstance(value, Joined):
        length = value.length
        last = points == len(value.shape) - 1
        if shape == (size,) and (last or array.size == 1):
            nodes = list(array.reshape(-1))
            return nodes[0] if len(nodes) == 1 else Joined(trace, nodes)
        places = [a for a, s in enumerate(shape) if s == length]
        rest = [s for s in shape if s != length]
        if len(places) == 1 and (array.size == 1 or (last and places[0] == len(rest))):
            return of_cells(trace, array.reshape(rest), places[0])
    raise trace.refuse(
        f"a change of shape from {value.shape} to {shape}",
        "keep the points in one axis",
    )


def ravel(trace: Trace, value: Any) -> Any:
    """Return ``np.ravel(value)``."""
    return reshape(trace, value, (value.size,))

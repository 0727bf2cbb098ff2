"""Parts of a vector, and the values of what depends on the data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.products import matrix_product
from minpack._traced.stand_ins import STAND_INS, Cells, Joined, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from minpack._traced.trace import Trace


def index(trace: Trace, node: Node, key: Any) -> Node:
    """Return ``node[key]``, from the same index of each leaf."""
    memo: dict[int, Node] = {}
    copies = bool(node.operands) and isinstance(key, slice) and (key.step or 1) < 0

    def part(node: Node) -> Node:
        if node.length is None:
            return node
        done = memo.get(id(node))
        if done is None:
            done = _index_of(trace, node, key, part)
            if copies and not done.operands:
                done = _forward(trace, done)
            memo[id(node)] = done
        return done

    return part(node)


def _forward(trace: Trace, node: Node) -> Node:
    """Return a leaf that goes forward in memory.

    Some loops have other last bits on arrays that go backward.
    """
    if node.op == "array":
        return trace.array(np.ascontiguousarray(node.payload), captured=False)
    if node.char == "?":
        return node
    return trace.make(np.positive, f"{node.char}->{node.char}", (node,))


def _index_of(trace: Trace, node: Node, key: Any, part: Callable[[Node], Node]) -> Node:
    assert node.length is not None
    if node.op == "data":
        k, offset, stride = node.payload
        if isinstance(key, slice):
            first, last, step = key.indices(node.length)
            count = len(range(first, last, step))
            return trace.data_leaf(
                k, offset + first * stride, step * stride, node.char, count
            )
        if isinstance(key, int | np.integer):
            at = range(node.length)[key]
            return trace.data_leaf(k, offset + at * stride, 0, node.char, None)
        return trace.array(np.asarray(trace.value(node)[key]), captured=False)
    if node.op == "array":
        return trace.array(np.asarray(node.payload[key]))
    if node.op == "matmul":
        rows = np.atleast_2d(node.payload[key])
        if rows.shape[0] == 1:
            total: Node | None = None
            for number, each in zip(rows[0], node.operands, strict=True):
                term = trace.apply(np.multiply, (trace.constant(float(number)), each))
                total = term if total is None else trace.apply(np.add, (total, term))
            assert total is not None
            return total
        trace.kept.append(rows)
        return matrix_product(trace, rows, node.operands)
    operands = tuple(map(part, node.operands))
    return trace.make(node.op, node.types, operands, node.payload)


def value(trace: Trace, node: Any) -> Any:
    """Compute the value of a stand-in that depends on the data alone."""
    if not isinstance(node, STAND_INS):
        return node
    if isinstance(node, Cells):
        if node.source is not None:
            trace.reads_data = True
            return node.source
        values = [trace.value(each) for each in node.array.flat]
        stacked = np.stack(values) if values else np.empty(0)
        whole = stacked.reshape(node.array.shape + stacked.shape[1:])
        if node.points is not None:
            whole = np.moveaxis(whole, -1, node.points)
        return whole
    if isinstance(node, Joined):
        return np.concatenate([np.atleast_1d(trace.value(p)) for p in node.pieces])
    done = trace.values.get(id(node))
    if done is not None:
        return done
    operands = tuple(map(trace.value, node.operands))
    if node.op == "data":
        trace.reads_data = True
        k, offset, stride = node.payload
        base = trace.data[k]
        done = _strided(base, offset, stride, node.length)
    elif node.op in ("constant", "array"):
        done = node.payload[()]
    elif node.op == "cast":
        done = np.asarray(operands[0]).astype(node.char)[()]
    elif node.op == "select":
        done = np.where(*operands)
    elif node.op == "pow":
        done = operands[0] ** operands[1]
    else:
        done = node.op(*operands)
        if node.op.nout > 1:
            done = done[node.payload]
    trace.values[id(node)] = done
    return done


def _strided(base: NDArray[Any], offset: int, stride: int, length: int | None) -> Any:
    """Return the entries of a view of `base` that begin at this offset, in bytes."""
    count = 1 if length is None else length
    address = base.__array_interface__["data"][0] + offset
    view: NDArray[Any] = np.asarray(
        _At(address, (count,), (stride,), base.dtype.str, base)
    )
    return view[0] if length is None else view


class _At:
    """An array at an address in the memory of another."""

    def __init__(
        self,
        address: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        typestr: str,
        owner: Any,
    ) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, True),
            "shape": shape,
            "strides": strides,
            "typestr": typestr,
            "version": 3,
        }

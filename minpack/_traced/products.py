"""Products of a matrix and a vector of parameters, and arrays of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.cells import MOST_ENTRIES
from minpack._traced.loops import refuse
from minpack._traced.stand_ins import Cells, Node, depends

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from minpack._traced.trace import Trace


def matmul(trace: Trace, a: Any, b: Any) -> Any:
    """Record a matrix of numbers times a short vector of parameters."""
    if not depends((a, b)):
        return np.matmul(trace.plain(a), trace.plain(b))
    if isinstance(a, Cells) and not a.depends:
        a = trace.value(a)
    if isinstance(b, Cells) and not b.depends:
        b = trace.value(b)
    if _holds_objects(a):
        a = trace.leaf(a)
    if _holds_objects(b):
        b = trace.leaf(b)
    if (
        isinstance(a, Cells)
        and a.points is None
        and a.ndim == 1
        and isinstance(b, np.ndarray)
        and b.ndim == 2
    ):
        return matmul(trace, b.T, a)
    if (
        isinstance(a, np.ndarray)
        and a.ndim == 2
        and a.dtype.kind in "biuf"
        and isinstance(b, Cells)
        and b.points is None
        and b.array.ndim == 1
        and b.array.size == a.shape[1]
    ):
        matrix = np.require(a, np.float64, "A")
        trace.captures = True
        trace.kept.append(matrix)
        vector = tuple(trace.cast(node, "d") for node in b.array)
        return matrix_product(trace, matrix, vector)
    raise refuse(
        "a product of matrices that is not a matrix of numbers times a vector of "
        "parameters",
        "write the sum of its terms",
    )


def matrix_product(
    trace: Trace, matrix: NDArray[Any], vector: tuple[Node, ...]
) -> Node:
    """Return the node of a product."""
    number = trace.by_id.setdefault(("matrix", id(matrix)), len(trace.by_id))
    orders = [each.order for each in vector]
    key = ("matmul", number, matrix.shape[0], *orders)
    node: Node | None = trace.nodes.get(key)
    if node is None:
        rows = matrix.shape[0]
        return trace.add(key, "matmul", vector, "d", rows, True, "dd->d", matrix)
    return node


def of_few(trace: Trace, cells: NDArray[Any]) -> Node | None:
    """Return a vector of few nodes, each for many points, as ``levels[group]``."""
    numbers = np.array([node.order for node in cells])
    distinct, first = np.unique(numbers, return_index=True)
    if 2 * distinct.size > cells.size or distinct.size > MOST_ENTRIES:
        return None
    out = trace.filled(trace.constant(0.0), cells.size)
    for number, k in zip(distinct, first, strict=True):
        condition = trace.array(numbers == number, captured=False)
        out = trace.select(condition, cells[k], out)
    return out


def product_of_objects(trace: Trace, cells: NDArray[Any]) -> Node | None:
    """Return the product ``matrix @ np.array([a, b])``, found from its entries.

    np.array([a, b]) is an array of objects: NumPy multiplies and adds them one by
    one.
    """
    rows = []
    vector: tuple[Node, ...] | None = None
    for node in cells:
        numbers, factors = [], []
        while True:
            term = node.operands[1] if node.op is np.add else node
            if term.op is not np.multiply or term.operands[0].op != "constant":
                return None
            numbers.append(term.operands[0].payload.item())
            factors.append(term.operands[1])
            if node is term:
                break
            node = node.operands[0]
        same = tuple(factors[::-1])
        if vector is not None and same != vector:
            return None
        vector = same
        rows.append(numbers[::-1])
    assert vector is not None
    return matrix_product(trace, np.array(rows), vector)


def _holds_objects(value: Any) -> bool:
    """Whether a list, a tuple or an array may hold stand-ins."""
    return isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "O"
    )

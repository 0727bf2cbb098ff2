"""A record of what a NumPy function does with its parameters.

The function is called once with stand-ins, the nodes of a graph: NumPy's protocols
``__array_ufunc__`` and ``__array_function__`` tell which operations it applies to what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import minpack._minpack as _minpack
from minpack._traced import CHARS, INT, functions, parts
from minpack._traced.cells import MOST_ENTRIES, cell_map, get, join_map
from minpack._traced.loops import (
    ARITHMETIC,
    FLOAT64,
    all_float64,
    char_of,
    operator_power,
    refuse,
    resolve,
    ufunc_of,
)
from minpack._traced.products import matmul, of_few, product_of_objects
from minpack._traced.stand_ins import (
    STAND_INS,
    Cells,
    Joined,
    Node,
    Scalar,
    Vector,
    depends,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_BY_HAND = 32  # the most values that a function writes one by one
_EXACT = 2**53  # smaller integers are exact in float64
MOST_NODES = 20_000  # of a record; a loop over the points makes more
MOST_CELLS = 256  # the most entries of an array, for each of its points

_ARRAYS = (Vector, Cells, Joined, np.ndarray)
_OF_POINTS = (Vector, Cells)
_NUMBERS = (bool, int, float, np.bool_, np.integer, np.floating)


class Trace(_minpack.Graph):
    """A record under way: the nodes, each made once.

    Attributes
    ----------
    m : int
        The number of points.
    data : list of ndarray
        The arrays among the arguments; each fit gives the program its own.
    reads_data : bool
        Whether the record depends on the numbers in `data`, as after a branch on them.
    captures : bool
        Whether the record holds arrays that are not arguments.
    has_poles : bool
        Whether huge derivatives stand for infinite ones.
    numbers : set
        The Python numbers that the function uses.
    nodes : dict
        The nodes in their order. The keys, which name no object but ufuncs, are the
        structure of the record.
    """

    add: Callable[..., Node]
    make: Callable[..., Node]

    def __init__(self, m: int) -> None:
        super().__init__(Scalar, Vector, FLOAT64, MOST_NODES)
        self.m = m
        self.data: list[NDArray[Any]] = []
        self.reads_data = False
        self.captures = False
        self.has_poles = False
        self.numbers: set[Any] = set()
        self.values: dict[int, Any] = {}
        self.by_id: dict[Any, Any] = {}  # stand-ins for captured arrays
        self.kept: list[Any] = []  # arrays whose id is in a key of by_id
        self.own: dict[int, Any] = {}  # arrays that were made here
        self.parameters: list[Node] = []

    def clear(self) -> None:
        """Drop all references: the trace and its nodes refer to each other."""
        for each in (
            self.data,
            self.nodes,
            self.values,
            self.by_id,
            self.kept,
            self.own,
            self.parameters,
        ):
            each.clear()

    # --- Leaves -------------------------------------------------------------------

    def parameter(self, j: int) -> Node:
        """Return the node of parameter j."""
        node = self.add(("parameter", j), "parameter", (), "d", None, True, "", j)
        self.parameters.append(node)
        return node

    def constant(self, value: Any, char: str = "d") -> Node:
        """Return the node of a number."""
        key: Any = (char, value)
        if value == 0:
            key = (char, value, str(value))
        elif value != value:
            key = (char, np.array(value, char).tobytes())
        node: Node | None = self.nodes.get(key)
        if node is None:
            payload = np.array(value, char)
            return self.add(key, "constant", (), char, None, False, "", payload)
        return node

    def array(self, values: NDArray[Any], captured: bool = True) -> Node:
        """Return the node of an array (L,) of numbers; one entry is a number."""
        if values.ndim == 0 or (values.size == 1 and self.m != 1):
            return self.constant(values.reshape(()).item(), char_of(values.dtype))
        node = self.by_id.get(id(values))
        if node is None:
            if captured and id(values) not in self.own:
                self.captures = True
            plain = values
            if not (values.flags.aligned and values.dtype.isnative):
                plain = values.astype(values.dtype.newbyteorder("="))
            char, size = char_of(plain.dtype), values.size
            key = ("array", len(self.nodes), char, size)
            node = self.add(key, "array", (), char, size, False, "", plain)
            self.by_id[id(values)] = node
            self.kept.append(values)
        return node

    def data_leaf(
        self, k: int, offset: int, stride: int, char: str, length: int | None
    ) -> Node:
        """Return the node of a part of argument k, which begins at a byte of it."""
        key = ("data", k, offset, stride, char, length)
        node: Node | None = self.nodes.get(key)
        if node is None:
            payload = (k, offset, stride)
            return self.add(key, "data", (), char, length, False, "", payload)
        return node

    def argument(self, values: NDArray[Any]) -> Any:
        """Return the stand-in for an array that comes anew with each fit."""
        k = len(self.data)
        self.data.append(values)
        return self._view(k, values)

    def _view(self, k: int, values: NDArray[Any]) -> Any:
        char = values.dtype.char
        if values.ndim == 0:
            return self.data_leaf(k, 0, 0, char, None)
        if values.ndim == 1:
            return self.data_leaf(k, 0, values.strides[0], char, values.size)
        whole = values
        values = self.flat(values)
        if values.ndim == 1:
            return self.data_leaf(k, 0, values.strides[0], char, values.size)
        axis = self.points_axis(values.shape)
        stride, length = 0, None
        strides, shape = list(values.strides), list(values.shape)
        if axis is not None:
            stride, length = strides.pop(axis), shape.pop(axis)
        cells = np.empty(shape, object)
        if cells.size > MOST_CELLS:
            raise refuse(f"an array of shape {values.shape}", "see docs/traced.md")
        for index in np.ndindex(*shape):
            at = sum(i * step for i, step in zip(index, strides, strict=True))
            cells[index] = self.data_leaf(k, at, stride, char, length)
        return Cells(self, cells, axis, whole if whole is values else None)

    def flat(self, values: NDArray[Any]) -> NDArray[Any]:
        """Make one axis of the last axes, if they hold the m points of an image."""
        if self.m in values.shape or not values.flags.c_contiguous:
            return values
        size = 1
        for axis in range(values.ndim - 1, -1, -1):
            size *= values.shape[axis]
            if size == self.m:
                return values.reshape(*values.shape[:axis], size)
        return values

    def points_axis(self, shape: tuple[int, ...]) -> int | None:
        """Choose the axis of an array along which its entries are points."""
        for axis in range(len(shape) - 1, -1, -1):
            if shape[axis] == self.m and self.m > 1:
                return axis
        longest = max(range(len(shape)), key=lambda axis: shape[axis])
        return longest if np.prod(shape) > MOST_ENTRIES else None

    # --- Nodes --------------------------------------------------------------------

    def refuse_lengths(self, one: int, other: int) -> None:
        """Raise the error of an operation on arrays of two lengths."""
        raise refuse(
            f"arrays of {one} and {other} points in one operation",
            "they must be as many",
        )

    def refuse_more(self) -> None:
        """Raise the error of too many operations."""
        raise refuse(
            f"more than {MOST_NODES:,} operations",
            "write operations on whole arrays in place of a loop over the points, "
            "and np.stack in place of np.array for arrays of parameters",
        )

    def cast(self, node: Node, char: str) -> Node:
        """Return the node as numbers of another type."""
        if node.char == char:
            return node
        if node.op == "constant":
            return self.constant(node.payload.astype(char).item(), char)
        if node.op == "array":
            key = (node.order, char)
            done: Node | None = self.by_id.get(key)
            if done is None:
                done = self.array(node.payload.astype(char), captured=False)
                self.by_id[key] = done
            return done
        if node.char not in CHARS or char not in CHARS:
            raise refuse(
                f"numbers of type {np.dtype(node.char)} that are no constants",
                "compute in float64",
            )
        return self.make("cast", f"{node.char}->{char}", (node,))

    def leaf(self, value: Any) -> Any:
        """Return the stand-in for an operand."""
        kind = type(value)
        if kind is float:
            self.numbers.add(value)
            return self.constant(value)
        if isinstance(value, STAND_INS):
            return value
        if kind is int or isinstance(value, _NUMBERS):
            self.numbers.add(value)
            if isinstance(value, int) and not isinstance(value, bool):
                if abs(value) < 2**63:
                    return self.constant(value, INT)
                return self.constant(float(value))
            return self.constant(
                value.item() if isinstance(value, np.generic) else value,
                "?" if isinstance(value, bool) else char_of(np.asarray(value).dtype),
            )
        is_list = isinstance(value, (list, tuple))
        if is_list:
            value = np.asarray(value)
        if not isinstance(value, np.ndarray):
            raise refuse(
                f"an operation on an object of type {kind.__name__}",
                "use NumPy's arrays and numbers: np.asarray(...)",
            )
        if isinstance(value, np.ma.MaskedArray):
            raise refuse("a masked array", "leave the masked points out")
        if value.dtype.kind == "O":
            return self._of_objects(value, is_list)
        if value.dtype.kind not in "biuf":
            raise refuse(f"an array of dtype {value.dtype}", "compute in float64")
        if value.ndim < 2:
            return self.array(value)
        flat = self.flat(value)
        if flat.ndim == 1:
            self.kept.append(flat)
            return self.array(flat)
        done = self.by_id.get(id(value))
        if done is None:
            done = self.by_id[id(value)] = self._cells(flat)
            self.kept.append(value)
        return done

    def _cells(self, value: NDArray[Any]) -> Any:
        self.captures = True
        axis = self.points_axis(value.shape)
        moved = value if axis is None else np.moveaxis(value, axis, -1)
        rest = moved.shape if axis is None else moved.shape[:-1]
        cells = np.empty(rest, object)
        if cells.size > MOST_CELLS:
            raise refuse(f"an array of shape {value.shape}", "see docs/traced.md")
        for index in np.ndindex(rest):
            cells[index] = self.array(np.asarray(moved[index]))
        return Cells(self, cells, axis, None if value.base is not None else value)

    def _of_objects(self, value: NDArray[Any], is_list: bool) -> Any:
        """Read an array of objects, some of which are scalar nodes."""
        cells = np.empty(value.shape, object)
        for index in np.ndindex(value.shape):
            node = self.leaf(value[index])
            if not isinstance(node, Scalar):
                raise refuse("an array of arrays", "use np.stack")
            cells[index] = node
        if value.ndim == 0:
            return cells[()]
        if value.shape == (self.m,) and not is_list:
            found = product_of_objects(self, cells) if self.m > _BY_HAND else None
            if found is None:
                found = of_few(self, cells)
            if found is not None:
                return found
        return Cells(self, cells, None)

    # --- Operations ---------------------------------------------------------------

    def apply_to_any(self, ufunc: np.ufunc, operands: Sequence[Any]) -> Any:
        """Record a ufunc whose operands are not all nodes of float64."""
        types = FLOAT64.get(ufunc) or all_float64(ufunc)
        nodes: list[Any] = []
        for value in operands:
            kind = type(value)
            if kind is Vector or kind is Scalar:
                node = value
            elif kind is float or (
                kind is int and ufunc in ARITHMETIC and -_EXACT < value < _EXACT
            ):
                self.numbers.add(value)
                node = self.constant(float(value))
            else:
                node = self.leaf(value)
                kind = type(node)
                if kind is Cells or kind is Joined:
                    every = [self.leaf(each) for each in operands]
                    return self._apply_to_cells(ufunc, operands, every)
            if node.char != "d":
                types = None
            nodes.append(node)
        if types is None:
            # NumPy finds the type from the arrays: a Python number adapts to it.
            nodes = [self.leaf(value) for value in operands]
            weak = tuple(
                type(value) if type(value) in (int, float) else np.dtype(node.char)
                for value, node in zip(operands, nodes, strict=True)
            )
            types = resolve(ufunc, weak)
            nodes = list(map(self.cast, nodes, types))
        if types[-2] == ">":  # one output
            return self.make(ufunc, types, tuple(nodes))
        return tuple(
            [self.make(ufunc, types, tuple(nodes), part) for part in range(ufunc.nout)]
        )

    def _apply_to_cells(self, ufunc: np.ufunc, operands: Any, nodes: list[Any]) -> Any:
        """Apply a ufunc to each cell."""
        if any(type(node) is Joined for node in nodes):
            return join_map(self, lambda *each: self.apply(ufunc, each), nodes)
        if ufunc.nout > 1:
            raise refuse(
                f"np.{ufunc.__name__} of an array with two axes", "apply it to each row"
            )
        values = _or_numbers(operands, nodes)
        return cell_map(self, lambda *each: self.apply(ufunc, each), values)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        """Record np.where."""
        nodes = [self.leaf(each) for each in (condition, a, b)]
        if any(type(node) is Joined for node in nodes):
            return join_map(self, self.select, nodes)
        if any(type(node) is Cells for node in nodes):
            return cell_map(self, self.select, _or_numbers((condition, a, b), nodes))
        weak = _or_numbers((a, b), [np.empty((), node.char) for node in nodes[1:]])
        char = nodes[1].char
        if nodes[2].char != char:
            char = char_of(np.result_type(*weak))
        if all(type(v) in (int, float) for v in (a, b)):
            char = "d" if float in (type(a), type(b)) else INT
        if nodes[0].char != "?":
            nodes[0] = self.apply(np.not_equal, (nodes[0], 0))
        nodes[1:] = [self.cast(node, char) for node in nodes[1:]]
        return self.make("select", f"?{char}{char}->{char}", tuple(nodes))

    def power(self, base: Any, exponent: Any) -> Any:
        """Record ``base ** exponent``, which is not always np.power."""
        if isinstance(base, _OF_POINTS) and isinstance(exponent, _NUMBERS):
            if isinstance(base, Cells) and base.points is None and not base.array.size:
                return base
            char = base.dtype.char if isinstance(base, Cells) else base.char
            ufunc, operands = operator_power(char, exponent)
            return self.apply(ufunc, (base, *operands))
        if isinstance(base, _ARRAYS) or isinstance(exponent, _ARRAYS):
            return self.apply(np.power, (base, exponent))
        left = self.leaf(base)
        if left.char == "d" and type(exponent) is int:
            exponent = float(exponent)
        right = self.leaf(exponent)
        # np.where makes arrays of no dimension, and two integers stay integers.
        if "select" in (left.op, right.op) or "d" not in (left.char, right.char):
            return self.apply(np.power, (base, exponent))
        return self.make("pow", "dd->d", (self.cast(left, "d"), self.cast(right, "d")))

    # --- NumPy's protocols ----------------------------------------------------------

    refuse = staticmethod(refuse)
    get = get
    index = parts.index
    matmul = matmul
    value = parts.value

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Record a function of NumPy that is no ufunc."""
        own = functions.FUNCTIONS.get(function)
        if own is not None:
            return own(self, *args, **kwargs)
        if depends((args, kwargs)):
            raise refuse(
                f"np.{function.__name__} of what depends on a parameter",
                "see docs/traced.md for the functions that can be traced",
            )
        return function(*self.plain(args), **self.plain(kwargs))

    def call_ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, kwargs: Any) -> Any:
        """Record a ufunc with keywords, or one of its methods."""
        if not depends((inputs, kwargs)):
            plain = self.plain(inputs)
            return getattr(ufunc, method)(*plain, **self.plain(kwargs))
        if method == "reduce" and ufunc in _REDUCED:
            return functions.FUNCTIONS[_REDUCED[ufunc]](
                self, *inputs, **{"axis": 0} | kwargs
            )
        if method == "outer" and len(inputs) == 2:
            a, b = (self.call(np.ravel, (self.leaf(each),), {}) for each in inputs)
            return self.apply(ufunc, (a[:, None], b[None, :]))
        if method != "__call__":
            raise refuse(f"np.{ufunc.__name__}.{method}", "use operators and ufuncs")
        out = kwargs.pop("out", (None,))
        for name in ("casting", "order", "subok"):
            kwargs.pop(name, None)
        if kwargs.pop("dtype", None) not in (None, float, np.float64) or kwargs:
            raise refuse(
                f"np.{ufunc.__name__} with {next(iter(kwargs), 'dtype')}=",
                "leave it out",
            )
        # For arrays `y += a` is np.add(y, a, out=y), and y becomes the result.
        if out[0] is not None and out[0] is not inputs[0]:
            raise refuse(f"np.{ufunc.__name__} with out=", "use what it returns")
        if ufunc is np.matmul:
            return self.matmul(*inputs)
        return self.apply(ufunc, inputs)

    def plain(self, value: Any) -> Any:
        """Replace the stand-ins for data by the data."""
        if isinstance(value, STAND_INS):
            return self.value(value)
        if type(value) in (list, tuple):
            return type(value)(map(self.plain, value))
        if type(value) is dict:
            return {key: self.plain(each) for key, each in value.items()}
        return value

    def as_type(self, value: Any, dtype: np.dtype[Any]) -> Any:
        """Record a change of type."""
        char = char_of(dtype)
        value = self.leaf(value)
        if isinstance(value, Joined):
            return Joined(self, [self.cast(piece, char) for piece in value.pieces])
        if isinstance(value, Cells):
            return cell_map(self, lambda node: self.cast(node, char), (value,))
        return self.cast(value, char)

    def filled(self, node: Node, length: int | None) -> Node:
        """Return a number for each of `length` points."""
        if length is None:
            return node
        key = ("filled", node.order, length)
        found: Node | None = self.nodes.get(key)
        if found is None:
            values = np.broadcast_to(node.payload, (length,))
            return self.add(key, "array", (), node.char, length, False, "", values)
        return found

    def clip(self) -> np.ufunc:
        """Return the ufunc behind np.clip."""
        return ufunc_of(np.clip, 0.0, 1.0)


def _or_numbers(operands: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Return Python's numbers, which adapt to the type of arrays; else the others."""
    return [
        value if type(value) in (int, float) else other
        for value, other in zip(operands, others, strict=True)
    ]


# --- NumPy's protocols ------------------------------------------------------------

_REDUCED = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}

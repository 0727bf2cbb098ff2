"""What stands for parameters and data while a function is recorded.

A `Scalar` is a number, a `Vector` an array of one number for each point. Both are nodes
of the record. `Cells` are an array with more axes, or of parameters; each of its cells
is a node. `Joined` are arrays one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import minpack._minpack as _minpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from minpack._traced.trace import Trace

_WHERE = "use np.where(condition, a, b) for a choice"


def _operator(ufunc: np.ufunc) -> tuple[Callable[..., Any], ...]:
    """Return the methods of an operator: forward, reflected and in place."""

    def forward(self: Any, other: Any) -> Any:
        return self.trace.apply(ufunc, (self, other))

    def reflected(self: Any, other: Any) -> Any:
        return self.trace.apply(ufunc, (other, self))

    def in_place(self: Any, other: Any) -> Any:
        if self.is_argument():
            raise self.trace.refuse(
                f"a change of the data in place, by {ufunc.__name__}",
                "compute a new array: y = x + 1 in place of x += 1",
            )
        return self.trace.apply(ufunc, (self, other))

    return forward, reflected, in_place


def _unary(ufunc: np.ufunc) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        return self.trace.apply(ufunc, (self,))

    return method


class StandIn:
    """What all stand-ins have in common: operators and NumPy's protocols."""

    __slots__ = ()

    trace: Trace
    depends: bool  # on the parameters

    __add__, __radd__, __iadd__ = _operator(np.add)
    __sub__, __rsub__, __isub__ = _operator(np.subtract)
    __mul__, __rmul__, __imul__ = _operator(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operator(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operator(np.floor_divide)
    __mod__, __rmod__, __imod__ = _operator(np.remainder)
    __and__, __rand__, __iand__ = _operator(np.bitwise_and)
    __or__, __ror__, __ior__ = _operator(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _operator(np.bitwise_xor)
    __lt__, *_ = _operator(np.less)
    __le__, *_ = _operator(np.less_equal)
    __gt__, *_ = _operator(np.greater)
    __ge__, *_ = _operator(np.greater_equal)
    __eq__, *_ = _operator(np.equal)
    __ne__, *_ = _operator(np.not_equal)
    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)
    __hash__ = object.__hash__
    del _

    def __divmod__(self, other: Any) -> Any:
        return self.trace.apply(np.divmod, (self, other))

    def __rdivmod__(self, other: Any) -> Any:
        return self.trace.apply(np.divmod, (other, self))

    def __pow__(self, other: Any) -> Any:
        return self.trace.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.trace.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return self.trace.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self.trace.matmul(other, self)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        if method == "__call__" and not kwargs:
            if ufunc is np.matmul:
                return self.trace.matmul(*inputs)
            return self.trace.apply(ufunc, inputs)
        return self.trace.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        return self.trace.call(function, args, kwargs)

    def __bool__(self) -> bool:
        return bool(self._concrete("a branch on a parameter", _WHERE))

    def is_argument(self) -> bool:
        """Whether it stands for an array of the caller, which must not change."""
        return False

    def _concrete(self, what: str, instead: str) -> Any:
        """Return the value, if it depends on the data alone; else raise an error."""
        if self.depends:
            raise self.trace.refuse(what, instead)
        return self.trace.value(self)

    def _as_number(self, kind: str) -> Any:
        return self._concrete(
            f"{kind}(...) of a parameter, as by a function of math, or its "
            "assignment to an entry of an array",
            "use np.exp in place of math.exp, and np.where in place of an assignment",
        )

    def __float__(self) -> float:
        return float(self._as_number("float"))

    def __int__(self) -> int:
        return int(self._as_number("int"))

    def __complex__(self) -> complex:
        return complex(self._as_number("complex"))

    def __index__(self) -> int:
        return int(self._as_number("int").__index__())

    def __round__(self, digits: int | None = None) -> Any:
        return self.trace.call(np.round, (self, digits or 0), {})

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        return format(self._concrete("the text of a parameter", "leave it out"), spec)

    @property
    def real(self) -> Any:
        return self

    def conjugate(self) -> Any:
        return self

    conj = conjugate

    def copy(self, *args: Any) -> Any:
        """Return an array that operators may change in place."""
        return self.trace.apply(np.positive, (self,)) if self.is_argument() else self

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return self.trace.as_type(self, np.dtype(dtype))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


_METHODS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name)
    for name in (
        "sum", "mean", "prod", "min", "max", "std", "var", "any", "all", "clip", "dot",
        "round", "cumsum", "cumprod", "argmax", "argmin", "sort", "ravel", "reshape",
        "squeeze", "transpose", "repeat", "take", "swapaxes",
    )
}  # fmt: skip


def _attribute(name: str) -> property:
    """Make what stand-ins have under a name of NumPy's arrays or ufuncs."""
    ufunc = getattr(np, name, None)
    function = _METHODS.get(name)

    def get(self: StandIn) -> Any:
        # A ufunc of an array of objects calls their methods of its name.
        if isinstance(ufunc, np.ufunc) and ufunc.nin == 1:
            return lambda: self.trace.apply(ufunc, (self,))
        if not self.depends:
            return getattr(self.trace.value(self), name)
        if function is None:
            raise self.trace.refuse(
                f"the method {name} of an array that depends on a parameter",
                "use operators and NumPy's ufuncs",
            )
        return lambda *args, **kwargs: self.trace.call(function, (self, *args), kwargs)

    return property(get)


def _names() -> Iterator[str]:
    """List the attributes of arrays, and the ufuncs of one array."""
    yield from dir(np.ndarray)
    for name, value in vars(np).items():
        if isinstance(value, np.ufunc) and value.nin == 1:
            yield name


# As attributes of the class, for a method __getattr__ would make all of them slow.
for _name in _names():
    if not _name.startswith("__") and _name != "trace" and _name not in vars(StandIn):
        setattr(StandIn, _name, _attribute(_name))


class Node(StandIn, _minpack.Node):
    """An operation and what it is applied to.

    Attributes
    ----------
    op : ufunc or str
        'parameter', 'constant', 'array', 'data', 'cast', 'select', 'pow', 'matmul'
    payload
        Of a leaf its number, its array or where it is in the data; of an operation the
        index of the output.
    char : str
        The type of the numbers.
    length : int or None
        The number of points; None for one number.
    order : int
        The place in the record; operands come before the operation.
    """

    __slots__ = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.char)


class Scalar(Node):
    """One number."""

    __slots__ = ()
    __iter__ = None  # no sequence, so that np.array([a, b]) holds numbers
    shape = ()
    ndim = 0
    size = 1

    @property
    def T(self) -> Scalar:  # noqa: N802
        return self

    def item(self) -> Any:
        return self if self.depends else self.trace.value(self).item()

    def flatten(self, *args: Any) -> Any:
        return self.trace.call(np.ravel, (self,), {})

    def __getitem__(self, key: Any) -> Any:
        if key == () or key is Ellipsis:
            return self
        if key is None or key == (None,):
            return self.trace.call(np.ravel, (self,), {})
        raise IndexError("invalid index to scalar variable.")


class Vector(Node):
    """A number for each point."""

    __slots__ = ()
    ndim = 1

    def is_argument(self) -> bool:
        return bool(self.op == "data")

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def size(self) -> int:
        assert self.length is not None
        return self.length

    @property
    def T(self) -> Vector:  # noqa: N802
        return self

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Any]:
        values = self._concrete(
            "a loop over the points", "write operations on the whole array"
        )
        return iter(values)

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]:
        values = self._concrete(
            "an array that depends on a parameter, given to a function that is no "
            "ufunc or stored in another array",
            "use ufuncs, np.stack or np.concatenate, and np.where in place of an "
            "assignment to some points",
        )
        return np.array(values, *args)

    def flatten(self, *args: Any) -> Vector:
        return self

    def __getitem__(self, key: Any) -> Any:
        return self.trace.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self.trace.refuse("an assignment to some points", "use np.where")


class Cells(StandIn):
    """An array with several axes, one of which may be that of the points.

    Attributes
    ----------
    array : ndarray of Node
        The array without the axis of the points.
    points : int or None
        Which axis of the whole is that of the points.
    source : ndarray or None
        The array of numbers that it stands for.
    """

    __slots__ = ("array", "depends", "length", "points", "source", "trace")

    def __init__(
        self,
        trace: Trace,
        array: NDArray[Any],
        points: int | None,
        source: NDArray[Any] | None = None,
    ) -> None:
        self.trace = trace
        self.source = source
        self.array = array
        self.points = points
        self.depends = any(node.depends for node in array.flat)
        self.length = None
        if points is not None:
            self.length = next(
                (node.length for node in array.flat if node.length is not None), None
            )
            if self.length is None:
                self.points = None

    def is_argument(self) -> bool:
        return self.source is not None

    @property
    def dtype(self) -> np.dtype[Any]:
        chars = {node.char for node in self.array.flat}
        return np.result_type(*chars) if chars else np.dtype(float)

    @property
    def shape(self) -> tuple[int, ...]:
        shape = list(self.array.shape)
        if self.points is not None:
            assert self.length is not None
            shape.insert(self.points, self.length)
        return tuple(shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def T(self) -> Any:  # noqa: N802
        return self.trace.call(np.transpose, (self,), {})

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if self.points == 0:
            values = self._concrete(
                "a loop over the points", "write operations on whole arrays"
            )
            return iter(values)
        return (self[k] for k in range(len(self)))

    def __array__(self, dtype: Any = None, **kwargs: Any) -> NDArray[Any]:
        if self.depends and self.points is None and dtype is None:
            return self.array.copy()  # of objects, each a number
        values = self._concrete(
            "an array of parameters, given to a function that is no ufunc or converted "
            "to a type of numbers",
            "use ufuncs, and np.asarray without a dtype",
        )
        return np.array(values, dtype)

    def flatten(self, *args: Any) -> Any:
        return self.trace.call(np.ravel, (self,), {})

    def tolist(self) -> Any:
        return list(self)

    def __getitem__(self, key: Any) -> Any:
        return self.trace.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise self.trace.refuse("an assignment to some entries", "use np.stack")


class Joined(StandIn):
    """Arrays one after the other, as np.concatenate makes them of several curves."""

    __slots__ = ("depends", "pieces", "trace")
    ndim = 1

    def __init__(self, trace: Trace, pieces: list[Node]) -> None:
        self.trace = trace
        self.pieces = pieces
        self.depends = any(piece.depends for piece in pieces)

    @property
    def size(self) -> int:
        return sum(piece.length or 1 for piece in self.pieces)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(piece.char for piece in self.pieces))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    @property
    def T(self) -> Joined:  # noqa: N802
        return self

    def __len__(self) -> int:
        return self.size

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]:
        values = self._concrete(
            "joined arrays in a function that is no ufunc",
            "apply it before they are joined",
        )
        return np.array(values, *args)

    def flatten(self, *args: Any) -> Joined:
        return self

    def __getitem__(self, key: Any) -> Any:
        raise self.trace.refuse("an index of joined arrays", "index them before")


STAND_INS = (Scalar, Vector, Cells, Joined)


def depends(value: Any) -> bool:
    """Whether a value, or anything in it, depends on a parameter."""
    if isinstance(value, STAND_INS):
        return value.depends
    if type(value) in (list, tuple):
        return any(map(depends, value))
    if type(value) is dict:
        return any(map(depends, value.values()))
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return any(map(depends, value.flat))
    return False

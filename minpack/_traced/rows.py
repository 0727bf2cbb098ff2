"""Stand-ins in a function that is called for many fits at once, a row for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced.cells import each_axis, transpose
from minpack._traced.loops import operator_power
from minpack._traced.stand_ins import STAND_INS, Cells, StandIn
from minpack._traced.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray


class Rows(StandIn):
    """An array with a row for each fit.

    Attributes
    ----------
    one : stand-in
        The row of one fit.
    axis : int
        The axis of the fits.
    """

    __slots__ = ("axis", "one", "trace")
    trace: RowsTrace
    depends = True

    def __init__(self, trace: RowsTrace, one: Any, axis: int) -> None:
        self.trace = trace
        self.one = one
        self.axis = axis

    @property
    def shape(self) -> tuple[int, ...]:
        shape = list(self.one.shape)
        shape.insert(self.axis, self.trace.count)
        return tuple(shape)

    @property
    def ndim(self) -> int:
        return len(self.one.shape) + 1

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = self.one.dtype
        return found

    @property
    def T(self) -> Rows:  # noqa: N802
        one = transpose(self.trace, self.one)
        return Rows(self.trace, one, self.ndim - 1 - self.axis)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if self.axis == 0:
            raise self.trace.refuse("a loop over the fits", "write operations on all")
        return (self[k] for k in range(len(self)))

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[Any]:
        raise self.trace.refuse("the parameters as an array of numbers", "use ufuncs")

    def __getitem__(self, key: Any) -> Any:
        return self.trace.get_rows(self, key)


class RowsTrace(Trace):
    """A record of a function of (x, rows): its operations are those on one fit."""

    def __init__(self, m: int, count: int) -> None:
        super().__init__(m)
        self.count = count
        self.rows: list[NDArray[Any]] = []
        self._of_rows: dict[tuple[int, int], Any] = {}

    def start(self, n: int) -> Rows:
        """Return the stand-in for the n parameters of all fits."""
        cells = np.empty(n, object)
        cells[:] = [self.parameter(j) for j in range(n)]
        return Rows(self, Cells(self, cells, None), 0)

    def data_of(self, values: NDArray[Any], axis: int) -> Any:
        """Return the stand-in for one row of captured data."""
        key = (id(values), axis)
        found = self._of_rows.get(key)
        if found is None:
            rows = np.moveaxis(values, axis, 0)
            if rows.dtype.char not in "df?" or not rows.flags.aligned:
                rows = rows.astype(np.float64)
            found = self.argument(rows[0])
            self._of_rows[key] = found
            self.rows.append(rows)
            self.kept.append(values)
        return found

    # --- Operations -------------------------------------------------------------------

    def over_rows(self, function: Callable[..., Any], operands: Sequence[Any]) -> Any:
        """Apply a function to the operands of one fit."""
        places = {each.ndim - 1 - each.axis for each in operands if type(each) is Rows}
        if len(places) > 1:
            raise self.refuse(
                "an operation on arrays that have the fits in different axes",
                "make columns of the parameters: x[:, :1]",
            )
        place = places.pop()
        ones, ndim = [], 0
        for each in operands:
            if type(each) is list or type(each) is tuple:
                each = np.asarray(each)
            shape = np.shape(each) if not isinstance(each, STAND_INS) else each.shape
            ndim = max(ndim, len(shape))
            if type(each) is Rows:
                each = each.one
            elif len(shape) > place:
                axis = len(shape) - 1 - place
                if isinstance(each, np.ndarray) and shape[axis] == self.count:
                    each = self.data_of(each, axis)
                elif shape[axis] == 1:
                    key: list[Any] = [slice(None)] * len(shape)
                    key[axis] = 0
                    each = each[tuple(key)]
                else:
                    raise self.refuse(
                        f"an operation on an array of shape {shape} and "
                        "one with a row for each fit",
                        "see docs/batch.md",
                    )
            ones.append(each)
        return Rows(self, function(*ones), ndim - 1 - place)

    def apply(self, ufunc: np.ufunc, operands: Sequence[Any]) -> Any:
        if any([type(each) is Rows for each in operands]):
            if ufunc.nout > 1 or ufunc.signature is not None:
                raise self.refuse(
                    f"np.{ufunc.__name__} of many fits", "use other ufuncs"
                )
            return self.over_rows(
                lambda *ones: super(RowsTrace, self).apply(ufunc, ones), operands
            )
        return super().apply(ufunc, operands)

    def power(self, base: Any, exponent: Any) -> Any:
        if type(base) is Rows or type(exponent) is Rows:
            # For many fits the parameters are arrays, not numbers.
            if not isinstance(exponent, STAND_INS) and np.ndim(exponent) == 0:
                ufunc, more = operator_power("d", exponent)
                return self.apply(ufunc, (base, *more))
            return self.apply(np.power, (base, exponent))
        return super().power(base, exponent)

    def matmul(self, a: Any, b: Any) -> Any:
        if type(a) is Rows or type(b) is Rows:
            raise self.refuse(
                "a product of matrices of many fits", "write the sum of its terms"
            )
        return super().matmul(a, b)

    def select(self, condition: Any, a: Any, b: Any) -> Any:
        if any([type(each) is Rows for each in (condition, a, b)]):
            return self.over_rows(super().select, (condition, a, b))
        return super().select(condition, a, b)

    def as_type(self, value: Any, dtype: np.dtype[Any]) -> Any:
        if type(value) is Rows:
            return Rows(self, super().as_type(value.one, dtype), value.axis)
        return super().as_type(value, dtype)

    def leaf(self, value: Any) -> Any:
        return value if type(value) is Rows else super().leaf(value)

    def get_rows(self, rows: Rows, key: Any) -> Rows:
        """Return ``rows[key]``, where the key keeps all fits."""
        axis = out_axis = 0
        new_axis = 0
        inner: list[Any] = []
        for each in each_axis(key if isinstance(key, tuple) else (key,), rows.ndim):
            if each is not None and axis == rows.axis:
                if not (isinstance(each, slice) and each == slice(None)):
                    raise self.refuse("some of the fits", "write operations on all")
                new_axis = out_axis
                out_axis += 1
                axis += 1
                continue
            inner.append(each)
            out_axis += each is None or not isinstance(each, int | np.integer)
            axis += each is not None
        one = self.get(rows.one, tuple(inner)) if inner else rows.one
        return Rows(self, one, new_axis)

    # --- NumPy's functions ----------------------------------------------------------

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        found = _FUNCTIONS.get(function)
        if found is not None:
            return found(self, *args, **kwargs)
        return super().call(function, args, kwargs)


def _along(function: Any) -> Callable[..., Any]:
    """Make what records a function with an axis for each fit."""

    def of_rows(
        trace: RowsTrace, a: Any, *args: Any, axis: Any = None, **kwargs: Any
    ) -> Any:
        call = super(RowsTrace, trace).call
        if type(a) is not Rows:
            more = {} if axis is None else {"axis": axis}
            return call(function, (a, *args), kwargs | more)
        if axis is None and args and function is not np.split:
            axis, args = args[0], args[1:]
        if not isinstance(axis, int) or axis % a.ndim == a.axis:
            raise trace.refuse(
                f"np.{function.__name__} over all fits", "give it an axis: axis=-1"
            )
        axis %= a.ndim
        inner = axis - (axis > a.axis)
        found = call(function, (a.one, *args), kwargs | {"axis": inner})
        if isinstance(found, list | tuple):
            return [Rows(trace, each, a.axis) for each in found]
        return Rows(
            trace, found, a.axis - (axis < a.axis and not kwargs.get("keepdims"))
        )

    return of_rows


def _joining(function: Any) -> Callable[..., Any]:
    """Make what records np.stack or np.concatenate for each fit."""

    def of_rows(trace: RowsTrace, arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
        call = super(RowsTrace, trace).call
        first = next((each for each in arrays if type(each) is Rows), None)
        if first is None:
            return call(function, (arrays,), {"axis": axis})
        ndim = first.ndim + (function is np.stack)
        axis %= ndim
        place = first.axis + (function is np.stack and axis <= first.axis)
        if axis == place:
            raise trace.refuse(
                f"np.{function.__name__} along the axis of the fits", "give it axis=-1"
            )
        ones = [
            each.one
            if type(each) is Rows
            else trace.data_of(np.asarray(each), first.axis)
            for each in arrays
        ]
        inner = axis - (axis > place)
        return Rows(trace, call(function, (ones,), {"axis": inner}), place)

    return of_rows


def _expand_dims(trace: RowsTrace, a: Any, axis: int) -> Any:
    if type(a) is not Rows:
        return super(RowsTrace, trace).call(np.expand_dims, (a, axis), {})
    key: list[Any] = [slice(None)] * (a.ndim + 1)
    key[axis] = None
    return a[tuple(key)]


def _transpose(trace: RowsTrace, a: Any, axes: Any = None) -> Any:
    if axes is not None:
        raise trace.refuse("np.transpose with axes", "use .T")
    return a.T


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.expand_dims: _expand_dims,
    np.transpose: _transpose,
    **{f: _along(f) for f in (np.sum, np.prod, np.max, np.min, np.mean, np.split)},
    **{f: _joining(f) for f in (np.stack, np.concatenate)},
}

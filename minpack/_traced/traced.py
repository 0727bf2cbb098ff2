"""``traced``: a NumPy function that runs without Python."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

import minpack._minpack as _minpack
from minpack._traced import CHARS
from minpack._workers import processors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from minpack._traced.record import Record

# The tracer itself is imported when it is used first: that takes some milliseconds.

_FLOAT64 = np.dtype(np.float64)
_MOST_RECORDS = 16  # of a function, for arguments of different shapes
_MANY = 50_000  # values, of which a record is compared with some at the start of a fit
_STRIPS, _STRIP = 16, 64  # so many places, and values in each
_ROUNDING = 1e-11  # relative to the largest value: how far a new record may be from f
# Arguments of these types are a part of the key of a record.
_PLAIN = (float, int, bool, str, bytes, type(None), complex)


class Bound:
    """A record with the arguments of a fit: compiled functions for the solver.

    Attributes
    ----------
    residuals, jacobian : capsule
        `jacobian` is None where differences are taken.
    m : int
        How many residuals there are.
    """

    __slots__ = (
        "arguments",
        "arrays",
        "is_new",
        "jacobian",
        "m",
        "record",
        "residuals",
    )

    def __init__(
        self,
        record: Record,
        arrays: tuple[Any, ...],
        is_new: bool,
        functions: tuple[Any, Any],
    ) -> None:
        self.record = record
        self.arrays = arrays
        self.is_new = is_new
        self.residuals, self.jacobian = functions
        self.m = record.m
        self.arguments: tuple[Any, ...]  # from which Traced has made this

    def solve(self, run: Callable[[Any, Any, int], Any]) -> Any:
        """Run a fit, twice if the record has turned out to be out of date at its end.

        At the start a parameter of 0 hides what it is multiplied by.
        """
        fit = run(self.residuals, self.jacobian, self.m)
        if self.is_new or not self.record.watched or self._holds(fit[0]):
            return fit
        traced, args, kwargs, x, m, is_curve, workers = self.arguments
        traced.records.clear()
        again = (
            traced.bind_curve(args[0], x, m, workers)
            if is_curve
            else traced.bind_residuals(x, args, kwargs, workers)
        )
        self.jacobian = again.jacobian
        return run(again.residuals, again.jacobian, again.m)

    def _holds(self, x: Any) -> bool:
        """Compare the values at the solution with those of the function."""
        traced, args, kwargs, _, _, is_curve, _ = self.arguments
        own = _minpack.program_values(self.record.program, self.arrays, x)
        values = as_values(traced.call(args, kwargs, x, is_curve))
        return values is not None and _are_near(own, np.broadcast_to(values, own.shape))


class Traced:
    """A function that fits run without Python; `traced` makes it."""

    def __init__(self, function: Callable[..., Any], derivatives: bool = True) -> None:
        if isinstance(function, Traced):
            function = function.function
        if not callable(function):
            raise TypeError(
                "traced takes a function, not an object of type "
                f"{type(function).__name__}"
            )
        self.function: Callable[..., Any] = function
        self.derivatives = bool(derivatives)
        self.records: dict[Any, Record] = {}
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function itself returns."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind a method."""
        if instance is None:
            return self
        return Traced(self.function.__get__(instance, owner), self.derivatives)

    def __reduce__(self) -> Any:
        """Pickle as the function does: by its name, where that leads here."""
        module = sys.modules.get(getattr(self, "__module__", None) or "")
        found: Any = module
        for name in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, name, None)
        if found is self:
            return self.__qualname__
        return Traced, (self.function, self.derivatives)

    def __repr__(self) -> str:
        """Show the program of the last record."""
        name = name_of(self.function)
        if not self.records:
            return f"<traced {name}: not recorded yet>"
        record = list(self.records.values())[-1]
        exact = "exact derivatives" if self.derivatives else "differences"
        if record.missing:
            exact = f"differences: {record.missing}"
        lines = "\n  ".join(record.lines(self.function))
        size = f"{record.m} values, {record.description.count()} operations"
        return f"<traced {name}: {size}, {exact}\n  {lines}>"

    def jacobian(self, xdata: Any, *params: Any) -> NDArray[np.float64]:
        """Return the exact derivatives of the values with respect to the parameters.

        Parameters
        ----------
        xdata
            As for the function.
        *params : float
            The n parameters.

        Returns
        -------
        ndarray, shape (m, n)
            Entry (i, j) is the derivative of value i with respect to parameter j.

        Raises
        ------
        TypeError
            If the function cannot be traced, or a ufunc in it has no rule for its
            derivative.
        """
        if not self.derivatives:
            return Traced(self.function).jacobian(xdata, *params)
        x = np.array(params, float).reshape(-1)
        if isinstance(xdata, list | tuple):
            xdata = np.asarray(xdata, float)
        values = as_values(self.function(xdata, *x))
        if values is None or values.ndim > 1 or not (values.size and x.size):
            raise TypeError(
                f"{name_of(self.function)} must return a 1-D array of real numbers for "
                "one parameter or more"
            )
        bound = self._bind((xdata,), {}, x, values.reshape(-1), values.size, True)
        if bound.record.missing:
            name = name_of(self.function)
            raise TypeError(f"{name} has no exact derivatives: {bound.record.missing}")
        return _minpack.program_jacobian(bound.record.program, bound.arrays, x)

    # --- For the solvers ----------------------------------------------------------

    def call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], x: Any, is_curve: bool
    ) -> Any:
        """Call the function itself."""
        if is_curve:
            return _minpack.call_model(self.function, args[0], x)
        return self.function(x.copy(), *args, **kwargs)

    def bind_curve(
        self, xdata: Any, p0: Any, m: int, workers: int | None = None
    ) -> Bound | None:
        """Return the function of a fit of f(xdata, *p0) to m data.

        None where curve_fit refuses the shape that the function returns. `workers` is
        the largest number of threads; None: of processors.
        """
        x = _start(p0)
        if x is None:
            return None
        bound = None
        if m >= _MANY:
            bound = self._bind_by_strips((xdata,), {}, x, m, True, workers)
        if bound is None:
            values = as_values(_minpack.call_model(self.function, xdata, x))
            if values is None or values.ndim > 1:
                return None
            if values.shape != (m,):
                if values.size != 1:
                    return None
                values = np.full(m, values.item())
            bound = self._bind((xdata,), {}, x, values, m, True, workers)
        bound.arguments = (self, (xdata,), {}, x, m, True, workers)
        return bound

    def bind_residuals(
        self,
        x0: Any,
        args: Any,
        kwargs: dict[str, Any] | None = None,
        workers: int | None = None,
    ) -> Bound | None:
        """Return the function of a fit of func(x, *args, **kwargs).

        None where the solver refuses what the function returns.
        """
        x = _start(x0)
        if x is None:
            return None
        args, kwargs = args if isinstance(args, tuple) else (args,), kwargs or {}
        bound = None
        if _are_many((*args, *kwargs.values())):
            bound = self._bind_by_strips(args, kwargs, x, 0, False, workers)
        if bound is None:
            values = as_values(self.call(args, kwargs, x, False))
            if values is None or values.ndim != 1 or values.size == 0:
                return None
            bound = self._bind(args, kwargs, x, values, values.size, False, workers)
        bound.arguments = (self, args, kwargs, x, bound.m, False, workers)
        return bound

    def _bind_by_strips(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        x: NDArray[Any],
        m: int,
        is_curve: bool,
        workers: int | None,
    ) -> Bound | None:
        """Return the function of a large fit, compared at some points.

        The function is called with the data of these points alone. None where that may
        not tell: the record holds something from outside, or the values differ.
        """
        m = m or _common_length((*args, *kwargs.values()))
        key, arrays = data_key(args, kwargs, x.size, m, is_curve)
        if key is None or m < _MANY or any(each.shape[-1] != m for each in arrays):
            return None
        record = self.records.get(key)
        try:
            if record is None:
                record = self._record(args, kwargs, arrays, x.size, m, is_curve)
                self._keep(key, record)
            if record.watched or record.data is not None or record.rounds:
                return None
            for first in np.linspace(0, m - _STRIP, _STRIPS).astype(int).tolist():
                end = first + _STRIP
                part = {id(array): array[..., first:end] for array in arrays}
                few = tuple([part.get(id(each), each) for each in args])
                named = {
                    name: part.get(id(each), each) for name, each in kwargs.items()
                }
                values = as_values(self.call(few, named, x, is_curve))
                own = _minpack.program_values(record.program, arrays, x, first, _STRIP)
                if values is None or not np.array_equal(own, values, equal_nan=True):
                    return None
        except Exception:  # which the whole function raises too, or it does not matter
            return None
        return Bound(
            record, arrays, False, self._start(record, arrays, x, None, workers)
        )

    def _record(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arrays: tuple[Any, ...],
        n: int,
        m: int,
        is_curve: bool,
    ) -> Record:
        from minpack._traced.record import record

        return record(
            self.function,
            args,
            kwargs,
            arrays,
            n,
            m,
            is_curve=is_curve,
            wants_derivatives=self.derivatives,
        )

    def _keep(self, key: Any, record: Record) -> None:
        for oldest in list(self.records)[: 1 - _MOST_RECORDS]:
            self.records.pop(oldest, None)
        self.records.pop(key, None)
        self.records[key] = record

    def _bind(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        x: NDArray[Any],
        values: NDArray[Any],
        m: int,
        is_curve: bool,
        workers: int | None = 1,
    ) -> Bound:
        key, arrays = data_key(args, kwargs, x.size, m, is_curve)
        known = self.records.get(key) if key is not None else None
        if known is not None and (known.data is None or known.is_for(arrays)):
            functions = self._start(known, arrays, x, values, workers)
            if functions is not None:
                return Bound(known, arrays, False, functions)
        new = self._record(args, kwargs, arrays, x.size, m, is_curve)
        functions = self._start(new, arrays, x, values, workers)
        if functions is None:  # the last bits alone may differ
            new.rounds = True
            functions = self._start(new, arrays, x, values, workers)
        if functions is None:
            own = _minpack.program_values(new.program, arrays, x)
            i = int(np.argmax(~np.isclose(own, values, equal_nan=True)))
            name = name_of(self.function)
            raise TypeError(
                f"{name} cannot be traced: it returned {values[i]} for point {i} and, "
                f"when it was recorded, computed {own[i]}: its values must depend on "
                "its arguments alone, not on random numbers or on what it changes "
                "itself"
            )
        if key is not None:
            self._keep(key, new)
        return Bound(new, arrays, True, functions)

    def _start(
        self,
        record: Record,
        arrays: tuple[Any, ...],
        x: Any,
        values: Any,
        workers: int | None,
    ) -> Any:
        """Return compiled functions; None if the record has other values at x."""
        if workers is None:
            workers = processors() if record.m >= _MANY else 1
        if record.rounds:
            own = _minpack.program_values(record.program, arrays, x)
            if not _are_near(own, values):
                return None
            values = None
        return _minpack.program_bind(record.program, arrays, x, values, workers)


# --- Arguments ------------------------------------------------------------------------


def _start(x0: Any) -> NDArray[Any] | None:
    """Return a start as numbers; None where the fit will say what is wrong with it."""
    try:
        x = np.array(x0)
        if x.dtype is not _FLOAT64:
            x = x.astype(float) if x.dtype.kind in "biuf" else np.empty(0)
    except (TypeError, ValueError):
        return None
    if x.ndim != 1:
        x = x.reshape(-1)
    return x if x.size else None


def as_values(values: Any) -> Any:
    """Return values as numbers; None where the fit will say what is wrong with them."""
    if type(values) is np.ndarray and values.dtype is _FLOAT64:
        return values if values.flags.c_contiguous else values.copy()
    try:
        array = np.asarray(values)
        return array.astype(float, "C") if array.dtype.kind in "biuf" else None
    except (TypeError, ValueError):
        return None


def _is_data(value: Any) -> bool:
    """Whether an argument is an array that a program can be given anew."""
    return (
        type(value) is np.ndarray
        and value.dtype.char in CHARS
        and value.size > 1
        and value.flags.aligned
        and value.dtype.isnative
    )


def data_key(
    args: tuple[Any, ...], kwargs: dict[str, Any], n: int, m: int, is_curve: bool
) -> tuple[Any, tuple[Any, ...]]:
    """Say for what arguments a record is, and which of them are arrays of data.

    The key is None where an argument can be anything: the record is used once.
    """
    if (  # as below, but fast
        is_curve
        and type(x := args[0]) is np.ndarray
        and x.dtype is _FLOAT64
        and x.size > 1
        and x.flags.aligned
    ):
        return (True, n, m, x.shape, x.strides, "d"), (x,)
    parts: list[Any] = [is_curve, n, m]
    arrays: list[Any] = []
    is_known = True
    for value in (*args, *kwargs.values()) if kwargs else args:
        if _is_data(value):
            same = next((k for k, each in enumerate(arrays) if each is value), None)
            if same is not None:
                parts.append(same)
                continue
            arrays.append(value)
            parts += (value.shape, value.strides, value.dtype.char)
        elif isinstance(value, _PLAIN):
            parts += (type(value), value)
        elif callable(value):
            parts.append(value)
        else:
            is_known = False
    if kwargs:
        parts.append(tuple(kwargs))
    try:
        key = tuple(parts) if is_known else None
        hash(key)
    except TypeError:
        key = None
    return key, tuple(arrays)


def _are_many(values: tuple[Any, ...]) -> bool:
    """Whether one of the arguments is a large array."""
    return any(type(each) is np.ndarray and each.size >= _MANY for each in values)


def _common_length(values: tuple[Any, ...]) -> int:
    """Return the length of all arrays of data, along their last axis, or 0."""
    lengths = {each.shape[-1] for each in values if _is_data(each)}
    return lengths.pop() if len(lengths) == 1 else 0


def _are_near(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether values are the same but for rounding."""
    with np.errstate(all="ignore"):
        size = np.abs(b[np.isfinite(b)]).max(initial=0.0)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return bool((same | (np.abs(a - b) <= _ROUNDING * size)).all())


def name_of(function: Callable[..., Any]) -> str:
    """Name a function for messages."""
    return getattr(function, "__name__", None) or type(function).__name__


def untraced(function: Any) -> Any:
    """Return the function that `traced` has wrapped, or another function as it is."""
    return function.function if isinstance(function, Traced) else function


def traced(f: Callable[..., Any] | None = None, *, derivatives: bool = True) -> Any:
    """Make of a NumPy function one that fits run without Python.

    The function is recorded once, with stand-ins for its parameters. The record runs in
    C as a program of NumPy's own inner loops, without Python and without its lock, and
    its values have the bits of NumPy's. Exact derivatives come from the record by the
    chain rule.

    Parameters
    ----------
    f : callable
        A model ``f(xdata, a, b, ...)`` as for `curve_fit`, or a function of residuals
        ``f(x, *args)`` as for `leastsq` and `least_squares`, written with NumPy's
        operators, ufuncs and functions. A value may depend on the parameters and on the
        data of its own point. Without `f` the result is a decorator.
    derivatives : bool, optional
        Whether fits use exact derivatives, as MINPACK's lmder. Otherwise they take
        forward differences, and have the bits of the fit with `f` itself.

    Returns
    -------
    Traced
        What is called as `f`, and `leastsq`, `curve_fit`, `least_squares`,
        `curve_fit_batch`, `leastsq_batch` and those of `minpack.dask` take.
        ``jacobian(xdata, *params)`` returns the exact derivatives, shape (m, n), of a
        model of `curve_fit`, and ``repr`` shows the program.

    Raises
    ------
    TypeError
        If `f` is not callable. A fit raises it, and so does ``jacobian``, if `f` cannot
        be traced: the message names the operation, the line of `f` and what to write
        instead.

    Notes
    -----
    A Python branch on a parameter, an assignment to some points, the functions of
    `math`, and what needs all points at once, as a sum over them, cannot be traced;
    docs/traced.md has what to write instead.

    A record is kept for fits to arrays of the same shapes and types. At the start of
    each fit its values are compared with one call of `f`, and `f` is recorded anew if
    one differs. A kept record with numbers or arrays from outside `f` is compared at
    the end of the fit too.

    If an operation has no rule for its derivative, fits take differences, and ``repr``
    says so. With a Jacobian of the user's own, and with ``jac='cs'``, ``vectorized`` or
    ``workers``, fits call `f` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from minpack import curve_fit, traced
    >>> @traced
    ... def decay(t, amplitude, rate, offset):
    ...     return amplitude * np.exp(-rate * t) + offset
    >>> t = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    >>> y = np.array([3.0, 2.21, 1.74, 1.45, 1.27, 1.17])
    >>> popt, pcov = curve_fit(decay, t, y)
    >>> print(popt.round(3))
    [1.993 0.502 1.006]

    The program, and the exact derivatives at three points of the solution:

    >>> decay
    <traced decay: 6 values, 5 operations, exact derivatives
      amplitude * exp(-rate * t) + offset>
    >>> print(decay.jacobian(t[1:4], *popt).round(2))
    [[ 0.61 -1.21  1.  ]
     [ 0.37 -1.46  1.  ]
     [ 0.22 -1.33  1.  ]]

    What cannot be traced is named:

    >>> @traced
    ... def two_branches(t, a, b):
    ...     return a * t if a > 0 else b * t
    >>> curve_fit(two_branches, t, y)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    TypeError: two_branches cannot be traced: a branch on a parameter; use np.where...
    """
    if f is None:
        return lambda function: Traced(function, derivatives)
    return Traced(f, derivatives)

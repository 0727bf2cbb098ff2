"""The model of a batch as a program, found out by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import minpack._minpack as _minpack
from minpack._traced.record import Record, cannot_be_traced, record, record_of
from minpack._traced.rows import Rows, RowsTrace
from minpack._traced.stand_ins import Node, Vector
from minpack._traced.traced import Traced, as_values, data_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Model(NamedTuple):
    """What a batch runs in place of a Python function."""

    program: Any
    is_exact: bool  # its derivatives are used
    rows: tuple[Array, ...]  # of the data, each with a row for each fit


def trace_curve(
    f: Any, x: Any, x_rows: Array | None, start: Array, fits: list[int], m: int
) -> Model | None:
    """Record f(xdata, *parameters), and compare the record with some fits' values.

    `fits` are the indices of the fits to compare. The result is None if f cannot be
    recorded or its values differ. An f from `traced` that cannot be recorded is a
    TypeError that says why.
    """
    must = isinstance(f, Traced)
    function, exact = (f.function, f.derivatives) if must else (f, False)
    rows = None
    if x_rows is not None:
        rows = np.ascontiguousarray(x_rows, np.float64)
    try:
        each_x = [x if rows is None else rows[i] for i in fits]
        values = [
            as_values(function(xdata, *start[i]))
            for xdata, i in zip(each_x, fits, strict=True)
        ]
        if any(v is None or v.ndim > 1 or v.size not in (1, m) for v in values):
            return None
        _, arrays = data_key((each_x[0],), {}, start.shape[1], m, True)
        found = record(
            function,
            (each_x[0],),
            {},
            arrays,
            start.shape[1],
            m,
            is_curve=True,
            wants_derivatives=exact,
        )
    except Exception:
        if must:
            raise
        return None  # the batch that calls f says what is wrong
    if rows is not None and (found.data is not None or not arrays):
        return None  # the record holds for one row alone
    for xdata, i, value in zip(each_x, fits, values, strict=True):
        if not _agrees(found, arrays and (xdata,), start[i], value):
            return None
    count = len(start)
    shared = tuple(np.broadcast_to(a, (count, *a.shape)) for a in arrays)
    return Model(
        found.program, exact and not found.missing, shared if rows is None else (rows,)
    )


def trace_residuals(
    f: Any, start: Array, extra: tuple[Any, ...], m: int
) -> Model | None:
    """Record func(x, rows, *args) for all fits at once, as `trace_curve` does."""
    must = isinstance(f, Traced)
    function, exact = (f.function, f.derivatives) if must else (f, False)
    count, _n = start.shape
    try:
        found, rows = _record_rows(function, start, extra, m, exact)
    except Exception as error:
        if must:
            raise cannot_be_traced(function, error) from error
        return None
    for i in sorted({0, count // 2, count - 1}):
        row = np.array([i], np.intp)
        value = as_values(function(start[i : i + 1].copy(), row, *extra))
        if value is None or value.shape != (1, m):
            return None
        if not _agrees(found, tuple(each[i] for each in rows), start[i], value[0]):
            return None
    return Model(found.program, exact and not found.missing, rows)


def _agrees(found: Record, arrays: tuple[Any, ...], x: Array, values: Array) -> bool:
    """Whether a record has these values at x, to the bit."""
    own = _minpack.program_values(found.program, arrays, x)
    return np.array_equal(own, np.broadcast_to(values, own.shape), equal_nan=True)


def _record_rows(
    function: Any, start: Array, extra: tuple[Any, ...], m: int, exact: bool
) -> tuple[Record, tuple[Array, ...]]:
    """Return the record, and the data that it reads, each with a row for each fit."""
    count, n = start.shape
    trace = RowsTrace(m, count)
    try:
        if count in (1, m, n):
            raise trace.refuse(
                f"{count} fits of {m} residuals and {n} parameters, whose axes "
                "cannot be told apart",
                "fit one more",
            )
        answer = function(trace.start(n), np.arange(count, dtype=np.intp), *extra)
        pieces = [_one_fit(trace, answer)]
        found = record_of(trace, function, pieces, [m], (), exact)
        return found, tuple(trace.rows)
    finally:
        trace.clear()


def _one_fit(trace: RowsTrace, answer: Any) -> Node:
    """Read what a function returns for all fits, as the residuals of one."""
    m = trace.m
    if type(answer) is not Rows or answer.axis != 0:
        raise trace.refuse("a result without a row for each fit", "return (k, m)")
    piece = answer.one
    if not isinstance(piece, Vector) or piece.length != m:
        raise trace.refuse(
            f"a result of shape {answer.shape}", f"return ({trace.count}, {m})"
        )
    return trace.cast(piece, "d")

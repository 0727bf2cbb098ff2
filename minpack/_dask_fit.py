"""One fit of Dask arrays: tasks reduce chunks to pieces, and the driver sees n by n.

`minpack.dask` imports it; it is the only other module that imports Dask.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

import minpack._minpack as _minpack
from minpack._arguments import warn_of_absolute_sigma
from minpack._curve_fit import (
    OPTIONS,
    check_end,
    floats,
    read_options,
    read_start,
    why_ended,
)
from minpack._traced.traced import Traced, data_key, untraced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    _Vector = NDArray[np.float64]
    _Piece = NDArray[np.float64]

_UNBOUNDED = (-np.inf, np.inf)
_EPS = 2.0**-52
_ROWS = 8192  # that a task works on at a time: a few arrays of them are in the cache
_TOGETHER = 8  # pieces that one task merges: a power of 2
_SAMPLED = 16  # chunks of which the driver has some rows,
_EACH = 64  # and how many of each
_TRUE_CURVATURE = 2  # what evaluate is asked for at the end of a fit with a loss


# Tasks ------------------------------------------------------------------------


class _Question:
    """What a task is asked about its chunk."""

    def __init__(
        self,
        x: _Vector,
        moved: _Vector | None,  # each parameter after its step
        steps: _Vector | None,
        what: int,  # as in _minpack.fit_in_pieces
        ahead: _Vector | None,
        checks: bool,  # whether the data are finite
    ) -> None:
        self.x, self.moved, self.steps = x, moved, steps
        self.what, self.ahead, self.checks = what, ahead, checks
        self.columns = x.size + (ahead is not None)


class _Model:
    """The model and all that stays as it is during a fit: it is sent once."""

    def __init__(
        self,
        f: Callable[..., Any],
        jac: Callable[..., Any] | None,
        n: int,
        sigma: float | None,  # where it is one number
        loss: str,
        f_scale: float,
        is_exact: bool,
    ) -> None:
        self.f, self.jac, self.n, self.sigma = f, jac, n, sigma
        self.loss, self.f_scale, self.is_exact = loss, f_scale, is_exact

    def piece(self, q: _Question, xdata: Any, ydata: Any, sigma: Any) -> _Piece:
        """Reduce some rows."""
        y = floats(ydata, "ydata")
        x = np.ascontiguousarray(floats(xdata, "xdata"))
        if q.checks:
            _minpack.check_finite(x, "xdata")
            _minpack.check_finite(y, "ydata")
        errors = self.sigma if sigma is None else sigma
        options: tuple[Any, ...] = (self.loss, self.f_scale, q.what == _TRUE_CURVATURE)
        program = None
        if type(self.f) is Traced and self.jac is None:
            program = _program(self.f, x, q.x, y.size)
        if program is not None and self.is_exact and q.ahead is None:
            wants = q.what != 0
            piece = _minpack.reduce_program(*program, q.x, y, errors, wants, *options)
            if piece is not None:
                return piece

        def at(params: _Vector) -> Any:
            if program is not None:
                return _minpack.program_values(*program, params)
            return untraced(self.f)(x, *params)

        values, columns = self.evaluate(q, x, at, program)
        steps = q.steps
        if q.ahead is not None:
            columns, steps = _and_bend(q, y, values, columns, at(q.ahead)), None
        return _minpack.reduce_block(
            values, y, errors, q.columns, columns, steps, *options
        )

    def evaluate(
        self,
        q: _Question,
        xdata: _Vector,
        at: Callable[[_Vector], Any],  # the values at some parameters
        program: tuple[Any, Any] | None,
    ) -> tuple[Any, Any]:
        """Return the values at x and, if they are asked for, the derivatives."""
        values = at(q.x)
        if q.what == 0:
            return values, None
        if q.steps is not None and q.moved is not None:
            points = np.where(np.eye(self.n, dtype=bool), q.moved, q.x)
            moves = zip(points, q.steps, strict=True)
            return values, [at(x) if step else None for x, step in moves]
        if self.jac is not None:
            return values, self.jac(xdata, *q.x)
        if program is not None:
            return values, _minpack.program_jacobian(*program, q.x)
        return values, self.f.jacobian(xdata, *q.x)  # type: ignore[attr-defined]


def _and_bend(
    q: _Question, y: _Vector, values: Any, columns: Any, values_ahead: Any
) -> _Vector:
    """Return the derivatives and, as one more column, f(ahead) - f(x) - J (ahead - x).

    `values` and `columns` are those of `_Model.evaluate`.
    """
    assert q.ahead is not None

    def residuals(values: Any) -> _Vector:
        return _minpack.block_residuals(values, y, None)[0]

    here = residuals(values)
    with np.errstate(all="ignore"):
        if q.steps is not None:
            moves = zip(columns, q.steps, strict=True)
            differences = [
                0 * here if moved is None else (residuals(moved) - here) / step
                for moved, step in moves
            ]
            columns = np.stack(differences, axis=1)
        bend = residuals(values_ahead) - here
        for column, move in zip(np.transpose(columns), q.ahead - q.x, strict=True):
            bend -= move * column
    return np.column_stack([columns, bend])


def _program(f: Traced, xdata: _Vector, x: _Vector, m: int) -> tuple[Any, Any] | None:
    """Return the program of a traced model and its arrays.

    None where the model's own values are the better answer, for they are wrong.
    """
    key, arrays = data_key((xdata,), {}, x.size, m, True)
    known = f.records.get(key) if key is not None else None
    if known is None or known.watched or known.data is not None or known.rounds:
        bound = f.bind_curve(xdata, x, m)  # which compares it with the function
        return None if bound is None else (bound.record.program, bound.arrays)
    return known.program, arrays


def _reduce(
    model: _Model, question: _Question, xdata: Any, ydata: Any, sigma: Any
) -> _Piece:
    """Reduce a chunk, some rows at a time."""
    m = len(ydata)
    count = -(-m // _ROWS)
    edges = [m * k // count for k in range(count + 1)]
    total: _Piece | None = None
    pin = _pin_memory(min(count, 32))
    for first, end in pairwise(edges):
        piece = model.piece(
            question,
            xdata[..., first:end],
            ydata[first:end],
            None if sigma is None else sigma[first:end],
        )
        total = piece if total is None else _merge(question.columns, [total, piece])
    del pin
    assert total is not None  # there are no tasks for empty chunks
    return total


def _pin_memory(strips: int) -> bytearray:
    """Return a block that keeps freed memory below it in the process.

    Dask has its workers give back what is free at the end of the heap. Without the
    block each array would be in new pages, which take longer than its numbers.
    """
    blocks = [bytearray(_ROWS * 8) for _ in range(strips)]
    return blocks.pop()


def _merge(n: int, pieces: list[_Piece]) -> _Piece:
    """Merge pieces in pairs, and pairs of pairs."""
    while len(pieces) > 1:
        pairs = zip(pieces[::2], pieces[1::2], strict=False)
        merged = [_minpack.merge_pieces(a, b, n) for a, b in pairs]
        pieces = merged + pieces[2 * len(merged) :]
    return pieces[0]


# The driver -------------------------------------------------------------------


class _Data(NamedTuple):
    """The data in the same chunks."""

    x: Any  # (..., m)
    y: Any  # (m,)
    sigma: Any  # (m,) or None

    def arrays(self) -> list[Any]:
        return [array for array in self if array is not None]

    def graph(self) -> dict[Any, Any]:
        """Return the tasks that compute the chunks, optimized once for all."""
        arrays = self.arrays()
        optimized = dask.optimize(*arrays)  # which leaves out what is kept on a cluster
        tasks: dict[Any, Any] = {}
        for array in (*arrays, *optimized):
            tasks |= array.__dask_graph__()
        graph = HighLevelGraph.from_collections("data", tasks, [])
        keys = flatten([array.__dask_keys__() for array in arrays])
        return dict(graph.cull(set(keys)))

    def blocks(self) -> list[tuple[Any, ...]]:
        """Return the keys of each chunk that is not empty."""
        (sizes,) = self.y.chunks
        keys = zip(*(_keys(array, len(sizes)) for array in self), strict=True)
        return [each for each, size in zip(keys, sizes, strict=True) if size]

    def some(self, chunks: int, each: int) -> _Data:
        """Fetch some rows of some chunks, both evenly spaced."""
        (sizes,) = self.y.chunks
        ends = np.cumsum(sizes).tolist()
        filled = np.flatnonzero(sizes)
        chosen = filled[np.unique(np.linspace(0, filled.size - 1, chunks).astype(int))]
        rows = [
            slice(ends[k] - sizes[k], ends[k], max(1, sizes[k] // each))
            for k in chosen.tolist()
        ]
        some = [
            da.concatenate([array[..., part] for part in rows], axis=-1)
            for array in self.arrays()
        ]
        found = iter(dask.compute(*some))
        return _Data(*(a if a is None else _own(next(found)) for a in self))


class _Sample:
    """Some rows in the caller's process, which show how long steps must be."""

    def __init__(self, f: Callable[..., Any], rows: _Data, sigma: float | None) -> None:
        self.f, self.rows = f, rows
        self.sigma = sigma if rows.sigma is None else rows.sigma

    def evaluate(self, x: _Vector) -> tuple[_Vector, float]:
        values = self.f(self.rows.x, *x)
        return _minpack.block_residuals(values, self.rows.y, self.sigma)

    def __call__(self, x: _Vector) -> _Vector:
        """Return the residuals."""
        return self.evaluate(x)[0]

    def look(self, x: _Vector) -> tuple[int, float]:
        """Return how many rows there are, and the precision of the model."""
        residuals, rounding = self.evaluate(x)
        return residuals.size, rounding


def _own(array: Any) -> _Vector:
    """Return float64 numbers that hold no chunk in memory."""
    return np.array(array, float, order="C")


def _keys(array: Any, count: int) -> list[Any]:
    """Return the keys of the chunks along the last axis, the only ones."""
    if array is None:
        return [None] * count
    keys = array.__dask_keys__()
    for _ in range(array.ndim - 1):
        (keys,) = keys
    return list(keys)


class _Driver:
    """Answers what the solver asks for by one computation of Dask each."""

    def __init__(
        self, data: _Data, model: _Model, bounds: Any, check_finite: bool
    ) -> None:
        self.blocks, self.data = data.blocks(), data.graph()
        # Kept where tasks run: later graphs name it, and do not hold it
        (self.model,) = dask.persist(dask.delayed(model, pure=False, traverse=False))
        self.n, self.bounds, self.checks = model.n, bounds, check_finite
        self.asked = 0

    def evaluate(
        self, x: _Vector, steps: _Vector | None, what: int, ahead: _Vector | None
    ) -> _Piece:
        """Return the piece of all rows or, for a point ahead, J'(how they bend)."""
        moved = None
        if steps is not None:
            moved = x + steps
            if self.bounds is not None:
                moved = moved.clip(*self.bounds)  # the sum may be rounded
        question = _Question(
            x, moved, steps, what, ahead, checks=self.checks and not self.asked
        )
        name = f"minpack-curve_fit-{self.model.key}-{self.asked}"
        self.asked += 1
        graph = self.data | dict(self.tasks(name, question))
        lazy = Delayed(name, HighLevelGraph.from_collections(name, graph, [self.model]))
        piece: _Piece
        (piece,) = dask.compute(lazy)
        if ahead is None:
            return piece
        n = self.n
        triangle = piece[1:].reshape(n + 1, n + 2, order="F")
        bent: _Vector = (triangle[:, :n] * triangle[:, n, None]).sum(axis=0)
        return bent

    def tasks(self, name: str, question: _Question) -> Iterator[tuple[Any, Any]]:
        """Give a task for each chunk, and the tree of those that merge their pieces."""
        made = [(_reduce, self.model.key, question, *keys) for keys in self.blocks]
        level = 0
        while len(made) > 1:
            keys = [(f"{name}-{level}", k) for k in range(len(made))]
            yield from zip(keys, made, strict=True)
            made = [
                (_merge, question.columns, keys[k : k + _TOGETHER])
                for k in range(0, len(keys), _TOGETHER)
            ]
            level += 1
        yield name, made[0]


# Arguments --------------------------------------------------------------------


def _read_ydata(ydata: Any) -> Any:
    if not isinstance(ydata, da.Array):
        raise TypeError(
            f"ydata must be a Dask array, not {type(ydata).__name__}: make it one by "
            "dask.array.from_array(ydata, chunks=...), or use minpack.curve_fit"
        )
    if ydata.ndim != 1:
        raise ValueError(
            f"ydata must have one dimension, not shape {ydata.shape}: an array of more "
            "can be made one by ravel(), and what f returns too"
        )
    _check_chunks("ydata", ydata)
    if not ydata.size:
        raise ValueError("ydata must not be empty")
    floats(np.empty(0, ydata.dtype), "ydata")
    return ydata


def _check_chunks(name: str, array: Any) -> None:
    """Raise where chunks are of unknown sizes."""
    if np.isnan(array.shape).any():
        raise ValueError(
            f"{name} has chunks of unknown sizes: call {name}.compute_chunk_sizes() "
            "first, which computes it once"
        )


def _read_xdata(xdata: Any, y: Any) -> Any:
    x = _read_array("xdata", xdata)
    if x.shape[-1:] != y.shape:
        raise ValueError(
            "xdata must have one point for each entry of ydata along its last axis: "
            f"their shapes are {x.shape} and {y.shape}"
        )
    return _in_chunks_of(y, x)


def _read_sigma(sigma: Any, y: Any) -> tuple[Any, float | None]:
    """Tell an array of standard deviations from one number for all."""
    if sigma is None:
        return None, None
    sigma = _read_array("sigma", sigma)
    if sigma.shape in {(), (1,)}:
        (number,) = np.ravel(np.asarray(sigma)).tolist()
        return None, float(number)
    if sigma.shape != y.shape:
        raise ValueError(
            f"sigma must be one number or have the shape {y.shape}, not {sigma.shape}"
        )
    return _in_chunks_of(y, sigma), None


def _read_array(name: str, array: Any) -> Any:
    """Return a Dask array as it is, and anything else as one of NumPy."""
    if not isinstance(array, da.Array):
        return floats(array, name)
    _check_chunks(name, array)
    floats(np.empty(0, array.dtype), name)
    return array


def _in_chunks_of(y: Any, array: Any) -> Any:
    """Return a Dask array in the chunks of y, and in one along all other axes."""
    (sizes,) = y.chunks
    if isinstance(array, da.Array):
        return array.rechunk((*(-1,) * (array.ndim - 1), sizes))
    name = f"minpack-{uuid4().hex}"  # from_array would copy it, or compute its hash
    ends = np.cumsum(sizes).tolist()
    zeros = (0,) * (array.ndim - 1)
    blocks = {
        (name, *zeros, k): array[..., end - size : end]
        for k, (size, end) in enumerate(zip(sizes, ends, strict=True))
    }
    chunks = (*((length,) for length in array.shape[:-1]), sizes)
    return da.Array(blocks, name, chunks, dtype=array.dtype)


def _check_functions(f: Any, jac: Any) -> None:
    for name, function in (("f", f), ("jac", jac)):
        if _minpack.is_compiled(function, name):
            raise TypeError(
                f"{name} must be a Python function here, not a compiled one: these do "
                "not travel to other processes"
            )
    if not callable(f):
        raise TypeError(f"f must be callable, not {type(f).__name__}")
    if not (jac is None or jac == "2-point" or callable(jac)):
        raise ValueError(f"jac must be a callable, '2-point' or None, not {jac!r}")


def _read_options(kwargs: dict[str, Any], n: int, is_bounded: bool) -> tuple[Any, ...]:
    for name in ("col_deriv", "kernels"):
        if name in kwargs:
            raise TypeError(f"minpack.dask.curve_fit has no argument {name!r}")
    loss = kwargs.get("loss", "linear")
    if not isinstance(loss, str):
        raise TypeError(
            f"loss must be the name of one, not {loss!r}: a callable loss is for all "
            "residuals at once, which nobody has here"
        )
    return read_options(kwargs, n, is_bounded)


# The fit ----------------------------------------------------------------------


@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: Any,
    p0: ArrayLike | None = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = _UNBOUNDED,
    jac: str | Callable[..., ArrayLike] | None = None,
    *,
    check_finite: bool = True,
    full_output: Literal[False] = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector]: ...
@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: Any,
    p0: ArrayLike | None = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = _UNBOUNDED,
    jac: str | Callable[..., ArrayLike] | None = None,
    *,
    check_finite: bool = True,
    full_output: Literal[True],
    **kwargs: Any,
) -> tuple[_Vector, _Vector, dict[str, Any], str, int]: ...
@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: Any,
    p0: ArrayLike | None = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = _UNBOUNDED,
    jac: str | Callable[..., ArrayLike] | None = None,
    *,
    check_finite: bool = True,
    full_output: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector] | tuple[_Vector, _Vector, dict[str, Any], str, int]: ...
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: Any,
    p0: ArrayLike | None = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = _UNBOUNDED,
    jac: str | Callable[..., ArrayLike] | None = None,
    *,
    check_finite: bool = True,
    full_output: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector] | tuple[_Vector, _Vector, dict[str, Any], str, int]:
    """Fit one model to a Dask array, chunk by chunk, and estimate the errors.

    The fit of `minpack.curve_fit` for more data than memory, on threads, processes or a
    cluster. It computes at once. Tasks reduce each chunk to n by n numbers, and those
    are all that the caller's process gets to see.

    Parameters
    ----------
    f : callable
        The model: ``f(xdata, p1, ..., pn)`` returns one value for each of the points in
        `xdata`, which are some of those of a chunk. A value must depend on its own
        point and the parameters alone. An `f` from `minpack.traced` runs without Python
        in the tasks and, where there is no `jac`, with its exact derivatives.
    xdata : dask.array.Array or array_like, shape (m,) or (..., m)
        The points, along the last axis, as float64. They are brought into the chunks of
        `ydata`; the axes before the last one into one chunk.
    ydata : dask.array.Array, shape (m,)
        The measured values, in any chunks whose sizes are known.
    p0 : array_like, shape (n,), optional
        The start; by default as for `minpack.curve_fit`.
    sigma : dask.array.Array or array_like, shape () or (m,), optional
        The standard deviations of `ydata`, one for all or one each.
    absolute_sigma : bool, optional
        Whether `sigma` is known absolutely; see `minpack.curve_fit`.
    bounds : pair of array_like, or an object with lb and ub, optional
        The lower and the upper bounds of the parameters; see `minpack.curve_fit`.
    jac : callable or '2-point', optional
        ``jac(xdata, p1, ..., pn)`` returns the derivatives of the values of
        ``f(xdata, p1, ..., pn)``, with shape (points, n). '2-point' are forward
        differences, the default but for an `f` from `minpack.traced`.
    check_finite : bool, optional
        Whether NaN or infinity in `xdata` or `ydata` is an error.
    full_output : bool, optional
        Whether to return all that is known of the fit.
    **kwargs
        ``ftol``, ``xtol``, ``gtol``, ``maxfev``, ``epsfcn``, ``factor``, ``diag``,
        ``loss`` by its name, ``f_scale``, ``diff_step``, ``x_scale``, ``verbose``,
        ``callback``, ``max_nfev`` and ``acceleration`` as for `minpack.curve_fit`. What
        the callback gets has no ``fun``.

    Returns
    -------
    popt : ndarray, shape (n,)
        The parameters that fit best.
    pcov : ndarray, shape (n, n)
        Their estimated covariance; see `minpack.curve_fit`.
    infodict : dict
        With `full_output`, as the next two: ``nfev``; ``njev`` where derivatives are
        exact; ``cost``, half the sum of the squares or the cost of the loss; with
        bounds ``active_mask``.
    mesg : str
        Why the fit ended.
    ier : int
        The same as a number, 1 to 4.

    Raises
    ------
    RuntimeError
        If the fit ends without a solution.
    TypeError
        If `ydata` is not a Dask array, another argument is of the wrong type or
        unknown, or there are fewer data than parameters.
    ValueError
        If the data are empty or not finite, their chunks are of unknown sizes, an
        argument has an improper value or shape, or `f` does not return one value for
        each point.

    Warns
    -----
    OptimizeWarning
        As `minpack.curve_fit` does, if the covariance cannot be estimated.

    See Also
    --------
    minpack.curve_fit : The same for arrays in memory.
    curve_fit_batch : Many fits of one model.

    Notes
    -----
    The data are computed once for each evaluation, in as many tasks as there are
    chunks. Nothing is kept: ``x, y = dask.persist(x, y)`` keeps what fits into the
    memory of the workers. docs/scaling.md says how large a chunk should be, and how
    data come from Zarr, HDF5, Parquet and ``np.memmap``.

    The result is that of `minpack.curve_fit` but for rounding, and its bits depend on
    the chunks alone: neither on the scheduler nor on how many workers there are. Where
    a parameter is fitted to nearly 0 by differences, some rows of 16 chunks at most,
    which are fetched before the fit, tell how long the steps must be.

    Threads call `f` and `jac` at once where the scheduler has several. An exception in
    them ends the fit and passes as the scheduler hands it over.
    Derivatives are computed along with the values, at points too that turn out to be a
    step too far: that spares reading the data once more. A step that acceleration
    bends takes one pass more, which finds the derivatives again.

    Examples
    --------
    A million points, of which a task has a hundred thousand:

    >>> import dask.array as da
    >>> import numpy as np
    >>> from minpack.dask import curve_fit
    >>> def decay(t, amplitude, rate, offset):
    ...     return amplitude * np.exp(-rate * t) + offset
    >>> t = da.linspace(0.0, 10.0, 1_000_000, chunks=100_000)
    >>> rng = da.random.default_rng(0)
    >>> noise = rng.normal(scale=0.1, size=t.shape, chunks=t.chunks)
    >>> popt, pcov = curve_fit(decay, t, decay(t, 2.0, 0.7, 0.5) + noise)
    >>> print(popt.round(2), (np.sqrt(np.diag(pcov)) < 0.001).all())
    [2.  0.7 0.5] True
    """
    y = _read_ydata(ydata)
    x = _read_xdata(xdata, y)
    sigma, number = _read_sigma(sigma, y)
    if sigma is None and number is None and absolute_sigma:
        warn_of_absolute_sigma(stacklevel=2)
    _check_functions(f, jac)
    function = untraced(f)
    p0, lower, upper = read_start(function, p0, bounds)
    start = floats(p0, "p0").ravel()
    n = start.size
    if not 0 < n <= y.size:
        raise TypeError(
            f"{n} parameters cannot be fitted to {y.size} data: there must be one at "
            "least, and as many data"
        )
    bends = bool(kwargs.pop("acceleration", False))
    options = _read_options(kwargs, n, lower is not None)
    named = dict(zip(OPTIONS, options, strict=True))

    own = jac if callable(jac) else None
    data = _Data(x, y, sigma)
    is_exact = own is not None or (jac is None and _has_derivatives(f, data, start))
    model = _Model(f, own, n, number, named["loss"], named["f_scale"], is_exact)
    sample = None if is_exact else _Sample(function, data.some(_SAMPLED, _EACH), number)
    rows, rounding = (0, _EPS) if sample is None else sample.look(start)
    driver = _Driver(
        data, model, None if lower is None else (lower, upper), check_finite
    )
    fit = _minpack.fit_in_pieces(
        driver.evaluate, sample, rows, rounding, y.size, start,
        lower, upper, absolute_sigma, named["loss"] != "linear", named["ftol"],
        named["xtol"], named["gtol"], named["maxfev"], named["epsfcn"], named["factor"],
        named["diag"], named["diff_step"], named["trials_only"], named["observer"],
        bends,
    )  # fmt: skip
    reason = partial(why_ended, fit, options, p0, own is not None, is_exact, not bends)
    check_end(fit, function, named["observer"], reason, p0)
    popt, pcov, info, _, _, _, norm, nfev, njev, active_mask = fit
    if not full_output or info is None:  # which is an error already
        return popt, pcov
    infodict: dict[str, Any] = {"nfev": nfev, "cost": 0.5 * norm**2}
    if is_exact or jac is not None:
        infodict["njev"] = njev
    if active_mask is not None:
        infodict["active_mask"] = active_mask
    return popt, pcov, infodict, reason(np.array([norm])), info


def _has_derivatives(f: Any, data: _Data, start: _Vector) -> bool:
    """Whether a model is traced, and its derivatives are exact."""
    if type(f) is not Traced:
        return False
    some = data.some(1, _EACH)
    bound = f.bind_curve(some.x, start, some.y.size)
    return bound is not None and bound.jacobian is not None

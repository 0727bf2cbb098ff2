"""Fits of Dask arrays: more data than memory, more than one machine.

Only this module and ``_dask_fit``, which it imports, import Dask.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import minpack
from minpack._arguments import bounds_pair, parameter_count
from minpack._batch_data import array_of, check_points, shared_or_rows

try:
    import dask.array as da
except ImportError as error:
    raise ImportError("minpack.dask needs Dask: pip install minpack[dask]") from error
from minpack._dask_fit import curve_fit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__ = ["LazyBatchResult", "curve_fit", "curve_fit_batch"]

_OF_PARAMETERS = ("p0", "lower", "upper")


class LazyBatchResult(NamedTuple):
    """What will come of fits to a Dask array of shape (..., m): lazy Dask arrays.

    All of them are computed together by ``dask.compute(result)``, which returns a
    tuple of one `LazyBatchResult`, now of NumPy arrays.

    Attributes
    ----------
    x : dask.array.Array, shape (..., n)
    cov : dask.array.Array, shape (..., n, n)
    cost : dask.array.Array, shape (...)
    nfev : dask.array.Array of int, shape (...)
    ier : dask.array.Array of int, shape (...)
    success : dask.array.Array of bool, shape (...)
    active_mask : dask.array.Array of int, shape (..., n)
        Each as in `minpack.BatchResult`.
    """

    x: Any
    cov: Any
    cost: Any
    nfev: Any
    ier: Any
    success: Any
    active_mask: Any


def curve_fit_batch(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = (-np.inf, np.inf),
    jac: Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    mask: Any = None,
    nan_policy: Literal["raise", "omit"] | None = None,
    check_finite: bool = False,
    loss: str = "linear",
    f_scale: float = 1.0,
    epsfcn: float | None = None,
    diff_step: ArrayLike | None = None,
    maxfev: int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    workers: int = 1,
    trace: bool = True,
    acceleration: bool = False,
) -> LazyBatchResult:
    """Fit one model to each row of a Dask array, block by block.

    Nothing is fitted until a result is computed. Then `minpack.curve_fit_batch` makes
    the fits of one block in one task, and the values are its values to the bit.

    Parameters
    ----------
    f : callable
        The model ``f(xdata, a, b, ...)``, as for `minpack.curve_fit_batch`.
    xdata : array_like or dask.array.Array
        Shape (m,) for all fits, or that of `ydata`, a row a fit. A tuple, an array of
        another shape and anything but an array of numbers are for all fits, as for
        `minpack.curve_fit_batch`.
    ydata : dask.array.Array, shape (..., m)
        The data: the last axis is that of a fit and is brought into one chunk. There
        may be any number of axes before it, and their chunks are the blocks.
    p0 : array_like or dask.array.Array, optional
        The start: shape (n,) for all fits, or (..., n).
    sigma : array_like or dask.array.Array, optional
        The standard deviations of the data: one number, shape (m,) or (..., m).
    absolute_sigma : bool, optional
        Whether `sigma` is in the units of the data; see `minpack.curve_fit_batch`.
    bounds : pair of array_like or dask.array.Array, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (..., n); or an object with attributes ``lb`` and ``ub``. None means no bound.
    jac : callable, compiled function or True, optional
        The derivatives, as for `minpack.curve_fit_batch`; True: `f` returns a tuple of
        its values and these derivatives.
    mask : array_like or dask.array.Array of bool, optional
        True for points to leave out, shape (m,) or (..., m).
    nan_policy, check_finite, loss, f_scale, epsfcn, diff_step : optional
        As for `minpack.curve_fit_batch`. What is not finite is found by ``compute()``.
    maxfev, ftol, xtol, gtol : optional
        When a fit ends; see `minpack.curve_fit_batch`.
    workers : int, optional
        Threads that share the fits of one block. One, because Dask itself works on
        several blocks at a time.
    trace : bool, optional
        Whether to try to run `f` without Python; see `minpack.curve_fit_batch`.
    acceleration : bool, optional
        Whether steps bend, as for `minpack.leastsq`.

    Returns
    -------
    LazyBatchResult
        Dask arrays ``x`` (..., n), ``cov`` (..., n, n), ``cost``, ``nfev``, ``ier``,
        ``success`` (...) and ``active_mask`` (..., n).

    Raises
    ------
    TypeError
        If `ydata` is not a Dask array, or another argument is of the wrong type.
    ValueError
        If shapes do not agree. What depends on values, as bounds that contradict each
        other or a model that does not broadcast, is raised by ``compute()``.

    Notes
    -----
    Compute what you need in one call, as ``dask.compute(result)`` or
    ``dask.compute(result.x, result.cov)``: each block is fitted once for all of it.
    ``result.x.compute()`` and then ``result.cov.compute()`` fit twice.

    An array with a row for each fit is brought into the blocks of `ydata`. If it is
    large, make it a Dask array too: those of NumPy travel with the graph.

    docs/scaling.md says how large a block should be, and what many fits take. An
    exception in `f` or `jac` ends the computation and passes unchanged.

    Examples
    --------
    An image of decays, of which a quarter is in memory at a time:

    >>> import dask
    >>> import dask.array as da
    >>> import numpy as np
    >>> from minpack.dask import curve_fit_batch
    >>> def decay(t, a, b, c):
    ...     return a * np.exp(-b * t) + c
    >>> t = np.linspace(0.0, 10.0, 50)
    >>> noise = da.random.default_rng(0).normal(scale=0.02, size=(40, 60, 50),
    ...                                         chunks=(20, 30, 50))
    >>> fits = curve_fit_batch(decay, t, decay(t, 2.0, 0.7, 0.5) + noise)
    >>> fits.x.shape, fits.cov.shape, fits.ier.numblocks
    ((40, 60, 3), (40, 60, 3, 3), (2, 2))
    >>> x, success = dask.compute(fits.x, fits.success)
    >>> print(x.mean(axis=(0, 1)).round(2), success.all())
    [2.  0.7 0.5] True
    """
    if not isinstance(ydata, da.Array):
        raise TypeError(
            f"ydata must be a Dask array, not {type(ydata).__name__}: make it one by "
            "dask.array.from_array(ydata, chunks=...), or use minpack.curve_fit_batch"
        )
    if ydata.ndim == 0 or np.isnan(ydata.shape[-1]):
        raise ValueError(
            f"ydata must have the points of a fit in its last axis, shape (..., m), "
            f"not {ydata.shape}"
        )
    y = ydata.rechunk({ydata.ndim - 1: -1})
    m = y.shape[-1]
    check_points(m)
    is_lazy = isinstance(xdata, da.Array)
    x, rows = (None, xdata) if is_lazy else shared_or_rows(xdata, y.shape)
    if isinstance(x, np.ndarray) and x.ndim > 1:
        x = tuple(x)  # for all fits, whatever the shape of a block
    given = {"p0": p0, "sigma": sigma, "mask": mask, "xdata": rows, **_pair(bounds)}
    arrays = {
        name: value if isinstance(value, da.Array) else array_of(name, value)
        for name, value in given.items()
        if value is not None
    }
    n = _parameter_count(f, arrays)
    arrays = {
        name: _in_blocks(name, array, n if name in _OF_PARAMETERS else m, y)
        for name, array in arrays.items()
    }
    options = {
        "jac": jac, "absolute_sigma": absolute_sigma, "nan_policy": nan_policy,
        "check_finite": check_finite, "loss": loss, "f_scale": f_scale,
        "epsfcn": epsfcn, "diff_step": diff_step, "maxfev": maxfev,
        "ftol": ftol, "xtol": xtol, "gtol": gtol, "workers": workers, "trace": trace,
        "acceleration": acceleration,
    }  # fmt: skip
    fit = partial(_fit, f, x, tuple(arrays), n, options)
    # No fits, for the sake of what this says of types, limits and sizes
    fit(np.empty((0, m), y.dtype), *map(_without_fits, arrays.values()))

    *lead, along_m = range(y.ndim)
    operands: list[Any] = [y, (*lead, along_m)]
    for name, array in arrays.items():
        axes = (*lead, along_m + 1 if name in _OF_PARAMETERS else along_m)
        operands += [array, axes[len(axes) - array.ndim :]]
    dtype = _fields(n)
    fits = da.blockwise(
        partial(_fit_block, fit, dtype), lead, *operands, token="curve_fit_batch",
        concatenate=True, dtype=dtype, meta=np.empty((0,) * len(lead), dtype),
    )  # fmt: skip
    return LazyBatchResult(*(fits[name] for name in LazyBatchResult._fields))


# Blocks -----------------------------------------------------------------------


def _fields(n: int) -> np.dtype[np.void]:
    """Return what a fit has in the one array that a block's task returns."""
    return np.dtype(
        [
            ("x", np.float64, (n,)),
            ("cov", np.float64, (n, n)),
            ("cost", np.float64),
            ("nfev", np.intc),
            ("ier", np.intc),
            ("active_mask", np.intc, (n,)),
            ("success", np.bool_),
        ],
        align=True,
    )


def _fit_block(
    fit: Callable[..., minpack.BatchResult], dtype: Any, ydata: Array, *blocks: Array
) -> Array:
    *lead, m = ydata.shape
    rows = (
        block.reshape(-1, block.shape[-1]) if block.ndim > 1 else block
        for block in blocks
    )
    result = fit(ydata.reshape(-1, m), *rows)
    fits = np.empty(len(result), dtype)
    for name in dtype.names:
        fits[name] = getattr(result, name)
    return fits.reshape(lead)


def _fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    names: tuple[str, ...],
    n: int,
    options: dict[str, Any],
    ydata: Array,
    *arrays: Array,
) -> minpack.BatchResult:
    given: dict[str, Any] = dict(zip(names, arrays, strict=True))
    # n cannot be seen from one number, and perhaps not from the signature of f
    bounds = [
        np.broadcast_to(bound, (n,)) if bound.ndim == 0 else bound
        for bound in (given.pop("lower"), given.pop("upper"))
    ]
    xdata = given.pop("xdata", xdata)
    return minpack.curve_fit_batch(f, xdata, ydata, bounds=bounds, **given, **options)


# Arguments --------------------------------------------------------------------


def _pair(bounds: Any) -> dict[str, Any]:
    return dict(zip(("lower", "upper"), bounds_pair(bounds), strict=True))


def _parameter_count(f: Callable[..., ArrayLike], arrays: dict[str, Any]) -> int:
    if "p0" in arrays:
        return arrays["p0"].shape[-1] if arrays["p0"].ndim else 1
    sizes = [arrays[name].shape[-1:] for name in ("lower", "upper")]
    return next((size[0] for size in sizes if size), None) or parameter_count(f)


def _in_blocks(name: str, array: Any, size: int, y: Any) -> Any:
    """Return a Dask array: of one block for all fits, or in the blocks of y."""
    lead = y.shape[:-1]
    if array.shape in ((), (size,)):
        chunks: Any = -1
    # Chunks of unknown sizes are equal to themselves, while their sums are not.
    elif array.shape == (*lead, size) or (
        isinstance(array, da.Array)
        and array.shape[-1] == size
        and array.chunks[:-1] == y.chunks[:-1]
    ):
        chunks = (*y.chunks[:-1], (size,))
    else:
        raise ValueError(
            f"{name} must be one number, of shape ({size},) or a row a fit, "
            f"{(*lead, size)}, not {array.shape}"
        )
    if isinstance(array, da.Array):
        return array.rechunk(chunks)
    return da.from_array(array, chunks=chunks)


def _without_fits(array: Any) -> Array:
    """Return what there is of `array` where there are no fits: no values."""
    shape = array.shape if array.ndim < 2 else (0, array.shape[-1])
    return np.zeros(shape, array.dtype)

"""Many fits at once: ``curve_fit_batch`` and ``leastsq_batch``."""

from __future__ import annotations

import contextvars
import operator
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack
from minpack._arguments import (
    bounds_pair,
    check_order,
    check_start,
    parameter_count,
    start_within,
)
from minpack._status import SUCCESS, Info, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

_CHUNK_BYTES = 1 << 19  # of a worker: a quarter of the cache that one core has today
_SLICE = 0.05  # seconds that the caller waits for its workers at once

_BAD_FIT = (
    "Bad input: the fit has fewer points than parameters, its start is not within its "
    "bounds, or a lower bound is greater than the upper one."
)


class BatchResult:
    """What came of a batch of B fits of n parameters: an array for each quantity.

    Attributes
    ----------
    x : ndarray, shape (B, n)
        The parameters: of the solution, or the best point found if there is none. NaN
        where no point with finite residuals was found.
    cov : ndarray, shape (B, n, n)
        The covariance of the parameters, for `leastsq_batch` the inverse of
        ``J.T @ J``. Parameters that are on a bound count as known: they have zeros.
        NaN where J is singular, where the fit has failed, and where the points are as
        many as the parameters and their errors are not known.
    cost : ndarray, shape (B,)
        Half the sum of the squares of the residuals at `x`; NaN where `x` is.
    nfev : ndarray of int, shape (B,)
        The number of evaluations of the fit's residuals.
    ier : ndarray of int, shape (B,)
        Why each fit ended: the numbers of `leastsq`. Negative: what a compiled
        function returned to stop the fit.
    success : ndarray of bool, shape (B,)
        Where there is a solution: `ier` is 1 to 4.
    active_mask : ndarray of int, shape (B, n)
        -1 or 1 where a parameter is at its lower or upper bound, else 0.
    """

    __slots__ = (
        "_limits", "active_mask", "cost", "cov", "ier", "nfev", "success", "x",
    )  # fmt: skip

    def __init__(
        self,
        x: Array,
        cov: Array,
        cost: Array,
        nfev: Array,
        ier: Array,
        active_mask: Array,
        limits: dict[str, Any],
    ) -> None:
        self.x = x
        self.cov = cov
        self.cost = cost
        self.nfev = nfev
        self.ier = ier
        self.success = np.isin(ier, list(SUCCESS))
        self.active_mask = active_mask
        self._limits = limits

    def message(self, i: int) -> str:
        """Say why fit `i` ended."""
        info = int(self.ier[i])
        return _BAD_FIT if info == Info.BAD_INPUT else message(info, **self._limits)

    def __len__(self) -> int:
        """Return the number of fits."""
        return len(self.ier)

    def __repr__(self) -> str:
        """Return how many fits there are and how many have a solution."""
        count, n = self.x.shape
        return (
            f"<BatchResult: {count} fits of {n} parameters, "
            f"{np.count_nonzero(self.success)} converged>"
        )


def curve_fit_batch(
    f: Callable[..., ArrayLike],
    xdata: ArrayLike,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    bounds: Any = (-np.inf, np.inf),
    jac: Callable[..., ArrayLike] | None = None,
    *,
    mask: ArrayLike | None = None,
    user_data: Any = None,
    maxfev: int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    workers: int | None = None,
    progress: bool = False,
) -> BatchResult:
    """Fit one model to many sets of data, many at a time.

    Each fit minimizes the sum of squares of ``(f(xdata, *x) - ydata[i]) / sigma`` by
    the Levenberg-Marquardt algorithm, as `leastsq` does, and has the same result to
    the bit for the same values of `f`. What is saved is calls of Python: one call of
    `f` serves all fits that are under way.

    Parameters
    ----------
    f : callable or compiled function
        The model ``f(xdata, a, b, ...)``, written with NumPy. It is called for k fits
        at once: each parameter is a column, a float64 array of shape (k, 1), and the
        values must broadcast to (k, m), a row a fit. Most models that are written for
        one set of data do so as they are; docs/batch.md shows how to write the
        others. A first call is compared with calls for single fits. A compiled
        function (see `curve_fit`) is called for one fit at a time, without Python, on
        all `workers` at once, and for all m points, those that are masked included.
    xdata : array_like
        Shape (m,) for all fits, or (B, m), a row a fit, of which `f` gets the k rows.
        A tuple, as of several predictors of m points, is for all fits. Of another
        shape, or anything but numbers, it is handed to `f` as it is. A compiled `f`
        gets the address of its values in float64, or of those of the fit's row.
    ydata : array_like, shape (B, m)
        The data, a row a fit. float64 and float32 are read where they are, other
        types are converted to float64 first.
    p0 : array_like, optional
        The start: shape (n,) for all fits, or (B, n). By default it follows from the
        bounds, 1 where there are none, and n from them or from the signature of a
        Python `f`.
    sigma : array_like, optional
        The standard deviations of the data: one number, shape (m,) or (B, m).
    absolute_sigma : bool, optional
        Whether `sigma` is in the units of the data. Otherwise only its ratios count,
        and `cov` is scaled by the variance of the residuals.
    bounds : pair of array_like, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (B, n); or an object with attributes ``lb`` and ``ub``.
    jac : callable or compiled function, optional
        The derivatives: called as `f`, it returns what broadcasts to (k, m, n).
        Without it forward differences are used. It is compiled where `f` is.
    mask : array_like of bool, optional
        True for points to leave out, shape (m,) or (B, m). They do not count, not
        even where they are NaN: the fit is that of the remaining points.
    user_data : ndarray, optional
        For a compiled `f`, and in place of `xdata`: as for `leastsq_batch`.
    maxfev : int, optional
        Evaluations after which a fit stops; 0 means 200 (n + 1), or 100 (n + 1) with
        `jac`.
    ftol, xtol, gtol : float, optional
        Relative error wanted in the sum of squares and in the parameters, and the
        cosine between residuals and columns of the Jacobian that is small enough.
    workers : int, optional
        Threads that share the fits. `f` is called from all of them at the same time.
        By default as many as there are processors and enough fits for. The results
        do not depend on it.
    progress : bool, optional
        Whether to show how many fits are done, with tqdm if there is one.

    Returns
    -------
    BatchResult
        Arrays ``x`` (B, n), ``cov`` (B, n, n), ``cost``, ``nfev``, ``ier``,
        ``success`` and ``active_mask``, and ``message(i)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If shapes do not agree, if bounds or a start that all fits share are
        inconsistent, or if `f` or `jac` does not broadcast.

    Notes
    -----
    A fit that fails raises nothing and leaves the others alone: it has its `ier` (0
    bad input, 9 not finite), and NaN where there is no result. An exception in `f` or
    `jac` ends all of them and passes unchanged.

    Beside its arguments and results a batch needs memory for the fits under way
    alone, about half a megabyte for each worker and what `f` takes for as many.

    Examples
    --------
    A thousand decays, each with its own noise:

    >>> import numpy as np
    >>> from minpack import curve_fit_batch
    >>> def decay(t, a, b, c):
    ...     return a * np.exp(-b * t) + c
    >>> t = np.linspace(0.0, 10.0, 50)
    >>> noise = np.random.default_rng(0).normal(scale=0.02, size=(1000, 50))
    >>> result = curve_fit_batch(decay, t, decay(t, 2.0, 0.7, 0.5) + noise)
    >>> result
    <BatchResult: 1000 fits of 3 parameters, 1000 converged>
    >>> print(result.x.mean(axis=0).round(2))
    [2.  0.7 0.5]

    The standard deviations of the parameters of the first fit:

    >>> errors = np.sqrt(np.diagonal(result.cov[0]))
    """
    compiled = _minpack.is_compiled(f, "f")
    if not compiled:
        _check_callable("f", f)
        if jac is not None:
            _check_callable("jac", jac)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: f gets xdata")
    y = _numbers("ydata", ydata)
    if y.ndim != 2:
        raise ValueError(
            f"ydata must have a row for each fit, shape (B, m), not {y.shape}"
        )
    count, m = y.shape
    limits = _limits(maxfev, ftol, xtol, gtol)
    lower, upper, start = _bounds_and_start(f, p0, bounds, count)
    n = start.shape[1]
    if m < n:
        raise ValueError(
            f"ydata must have at least as many points in a row as there are "
            f"parameters: it has m = {m} for n = {n}"
        )
    weights = scale = None
    if sigma is not None:
        scale = _per_fit("sigma", _numbers("sigma", sigma), count, m)
        if scale.strides[0] == 0 and count:
            with np.errstate(divide="ignore"):
                weights = 1.0 / scale[0].astype(np.float64)
            scale = None
    left_out = None
    if mask is not None:
        array = np.asarray(mask)
        if array.dtype != bool:
            raise TypeError(f"mask must be of booleans, not {array.dtype}")
        left_out = _per_fit("mask", array, count, m, contiguous=True)
    data = None
    if compiled:
        x, x_rows = None, _xdata_of_compiled(xdata, count, m)
        data = None if user_data is None else _data_rows(user_data, count)
    else:
        x, x_rows = _xdata(xdata, count, m)
    if count and not compiled:
        _check_broadcasting(f, jac, x, x_rows, start, lower, upper, (m, n))
    return _run(
        f, jac, (x,), start, lower, upper, limits, workers, progress,
        is_curve=True, m=m, x_rows=x_rows, ydata=y, weights=weights, sigma=scale,
        mask=left_out, user_data=data, scales_cov=not absolute_sigma,
        compiled=compiled,
    )  # fmt: skip


def leastsq_batch(
    func: Any,
    x0: ArrayLike,
    args: Any = (),
    Dfun: Any = None,
    *,
    m: int | None = None,
    user_data: Any = None,
    maxfev: int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    bounds: Any = (-np.inf, np.inf),
    workers: int | None = None,
    progress: bool = False,
) -> BatchResult:
    """Minimize many sums of squares of m functions of n parameters, many at a time.

    Parameters
    ----------
    func : callable or compiled function
        ``func(x, rows, *args)`` returns the residuals of k fits, shape (k, m), at
        their parameters `x`, shape (k, n); `rows`, shape (k,), says which fits they
        are, counted in `x0`. A compiled function (see `leastsq`) is called for one fit
        at a time, without Python, on all `workers` at once.
    x0 : array_like, shape (B, n)
        The starts, a row a fit.
    args : tuple, optional
        More arguments for `func` and `Dfun`. Anything but a tuple is one argument.
    Dfun : callable or compiled function, optional
        ``Dfun(x, rows, *args)`` returns the derivatives, shape (k, m, n). Without it
        forward differences are used.
    m : int, optional
        The number of residuals of a fit. It is needed for a compiled function; for
        others `func` is called for the first fit alone to find it.
    user_data : ndarray, optional
        For a compiled function: an array with a row for each fit, the address of
        which is the function's last argument. A row is all that an index of the first
        axis leaves, and contiguous. Use ``np.broadcast_to`` where all fits share one.
    maxfev : int, optional
        Evaluations after which a fit stops; 0 means 200 (n + 1), or 100 (n + 1) with
        `Dfun`.
    ftol, xtol, gtol : float, optional
        As for `leastsq`.
    bounds : pair of array_like, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (B, n); or an object with attributes ``lb`` and ``ub``.
    workers : int, optional
        Threads that share the fits. The functions are called from all of them at the
        same time. By default as many as there are processors and enough fits for. The
        results do not depend on it.
    progress : bool, optional
        Whether to show how many fits are done, with tqdm if there is one.

    Returns
    -------
    BatchResult
        Arrays ``x`` (B, n), ``cov`` (B, n, n), ``cost``, ``nfev``, ``ier``,
        ``success`` and ``active_mask``, and ``message(i)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or `m` is not given for a compiled
        function.
    ValueError
        If shapes do not agree, or there are fewer residuals than parameters.

    Notes
    -----
    A fit that fails raises nothing and leaves the others alone; see
    `curve_fit_batch`. An exception in a Python function ends all of them and passes
    unchanged.

    Examples
    --------
    Circles through points, of which each has five:

    >>> import numpy as np
    >>> from minpack import leastsq_batch
    >>> angle = np.linspace(0.0, 5.0, 5)
    >>> centre, radius = np.array([[2.0, 1.0], [4.0, 2.0]]), np.array([[1.0], [3.0]])
    >>> px = centre[:, :1] + radius * np.cos(angle)
    >>> py = centre[:, 1:] + radius * np.sin(angle)
    >>> def distances(x, rows):
    ...     a, b, r = np.split(x, 3, axis=1)
    ...     return np.hypot(px[rows] - a, py[rows] - b) - r
    >>> result = leastsq_batch(distances, np.ones((2, 3)) + [0.5, 0.1, 0.0])
    >>> print(result.x.round(3))
    [[2. 1. 1.]
     [4. 2. 3.]]
    """
    start = _numbers("x0", x0)
    if start.ndim != 2 or start.shape[1] == 0:
        raise ValueError(
            f"x0 must have a row for each fit, shape (B, n), not {start.shape}"
        )
    count, n = start.shape
    lower, upper, start = _bounds_and_start(None, start, bounds, count)
    limits = _limits(maxfev, ftol, xtol, gtol)
    extra = args if isinstance(args, tuple) else (args,)
    compiled = _minpack.is_compiled(func, "func")
    data = None
    if compiled:
        if extra:
            raise TypeError(
                "args are for Python functions: a compiled func is given user_data"
            )
        if m is None:
            raise TypeError("m is needed: a compiled func does not tell how many "
                            "residuals it computes")  # fmt: skip
        data = None if user_data is None else _data_rows(user_data, count)
    else:
        _check_callable("func", func)
        if Dfun is not None:
            _check_callable("Dfun", Dfun)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: use args")
        if m is None:
            m = _residual_count(func, start, extra) if count else n
    m = _count("m", m)
    if m < n:
        raise ValueError(
            f"there must be at least as many residuals as parameters: m = {m} for "
            f"n = {n}"
        )
    return _run(
        func, Dfun, extra, start, lower, upper, limits, workers, progress,
        is_curve=False, m=m, user_data=data, scales_cov=False, compiled=compiled,
    )  # fmt: skip


# Arguments --------------------------------------------------------------------


def _check_callable(name: str, function: Any) -> None:
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def _count(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {type(value).__name__}"
        ) from None


def _numbers(name: str, values: Any) -> Array:
    """Return an array of float64 or float32, the caller's own if it is one."""
    if isinstance(values, np.ndarray) and hasattr(values, "mask"):
        raise TypeError(
            f"{name} must be a plain array, not a masked one: there is mask= for "
            "points to leave out"
        )
    array = np.asarray(values)
    if array.dtype in (np.float64, np.float32) and array.dtype.isnative:
        return array if array.flags.aligned else array.astype(array.dtype)
    if array.dtype.kind not in "biuf" or not np.can_cast(array.dtype, np.float64):
        raise TypeError(
            f"{name} must be real numbers that fit float64, not dtype {array.dtype}"
        )
    return array.astype(np.float64)


def _per_fit(
    name: str, array: Array, count: int, size: int, *, contiguous: bool = False
) -> Array:
    """Give an array a row for each fit; rows that fits share are not copied."""
    if array.shape not in ((), (size,), (count, size)):
        raise ValueError(
            f"{name} must be one number, of shape ({size},) or a row a fit, "
            f"({count}, {size}), not {array.shape}"
        )
    if array.ndim == 0:
        array = np.broadcast_to(array, (size,)).copy()
    if contiguous and array.ndim and array.strides[-1] != array.itemsize:
        array = np.ascontiguousarray(array)
    if array.ndim == 1:
        array = np.broadcast_to(array, (count, size))
    return array


def _limits(maxfev: int, ftol: float, xtol: float, gtol: float) -> dict[str, Any]:
    limits = {"ftol": ftol, "xtol": xtol, "gtol": gtol}
    for name, value in limits.items():
        if not float(value) >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    return {"maxfev": max(_count("maxfev", maxfev), 0), **limits}


def _bounds_and_start(
    f: Any, p0: Any, bounds: Any, count: int
) -> tuple[Array | None, Array | None, Array]:
    """Return the bounds, shape (B, n) or None, and a new array of starts, (B, n).

    What all fits share is an error where it is wrong; what is a fit's own is left to
    the fit.
    """
    low, high = (
        _numbers(f"the {name} bounds", bound).astype(np.float64, copy=False)
        for name, bound in zip(("lower", "upper"), bounds_pair(bounds), strict=True)
    )
    if p0 is not None:
        start = np.atleast_1d(_numbers("p0", p0)).astype(np.float64)
        n = start.shape[-1]
    else:
        sizes = [bound.shape[-1] for bound in (low, high) if bound.ndim]
        n = sizes[0] if sizes else parameter_count(f)
    lower, upper = (
        _per_fit(f"the {name} bounds", bound, count, n, contiguous=True)
        for name, bound in (("lower", low), ("upper", high))
    )
    if p0 is None:
        start = start_within(lower, upper)
    if start.shape not in ((n,), (count, n)):
        raise ValueError(
            f"p0 must be of shape ({n},) or a row a fit, ({count}, {n}), not "
            f"{start.shape}"
        )
    if low.ndim < 2 and high.ndim < 2 and count:
        _check_shared(lower[0], upper[0], start if p0 is not None else None)
    starts = np.array(np.broadcast_to(start, (count, n)), order="C")
    if np.isneginf(low).all() and np.isposinf(high).all():
        return None, None, starts
    return lower, upper, starts


def _check_shared(lower: Array, upper: Array, start: Array | None) -> None:
    check_order(lower, upper)
    if start is not None and start.ndim == 1 and not np.isnan(start).any():
        check_start("p0", start, lower, upper)


def _xdata(xdata: Any, count: int, m: int) -> tuple[Any, Array | None]:
    """Return what `f` is called with, or else the rows of which it gets some."""
    if not isinstance(xdata, list | tuple | np.ndarray):
        return xdata, None
    try:
        x = np.asarray(xdata)
    except ValueError:  # a sequence of what f can tell apart
        return xdata, None
    if x.dtype.kind not in "biuf":
        return xdata, None
    x = _numbers("xdata", x)
    if x.shape == (count, m) and not isinstance(xdata, tuple):
        return None, x
    if x.shape and x.shape[-1] != m:
        raise ValueError(
            f"xdata must have the {m} points of a row of ydata in its last axis, not "
            f"shape {x.shape}"
        )
    return x.astype(np.float64, copy=False), None


def _xdata_of_compiled(xdata: Any, count: int, m: int) -> Array | None:
    """Return a float64 row for each fit, or None where `xdata` is."""
    if xdata is None:
        return None
    if not isinstance(xdata, tuple):  # which is for all fits, of whatever shape
        xdata = _numbers("xdata", xdata)
    x, rows = _xdata(xdata, count, m)
    if rows is not None:
        return np.ascontiguousarray(rows, dtype=np.float64)
    shared = np.ascontiguousarray(_numbers("xdata", x))
    return np.broadcast_to(shared, (count, *shared.shape))


def _data_rows(user_data: Any, count: int) -> Array:
    data = np.asarray(user_data)
    if data.ndim == 0 or data.shape[0] != count or data.dtype.hasobject:
        raise ValueError(
            f"user_data must have a row for each of the {count} fits, not shape "
            f"{data.shape} of {data.dtype}"
        )
    if count and not data[0].flags.c_contiguous:
        raise ValueError("each row of user_data must be contiguous")
    return data


def _residual_count(func: Any, start: Array, extra: tuple[Any, ...]) -> int:
    shape = np.shape(func(start[:1].copy(), np.zeros(1, dtype=np.intp), *extra))
    if len(shape) != 2 or shape[0] != 1:
        raise ValueError(
            "func must return an array of shape (k, m), a row for each of the k fits "
            f"that it is called for; for one fit it returned shape {shape}"
        )
    return int(shape[1])


# Does the model broadcast? ----------------------------------------------------

_ADVICE = (
    "The model is called for many fits at once, with each parameter as a column of "
    "shape (k, 1), and must give each fit its row of a (k, m) array: sums over the "
    "points take axis=-1, choices np.where, functions are NumPy's and not those of "
    "math. See docs/batch.md."
)


def _check_broadcasting(
    f: Callable[..., ArrayLike],
    jac: Callable[..., ArrayLike] | None,
    x: Any,
    x_rows: Array | None,
    start: Array,
    lower: Array | None,
    upper: Array | None,
    sizes: tuple[int, int],
) -> None:
    """Compare one call for a few fits with a call for each of them."""
    m, n = sizes
    rows = sorted({0, len(start) // 2, len(start) - 1})
    points = start[rows]
    if (points == points[0]).all():  # or nobody sees where fits are mixed up
        shift = np.arange(len(rows))[:, None] / 128.0
        points = np.where(points == 0, shift, points * (1 + shift))
        if lower is not None and upper is not None:
            points = np.clip(points, lower[rows], upper[rows])
    columns = list(points.T[:, :, None].copy())
    many_x = x if x_rows is None else x_rows[rows].astype(np.float64)
    for name, function, shape in (("f", f, (m,)), ("jac", jac, (m, n))):
        if function is None:
            continue
        singles = [
            function(x if x_rows is None else many_x[k], *points[k])
            for k in range(len(rows))
        ]
        try:
            together = np.asarray(function(many_x, *columns))
        except Exception as error:
            error.add_note(f"{name} fails for {len(rows)} fits at once. {_ADVICE}")
            raise
        _compare(name, together, singles, (len(rows), *shape))


def _compare(
    name: str, together: Array, singles: list[Any], shape: tuple[int, ...]
) -> None:
    try:
        many = np.broadcast_to(together, shape)
    except ValueError:
        wanted = "(k, m)" if name == "f" else "(k, m, n)"
        raise ValueError(
            f"{name} does not broadcast: for k = {shape[0]} fits at once it returned "
            f"shape {together.shape}, which is not {wanted} = {shape}. {_ADVICE}"
        ) from None
    for k, single in enumerate(singles):
        try:
            one = np.broadcast_to(np.asarray(single), shape[1:])
        except ValueError:
            raise ValueError(
                f"{name} must return shape {shape[1:]} for one fit, not "
                f"{np.shape(single)}"
            ) from None
        with np.errstate(all="ignore"):
            scale = np.max(np.abs(one), where=np.isfinite(one), initial=0.0)
            same = np.isclose(
                many[k], one, rtol=1e-5, atol=1e-7 * scale, equal_nan=True
            )
        if not same.all():
            at = np.unravel_index(int(np.argmin(same)), same.shape)
            raise ValueError(
                f"{name} does not broadcast: for {shape[0]} fits at once it gives "
                f"{many[k][at]} where it gives {one[at]} for one of them alone. "
                f"{_ADVICE}"
            )


# Running ----------------------------------------------------------------------


def _chunk(m: int, n: int) -> int:
    """Choose how many fits of a worker are under way, by what their memory takes."""
    return max(1, _CHUNK_BYTES // (8 * m * (n + 3)))


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(
    func: Any,
    Dfun: Any,
    args: tuple[Any, ...],
    x: Array,
    lower: Array | None,
    upper: Array | None,
    limits: dict[str, Any],
    workers: int | None,
    progress: bool,
    *,
    m: int,
    compiled: bool = False,
    **options: Any,
) -> BatchResult:
    """Run a batch; `x` holds the starts, and then the results."""
    count, n = x.shape
    limits["maxfev"] = limits["maxfev"] or (200 if Dfun is None else 100) * (n + 1)
    chunk = 1 if compiled else _chunk(m, n)
    if workers is None:
        workers = max(1, min(_processors(), -(-count // chunk)))
    elif _count("workers", workers) < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    chunk = max(1, min(chunk, -(-count // workers)))
    results: dict[str, Array] = {
        "x": x,
        "cov": np.empty((count, n, n)),
        "cost": np.empty(count),
        "nfev": np.empty(count, dtype=np.intc),
        "ier": np.empty(count, dtype=np.intc),
        "active": np.zeros((count, n), dtype=np.intc),
    }
    optional = ("ydata", "x_rows", "weights", "sigma", "mask", "user_data")
    arguments: dict[str, Any] = dict.fromkeys(optional) | options | results | limits
    batch = _minpack.batch(
        func=func, Dfun=Dfun, args=args, m=m, chunk=chunk, lower=lower, upper=upper,
        **arguments,
    )  # fmt: skip
    if workers == 1 and not compiled and not progress:
        _minpack.batch_work(batch)
    else:
        _work_in_threads(batch, count, workers, progress)
    active_mask = results.pop("active")
    return BatchResult(**results, active_mask=active_mask, limits=limits)


def _work_in_threads(batch: Any, count: int, workers: int, progress: bool) -> None:
    """Let threads do the work while this one looks for Ctrl-C and shows the progress.

    The first exception in one of them stops all, and is raised here.
    """
    errors: list[BaseException] = []
    # What Thread.join says after Ctrl-C has interrupted it is not to be relied on.
    ends = [threading.Event() for _ in range(workers)]

    def work(end: threading.Event) -> None:
        try:
            _minpack.batch_work(batch)
        except BaseException as error:
            errors.append(error)
            _minpack.batch_stop(batch)
        finally:
            end.set()

    threads = [
        # Each in a copy of what np.errstate and the like have set here
        threading.Thread(target=contextvars.copy_context().run, args=(work, end))
        for end in ends
    ]
    show = _bar(count) if progress else None
    try:
        for thread in threads:
            thread.start()
        for end in ends:
            while not end.wait(_SLICE):
                if show is not None:
                    show(_minpack.batch_done(batch), False)
    finally:
        _minpack.batch_stop(batch)
        for thread, end in zip(threads, ends, strict=True):
            if thread.ident is not None:
                end.wait()
                thread.join()
        if show is not None:
            show(_minpack.batch_done(batch), True)
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # or the list and the traceback would keep each other


def _bar(total: int) -> Callable[[int, bool], None]:
    """Return what shows how many fits are done, and whether it is for the last time."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        return _line(total)
    bar = tqdm(total=total, unit="fit")

    def show(done: int, last: bool) -> None:
        bar.update(done - bar.n)
        if last:
            bar.close()

    return show


def _line(total: int) -> Callable[[int, bool], None]:
    began = time.monotonic()

    def show(done: int, last: bool) -> None:
        rate = done / max(time.monotonic() - began, 1e-9)
        left = f"{(total - done) / rate:.0f} s left" if done else "starting"
        text = f"\r{done:,} of {total:,} fits, {rate:,.0f} a second, {left}"
        print(f"{text:<70}", end="\n" if last else "", file=sys.stderr, flush=True)

    return show

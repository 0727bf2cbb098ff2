"""Many fits at once: ``curve_fit_batch`` and ``leastsq_batch``."""

from __future__ import annotations

import contextvars
import math
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
    refuse_masked,
    start_within,
    warn_of_absolute_sigma,
)
from minpack._status import SUCCESS, Info, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

_CHUNK_BYTES = 1 << 19  # of a worker: a quarter of the cache that one core has today
_SLICE = 0.05  # seconds that the caller waits for its workers at once
_MOST_WORKERS = 1024  # more threads help nowhere, and each takes time to start
_INT_MAX = 2**31 - 1  # of C's int, in which the solver counts

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
        ``J.T @ J``, as from `curve_fit`: a parameter that ends on a bound has the
        error that it would have without, and those that equal bounds fix have zeros.
        NaN where J is singular, where the fit has failed, and where the points are as
        many as the parameters and their errors are not known.
    cost : ndarray, shape (B,)
        Half the sum of the squares of the residuals at `x`; NaN where `x` is.
    nfev : ndarray of int, shape (B,)
        The number of evaluations of the fit's residuals; with bounds, of those that
        are not for differences.
    ier : ndarray of int, shape (B,)
        Why each fit ended: the numbers of `leastsq`. Negative: what a compiled
        function returned to stop the fit.
    success : ndarray of bool, shape (B,)
        Where there is a solution: `ier` is 1 to 4.
    active_mask : ndarray of int, shape (B, n)
        -1 or 1 where a parameter is at its lower or upper bound, else 0.
    """

    def __init__(
        self,
        x: NDArray[np.float64],
        cov: NDArray[np.float64],
        cost: NDArray[np.float64],
        nfev: NDArray[np.intc],
        ier: NDArray[np.intc],
        active_mask: NDArray[np.intc],
        limits: dict[str, Any],
    ) -> None:
        self.x = x
        self.cov = cov
        self.cost = cost
        self.nfev = nfev
        self.ier = ier
        self.success: NDArray[np.bool_] = np.isin(ier, list(SUCCESS))
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
        others. The first calls are compared with calls for single fits. A compiled
        function (see `curve_fit`) is called for one fit at a time, without Python, on
        all `workers` at once, and for all m points, those that are masked included.
    xdata : array_like
        Shape (m,) for all fits, or (B, m), a row a fit, of which `f` gets the k rows.
        A tuple, as of several predictors, is for all fits. Arrays of another shape
        (..., m), and anything but an array of numbers, are for all fits too. Arrays of
        numbers are float64 to `f`, those of pandas and others that have one dimension
        too. A compiled `f` gets the address of its values in float64, or of those of
        the fit's row.
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
        (B, n); or an object with attributes ``lb`` and ``ub``. None means no bound.
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
        `jac`. With bounds, as in `curve_fit`, those for differences do not count, and
        0 means 100 n.
    ftol, xtol, gtol : float, optional
        Relative error wanted in the sum of squares and in the parameters, and the
        cosine between residuals and columns of the Jacobian that is small enough.
    workers : int, optional
        Threads that share the fits. `f` is called from all of them at the same time.
        By default as many as there are processors and enough fits for, and never more
        than there are fits. The results do not depend on it.
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
    y = _real("ydata", ydata)
    if y.ndim != 2:
        raise ValueError(
            f"ydata must have a row for each fit, shape (B, m), not {y.shape}"
        )
    count, m = y.shape
    check_points(m)
    y = _floats(y)
    limits = _limits(maxfev, ftol, xtol, gtol)
    lower, upper, start = _bounds_and_start(f, "p0", p0, bounds, count)
    n = start.shape[1]
    if m < n:
        raise ValueError(
            f"ydata must have at least as many points in a row as there are "
            f"parameters: it has m = {m} for n = {n}"
        )
    weights = scale = None
    if sigma is None and absolute_sigma:
        warn_of_absolute_sigma(stacklevel=2)
    if sigma is not None:
        scale = _per_fit("sigma", _numbers("sigma", sigma), count, m)
        if scale.strides[0] == 0 and count:
            with np.errstate(divide="ignore"):
                weights = 1.0 / scale[0].astype(np.float64)
            scale = None
    left_out = None
    if mask is not None:
        array = array_of("mask", mask)
        if array.dtype != bool:
            raise TypeError(f"mask must be of booleans, not {array.dtype}")
        left_out = _per_fit("mask", array, count, m, contiguous=True)
    data = None
    if compiled:
        x, x_rows = None, _xdata_of_compiled(xdata, y.shape)
        data = None if user_data is None else _data_rows(user_data, count)
    else:
        x, x_rows = shared_or_rows(xdata, y.shape)
        tried = _some_fits(start, lower, upper, left_out, m)
        if tried:
            f, jac = _check_broadcasting(
                f, jac, x, x_rows, start, lower, upper, tried, m
            )
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
        `Dfun`. With bounds, as in `least_squares`, those for differences do not
        count, and 0 means 100 n.
    ftol, xtol, gtol : float, optional
        As for `leastsq`.
    bounds : pair of array_like, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (B, n); or an object with attributes ``lb`` and ``ub``. None means no bound.
    workers : int, optional
        Threads that share the fits. The functions are called from all of them at the
        same time. By default as many as there are processors and enough fits for, and
        never more than there are fits. The results do not depend on it.
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
    start = _real("x0", x0)
    if start.ndim != 2 or start.shape[1] == 0:
        raise ValueError(
            "x0 must have a row of one number or more for each fit, shape (B, n), not "
            f"{start.shape}"
        )
    count, n = start.shape
    lower, upper, start = _bounds_and_start(None, "x0", start, bounds, count)
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


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer, not {type(value).__name__}"
        ) from None


def _count(name: str, value: Any) -> int:
    """Return an integer that the solver can count to."""
    number = _integer(name, value)
    if abs(number) > _INT_MAX:
        raise OverflowError(f"{name} must be at most {_INT_MAX} in size, not {number}")
    return number


def _check_size(text: str, size: int) -> None:
    """Raise where an axis is longer than the solver can count."""
    if size > _INT_MAX:
        raise ValueError(text.format(_INT_MAX, size))


def check_points(m: int) -> None:
    """Raise where `ydata` has more points in a row than the solver can count."""
    _check_size("ydata must have at most {} points in a row, not {}", m)


def array_of(name: str, values: Any) -> Array:
    """Return an array, the caller's own if it is one."""
    refuse_masked(name, values, "there is mask= for points to leave out")
    try:
        return np.asarray(values)
    except ValueError:
        if not isinstance(values, list | tuple):  # what its own methods raise
            raise
        raise ValueError(
            f"{name}: sequences of different lengths are no array of numbers"
        ) from None


def _is_real(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf" and np.can_cast(dtype, np.float64)


def _real(name: str, values: Any) -> Array:
    """Return an array of real numbers, the caller's own if it is one."""
    array = array_of(name, values)
    if not _is_real(array.dtype):
        raise TypeError(
            f"{name} must be real numbers that fit float64, not dtype {array.dtype}"
        )
    return array


def _floats(array: Array) -> Array:
    """Return an array of real numbers as float64 or float32, itself if it is one."""
    if array.dtype in (np.float64, np.float32) and array.dtype.isnative:
        return array if array.flags.aligned else array.astype(array.dtype)
    return array.astype(np.float64)


def _numbers(name: str, values: Any) -> Array:
    """Return an array of float64 or float32, the caller's own if it is one."""
    return _floats(_real(name, values))


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
        try:
            limits[name] = math.copysign(value, value)  # unlike float, it takes no text
        except TypeError:
            raise TypeError(
                f"{name} must be a real number, not {type(value).__name__}"
            ) from None
        except OverflowError:
            raise OverflowError(f"{name} is too large for float64") from None
        if not limits[name] >= 0:
            raise ValueError(f"{name} must not be negative, but is {value}")
    return {"maxfev": max(_count("maxfev", maxfev), 0), **limits}


def _bounds_and_start(
    f: Any, name: str, p0: Any, bounds: Any, count: int
) -> tuple[Array | None, Array | None, Array]:
    """Return the bounds, shape (B, n) or None, and a new array of starts, (B, n).

    What all fits share is an error where it is wrong; what is a fit's own is left to
    the fit.
    """
    low, high = (
        _numbers(f"the {side} bounds", bound).astype(np.float64, copy=False)
        for side, bound in zip(("lower", "upper"), bounds_pair(bounds), strict=True)
    )
    if p0 is not None:
        start = np.atleast_1d(_real(name, p0))
        n = start.shape[-1]
    else:
        sizes = [bound.shape[-1] for bound in (low, high) if bound.ndim]
        n = sizes[0] if sizes else parameter_count(f)
        name = "bounds"
    if n == 0:
        raise TypeError(
            f"{name} must hold one number for each parameter of f, not none"
        )
    _check_size(name + " must hold at most {} parameters, not {}", n)
    lower, upper = (
        _per_fit(f"the {side} bounds", bound, count, n, contiguous=True)
        for side, bound in (("lower", low), ("upper", high))
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
    starts = np.array(np.broadcast_to(start, (count, n)), np.float64, order="C")
    if np.isneginf(low).all() and np.isposinf(high).all():
        return None, None, starts
    return lower, upper, starts


def _check_shared(lower: Array, upper: Array, start: Array | None) -> None:
    check_order(lower, upper)
    if start is not None and start.ndim == 1 and not np.isnan(start).any():
        check_start("p0", start, lower, upper)


def shared_or_rows(xdata: Any, shape: tuple[int, ...]) -> tuple[Any, Array | None]:
    """Return `xdata` as what `f` gets for all fits, or else as rows, one a fit.

    `shape` is that of the data, the points in its last axis. One of the two is None.
    """
    x = _predictors(xdata)
    is_tuple = isinstance(xdata, tuple)
    if x is None or (is_tuple and x.shape[-1:] != shape[-1:]):
        return xdata, None
    if x.shape == shape and x.ndim > 1 and not is_tuple:
        return None, x
    if x.ndim and x.shape[-1] != shape[-1]:
        raise ValueError(
            f"xdata must have the {shape[-1]} points of a row of ydata in its last "
            f"axis, not shape {x.shape}"
        )
    return x.astype(np.float64, copy=False), None


def _predictors(xdata: Any) -> Array | None:
    """Return `xdata` as float64 or float32, or None where it is no array of numbers.

    An array that is not NumPy's, such as a column of a table, counts as one where it
    has one dimension: with more, it may have labels that `f` uses.
    """
    is_plain = isinstance(xdata, list | tuple | np.ndarray)
    if not is_plain and not (
        hasattr(xdata, "__array__") and getattr(xdata, "ndim", 1) == 1
    ):
        return None
    refuse_masked("xdata", xdata, "there is mask= for points to leave out")
    try:
        x = np.asarray(xdata)
    except (TypeError, ValueError, RuntimeError):  # ragged, or on another device
        return None
    if x.dtype.kind not in "biuf" or not (is_plain or x.ndim == 1):
        return None
    return _numbers("xdata", x)


def _xdata_of_compiled(xdata: Any, shape: tuple[int, ...]) -> Array | None:
    """Return a float64 row for each fit, or None where `xdata` is."""
    if xdata is None:
        return None
    if not isinstance(xdata, tuple):  # which is for all fits, of whatever shape
        xdata = _numbers("xdata", xdata)
    x, rows = shared_or_rows(xdata, shape)
    if rows is not None:
        return np.ascontiguousarray(rows, dtype=np.float64)
    shared = np.ascontiguousarray(_numbers("xdata", x), dtype=np.float64)
    return np.broadcast_to(shared, (shape[0], *shared.shape))


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
    """Call `func` for the first fit alone, and count its residuals."""
    values = _values(func(start[:1].copy(), np.zeros(1, dtype=np.intp), *extra))
    if not _is_real(values.dtype):  # the first call of the batch says what is wrong
        return int(start.shape[1])
    if values.ndim != 2 or len(values) != 1:
        raise ValueError(
            "func must return an array of shape (k, m), a row for each of the k fits "
            f"that it is called for; for one fit it returned shape {values.shape}"
        )
    _check_size("func must return at most {} residuals, not {}", values.shape[1])
    return int(values.shape[1])


# Does the model broadcast? ----------------------------------------------------

_TRIES = 5  # calls of a running batch that are compared with calls for single fits

_ADVICE = (
    "The model is called for many fits at once, with each parameter as a column of "
    "shape (k, 1), and must give each fit its row of a (k, m) array: sums over the "
    "points take axis=-1, choices np.where, functions are NumPy's and not those of "
    "math. See docs/batch.md."
)


def _some_fits(
    start: Array, lower: Array | None, upper: Array | None, mask: Array | None, m: int
) -> list[int]:
    """Choose the first, a middle and the last of the fits that are evaluated at all."""
    good = np.ones(len(start), bool)
    if lower is not None:
        good &= ((lower <= start) & (start <= upper)).all(axis=1)
    if mask is not None:
        masked = mask if mask.strides[0] else mask[:1]  # one row may serve all
        good &= m - np.count_nonzero(masked, axis=1) >= start.shape[1]
    fits = np.flatnonzero(good).tolist()
    return sorted({fits[0], fits[len(fits) // 2], fits[-1]}) if fits else []


def _check_broadcasting(
    f: Callable[..., ArrayLike],
    jac: Callable[..., ArrayLike] | None,
    x: Any,
    x_rows: Array | None,
    start: Array,
    lower: Array | None,
    upper: Array | None,
    fits: list[int],
    m: int,
) -> tuple[Callable[..., ArrayLike], Callable[..., ArrayLike] | None]:
    """Compare one call for some fits with a call for each of them.

    Nothing is evaluated but what the fits will evaluate, or nearly so. Return the
    functions: where the fits are too near each other to see rows that are mixed up,
    those that go on comparing.
    """
    n = start.shape[1]
    points = start[fits]
    many_x, all_x = x, [x] * len(fits)
    if x_rows is not None:
        many_x = x_rows[fits].astype(np.float64)
        many_x.flags.writeable = False  # as in the batch
        all_x = list(many_x)
    if jac is None and len(fits) > 1 and (points == points[0]).all():
        bounds = None if lower is None or upper is None else (lower[fits], upper[fits])
        points = _steps_apart(points, bounds, _values(f(all_x[0], *points[0])))
    checked: list[Any] = []
    for name, function, shape in (("f", f, (m,)), ("jac", jac, (m, n))):
        if function is not None:
            singles = [
                _values(function(*each)).copy()
                for each in zip(all_x, *points.T, strict=True)
            ]
            columns = points.T[:, :, None].copy()  # which the function may change
            try:
                together = function(many_x, *columns)
            except Exception as error:
                error.add_note(f"{name} fails for {len(fits)} fits at once. {_ADVICE}")
                raise
            every = list(range(len(fits)))
            if not _compare(name, together, singles, every, (len(fits), *shape)):
                function = _Compared(name, function, x_rows is not None, shape)
        checked.append(function)
    return checked[0], checked[1]


def _values(answer: Any) -> Array:
    """Return what a function has returned as an array, maybe in its own memory."""
    try:
        return np.asarray(answer)
    except ValueError:  # sequences of different lengths
        return np.array(None)


def _spacing(values: Array) -> float:
    """Return the relative spacing of the numbers that a function computes in."""
    low = values.dtype in (np.float16, np.float32)
    return float(np.finfo(values.dtype if low else np.float64).eps)


def _steps_apart(
    points: Array, bounds: tuple[Array, Array] | None, values: Array
) -> Array:
    """Move starts, all but the first, by up to the step of a forward difference."""
    part = np.linspace(0.0, 1.0, len(points))[:, None]
    size = np.where(points == 0, 1.0, np.abs(points))
    step = part * np.sqrt(_spacing(values)) * np.where(np.isfinite(size), size, 0.0)
    moved: Array = points + step
    if bounds is not None:  # a step that would leave them goes inward
        lower, upper = bounds
        moved = np.clip(np.where(moved <= upper, moved, points - step), lower, upper)
    return moved


class _Compared:
    """A function of a batch, some calls of which are compared with single fits.

    These are its first calls for fits that have moved apart.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., ArrayLike],
        has_rows: bool,
        shape: tuple[int, ...],
    ) -> None:
        self.name = name
        self.function = function
        self.has_rows = has_rows
        self.shape = shape
        self.tries = _TRIES

    def __call__(self, x: Any, *columns: Array) -> ArrayLike:
        if self.tries <= 0 or len(columns[0]) == 1:
            return self.function(x, *columns)
        points = np.hstack(columns)  # a copy, for the function may change its own
        rows = _far_apart(points)
        together = self.function(x, *columns)
        if len(rows) > 1:
            self.tries -= 1
            if isinstance(together, np.ndarray):  # maybe the model's own memory
                together = together.copy()
            singles = [
                _values(self.function(x[k] if self.has_rows else x, *points[k])).copy()
                for k in rows
            ]
            shape = (len(points), *self.shape)
            if _compare(self.name, together, singles, rows, shape):
                self.tries = 0
        return together


def _far_apart(points: Array) -> list[int]:
    """Choose the first row, the farthest from it and the last; none if all are near."""
    with np.errstate(all="ignore"):
        distance = np.abs(points - points[0]) / np.abs(points).max(axis=0)
    distance = np.nan_to_num(distance, nan=0.0).max(axis=1)
    far = int(distance.argmax())
    return sorted({0, far, len(points) - 1}) if distance[far] > 1e-3 else []


def _compare(
    name: str,
    together: ArrayLike,
    singles: list[Array],
    rows: list[int],
    shape: tuple[int, ...],
) -> bool:
    """Raise where rows of a call for k fits, (k, m...), are not what single fits have.

    Return whether rows that are mixed up would have been seen, so far apart are they.
    """
    values = _values(together)
    if not all(_is_real(each.dtype) for each in (values, *singles)):
        return True  # the first call of the batch says what is wrong
    try:
        many = np.broadcast_to(values, shape)[rows].astype(np.float64)
    except ValueError:
        wanted = "(k, m)" if len(shape) == 2 else "(k, m, n)"
        raise ValueError(
            f"{name} does not broadcast: for k = {shape[0]} fits at once it returned "
            f"shape {values.shape}, which is not {wanted} = {shape}. {_ADVICE}"
        ) from None
    ones = np.empty_like(many)
    for one, single in zip(ones, singles, strict=True):
        try:
            one[...] = np.broadcast_to(single, shape[1:])
        except ValueError:
            raise ValueError(
                f"{name} must return shape {shape[1:]} for one fit, not {single.shape}"
            ) from None
    same, far = _same_rows(many, ones, _spacing(values))
    if not same.all():
        k, *at = np.unravel_index(int(np.argmin(same)), same.shape)
        raise ValueError(
            f"{name} does not broadcast: for {shape[0]} fits at once it gives "
            f"{many[k, *at]} where it gives {ones[k, *at]} for one of them alone. "
            f"{_ADVICE}"
        )
    return far


def _same_rows(many: Array, ones: Array, spacing: float) -> tuple[Array, bool]:
    """Tell where two arrays of some rows are the same but for rounding.

    Tell also whether the rows differ by much more than rounding would explain.
    """
    relative, absolute = max(1e-5, 16 * spacing), max(1e-7, 16 * spacing)
    with np.errstate(all="ignore"):
        size = np.where(np.isfinite(ones), np.abs(ones), 0.0)
        largest = size.max(axis=tuple(range(1, size.ndim)), keepdims=True)
        same = np.isclose(many, ones, relative, absolute * largest, equal_nan=True)
        finite = ones[:, np.isfinite(ones).all(axis=0)]
        apart = np.max(np.ptp(finite, axis=0), initial=0.0)
        # Rows that are near each other: what is mixed up differs by about as much.
        if same.all() and apart > max(1e-11, 256 * spacing) * size.max():
            same = ~(np.abs(many - ones) > apart / 16)
    return same, bool(apart > 64 * relative * size.max())


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
    default = (200 if Dfun is None else 100) * (n + 1)
    if lower is not None:  # as in curve_fit and least_squares
        default = 100 * n
        options["trials_only"] = True
    limits["maxfev"] = limits["maxfev"] or min(default, _INT_MAX)
    chunk = 1 if compiled else _chunk(m, n)
    if workers is None:
        workers = min(_processors(), -(-count // chunk))
    elif _integer("workers", workers) < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    workers = max(1, min(workers, count, _MOST_WORKERS))
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
    arguments: dict[str, Any] = dict.fromkeys(optional) | {"trials_only": False}
    arguments |= options | results | limits
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

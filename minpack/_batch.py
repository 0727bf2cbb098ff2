"""Many fits at once: ``curve_fit_batch`` and ``leastsq_batch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack
from minpack._arguments import warn_of_absolute_sigma
from minpack._batch_arguments import (
    bounds_and_start,
    check_callable,
    count_argument,
    read_limits,
)
from minpack._batch_broadcasting import check_broadcasting, residual_count, some_fits
from minpack._batch_data import (
    array_of,
    as_floats,
    check_points,
    data_rows,
    float_array,
    per_fit,
    real_array,
    shared_or_rows,
    xdata_of_compiled,
)
from minpack._batch_run import run_batch
from minpack._traced.traced import untraced

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from minpack._batch_result import BatchResult


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
    trace: bool = True,
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
    trace : bool, optional
        Whether to try to run `f` without Python, as `traced` does: it is called for
        some fits and once to be recorded, and then no more. Where it cannot be
        recorded, it is called for all fits. The result is the same to the bit.

    Returns
    -------
    BatchResult
        Arrays ``x`` (B, n), ``cov`` (B, n, n), ``cost``, ``nfev``, ``ier``,
        ``success`` and ``active_mask``, ``traced``, and ``message(i)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, or an `f` from `traced` cannot be traced.
    ValueError
        If shapes do not agree, if bounds or a start that all fits share are
        inconsistent, or if `f` or `jac` does not broadcast.

    Notes
    -----
    A fit that fails raises nothing and leaves the others alone: it has its `ier` (0
    bad input, 9 not finite), and NaN where there is no result. An exception in `f` or
    `jac` ends all of them and passes unchanged.

    Where there is no `jac`, an `f` from `traced` runs without Python and with its exact
    derivatives. It need not broadcast: it is recorded for one fit.

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
        check_callable("f", f)
        if jac is not None:
            check_callable("jac", jac)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: f gets xdata")
    y = real_array("ydata", ydata)
    if y.ndim != 2:
        raise ValueError(
            f"ydata must have a row for each fit, shape (B, m), not {y.shape}"
        )
    count, m = y.shape
    check_points(m)
    y = as_floats(y)
    limits = read_limits(maxfev, ftol, xtol, gtol)
    lower, upper, start = bounds_and_start(f, "p0", p0, bounds, count)
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
        scale = per_fit("sigma", float_array("sigma", sigma), count, m)
        if scale.strides[0] == 0 and count:
            with np.errstate(divide="ignore"):
                weights = 1.0 / scale[0].astype(np.float64)
            scale = None
    left_out = None
    if mask is not None:
        array = array_of("mask", mask)
        if array.dtype != bool:
            raise TypeError(f"mask must be of booleans, not {array.dtype}")
        left_out = per_fit("mask", array, count, m, contiguous=True)
    data = model = None
    if compiled:
        x, x_rows = None, xdata_of_compiled(xdata, y.shape)
        data = None if user_data is None else data_rows(user_data, count)
    else:
        x, x_rows = shared_or_rows(xdata, y.shape)
        tried = some_fits(start, lower, upper, left_out, m)
        if tried and trace and jac is None:
            from minpack._traced.batch import trace_curve

            model = trace_curve(f, x, x_rows, start, tried, m)
        f = untraced(f)
        if tried and model is None:
            f, jac = check_broadcasting(
                f, jac, x, x_rows, start, lower, upper, tried, m
            )
    return run_batch(
        f, jac, (x,), start, lower, upper, limits, workers, progress,
        is_curve=True, m=m, x_rows=x_rows, ydata=y, weights=weights, sigma=scale,
        mask=left_out, user_data=data, scales_cov=not absolute_sigma,
        compiled=compiled, model=model,
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
    trace: bool = True,
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
    trace : bool, optional
        Whether to try to run `func` without Python, as `traced` does, by a record of
        one call for all fits. Where it cannot be recorded, it is called for all fits.
        The result is the same to the bit.

    Returns
    -------
    BatchResult
        Arrays ``x`` (B, n), ``cov`` (B, n, n), ``cost``, ``nfev``, ``ier``,
        ``success`` and ``active_mask``, ``traced``, and ``message(i)``.

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
    unchanged. Where there is no `Dfun`, a `func` from `traced` runs without Python and
    with its exact derivatives.

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
    start = real_array("x0", x0)
    if start.ndim != 2 or start.shape[1] == 0:
        raise ValueError(
            "x0 must have a row of one number or more for each fit, shape (B, n), not "
            f"{start.shape}"
        )
    count, n = start.shape
    lower, upper, start = bounds_and_start(None, "x0", start, bounds, count)
    limits = read_limits(maxfev, ftol, xtol, gtol)
    extra = args if isinstance(args, tuple) else (args,)
    compiled = _minpack.is_compiled(func, "func")
    data = model = None
    if compiled:
        if extra:
            raise TypeError(
                "args are for Python functions: a compiled func is given user_data"
            )
        if m is None:
            raise TypeError(
                "m is needed: a compiled func does not tell how many residuals it "
                "computes"
            )
        data = None if user_data is None else data_rows(user_data, count)
    else:
        check_callable("func", func)
        if Dfun is not None:
            check_callable("Dfun", Dfun)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: use args")
        given, func = func, untraced(func)
        if m is None:
            m = residual_count(func, start, extra) if count else n
        if trace and Dfun is None and count:
            from minpack._traced.batch import trace_residuals

            model = trace_residuals(given, start, extra, m)
    m = count_argument("m", m)
    if m < n:
        raise ValueError(
            f"there must be at least as many residuals as parameters: m = {m} for "
            f"n = {n}"
        )
    return run_batch(
        func, Dfun, extra, start, lower, upper, limits, workers, progress,
        is_curve=False, m=m, user_data=data, scales_cov=False, compiled=compiled,
        model=model,
    )  # fmt: skip

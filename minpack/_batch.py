"""Many fits at once: ``curve_fit_batch`` and ``leastsq_batch``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from minpack import _minpack
from minpack._arguments import warn_of_absolute_sigma
from minpack._batch_arguments import (
    bounds_and_start,
    check_callable,
    count_argument,
    read_limits,
    read_options,
)
from minpack._batch_broadcasting import check_broadcasting, residual_count, some_fits
from minpack._batch_data import (
    array_of,
    as_floats,
    check_points,
    data_rows,
    float_array,
    per_fit,
    points_of_xdata,
    read_missing,
    real_array,
    shared_or_rows,
    xdata_of_compiled,
)
from minpack._batch_run import run_batch
from minpack._pairs import check_pair
from minpack._traced.traced import untraced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    jac: Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    mask: ArrayLike | None = None,
    nan_policy: Literal["raise", "omit"] | None = None,
    check_finite: bool = False,
    loss: str = "linear",
    f_scale: float = 1.0,
    epsfcn: float | None = None,
    diff_step: ArrayLike | None = None,
    user_data: Any = None,
    maxfev: int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    workers: int | Callable[..., Iterable[Any]] | None = None,
    progress: bool = False,
    trace: bool = True,
    acceleration: bool = False,
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
        Shape (m,) for all fits, or (..., m), that of `ydata`, a row a fit, of which
        `f` gets the k rows. A tuple, as of several predictors, is for all fits. Arrays
        of another shape (..., m), and anything but an array of numbers, are for all
        fits too. Arrays of numbers are float64 to `f`; those of pandas and others too,
        if they have one dimension or the shape of `ydata`. A compiled `f` gets the
        address of its values in float64, or of those of the fit's row.
    ydata : array_like, shape (..., m)
        The data, a row a fit. Fits may have any axes: one, (B, m), or those of an
        image, (rows, columns, m), and then all results have them too. float64 and
        float32 are read where they are, other types are converted to float64 first.
    p0 : array_like, optional
        The start: shape (n,) for all fits, or (..., n). By default it follows from the
        bounds, 1 where there are none, and n from them or from the signature of a
        Python `f`.
    sigma : array_like, optional
        The standard deviations of the data: one number, shape (m,) or (..., m).
    absolute_sigma : bool, optional
        Whether `sigma` is in the units of the data. Otherwise only its ratios count,
        and `cov` is scaled by the variance of the residuals.
    bounds : pair of array_like, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (..., n); or an object with attributes ``lb`` and ``ub``. None means no bound.
    jac : callable, compiled function or True, optional
        The derivatives: called as `f`, it returns what broadcasts to (k, m, n).
        Without it forward differences are used. It is compiled where `f` is. True:
        `f` returns both, a tuple of its values and their derivatives.
    mask : array_like of bool, optional
        True for points to leave out, shape (m,) or (..., m). They do not count, not
        even where they are NaN: the fit is that of the remaining points.
    nan_policy : {'raise', 'omit'}, optional
        What to do with points where `ydata`, `sigma` or an `xdata` of numbers is NaN:
        raise a ValueError, or leave them out, as `mask` does. By default such a fit
        fails alone.
    check_finite : bool, optional
        Whether NaN or infinity in `ydata`, or in an `xdata` of numbers, is an error,
        unless it is masked.
    loss, f_scale : optional
        A robust loss, by its name, and its scale, as for `least_squares`.
    epsfcn : float, optional
        The relative error of the values of `f`, from which the steps of differences
        follow, as for `leastsq`.
    diff_step : array_like, optional
        These steps relative to the parameters, one or one for each.
    user_data : ndarray, optional
        For a compiled `f`, and in place of `xdata`: as for `leastsq_batch`.
    maxfev : int, optional
        Evaluations after which a fit stops; 0 means 200 (n + 1), or 100 (n + 1) with
        `jac`. With bounds, as in `curve_fit`, those for differences do not count, and
        0 means 100 n.
    ftol, xtol, gtol : float, optional
        Relative error wanted in the sum of squares and in the parameters, and the
        cosine between residuals and columns of the Jacobian that is small enough.
    workers : int or callable, optional
        Threads that share the fits, never more than there are fits. `f` is called from
        all of them at the same time. By default there are as many as there are
        processors and enough fits for; if `f` runs under Python's lock, as many of
        them as make the batch faster. A callable such as the ``map`` of a pool of
        processes is called as ``workers(function, slices)``, if `f` does not run
        without Python; processes must be able to import `f`. The results do not
        depend on it.
    progress : bool, optional
        Whether to show how many fits are done, with tqdm if there is one.
    trace : bool, optional
        Whether to try to run `f` without Python, as `traced` does: it is called for
        some fits and once to be recorded, and then no more. Where it cannot be
        recorded, it is called for all fits. The result is the same to the bit.
    acceleration : bool, optional
        Whether steps bend, as for `leastsq`.

    Returns
    -------
    BatchResult
        Arrays ``x`` (..., n), ``cov`` (..., n, n), ``stderr``, ``correlation``,
        ``cost``, ``nfev``, ``ier``, ``success`` and ``active_mask``; ``traced``, and
        ``message(i)``. An index gives the result of some fits.

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

    `p0`, `sigma`, `mask` and `bounds` broadcast to the fits by NumPy's rules, and so
    does an `xdata` of as many axes as `ydata`, where these are three or more. Tables of
    pandas and arrays of xarray are read by place, whatever their labels.

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

    >>> errors = result.stderr[0]

    The same as an image, whose results have its shape:

    >>> image = decay(t, 2.0, 0.7, 0.5) + noise.reshape(20, 50, 50)
    >>> result = curve_fit_batch(decay, t, image)
    >>> result.x.shape, result.cov.shape, result[3, 7].x.shape
    ((20, 50, 3), (20, 50, 3, 3), (3,))
    """
    compiled = _minpack.is_compiled(f, "f")
    if jac is True:
        check_pair(f, "f", "jac")
    elif not compiled and jac is not None:
        check_callable("jac", jac)
    if not compiled:
        check_callable("f", f)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: f gets xdata")
    y = real_array("ydata", ydata)
    if y.ndim < 2:
        raise ValueError(
            f"ydata must have a row for each fit, shape (..., m), not {y.shape}"
        )
    shape, (*axes, m) = y.shape, y.shape
    lead, count = tuple(axes), math.prod(axes)
    check_points(m)
    y = as_floats(y.reshape(count, m))
    limits = read_limits(maxfev, ftol, xtol, gtol)
    lower, upper, start = bounds_and_start(f, "p0", p0, bounds, lead)
    n = start.shape[1]
    options = read_options(loss, f_scale, epsfcn, diff_step, n, acceleration)
    if m < n:
        raise ValueError(
            f"ydata must have at least as many points in a row as there are "
            f"parameters: it has m = {m} for n = {n}"
        )
    weights = scale = errors = None
    if sigma is None and absolute_sigma:
        warn_of_absolute_sigma(stacklevel=2)
    if sigma is not None:
        scale = errors = per_fit("sigma", float_array("sigma", sigma), lead, m)
        if scale.strides[0] == 0 and count:
            with np.errstate(divide="ignore"):
                weights = 1.0 / scale[0].astype(np.float64)
            scale = None
    left_out = None
    if mask is not None:
        array = array_of("mask", mask)
        if array.dtype != bool:
            raise TypeError(f"mask must be of booleans, not {array.dtype}")
        left_out = per_fit("mask", array, lead, m, contiguous=True)
    data = model = x = None
    if compiled:
        x_rows = xdata_of_compiled(xdata, shape)
        data = None if user_data is None else data_rows(user_data, lead)
    else:
        x, x_rows = shared_or_rows(xdata, shape)
        x_rows = None if x_rows is None else x_rows.reshape(count, m)
    points = points_of_xdata(x, x_rows, m)
    left_out = read_missing(nan_policy, check_finite, left_out, errors, points, y)
    if not compiled:
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
        lead=lead, is_curve=True, m=m, x_rows=x_rows, ydata=y, weights=weights,
        sigma=scale, mask=left_out, user_data=data, scales_cov=not absolute_sigma,
        compiled=compiled, model=model, **options,
    )  # fmt: skip


def leastsq_batch(
    func: Any,
    x0: ArrayLike,
    args: Any = (),
    Dfun: Any = None,
    *,
    m: int | None = None,
    loss: str = "linear",
    f_scale: float = 1.0,
    epsfcn: float | None = None,
    diff_step: ArrayLike | None = None,
    user_data: Any = None,
    maxfev: int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    bounds: Any = (-np.inf, np.inf),
    workers: int | Callable[..., Iterable[Any]] | None = None,
    progress: bool = False,
    trace: bool = True,
    acceleration: bool = False,
) -> BatchResult:
    """Minimize many sums of squares of m functions of n parameters, many at a time.

    Parameters
    ----------
    func : callable or compiled function
        ``func(x, rows, *args)`` returns the residuals of k fits, shape (k, m), at
        their parameters `x`, shape (k, n); `rows`, shape (k,), says which fits they
        are, counted in ``x0.reshape(-1, n)``. A compiled function (see `leastsq`) is
        called for one fit at a time, without Python, on all `workers` at once.
    x0 : array_like, shape (..., n)
        The starts, a row a fit. The results have these axes too.
    args : tuple, optional
        More arguments for `func` and `Dfun`. Anything but a tuple is one argument.
    Dfun : callable, compiled function or True, optional
        ``Dfun(x, rows, *args)`` returns the derivatives, shape (k, m, n). Without it
        forward differences are used. True: `func` returns both, a tuple of the
        residuals and these derivatives.
    m : int, optional
        The number of residuals of a fit. It is needed for a compiled function; for
        others `func` is called for the first fit alone to find it.
    loss, f_scale, epsfcn, diff_step : optional
        As for `curve_fit_batch`.
    user_data : ndarray, optional
        For a compiled function: an array with a row for each fit, the address of
        which is the function's last argument. A row is all that an index of the axes
        of the fits leaves, and contiguous. Use ``np.broadcast_to`` where all fits
        share one.
    maxfev : int, optional
        Evaluations after which a fit stops; 0 means 200 (n + 1), or 100 (n + 1) with
        `Dfun`. With bounds, as in `least_squares`, those for differences do not
        count, and 0 means 100 n.
    ftol, xtol, gtol : float, optional
        As for `leastsq`.
    bounds : pair of array_like, optional
        Lower and upper bounds on the parameters, each one number, of shape (n,) or
        (..., n); or an object with attributes ``lb`` and ``ub``. None means no bound.
    workers : int or callable, optional
        Threads, or a map of processes, that share the fits, as for `curve_fit_batch`.
    progress : bool, optional
        Whether to show how many fits are done, with tqdm if there is one.
    trace : bool, optional
        Whether to try to run `func` without Python, as `traced` does, by a record of
        one call for all fits. Where it cannot be recorded, it is called for all fits.
        The result is the same to the bit.
    acceleration : bool, optional
        Whether steps bend, as for `leastsq`.

    Returns
    -------
    BatchResult
        As from `curve_fit_batch`.

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
    if start.ndim < 2 or start.shape[-1] == 0:
        raise ValueError(
            "x0 must have a row of one number or more for each fit, shape (..., n), "
            f"not {start.shape}"
        )
    lead, n = start.shape[:-1], start.shape[-1]
    count = math.prod(lead)
    lower, upper, start = bounds_and_start(None, "x0", start, bounds, lead)
    options = read_options(loss, f_scale, epsfcn, diff_step, n, acceleration)
    limits = read_limits(maxfev, ftol, xtol, gtol)
    extra = args if isinstance(args, tuple) else (args,)
    compiled = _minpack.is_compiled(func, "func")
    if Dfun is True:
        check_pair(func, "func", "Dfun")
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
        data = None if user_data is None else data_rows(user_data, lead)
    else:
        check_callable("func", func)
        if Dfun is not None and Dfun is not True:
            check_callable("Dfun", Dfun)
        if user_data is not None:
            raise TypeError("user_data is for compiled functions: use args")
        given, func = func, untraced(func)
        if m is None:
            m = residual_count(func, start, extra, Dfun is True) if count else n
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
        lead=lead, is_curve=False, m=m, user_data=data, scales_cov=False,
        compiled=compiled, model=model, **options,
    )  # fmt: skip

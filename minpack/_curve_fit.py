"""``curve_fit``: a model and data behind SciPy's interface."""

from __future__ import annotations

import operator
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from minpack import _minpack
from minpack._arguments import (
    OptimizeWarning,
    bounds_arrays,
    check_start,
    parameter_count,
    parameter_names,
    refuse_masked,
    start_within,
    warn_of_absolute_sigma,
)
from minpack._observer import Observer
from minpack._options import (
    check_dense,
    check_method,
    evaluations,
    positive,
    scales,
)
from minpack._pairs import two_functions
from minpack._status import (
    SUCCESS,
    Covariance,
    advice_on_jacobian,
    idle_parameters,
    message,
)
from minpack._traced.traced import Traced
from minpack._workers import is_one, threads

if TYPE_CHECKING:  # numpy.typing would be most of what importing minpack costs
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from minpack._leastsq import InfoDict

    _Vector = NDArray[np.float64]

_UNBOUNDED = (-np.inf, np.inf)
_FLOAT64 = np.dtype(np.float64)

_ARRAYS = (list, tuple, np.ndarray)

# As the compiled part takes them, after all else.
OPTIONS: dict[str, Any] = {
    "col_deriv": False,
    "ftol": 1.49012e-8,
    "xtol": 1.49012e-8,
    "gtol": 0.0,
    "maxfev": 0,
    "epsfcn": None,
    "factor": 100,
    "diag": None,
    "kernels": "fast",
    "loss": "linear",
    "f_scale": 1.0,
    "diff_step": None,
    "trials_only": False,
    "observer": None,
}
_DEFAULTS = tuple(OPTIONS.values())
_OF_LEAST_SQUARES = {
    "tr_solver": None,
    "tr_options": None,
    "jac_sparsity": None,
}


@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _UNBOUNDED,
    method: Literal["lm", "trf", "dogbox"] | None = None,
    jac: str | Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    full_output: Literal[False] = False,
    nan_policy: Literal["raise", "omit"] | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector]: ...
@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _UNBOUNDED,
    method: Literal["lm", "trf", "dogbox"] | None = None,
    jac: str | Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    full_output: Literal[True],
    nan_policy: Literal["raise", "omit"] | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector, InfoDict, str, int]: ...
@overload
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _UNBOUNDED,
    method: Literal["lm", "trf", "dogbox"] | None = None,
    jac: str | Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    full_output: bool = False,
    nan_policy: Literal["raise", "omit"] | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector] | tuple[_Vector, _Vector, InfoDict, str, int]: ...
def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = _UNBOUNDED,
    method: Literal["lm", "trf", "dogbox"] | None = None,
    jac: str | Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    full_output: bool = False,
    nan_policy: Literal["raise", "omit"] | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
    **kwargs: Any,
) -> tuple[_Vector, _Vector] | tuple[_Vector, _Vector, InfoDict, str, int]:
    """Fit a model to data, and estimate the errors of its parameters.

    The parameters minimize the sum of squares of ``(f(xdata, *p) - ydata) / sigma``,
    by the Levenberg-Marquardt algorithm of MINPACK, with the signature and the
    result of ``scipy.optimize.curve_fit``.

    Parameters
    ----------
    f : callable or compiled function
        The model: ``f(xdata, p1, ..., pn)`` returns m values, m >= n, as a 1-D array
        or sequence of real numbers, or one value for all. The parameters are
        separate arguments, NumPy scalars of type float64. See the notes for compiled
        functions.
    xdata : object
        What `f` gets as its first argument. Lists, tuples and arrays, of any shape,
        are made float64 arrays; anything else is passed as it is. A compiled `f` gets
        the address of a contiguous array, or of none where `xdata` is None.
    ydata : array_like, shape (m,)
        The measured values; one number stands for any number of them.
    p0 : array_like, shape (n,), optional
        The start. By default the signature of `f` says how many parameters there
        are, and each starts at the middle of its bounds, at a distance of 1 from the
        only one, or at 1. A compiled `f` needs it.
    sigma : array_like, shape (), (m,) or (m, m), optional
        The standard deviations of `ydata`, one for all or one each, in its units, or
        their covariance matrix, of which the lower triangle is read.
    absolute_sigma : bool, optional
        Whether `sigma` is known absolutely. By default only the ratios of its entries
        count, and the size of the errors is estimated from the residuals.
    check_finite : bool, optional
        Whether NaN or infinity in `ydata`, or in an `xdata` that is an array, a list
        or a tuple, is an error. By default it is, unless there is a `nan_policy`.
    bounds : pair of array_like, or an object with lb and ub, optional
        The lower and the upper bounds of the parameters: one number for all or one
        for each, infinite or None where there is none. A parameter with equal bounds
        is fixed.
    method : {None, 'lm', 'trf', 'dogbox'}, optional
        All are names of the one algorithm, which takes bounds too. With bounds, and
        with 'trf' and 'dogbox', ``maxfev`` limits the evaluations that are not for
        differences, and ``nfev`` counts them.
    jac : callable, compiled function, True or {'2-point', '3-point', 'cs'}, optional
        ``jac(xdata, p1, ..., pn)`` returns the derivatives of the model, with shape
        (m, n); their weights are not its affair. True: `f` returns both, a tuple of
        its values and these derivatives. The names, and forward differences as the
        default, are as in `least_squares`.
    full_output : bool, optional
        Whether to return all that is known of the fit.
    nan_policy : {'raise', 'omit'}, optional
        What to do with NaN in the data where `check_finite` is not true: raise a
        ValueError, or leave out these points, of `xdata` along its last axis.
    user_data : array_like, optional
        For compiled functions: an object with contiguous memory, such as an array,
        the address of which is their last argument instead of that of `xdata`.
    vectorized : bool, optional
        Whether `f` takes many points in one call, as `curve_fit_batch` calls it: then
        each parameter is an array of shape (S, 1), one row for each of S points, and
        what `f` returns broadcasts to (S, m). All points of a Jacobian by differences
        are evaluated in one call; S is 1 where one point is wanted. The example below
        would do as it is. The results have the same bits.
    acceleration : bool, optional
        Whether steps bend as the residuals do, by geodesic acceleration [2]_: for fits
        that crawl or end elsewhere. A step then takes one more evaluation, which is
        counted, and docs/hard-starts.md shows what that gains.
    **kwargs
        ``ftol``, ``xtol``, ``gtol``, ``maxfev``, ``epsfcn``, ``factor``, ``diag``,
        ``col_deriv`` and ``kernels`` as in `leastsq`; ``loss``, ``f_scale``,
        ``diff_step``, ``x_scale``, ``verbose`` and ``callback`` as in
        `least_squares`; ``max_nfev``, another name of ``maxfev``; and for an `f` from
        `traced`, or a compiled one of a range of rows, ``workers``, the largest number
        of threads. For any other `f` it may be 1: one thread then adds up the rows of a
        large fit, instead of as many as they are worth.

    Returns
    -------
    popt : ndarray, shape (n,)
        The parameters that fit best.
    pcov : ndarray, shape (n, n)
        The estimated covariance of the parameters, in the products of their units,
        from the linear model at `popt`; the roots of its diagonal are their standard
        deviations. All infinite where the data do not determine it. A bound is no
        measurement: a parameter that ends on one has the error that it would have
        without. Parameters that equal bounds fix have rows and columns of zeros.
    infodict : dict
        With `full_output`, as the next two: what `leastsq` says of the fit; ``fvec``
        holds the weighted residuals. With bounds also ``active_mask``, shape (n,): -1
        or 1 where a parameter is on its lower or upper bound, else 0.
    mesg : str
        Why the fit ended.
    ier : int
        The same as a number, 1 to 4.

    Raises
    ------
    RuntimeError
        If the fit ends without a solution, or a compiled function stops it.
    TypeError
        If an argument or what a function returns is of the wrong type, if there are
        fewer data than parameters, if a keyword is unknown, or if the first Jacobian
        has the wrong shape.
    ValueError
        If the data are empty or not finite, if an argument has an improper value or
        shape, if `sigma` is not positive definite, if `p0` is outside the bounds, or
        if `f` does not return as many values as `ydata` has.

    Warns
    -----
    OptimizeWarning
        If the covariance cannot be estimated: where parameters have no effect on the
        model, which are named; where its derivatives depend on each other; where the
        data are as few as the parameters and `absolute_sigma` is false; or where it is
        out of the range of float64. Also if `absolute_sigma` is true without `sigma`.

    See Also
    --------
    leastsq : The same for any residuals.
    curve_fit_batch : Many fits of one model.
    minpack.dask.curve_fit : The same for more data than memory.

    Notes
    -----
    An exception in `f` or `jac` ends the fit at once and passes unchanged. What they
    return is never changed where they have kept it.

    Where there is no callable `jac`, an `f` from `traced` runs without Python. Its
    exact derivatives take the place of `jac` unless that names differences.

    A compiled function is one as `leastsq` takes it, with the signature ::

        int f(int m, int n, const double *x, double *values, void *user_data)
        int jac(int m, int n, const double *x, double *fjac, int ldfjac,
                void *user_data)

    It fills `values` with those of the model at the parameters `x`, one for each of
    the m numbers of `ydata`, which `f` does not see, and returns 0, or a negative
    number to stop the fit. `f` and `jac` must both be compiled, or none. Such a fit
    runs without Python, and other threads run meanwhile; docs/compiled.md has examples.
    A compiled `f` may also compute a range of rows, as in `leastsq`, with the
    derivatives where ``jac=True``.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and
       theory", Lecture Notes in Mathematics 630, 105-116, Springer, 1978.
    .. [2] M. K. Transtrum and J. P. Sethna, "Improvements to the Levenberg-Marquardt
       algorithm for nonlinear least-squares minimization", arXiv:1201.5885, 2012.

    Examples
    --------
    A decay to a constant, from six points:

    >>> import numpy as np
    >>> from minpack import curve_fit
    >>> def decay(t, amplitude, rate, offset):
    ...     return amplitude * np.exp(-rate * t) + offset
    >>> t = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    >>> y = np.array([3.0, 2.21, 1.74, 1.45, 1.27, 1.17])
    >>> popt, pcov = curve_fit(decay, t, y)
    >>> print(popt.round(3))
    [1.993 0.502 1.006]

    The standard deviations of the parameters, from the scatter of the data and from
    a known error of 0.01:

    >>> print(np.sqrt(np.diag(pcov)).round(4))
    [0.0061 0.004  0.006 ]
    >>> popt, pcov = curve_fit(decay, t, y, sigma=0.01, absolute_sigma=True)
    >>> print(np.sqrt(np.diag(pcov)).round(4))
    [0.0167 0.011  0.0164]

    With an offset of 1 at most:

    >>> popt, pcov = curve_fit(decay, t, y, bounds=(0, [np.inf, np.inf, 1]))
    >>> print(popt.round(3))
    [1.998 0.498 1.   ]
    >>> print(np.sqrt(np.diag(pcov)).round(4))
    [0.0071 0.0046 0.007 ]
    """
    model: Traced | None = None
    if type(f) is Traced:
        model, f = f, f.function
    check_method(method)
    if check_finite is None:
        check_finite = nan_policy is None
    ydata = floats(ydata, "ydata")
    if isinstance(xdata, _ARRAYS):
        xdata = floats(xdata, "xdata")
    if ydata.ndim > 1 or not ydata.size:
        raise ValueError(
            "ydata must be one number or a 1-D array of them, not of shape "
            f"{ydata.shape}: an array of more dimensions can be made one by ravel(), "
            "and what f returns too"
        )
    if nan_policy is not None and not check_finite:
        if nan_policy == "omit" and user_data is not None:
            raise ValueError(
                "nan_policy='omit' cannot leave points out of user_data: only without "
                "it, where f reads xdata"
            )
        xdata, ydata, sigma = _without_nan(nan_policy, xdata, ydata, sigma)
    lower = upper = factor = None
    if p0 is None or bounds is not _UNBOUNDED:
        p0, lower, upper = read_start(f, p0, bounds)
    if sigma is not None:
        sigma, factor = _errors(sigma, ydata.size)
    elif absolute_sigma:
        warn_of_absolute_sigma(stacklevel=2)
    has_jacobian = jac is not None and not isinstance(jac, str)
    if has_jacobian or jac == "cs" or user_data is not None or vectorized:
        model = None
    workers = None
    if "workers" in kwargs:
        if model is not None or _minpack.takes_range(f, "f"):
            workers = threads(kwargs.pop("workers"))
        elif is_one(kwargs["workers"]):
            workers = kwargs.pop("workers")
    options = _DEFAULTS
    as_least_squares = method in ("trf", "dogbox") or (
        method is None and lower is not None
    )
    if kwargs or as_least_squares:
        options = read_options(kwargs, np.size(p0), as_least_squares)

    bound = None
    if model is not None:
        bound = model.bind_curve(xdata, p0, ydata.size, workers)
    function = f
    if jac is True:
        function, jac = two_functions(f, "f", "jac")
    data = (ydata, p0, sigma, factor)
    flags = (absolute_sigma, check_finite, full_output)
    rest: tuple[Any, ...] = (
        lower, upper, *flags, user_data, workers, vectorized, *options, acceleration
    )  # fmt: skip
    if bound is None:
        fit = _minpack.curve_fit(function, xdata, *data, jac, *rest)
        is_exact = has_jacobian or jac == "cs"
    else:
        fit = bound.solve(
            lambda f, exact, m: _minpack.curve_fit(
                f, xdata, *data, exact if jac is None else jac, *rest
            )
        )
        is_exact = jac is None and bound.jacobian is not None
    reason = partial(
        why_ended, fit, options, p0, has_jacobian, is_exact, not acceleration
    )
    check_end(fit, f, options[-1], reason, p0)
    popt, pcov, info = fit[:3]
    if not full_output:
        return popt, pcov
    fvec, nfev, njev, fjac, ipvt, qtf, active_mask = fit[6:]
    infodict: InfoDict = {
        "fvec": fvec, "nfev": nfev, "njev": njev,
        "fjac": fjac, "ipvt": ipvt, "qtf": qtf,
    }  # fmt: skip
    if jac is None and not is_exact:
        del infodict["njev"]
    if active_mask is not None:
        infodict["active_mask"] = active_mask
    return popt, pcov, infodict, reason(fvec), info


def why_ended(
    fit: tuple[Any, ...],
    options: tuple[Any, ...],
    p0: Any,
    has_jacobian: bool,
    is_exact: bool,
    may_accelerate: bool,
    fvec: _Vector | None = None,
) -> str:
    """Say why a fit ended; `has_jacobian` where the user has brought one."""
    popt, _, info, _, _, lowered = fit[:6]
    why = _reason(info, options, popt.size, is_exact, lowered, may_accelerate)
    if not has_jacobian:
        return why
    return why + advice_on_jacobian(info, "jac", popt, p0, fvec)


def check_end(
    fit: tuple[Any, ...],
    f: Callable[..., Any],
    observer: Observer | None,
    reason: Callable[[], str],
    p0: Any,
) -> None:
    """Raise where a fit has found nothing; warn where it says nothing of the errors."""
    popt, _, info, known, idle = fit[:5]
    if observer is not None:
        observer.print_end(reason())
    if info not in SUCCESS:
        raise RuntimeError(f"No parameters found. {reason()}")
    if known != Covariance.KNOWN:
        why = _why_not_known(Covariance(known), idle, popt, p0, f)
        warnings.warn(why, OptimizeWarning, stacklevel=3)


def _why_not_known(
    covariance: Covariance,
    idle: Sequence[int],
    popt: _Vector,
    p0: Any,
    f: Callable[..., Any],
) -> str:
    """Say why the covariance of the parameters is not known."""
    if covariance == Covariance.OUT_OF_RANGE:
        return (
            "The covariance of the parameters is out of the range of float64: other "
            "units of the data or of the parameters would bring it back"
        )
    if covariance == Covariance.NO_FREEDOM:
        return (
            "The covariance of the parameters cannot be estimated: there are as few "
            "data as parameters, and so nothing tells how large the errors are. "
            "absolute_sigma=True takes that from sigma"
        )
    why = "The covariance of the parameters cannot be estimated. "
    if idle:
        return why + idle_parameters(
            idle, popt, p0, "the values of f at popt", parameter_names(f)
        )
    return (
        why + "The data do not determine all of them: the derivatives of f with "
        "respect to some depend on those with respect to others at popt"
    )


def read_options(
    kwargs: dict[str, Any], n: int, as_least_squares: bool
) -> tuple[Any, ...]:
    """Read the keywords for n parameters as the compiled part takes them.

    With bounds, or SciPy's methods for them, `maxfev` is a limit of `least_squares`.
    """
    given = dict(kwargs)
    for name, other in (("maxfev", "max_nfev"), ("diag", "x_scale")):
        if name in given and other in given:
            raise TypeError(f"{other} and {name} say the same; only one can be given")
    dense = {name: given.pop(name, None) for name in _OF_LEAST_SQUARES}
    check_dense(**dense)
    if not is_one(workers := given.pop("workers", None)):
        raise ValueError(
            f"workers must be None or 1, not {workers!r}: least_squares takes more; "
            "here vectorized=True evaluates all differences in one call"
        )
    if as_least_squares:
        name = "max_nfev" if "max_nfev" in given else "maxfev"
        limit = given.pop(name, None)
        if name == "maxfev" and limit == 0:
            limit = None
        given |= {"maxfev": evaluations(name, limit, 100 * n), "trials_only": True}
    elif "max_nfev" in given:
        limit = given.pop("max_nfev")
        given["maxfev"] = 0 if limit is None else evaluations("max_nfev", limit, 0)
    for name in ("ftol", "xtol", "gtol"):
        if given.get(name, 0) is None:
            given[name] = 0.0
    if "x_scale" in given:
        given["diag"] = scales(given.pop("x_scale"), n)
    if given.get("diff_step") is not None:
        given["diff_step"] = positive("diff_step", given["diff_step"], n)
    callback, verbose = given.pop("callback", None), given.pop("verbose", 0)
    if callback is not None or verbose != 0:
        given["observer"] = Observer(callback, verbose)
    for name in given.keys() - OPTIONS.keys():
        if name == "args":
            raise ValueError(
                "args is no argument here: f gets xdata and the parameters alone, and "
                "a function that knows the rest can be its f"
            )
        raise TypeError(f"curve_fit has no argument {name!r}")
    return tuple((OPTIONS | given).values())


_MASKED = (
    "leave them out, by an index of the others; or fill them with NaN and say "
    "nan_policy='omit'"
)


def floats(values: Any, name: str) -> _Vector:
    """Return float64 numbers, and lose nothing on the way."""
    if type(values) is np.ndarray and values.dtype is _FLOAT64:
        return values
    refuse_masked(name, values, _MASKED)
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError(
                f"these are complex. {array.dtype} can be fitted as real numbers, one "
                "half after the other: np.concatenate([z.real, z.imag])"
            )
        return np.asarray(array, float)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):  # not NumPy's: pass unchanged
            raise
        raise type(error)(
            f"{name} must be an array of real numbers: {error}"
        ) from error


def _without_nan(
    nan_policy: str, xdata: Any, ydata: _Vector, sigma: Any
) -> tuple[Any, _Vector, Any]:
    """Raise where there is NaN in the data, or leave out what belongs to it."""
    if nan_policy not in ("raise", "omit"):
        raise ValueError(
            f"nan_policy must be 'raise', 'omit' or None, not {nan_policy!r}"
        )
    if not isinstance(xdata, np.ndarray):
        xdata = floats(xdata, "xdata, where there is a nan_policy,")
    x_missing = np.isnan(xdata)
    y_missing = np.isnan(ydata)
    if np.isinf(ydata).any():
        raise ValueError(
            "ydata must be finite: there is infinity in it, which nan_policy does not "
            "leave out"
        )
    if not (x_missing.any() or y_missing.any()):
        return xdata, ydata, sigma
    if nan_policy == "raise":
        raise ValueError("there is NaN in xdata or ydata, and nan_policy is 'raise'")
    if xdata.shape[-1:] != ydata.shape or ydata.ndim == 0:
        raise ValueError(
            "nan_policy='omit' needs one point of ydata for each along the last axis "
            f"of xdata: their shapes are {ydata.shape} and {xdata.shape}"
        )
    kept = ~(x_missing.any(axis=tuple(range(xdata.ndim - 1))) | y_missing)
    if sigma is not None:
        sigma = np.asarray(sigma)
        for axis in range(sigma.ndim):
            if sigma.shape[axis] == kept.size:
                sigma = sigma.compress(kept, axis)
    return xdata[..., kept], ydata[kept], sigma


def read_start(
    f: Callable[..., Any], p0: ArrayLike | None, bounds: Any
) -> tuple[ArrayLike, _Vector | None, _Vector | None]:
    """Read or choose the start, and read the bounds."""
    n = parameter_count(f, bounds) if p0 is None else np.size(p0)
    pair = None if bounds is _UNBOUNDED else bounds_arrays(bounds, n)
    if pair is None:
        return np.ones(n) if p0 is None else p0, None, None
    if p0 is None:
        return start_within(*pair), *pair
    check_start("p0", floats(p0, "p0").ravel(), *pair)
    return p0, *pair


def _errors(sigma: Any, m: int) -> tuple[Any, NDArray[Any] | None]:
    """Tell standard deviations from a covariance C = L L', of which this is L'."""
    refuse_masked("sigma", sigma, _MASKED)
    sigma = np.asarray(sigma)
    if sigma.shape in {(), (1,), (m,)}:
        return sigma, None
    if sigma.shape != (m, m):
        raise ValueError(
            f"sigma must be one number or have the shape ({m},) or ({m}, {m}), not "
            f"{sigma.shape}"
        )
    covariance = floats(sigma, "sigma")
    try:
        if np.isfinite(covariance).all():
            return None, np.linalg.cholesky(covariance.T, upper=True)
    except np.linalg.LinAlgError:
        pass
    raise ValueError("sigma must be a covariance matrix, which is positive definite")


def _reason(
    info: int | None,
    options: tuple[Any, ...],
    n: int,
    is_exact: bool,
    lowered: float,
    may_accelerate: bool,
) -> str:
    """Say why the fit ended."""
    if info is None:
        return "Stopped by the callback."
    named = dict(zip(OPTIONS, options, strict=True))
    maxfev = operator.index(named["maxfev"]) if named["maxfev"] else 0
    if maxfev <= 0:
        maxfev = (100 if is_exact else 200) * (n + 1)
    limits = {name: named[name] for name in ("ftol", "xtol", "gtol", "factor")}
    return message(
        info, maxfev=maxfev, function="f", start="p0", lowered=lowered,
        may_accelerate=may_accelerate, **limits,
    )  # fmt: skip

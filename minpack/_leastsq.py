"""``leastsq``: MINPACK's ``lmdif`` and ``lmder`` behind SciPy's interface."""

from __future__ import annotations

import operator
import warnings
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict, overload

from minpack import _minpack
from minpack._pairs import two_functions
from minpack._status import (
    Info,
    advice_on_jacobian,
    idle_parameters,
    message,
)
from minpack._traced.traced import Traced

if TYPE_CHECKING:  # numpy.typing would be most of what importing minpack costs
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    _Vector = NDArray[np.float64]


class InfoDict(TypedDict):
    """The third item of a full result.

    ``njev`` is there with a Jacobian alone, and ``active_mask`` in that of `curve_fit`
    with bounds.
    """

    fvec: _Vector
    nfev: int
    njev: NotRequired[int]
    fjac: _Vector
    ipvt: NDArray[np.intc]
    qtf: _Vector
    active_mask: NotRequired[NDArray[np.intp]]


@overload
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., ArrayLike] | Literal[True] | None = None,
    full_output: Literal[False] = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    *,
    kernels: str = "fast",
    m: int | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
) -> tuple[_Vector, int]: ...
@overload
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., ArrayLike] | Literal[True] | None = None,
    *,
    full_output: Literal[True],
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    kernels: str = "fast",
    m: int | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
) -> tuple[_Vector, _Vector | None, InfoDict, str, int]: ...
@overload
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., ArrayLike] | Literal[True] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    *,
    kernels: str = "fast",
    m: int | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
) -> tuple[_Vector, int] | tuple[_Vector, _Vector | None, InfoDict, str, int]: ...
def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
    Dfun: Callable[..., ArrayLike] | Literal[True] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: ArrayLike | None = None,
    *,
    kernels: str = "fast",
    m: int | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
) -> tuple[_Vector, int] | tuple[_Vector, _Vector | None, InfoDict, str, int]:
    """Minimize the sum of squares of m functions of n parameters.

    The Levenberg-Marquardt algorithm of MINPACK, with the signature and the result
    of ``scipy.optimize.leastsq``.

    Parameters
    ----------
    func : callable or compiled function
        ``func(x, *args)`` returns the m residuals at `x`, m >= n, as a 1-D array or
        sequence of real numbers. `x` is a new float64 array of shape (n,), which
        `func` may keep or overwrite. What is returned is never changed. See the notes
        for compiled functions.
    x0 : array_like
        The start, of any shape; it is flattened to (n,).
    args : tuple, optional
        More arguments for `func` and `Dfun`. Anything but a tuple is one argument.
    Dfun : callable, compiled function or True, optional
        ``Dfun(x, *args)`` returns the Jacobian at `x`, with shape (m, n): entry
        (i, j) is the derivative of residual i with respect to parameter j. Without
        it forward differences are used, n calls of `func` for each Jacobian. True:
        `func` returns both, a tuple of the residuals and this matrix.
    full_output : bool, optional
        Whether to return all that is known of the fit.
    col_deriv : bool, optional
        Whether `Dfun` returns the transpose, of shape (n, m), which needs less
        copying.
    ftol : float, optional
        Relative error that is wanted in the sum of squares.
    xtol : float, optional
        Relative error that is wanted in `x`.
    gtol : float, optional
        Cosine of the angle between the residuals and each column of the Jacobian
        (a number from 0 to 1) that is small enough to stop.
    maxfev : int, optional
        The fit stops after this many calls of `func`, at the end of an iteration.
        0 means 200 (n + 1), or 100 (n + 1) with `Dfun`.
    epsfcn : float, optional
        Relative error of `func`: the differences take steps of ``sqrt(epsfcn)``
        times a parameter. By default the spacing of the floating-point type that
        `func` returns (2.2e-16 for float64).
    factor : float, optional
        Bound on the first step: ``factor * |diag * x|``, from 0.1 to 100. With
        `acceleration` it is 0.002 times as much.
    diag : array_like, optional
        n positive scale factors for the parameters, in units of one over those of
        the parameters. By default they follow the columns of the Jacobian.
    kernels : {'fast', 'reference'}, optional
        The arithmetic. 'reference' does MINPACK's operations in MINPACK's order and
        gives the bits of the original. 'fast' does the same mathematics several
        times faster, with the same bits on every processor; it keeps to MINPACK's
        order where rounding errors decide which way a fit goes: see the notes.
    m : int, optional
        The number of residuals; for compiled functions, which need it.
    user_data : array_like, optional
        For compiled functions: an object with contiguous memory, such as an array,
        the address of which is their last argument.
    vectorized : bool, optional
        Whether `func` takes many points in one call: then `x` always has shape (n, S),
        one column for each of S points, and `func` returns an array of shape (m, S).
        All points of a Jacobian by differences are evaluated in one call; S is 1
        where one point is wanted. The results have the same bits.
    acceleration : bool, optional
        Whether steps bend as the residuals do, by geodesic acceleration [3]_: for fits
        that crawl or end elsewhere. A step then takes one more evaluation, which is
        counted, and docs/hard-starts.md shows what that gains.

    Returns
    -------
    x : ndarray, shape (n,)
        The solution, or the best point found if there is none.
    cov_x : ndarray, shape (n, n), or None
        The inverse of ``J.T @ J``, with J the Jacobian at the solution; times the
        variance of the residuals it estimates the covariance of the parameters.
        None where J is singular or the fit has failed. With `full_output` only, as
        the next two.
    infodict : dict
        ``fvec``, the residuals at `x`, shape (m,); ``nfev``, the number of calls of
        `func`; ``njev``, that of `Dfun`, if given; and the last QR factorization,
        ``J[:, ipvt] = Q R``: ``fjac``, shape (n, m), holds R by rows in the
        triangle ``np.triu(fjac.T[:n])``, ``ipvt``, shape (n,), the permutation,
        and ``qtf``, shape (n,), the first n entries of ``Q.T @ fvec``.
    mesg : str
        Why the fit ended.
    ier : int
        The same as a number: 1 to 4 for a solution (1: `ftol`, 2: `xtol`, 3: both,
        4: `gtol` was reached), 5: `maxfev` was reached, 6, 7, 8: `ftol`, `xtol`,
        `gtol` ask for more than rounding errors allow, 9: the residuals, the
        Jacobian, `x` or a step are not finite, 0: improper input, less than 0: what
        a compiled function returned to stop the fit.

    Raises
    ------
    TypeError
        If an argument or what a function returns is of the wrong type, if there are
        fewer residuals than parameters, if the first Jacobian has the wrong shape,
        or, without `full_output`, for an improper value (ier 0).
    ValueError
        If the residuals are not 1-D, if `diag` does not have n entries, if the
        number of residuals or the shape of the Jacobian changes during the fit, or
        if `kernels` is unknown.

    Warns
    -----
    RuntimeWarning
        Without `full_output`, if the fit ends with ier 5 to 9 or less than 0.

    Notes
    -----
    An exception in `func` or `Dfun` ends the fit at once and passes unchanged. Fits
    may be nested, and run in any number of threads.

    Where there is no `Dfun`, a `func` from `traced` runs without Python, and its exact
    derivatives take the place of `Dfun`.

    A compiled function is a ``cfunc`` of Numba, a function pointer of ctypes or cffi,
    a ``scipy.LowLevelCallable`` or a capsule, with the signature ::

        int func(int m, int n, const double *x, double *fvec, void *user_data)
        int Dfun(int m, int n, const double *x, double *fjac, int ldfjac,
                 void *user_data)

    where entry (i, j) of the Jacobian is ``fjac[i + j*ldfjac]``. It returns 0, or a
    negative number to stop the fit. Such a fit runs without Python, and other threads
    run meanwhile; docs/compiled.md has examples.

    Or `func` is a compiled function of a range of rows, with the signature ::

        int func(int first, int count, int n, const double *x, double *fvec,
                 double *fjac, int ldfjac, void *user_data)

    which writes `count` residuals from number `first` on, and unless `fjac` is NULL,
    and `ldfjac` 0, their derivatives. ``Dfun=True`` says that it has these. The rows
    of a large fit are computed in blocks, on as many threads as they are worth.

    With the fast kernels a fit has the bits of the reference kernels if there are
    fewer than 32 residuals, and up to 1,024 also if `ftol`, `xtol` and `gtol` are at
    most 1e-13, or if the columns of the first Jacobian nearly depend on each other:
    one keeps less than a sixteenth of its length beside others. That is but for fits
    that leave MINPACK's path to be right: where a difference holds rounding errors
    alone, as next to a parameter of 0, its column is evaluated again with a longer
    step, and where the first step would be too short to change the residuals, it is
    longer. What `fjac` holds below R is not specified with these kernels, but is as in
    MINPACK with the reference kernels.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and
       theory", Lecture Notes in Mathematics 630, 105-116, Springer, 1978.
    .. [2] J. J. Moré, B. S. Garbow and K. E. Hillstrom, "User Guide for MINPACK-1",
       ANL-80-74, Argonne National Laboratory, 1980.
    .. [3] M. K. Transtrum and J. P. Sethna, "Improvements to the Levenberg-Marquardt
       algorithm for nonlinear least-squares minimization", arXiv:1201.5885, 2012.

    Examples
    --------
    A decay to 1, from five points:

    >>> import numpy as np
    >>> from minpack import leastsq
    >>> t = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> y = np.array([3.0, 2.21, 1.74, 1.45, 1.27])
    >>> def residuals(x):
    ...     return x[0] * np.exp(-x[1] * t) + x[2] - y
    >>> x, ier = leastsq(residuals, [1.0, 1.0, 0.0])
    >>> print(x.round(3), ier)
    [1.998 0.499 1.001] 1

    The standard deviations of the parameters:

    >>> x, cov_x, infodict, mesg, ier = leastsq(
    ...     residuals, [1.0, 1.0, 0.0], full_output=True
    ... )
    >>> variance = np.sum(infodict["fvec"] ** 2) / (t.size - x.size)
    >>> print(np.sqrt(variance * np.diag(cov_x)).round(4))
    [0.0099 0.0058 0.0102]

    All points of a Jacobian in one call, where `func` takes them as columns:

    >>> def residuals(x):
    ...     a, b, c = x[:, :, None]  # each of shape (S, 1)
    ...     return (a * np.exp(-b * t) + c - y).T
    >>> x, ier = leastsq(residuals, [1.0, 1.0, 0.0], vectorized=True)
    >>> print(x.round(3), ier)
    [1.998 0.499 1.001] 1
    """
    options = (ftol, xtol, gtol, maxfev, epsfcn, factor, diag, kernels)
    bound = None
    has_jacobian = Dfun is not None
    if type(func) is Traced:
        if not has_jacobian and m is None and user_data is None and not vectorized:
            bound = func.bind_residuals(x0, args)
        func = func.function
    jacobian: Any = Dfun
    if Dfun is True:
        func, jacobian = two_functions(func, "func", "Dfun")
    if bound is None:
        rest = (user_data, None, vectorized, acceleration)
        fit = _minpack.leastsq(
            func, x0, args, jacobian, full_output, col_deriv, *options, m, *rest
        )
    else:
        rest = (None, None, False, acceleration)
        fit = bound.solve(
            lambda func, Dfun, m: _minpack.leastsq(
                func, x0, (), Dfun, full_output, False, *options, m, *rest
            )
        )
        has_jacobian = bound.jacobian is not None
    if len(fit) == 2:
        return fit
    x, info, lowered = fit[:3]

    maxfev = operator.index(maxfev) if maxfev else 0
    if maxfev <= 0:
        maxfev = (100 if has_jacobian else 200) * (x.size + 1)
    mesg = message(
        info, maxfev=maxfev, lowered=lowered, may_accelerate=not acceleration,
        ftol=ftol, xtol=xtol, gtol=gtol, factor=factor,
    )  # fmt: skip
    if Dfun is not None:
        fvec = None if len(fit) == 3 else fit[4]
        mesg += advice_on_jacobian(info, "Dfun", x, x0, fvec)
    if len(fit) == 3:
        if info == Info.BAD_INPUT:
            raise TypeError(mesg)
        warnings.warn(mesg, RuntimeWarning, stacklevel=2)
        return x, info
    _, _, _, cov_x, fvec, nfev, njev, fjac, ipvt, qtf, idle, _ = fit
    if idle:
        mesg += " " + idle_parameters(idle, x, x0, "the residuals at x")
    infodict: InfoDict = {
        "fvec": fvec, "nfev": nfev, "njev": njev,
        "fjac": fjac, "ipvt": ipvt, "qtf": qtf,
    }  # fmt: skip
    if not has_jacobian:
        del infodict["njev"]
    return x, cov_x, infodict, mesg, info

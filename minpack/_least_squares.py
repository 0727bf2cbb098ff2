"""``least_squares``: bounds, robust losses and callbacks, by Levenberg-Marquardt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from minpack import _minpack
from minpack._arguments import bounds_arrays, check_start, refuse_masked
from minpack._observer import Observer
from minpack._options import (
    check_dense,
    check_method,
    evaluations,
    positive,
    scales,
    tolerances,
)
from minpack._pairs import two_functions
from minpack._result import OptimizeResult
from minpack._status import (
    Info,
    advice_on_jacobian,
    idle_parameters,
    progress,
    remedies,
    stopped_by_function,
)
from minpack._traced.traced import Traced
from minpack._workers import is_one, mapping, threads

if TYPE_CHECKING:  # numpy.typing would be most of what importing minpack costs
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    _Vector = NDArray[np.float64]

_UNBOUNDED = (-np.inf, np.inf)

_STOPPED = -2
_FAILED = -1
_STATUS = {
    Info.BAD_INPUT: _FAILED,
    Info.FTOL: 2,
    Info.XTOL: 3,
    Info.FTOL_XTOL: 4,
    Info.GTOL: 1,
    Info.MAXFEV: 0,
    Info.FTOL_TOO_SMALL: 2,
    Info.XTOL_TOO_SMALL: 3,
    Info.GTOL_TOO_SMALL: 1,
    Info.NOT_FINITE: _FAILED,
}
_MESSAGES = {
    _STOPPED: "Stopped by the callback; x is the best point so far.",
    _FAILED: "Stopped: the Jacobian, x or the next step is not finite: NaN, infinite, "
    "or too large for a norm in float64. x is the best point so far.",
    0: "Stopped: fun has been evaluated max_nfev times. x is the best point so far.",
    1: "Converged: the residuals are orthogonal to the columns of the Jacobian within "
    "gtol.",
    2: "Converged: the last step lowered the cost by a relative ftol at most.",
    3: "Converged: the next step would change x by a relative xtol at most.",
    4: "Converged: the last step lowered the cost by a relative ftol at most, and the "
    "next would change x by a relative xtol at most.",
}


def least_squares(
    fun: Callable[..., ArrayLike],
    x0: ArrayLike,
    jac: str | Callable[..., ArrayLike] | Literal[True] = "2-point",
    bounds: Any = _UNBOUNDED,
    method: str | None = None,
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: ArrayLike | None = None,
    loss: str | Callable[[_Vector], ArrayLike] = "linear",
    f_scale: float = 1.0,
    diff_step: ArrayLike | None = None,
    tr_solver: str | None = None,
    tr_options: Mapping[str, Any] | None = None,
    jac_sparsity: None = None,
    max_nfev: float | None = None,
    verbose: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    workers: int | Callable[..., Any] | None = None,
    *,
    m: int | None = None,
    user_data: Any = None,
    vectorized: bool = False,
    acceleration: bool = False,
) -> OptimizeResult:
    """Minimize a sum of squares, or a robust loss, within bounds.

    The cost is ``0.5 * sum(f**2)`` with f = ``fun(x)``, or with a loss rho and its
    scale C = `f_scale` ``0.5 * C**2 * sum(rho((f / C)**2))``. The minimum is looked
    for by MINPACK's Levenberg-Marquardt algorithm, with the signature and the result
    of ``scipy.optimize.least_squares``.

    Parameters
    ----------
    fun : callable or compiled function
        ``fun(x, *args, **kwargs)`` returns the m residuals at `x`, m >= n, as a 1-D
        array or sequence of real numbers, or one number. `x` is a new float64 array
        of shape (n,), which `fun` may keep or overwrite. What is returned is never
        changed. See the notes for compiled functions.
    x0 : array_like, shape (n,), or number
        The start, within the bounds.
    jac : {'2-point', '3-point', 'cs'}, callable, compiled function or True, optional
        How the Jacobian is computed: by forward differences, n calls of `fun` each
        time; by differences of second order, 2n calls; by complex steps, n calls with
        a complex `x`, exact to rounding where `fun` is analytic, for Python functions
        alone; or by
        ``jac(x, *args, **kwargs)``, which returns the dense matrix of shape (m, n):
        entry (i, j) is the derivative of residual i with respect to parameter j.
        True: `fun` returns both, a tuple of the residuals and this matrix.
    bounds : pair of array_like, or an object with ``lb`` and ``ub``, optional
        The lower and upper bounds, one number or one for each parameter; infinite or
        None for none. A parameter with equal bounds is fixed. A list of pairs (lower,
        upper), one for each parameter, is understood unless there are two of them,
        which are the lower and the upper bounds.
    method : {None, 'lm', 'trf', 'dogbox'}, optional
        All are names of the one algorithm, which takes bounds and losses too. With
        'lm' no tolerance may be switched off.
    ftol, xtol, gtol : float, optional
        The fit ends once a step lowers the cost by a relative `ftol` at most, once
        the next one would change `x` by a relative `xtol` at most, or once the
        cosine of the angle between the residuals and each column of the Jacobian is
        at most `gtol`. None, or a number below the machine epsilon, with a warning,
        switches one off, but not all of them.
    x_scale : array_like, 'jac' or None, optional
        The characteristic size of each parameter, in its units; None and 'jac' take
        it from the columns of the Jacobian.
    loss : str or callable, optional
        rho(z), with z = ``(f / f_scale)**2``:

        - 'linear': z, least squares;
        - 'soft_l1': ``2 * (sqrt(1 + z) - 1)``;
        - 'huber': z up to 1, then ``2 * sqrt(z) - 1``;
        - 'cauchy': ``log(1 + z)``;
        - 'arctan': ``arctan(z)``;
        - a callable that is given z, shape (m,), and returns an array of shape
          (3, m): rho, which is not negative and does not fall, and its first two
          derivatives.
    f_scale : float, optional
        The size of residuals from which on a loss takes them for outliers, in their
        units. Without effect on the linear loss.
    diff_step : array_like, optional
        Steps of the differences relative to the parameters, one or one for each. By
        default the square root of the spacing of the floating-point type that `fun`
        returns, or with '3-point' its cube root.
    tr_solver : {None, 'exact'}, optional
        The Jacobian is always factorized.
    tr_options : mapping, optional
        There are none: None or empty.
    jac_sparsity : None, optional
        The Jacobian is dense.
    max_nfev : number, optional
        The fit stops after so many evaluations of `fun`, those for differences not
        counted, at the end of an iteration. The default is 100 n.
    verbose : {0, 1, 2}, optional
        0 prints nothing, 1 the end of the fit, 2 a line for each iterate too.
    args : sequence, optional
        More positional arguments for `fun` and `jac`.
    kwargs : mapping, optional
        Keyword arguments for `fun` and `jac`.
    callback : callable, optional
        Called with each new iterate: as ``callback(intermediate_result=result)`` if
        its only parameter has that name, where result has ``x``, ``fun``, ``cost``,
        ``optimality``, ``nit`` and ``nfev``; else as ``callback(x)``. To stop the
        fit there, it raises StopIteration or returns True.
    workers : int or callable, optional
        Who evaluates the points of a Jacobian by differences, for a `fun` that takes
        long: so many processes, -1 for one on each processor, or a callable such as
        the ``map`` of a pool, called as ``workers(fun, points)``. None and 1: they are
        evaluated one after the other. Other processes must be able to import `fun`.
        For a `fun` from `traced`, or a compiled one of a range of rows, the largest
        number of threads that share the rows; None: as many as the rows are worth, at
        most one on each processor. As many add up the rows of any large fit, and one
        with 1.
    m : int, optional
        The number of residuals; for compiled functions, which need it.
    user_data : array_like, optional
        For compiled functions: an object with contiguous memory, such as an array,
        the address of which is their last argument.
    vectorized : bool, optional
        Whether `fun` takes many points in one call: then `x` always has shape (n, S),
        one column for each of S points, and `fun` returns an array of shape (m, S).
        All points of a Jacobian by differences are evaluated in one call; S is 1
        where one point is wanted. The results have the same bits.
    acceleration : bool, optional
        Whether steps bend as the residuals do, by geodesic acceleration [4]_: for fits
        that crawl or end elsewhere. A step then takes one more evaluation, which is
        counted, and docs/hard-starts.md shows what that gains.

    Returns
    -------
    OptimizeResult
        A dictionary whose entries are attributes too:

        - ``x``: the solution, or the best point found, shape (n,);
        - ``cost``: the cost there;
        - ``fun``: the residuals there, shape (m,), not changed by the loss;
        - ``jac``: the Jacobian there, shape (m, n). With a loss its rows are
          weighted, so that ``jac.T @ jac`` approximates the Hessian of the cost;
        - ``grad``: the gradient of the cost, shape (n,);
        - ``optimality``: the largest absolute value of an entry of `grad`, but for
          those that hold a parameter to a bound that it is on;
        - ``active_mask``: -1 or 1 where a parameter is on its lower or upper bound,
          else 0, shape (n,);
        - ``nfev``: the number of evaluations of `fun`, but for those for differences
          and complex steps;
        - ``njev``: the number of calls of `jac`, or None if it is no callable;
        - ``status``: why the fit ended. 1: `gtol`, 2: `ftol`, 3: `xtol`, 4: `ftol`
          and `xtol` were reached; 0: `max_nfev` was reached; -1: the Jacobian, `x` or
          a step is not finite, or a compiled function has stopped the fit, and ``jac``
          and ``grad`` are NaN; -2: the callback has stopped it;
        - ``message``: the same in words;
        - ``success``: whether the status is positive.

        Its attribute ``method``, which is no entry, is 'lm'.

    Raises
    ------
    ValueError
        If an argument is out of its range, if there are fewer residuals than
        parameters, if the residuals or the cost at `x0` are not finite, or if what a
        function returns is of a wrong shape.
    TypeError
        If an argument or what a function returns is of the wrong type.

    Warns
    -----
    UserWarning
        If a tolerance is below the machine epsilon, and so switched off.

    See Also
    --------
    leastsq : the same algorithm with MINPACK's own options and result.

    Notes
    -----
    A trial point where a residual is not finite is a step too far: the next one is
    shorter. An exception in a function ends the fit at once and passes unchanged.

    The step of a fit with bounds minimizes the linear model within both the trust
    region of MINPACK and the bounds, by an active-set method [2]_. `fun` is called
    within the bounds only.

    With a loss, row i of the Jacobian is multiplied by the root of ``w = rho' + 2 z
    rho''`` and the residual by ``rho' / sqrt(w)`` [3]_, where w is at least
    ``0.8 * rho'``. The gradient is exact; the bound keeps outliers in the model.

    A `fun` from `traced` runs without Python where `jac` names differences. '2-point'
    then stands for its exact derivatives.

    `fun` and a callable `jac` may be compiled functions, both of them, as `leastsq`
    takes them. The fit runs without Python, but for the calls of `callback` and of a
    callable `loss`, and other threads run meanwhile. Where a function returns a
    negative number before there are residuals, ``fun`` and ``cost`` are NaN.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and
       theory", Lecture Notes in Mathematics 630, 105-116, Springer, 1978.
    .. [2] D. M. Gay, "A trust-region approach to linearly constrained optimization",
       Lecture Notes in Mathematics 1066, 72-105, Springer, 1984.
    .. [3] B. Triggs, P. McLauchlan, R. Hartley and A. Fitzgibbon, "Bundle adjustment
       - a modern synthesis", Lecture Notes in Computer Science 1883, 298-372,
       Springer, 2000.
    .. [4] M. K. Transtrum and J. P. Sethna, "Improvements to the Levenberg-Marquardt
       algorithm for nonlinear least-squares minimization", arXiv:1201.5885, 2012.

    Examples
    --------
    A decay to 1, within bounds:

    >>> import numpy as np
    >>> from minpack import least_squares
    >>> t = np.arange(8.0)
    >>> y = np.array([3.0, 2.21, 1.74, 1.45, 1.27, 1.16, 1.1, 1.06])
    >>> def residuals(x, y):
    ...     return x[0] * np.exp(-x[1] * t) + x[2] - y
    >>> start = [1.0, 1.0, 0.0]
    >>> fit = least_squares(residuals, start, args=(y,))
    >>> print(fit.x.round(2), fit.success)
    [2.  0.5 1. ] True
    >>> fit = least_squares(residuals, start, bounds=(0, [1.9, 1, 2]), args=(y,))
    >>> print(fit.x.round(2), fit.active_mask)
    [1.9  0.52 1.04] [1 0 0]

    An outlier, and a loss that hardly heeds it:

    >>> y[2] = 9.0
    >>> fit = least_squares(residuals, start, args=(y,), loss="cauchy", f_scale=0.1)
    >>> print(fit.x.round(2))
    [2.  0.5 1. ]

    A callback that stops the fit once the cost will do:

    >>> def good_enough(intermediate_result):
    ...     return intermediate_result.cost < 25
    >>> fit = least_squares(residuals, start, args=(y,), callback=good_enough)
    >>> fit.message
    'Stopped by the callback; x is the best point so far.'
    """
    check_method(method)
    check_dense(tr_solver, tr_options, jac_sparsity)
    ftol, xtol, gtol = tolerances(method, ftol=ftol, xtol=xtol, gtol=gtol)
    refuse_masked("x0", x0, "a fit starts at a number for each parameter")
    start = np.asarray(x0)
    if start.ndim > 1 or start.size == 0 or start.dtype.kind == "c":
        raise ValueError(
            "x0 must be a real number or a vector of at least one, not of shape "
            f"{start.shape} and dtype {start.dtype}"
        )
    n = start.size
    lower = upper = steps = observer = None
    if bounds is not _UNBOUNDED:
        pair = bounds_arrays(bounds, n)
        if pair is not None:
            lower, upper = pair
            check_start("x0", np.atleast_1d(start), lower, upper)
    diag = scales(x_scale, n)
    if diff_step is not None:
        steps = positive("diff_step", diff_step, n)
    limit = evaluations("max_nfev", max_nfev, 100 * n)
    if callback is not None or verbose != 0:
        observer = Observer(callback, verbose)

    options = (lower, upper, ftol, xtol, gtol, diag, loss, f_scale, steps, limit)
    kwargs = dict(kwargs) if kwargs else None
    bound = None
    has_jacobian = is_exact = not isinstance(jac, str)
    if type(fun) is Traced:
        if (
            jac in ("2-point", "3-point")
            and not callable(workers)
            and m is None
            and user_data is None
            and not vectorized
        ):
            count = threads(workers)
            bound = fun.bind_residuals(start, tuple(args), kwargs, count)
        fun = fun.function
    if jac is True:
        fun, jac = two_functions(fun, "fun", "jac")
    if bound is not None:

        def run(fun: Any, exact: Any, m: int) -> Any:
            derivatives = jac if exact is None or jac == "3-point" else exact
            rest = ((), None, m, None, count, observer, False, None, acceleration)
            return _minpack.least_squares(fun, start, derivatives, *options, *rest)

        fit = bound.solve(run)
        is_exact = jac == "2-point" and bound.jacobian is not None
    else:
        count = None
        if is_one(workers) or _minpack.takes_range(fun, "fun"):
            count, workers = threads(workers), None
        rest = (args, kwargs, m, user_data, count, observer, vectorized)
        if is_one(workers):
            fit = _minpack.least_squares(
                fun, start, jac, *options, *rest, None, acceleration
            )
        else:
            with mapping(workers, fun, args, kwargs) as map_points:
                fit = _minpack.least_squares(
                    fun, start, jac, *options, *rest, map_points, acceleration
                )
    x, cost, fvec, jacobian, grad, optimality, active, nfev, njev, info, lowered = fit
    status, message = _ending(info, lowered, acceleration)
    if has_jacobian:
        message += advice_on_jacobian(info, "jac", x, start, fvec)
    if not grad.all():
        message += _idle(jacobian, grad, lower, upper, x, start)
    result = OptimizeResult(
        message=message,
        success=status > 0,
        status=status,
        fun=fvec,
        x=x,
        cost=cost,
        jac=jacobian,
        grad=grad,
        optimality=optimality,
        active_mask=active,
        nfev=nfev,
        njev=njev if is_exact else None,
    )
    # No entry: lmfit copies all entries to its own result, which has a method too.
    object.__setattr__(result, "method", "lm")
    if observer is not None:
        observer.nfev = nfev  # the last trial point may not have been an iterate
        observer.print_end(message)
    return result


def _idle(
    jacobian: _Vector,
    grad: _Vector,
    lower: _Vector | None,
    upper: _Vector | None,
    x: _Vector,
    start: _Vector,
) -> str:
    """Say which parameters have no effect on the residuals."""
    idle = [
        int(j)
        for j in np.flatnonzero(grad == 0)
        if not jacobian[:, j].any()
        and not (lower is not None and upper is not None and lower[j] == upper[j])
    ]
    said = idle_parameters(idle, x, start, "the residuals at x")
    return said and f" {said}"


def _ending(info: int | None, lowered: float, is_accelerated: bool) -> tuple[int, str]:
    """Return the status and the message for what the compiled part says."""
    if info is not None and info < 0:
        return _FAILED, f"{stopped_by_function(info)} x is the best point so far."
    status = _STOPPED if info is None else _STATUS[Info(info)]
    message = _MESSAGES[status]
    if status == 0 or (status > 0 and lowered == 0):
        message += progress(lowered, "x0", "the cost")
    if status == 0:
        message += f" {remedies('max_nfev', 'x0', not is_accelerated)} may help."
    return status, message

"""``least_squares``: bounds, robust losses and callbacks, by Levenberg-Marquardt."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack
from minpack._arguments import bounds_arrays, check_start
from minpack._result import OptimizeResult
from minpack._status import Info, idle_parameters, stopped_by_function

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
    0: "Stopped: fun has been evaluated max_nfev times. x is the best point so far; a "
    "better x0, a larger max_nfev or parameters of similar size may help.",
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
    jac: str | Callable[..., ArrayLike] = "2-point",
    bounds: Any = _UNBOUNDED,
    method: str = "lm",
    ftol: float = 1e-8,
    xtol: float = 1e-8,
    gtol: float = 1e-8,
    x_scale: ArrayLike | None = None,
    loss: str | Callable[[_Vector], ArrayLike] = "linear",
    f_scale: float = 1.0,
    diff_step: ArrayLike | None = None,
    tr_solver: None = None,
    tr_options: None = None,
    jac_sparsity: None = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    workers: int | None = None,
    *,
    m: int | None = None,
    user_data: Any = None,
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
    jac : {'2-point', '3-point', 'cs'}, callable or compiled function, optional
        How the Jacobian is computed: by forward differences, n calls of `fun` each
        time; by differences of second order, 2n calls; by complex steps, n calls with
        a complex `x`, exact to rounding where `fun` is analytic, for Python functions
        alone; or by
        ``jac(x, *args, **kwargs)``, which returns the dense matrix of shape (m, n):
        entry (i, j) is the derivative of residual i with respect to parameter j.
    bounds : pair of array_like, or an object with ``lb`` and ``ub``, optional
        The lower and upper bounds, one number or one for each parameter; infinite
        for none. A parameter with equal bounds is fixed.
    method : {'lm'}, optional
        The only method. It takes bounds and losses too.
    ftol, xtol, gtol : float, optional
        The fit ends once a step lowers the cost by a relative `ftol` at most, once
        the next one would change `x` by a relative `xtol` at most, or once the
        cosine of the angle between the residuals and each column of the Jacobian is
        at most `gtol`. None may be below the machine epsilon.
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
    tr_solver, tr_options, jac_sparsity : None, optional
        Of SciPy's other methods; anything but None is an error.
    max_nfev : int, optional
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
    workers : {None, 1}, optional
        The differences are evaluated one after the other.
    m : int, optional
        The number of residuals; for compiled functions, which need it.
    user_data : array_like, optional
        For compiled functions: an object with contiguous memory, such as an array,
        the address of which is their last argument.

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

    Raises
    ------
    ValueError
        If an argument is out of its range, if there are fewer residuals than
        parameters, if the residuals or the cost at `x0` are not finite, or if what a
        function returns is of a wrong shape.
    TypeError
        If an argument or what a function returns is of the wrong type.

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
    if (
        method != "lm"
        or tr_solver is not None
        or tr_options is not None
        or jac_sparsity is not None
        or workers not in (None, 1)
    ):
        _refuse(method, tr_solver, tr_options, jac_sparsity, workers)
    start = np.asarray(x0)
    if start.ndim > 1 or start.size == 0 or start.dtype.kind == "c":
        raise ValueError(
            "x0 must be a real number or a vector of at least one, not of shape "
            f"{start.shape} and dtype {start.dtype}"
        )
    n = start.size
    lower = upper = diag = steps = observer = None
    if bounds is not _UNBOUNDED:
        pair = bounds_arrays(bounds, n)
        if pair is not None:
            lower, upper = pair
            check_start("x0", np.atleast_1d(start), lower, upper)
    if x_scale is not None and not (isinstance(x_scale, str) and x_scale == "jac"):
        diag = 1 / _positive("x_scale", x_scale, n, "'jac', ")
    if diff_step is not None:
        steps = _positive("diff_step", diff_step, n)
    if max_nfev is None:
        max_nfev = 100 * n
    elif max_nfev <= 0:
        raise ValueError(f"max_nfev must be a positive integer, not {max_nfev}")
    if callback is not None or verbose != 0:
        observer = _Observer(callback, verbose)

    x, cost, fvec, jacobian, grad, optimality, active, nfev, njev, info = (
        _minpack.least_squares(
            fun, start, jac, lower, upper, ftol, xtol, gtol, diag, loss, f_scale,
            steps, max_nfev, args, dict(kwargs) if kwargs else None, m, user_data,
            observer,
        )
    )  # fmt: skip
    status, message = _ending(info)
    if not grad.all():
        message += _idle(jacobian, grad, lower, upper)
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
        njev=None if isinstance(jac, str) else njev,
    )
    if observer is not None and verbose:
        observer.print_summary(result)
    return result


def _idle(
    jacobian: _Vector,
    grad: _Vector,
    lower: _Vector | None,
    upper: _Vector | None,
) -> str:
    """Say which parameters have no effect on the residuals."""
    idle = [
        int(j)
        for j in np.flatnonzero(grad == 0)
        if not jacobian[:, j].any()
        and not (lower is not None and upper is not None and lower[j] == upper[j])
    ]
    said = idle_parameters(idle, grad.size, "the residuals at x")
    return said and f" {said}"


def _ending(info: int | None) -> tuple[int, str]:
    """Return the status and the message for what the compiled part says."""
    if info is not None and info < 0:
        return _FAILED, f"{stopped_by_function(info)} x is the best point so far."
    status = _STOPPED if info is None else _STATUS[Info(info)]
    return status, _MESSAGES[status]


def _refuse(
    method: str, tr_solver: Any, tr_options: Any, jac_sparsity: Any, workers: Any
) -> None:
    """Raise the error for what belongs to SciPy's other methods."""
    if method in ("trf", "dogbox"):
        raise ValueError(
            f"method must be 'lm', not {method!r}: here it takes bounds and losses"
        )
    if method != "lm":
        raise ValueError(f"method must be 'lm', not {method!r}")
    if workers not in (None, 1):
        raise ValueError(
            f"workers must be None or 1, not {workers!r}: differences are evaluated "
            "one after the other"
        )
    for name, value in (
        ("tr_solver", tr_solver),
        ("tr_options", tr_options),
        ("jac_sparsity", jac_sparsity),
    ):
        if value is not None:
            shown = repr(value) if isinstance(value, str) else type(value).__name__
            raise ValueError(
                f"{name} must be None, not {shown}: the Jacobian is dense and always "
                "factorized"
            )


def _positive(name: str, value: Any, n: int, other: str = "") -> _Vector:
    """Read one positive number for each parameter, or one for all."""
    wrong = ValueError(
        f"{name} must be {other}a positive number or one for each of the {n} "
        f"parameters, not {value!r}"
    )
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.shape not in ((), (n,)):
        raise wrong
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise wrong
    return np.full(n, array, dtype=float)


class _Observer:
    """Shows each new iterate to a callback and, with verbose 2, on the screen."""

    def __init__(self, callback: Callable[..., Any] | None, verbose: int) -> None:
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose must be 0, 1 or 2, not {verbose!r}")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, not {callback!r}")
        self.callback = callback
        self.takes_result = callback is not None and _takes_result(callback)
        self.prints = verbose == 2
        self.first_cost: float | None = None
        self.x = np.empty(0)
        self.cost = 0.0

    def __call__(
        self,
        x: _Vector,
        fvec: _Vector,
        cost: float,
        nit: int,
        nfev: int,
        optimality: float,
    ) -> bool:
        """Look at an iterate, and say whether to stop."""
        if nit == 0:
            self.first_cost = cost
        if self.prints:
            self.print_row(x, cost, nit, nfev, optimality)
        if self.callback is None or nit == 0:
            return False
        try:
            if self.takes_result:
                answer = self.callback(
                    intermediate_result=OptimizeResult(
                        x=x,
                        fun=fvec,
                        cost=cost,
                        optimality=optimality,
                        nit=nit,
                        nfev=nfev,
                    )
                )
            else:
                answer = self.callback(x)
        except StopIteration:
            return True
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def print_row(
        self, x: _Vector, cost: float, nit: int, nfev: int, optimality: float
    ) -> None:
        if nit == 0:
            header = ("Iteration", "Total nfev", "Cost", "Cost reduction", "Step norm")
            print("".join(f"{title:^15}" for title in (*header, "Optimality")))
            progress = " " * 30
        else:
            step = float(np.linalg.norm(x - self.x))
            progress = f"{self.cost - cost:^15.2e}{step:^15.2e}"
        print(f"{nit:^15}{nfev:^15}{cost:^15.4e}{progress}{optimality:^15.2e}")
        self.x, self.cost = x.copy(), cost  # the callback may change its x

    def print_summary(self, result: OptimizeResult) -> None:
        first = result.cost if self.first_cost is None else self.first_cost
        print(result.message)
        print(
            f"{result.nfev} evaluations, cost {first:.4e} at x0 and {result.cost:.4e} "
            f"at x, optimality {result.optimality:.2e}."
        )


def _takes_result(callback: Callable[..., Any]) -> bool:
    """Whether the only parameter is called intermediate_result."""
    try:
        return [*inspect.signature(callback).parameters] == ["intermediate_result"]
    except (TypeError, ValueError):
        return False

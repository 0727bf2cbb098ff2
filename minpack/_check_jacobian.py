"""``check_jacobian``: which entries of a Jacobian are wrong."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack
from minpack._result import OptimizeResult

if TYPE_CHECKING:  # numpy.typing would be most of what importing minpack costs
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    _Vector = NDArray[np.float64]
    _Mask = NDArray[np.bool_]

_AGREEMENT = 1e-5  # relative difference of two entries that are taken for the same
_SAFETY = 3.0  # how many times its estimate the error of a difference may be
_CONTRADICTION = 10.0  # beyond so many times their errors two slopes contradict
_ROUNDINGS = 5000.0  # in units of the machine epsilon, of a row's terms that cancel
_COMPLEX_STEP = 1e-20  # relative to a parameter
# Steps of differences, as powers of 10 times a parameter; and where these do not do
_STEPS = range(-1, -10, -1)
_MORE_STEPS = range(-1, -15, -1)
_WITNESSES = 3  # smaller steps that must tell how large the errors of a slope are
_SHOWN = 3  # wrong entries in the message


def check_jacobian(
    func: Callable[..., ArrayLike],
    Dfun: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any = (),
) -> OptimizeResult:
    """Say which entries of a Jacobian are wrong.

    A wrong Jacobian is the commonest reason why a fit does not converge. Each entry is
    compared with the derivative of `func`: by complex steps where `func` takes complex
    numbers, else by differences.

    Parameters
    ----------
    func : callable
        ``func(x, *args)`` returns the m residuals at `x`, shape (n,), as in `leastsq`
        and `least_squares`.
    Dfun : callable
        ``Dfun(x, *args)`` returns the Jacobian at `x`, shape (m, n): entry (i, j) is
        the derivative of residual i with respect to parameter j.
    x0 : array_like
        Where to compare, of any shape; it is flattened to (n,). A point at which no
        parameter is 0 says more than one at which derivatives vanish.
    args : tuple, optional
        More arguments for `func` and `Dfun`. Anything but a tuple is one argument.

    Returns
    -------
    OptimizeResult
        A dictionary whose entries are attributes too:

        - ``success``: whether no entry is wrong;
        - ``message``: the same in words: the worst entries, and whether the Jacobian is
          transposed, has columns in another's place, or a wrong sign or factor;
        - ``wrong``: the rows and columns of the wrong entries, shape (k, 2), the worst
          first;
        - ``jac``: what `Dfun` returned, shape (m, n);
        - ``expected``: the derivatives of `func`, shape (m, n);
        - ``uncertainty``: how large the errors of `expected` may be, shape (m, n);
          infinite where an entry could not be checked;
        - ``method``: 'complex step' or 'differences'.

        Where `Dfun` returns shape (n, m), `success` is false, and the transpose is
        compared.

    Raises
    ------
    TypeError
        If a function is compiled or not callable, or returns no real numbers.
    ValueError
        If what a function returns is of a wrong shape.

    See Also
    --------
    leastsq, least_squares, curve_fit : They take such Jacobians.

    Notes
    -----
    An entry is wrong if it differs from the derivative by more than a relative 1e-5 and
    by more than the errors that `func` and the differences may have. Those are
    estimated for each entry from central differences with 9 steps, from 0.1 to 1e-9 of
    a parameter, 18 calls of `func` for each parameter. Where they do not tell, more
    steps are tried. At a kink every slope between those of its two sides is right.

    Complex steps [1]_ are exact to rounding, and are used where `func` returns complex
    numbers for a complex `x` and they agree with the differences, as they do not where
    `func` takes absolute values, say.

    An exception that `func` raises at a step, but not at `x0`, means that there is no
    value there.

    References
    ----------
    .. [1] W. Squire and G. Trapp, "Using complex variables to estimate derivatives of
       real functions", SIAM Review 40, 110-112, 1998.

    Examples
    --------
    A sign is wrong:

    >>> import numpy as np
    >>> from minpack import check_jacobian
    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([2.0, 1.2, 0.7, 0.5])
    >>> def residuals(x):
    ...     return x[0] * np.exp(-x[1] * t) - y
    >>> def jacobian(x):
    ...     return np.stack([np.exp(-x[1] * t), x[0] * t * np.exp(-x[1] * t)], axis=1)
    >>> check = check_jacobian(residuals, jacobian, [2.0, 0.5])
    >>> print(check.message)
    3 of the 8 entries of the Jacobian are wrong, by complex steps.
    Column 1 has the wrong sign.
    Row 3, column 1: 1.338781 was returned, -1.338781 is expected.
    Row 2, column 1: 1.4715178 was returned, -1.4715178 is expected.
    Row 1, column 1: 1.2130613 was returned, -1.2130613 is expected.

    The model and the `jac` of `curve_fit`:

    >>> def model(t, a, b):
    ...     return a * np.exp(-b * t)
    >>> def jac(t, a, b):
    ...     return np.stack([np.exp(-b * t), -a * t * np.exp(-b * t)], axis=1)
    >>> check = check_jacobian(
    ...     lambda p: model(t, *p), lambda p: jac(t, *p), [2.0, 0.5]
    ... )
    >>> print(check.message)
    All 8 entries of the Jacobian are right, by complex steps.
    """
    for name, function in (("func", func), ("Dfun", Dfun)):
        _refuse_compiled(name, function)
    if not isinstance(args, tuple):
        args = (args,)
    x = np.array(x0, dtype=float).ravel()
    check = _Check(lambda x: func(x, *args), x)
    jac, is_transposed = _jacobian(Dfun(x.copy(), *args), check.m, x.size)
    return check.result(jac, is_transposed)


def _refuse_compiled(name: str, function: Any) -> None:
    if _minpack.is_compiled(function, name):
        raise TypeError(
            f"{name} must be a Python function, not a compiled one: a Python function "
            "that calls it will do"
        )
    if not callable(function):
        raise TypeError(f"{name} must be callable, not {type(function).__name__}")


def _jacobian(answer: Any, m: int, n: int) -> tuple[_Vector, bool]:
    """Return the Jacobian with shape (m, n), and whether it came transposed."""
    jac = np.array(answer)
    if jac.dtype.kind not in "biuf":
        raise TypeError(f"Dfun must return real numbers, not {jac.dtype}")
    jac = jac.astype(float)
    if n == 1 and jac.ndim <= 2 and jac.size == m:
        return jac.reshape(m, 1), False
    if jac.shape == (m, n):
        return jac, False
    if jac.shape == (n, m):
        return jac.T, True
    raise ValueError(
        f"Dfun must return the Jacobian with shape ({m}, {n}), one row for each of the "
        f"m residuals; it returned shape {jac.shape}"
    )


class _Check:
    """The derivatives of a function at x, and what differs from them."""

    def __init__(self, func: Callable[[Any], ArrayLike], x: _Vector) -> None:
        self.func, self.x, self.n = func, x, x.size
        values = np.array(func(x.copy()))
        if values.dtype.kind not in "biuf":
            raise TypeError(f"func must return real numbers, not {values.dtype}")
        if values.ndim > 1:
            raise ValueError(
                "func must return a 1-D array of m residuals; it returned shape "
                f"{values.shape}"
            )
        kind = values.dtype if values.dtype in (np.float32, np.float16) else float
        self.epsilon = float(np.finfo(kind).eps)
        self.fvec = np.atleast_1d(values).astype(float)
        self.m = self.fvec.size

    def result(self, jac: _Vector, is_transposed: bool) -> OptimizeResult:
        """Compare a Jacobian with the derivatives."""
        with np.errstate(all="ignore"):
            self._find_differences(jac)
            derivatives = self._complex_steps()
            self.method = "differences" if derivatives is None else "complex step"
            if derivatives is not None:
                self.expected = derivatives
            wrong = self._wrong(jac)
            message = self._message(jac, wrong, is_transposed)
            uncertainty = self.error
            if derivatives is not None:
                uncertainty = np.where(np.isfinite(self.error), self.floor, np.inf)
        return OptimizeResult(
            message=message,
            success=not (is_transposed or wrong.any()),
            wrong=self._worst_first(jac, wrong),
            jac=jac,
            expected=self.expected,
            uncertainty=uncertainty,
            method=self.method,
        )

    # --- Derivatives -------------------------------------------------------------

    def _find_differences(self, jac: _Vector) -> None:
        """Set the derivatives by differences, and what their errors may be."""
        self.differences = np.full((self.m, self.n), np.nan)
        self.error = np.full((self.m, self.n), np.inf)
        sizes = self._sizes(jac)
        for j in range(self.n):
            self._difference(j, sizes[j], _STEPS)
        for j in self._open_columns(jac):
            self._difference(j, sizes[j], _MORE_STEPS)
        self._find_floor()

    def _sizes(self, jac: _Vector) -> _Vector:
        """Of what size each parameter is.

        A parameter that is next to 0 takes its size from its effect on the residuals.
        """
        size = np.abs(self.x)
        self.rows = _row_scale(self.fvec, jac, self.x)
        effect = _largest(jac / self.rows[:, None])
        natural = np.where(effect > 0, 1 / effect, np.where(size > 0, size, 1.0))
        return np.where(size >= 1e-9 * natural, size, natural)

    def _open_columns(self, jac: _Vector) -> list[int]:
        """Find the columns in which differences say too little of some entry."""
        self.expected, self.method = self.differences, "differences"
        self._find_floor()
        gap = np.abs(jac - self.differences)
        allowed = 1e-3 * np.fmax(np.abs(jac), np.abs(self.differences)) + self.floor
        is_open = ~(gap <= allowed) & ~self._wrong(jac)
        return [int(j) for j in np.flatnonzero(is_open.any(axis=0))]

    def _find_floor(self) -> None:
        """Set what rounding errors of terms that cancel may leave in each entry."""
        slopes = np.where(self.error < np.abs(self.differences), self.differences, 0.0)
        rows = _row_scale(self.fvec, slopes, self.x)
        columns = _largest(slopes / rows[:, None])
        self.floor = _ROUNDINGS * self.epsilon * rows[:, None] * columns

    def _difference(self, j: int, size: float, powers: range) -> None:
        """Set column j by the central differences that say most of each entry."""
        x, h = self.x[j], size * 10.0 ** np.array(powers)
        above, below = x + h, x - h
        moved = (above > x) & (below < x) & np.isfinite(above - below)
        above, below = above[moved], below[moved]
        if above.size <= _WITNESSES:
            return
        f_above = np.stack([self._at(j, each) for each in above])
        f_below = np.stack([self._at(j, each) for each in below])
        h = (above - below)[:, None] / 2
        slope = (f_above - f_below) / (2 * h)

        error = self._errors(h, slope, f_above, f_below)
        best = error.argmin(axis=0)
        rows = np.arange(self.m)
        known = np.isfinite(error[best, rows])
        self.error[:, j] = error[best, rows]
        self.differences[:, j] = np.where(known, slope[best, rows], np.nan)

    def _errors(
        self, h: _Vector, slope: _Vector, f_above: _Vector, f_below: _Vector
    ) -> _Vector:
        """Return how large the errors of slopes by falling steps may be."""
        # How far the sides are apart: the curvature, a kink, and rounding errors.
        # Rounding errors do not fall with the step, and so smaller steps show them.
        # Where they are 0 by chance, the smallest of the others stands for them.
        apart = np.abs(f_above - 2 * self.fvec + f_below)
        apart = np.where(np.isfinite(apart), apart, np.inf)
        least = np.where(apart > 0, apart, np.inf).min(axis=0)
        apart = np.maximum(_largest_so_far(apart), np.where(least < np.inf, least, 0))
        size = np.maximum(np.maximum(np.abs(f_above), np.abs(f_below)), self.rows)
        epsilon = self.epsilon
        if _are_float32(f_above) and _are_float32(f_below):
            epsilon = max(epsilon, float(np.finfo(np.float32).eps))
        error = (apart / 2 + 2 * epsilon * size) / h

        # What a smaller step says otherwise, and that it may say nothing: the residuals
        # need not react to each change of a parameter that is rounded.
        is_still = (f_above == self.fvec) & (f_below == self.fvec)
        reach = np.where(is_still, 10 * h, h)
        for k in range(len(h) - 1):
            change = np.abs(slope[k + 1 :] - slope[k])
            error[k] += change[0] + (change * reach[k + 1 :]).max(axis=0) / h[k]
        error[-_WITNESSES:] = np.inf
        moves = np.logical_or.accumulate(~is_still)
        error[is_still & moves] = np.inf

        # An error that is far below both of its neighbours is small by chance.
        beside = np.full_like(error, np.inf)
        beside[1:] = error[:-1]
        beside[:-1] = np.minimum(beside[:-1], error[1:])
        error = np.maximum(error, np.where(beside < np.inf, beside / 30, 0))

        # A step is too long if two smaller ones contradict it; one may by chance.
        for k in range(len(h) - 1):
            change = np.abs(slope[k + 1 :] - slope[k])
            contradicts = change > _CONTRADICTION * (error[k] + error[k + 1 :])
            error[k] = np.where(contradicts.sum(axis=0) < 2, error[k], np.inf)
        return np.where(np.isfinite(error), error, np.inf)

    def _at(self, j: int, value: float) -> _Vector:
        """Return the residuals where parameter j has another value."""
        x = self.x.copy()
        x[j] = value
        try:
            values = np.array(self.func(x), dtype=float)
        except Exception:
            return np.full(self.m, np.nan)
        return self._shaped(values)

    def _shaped(self, values: NDArray[Any]) -> NDArray[Any]:
        values = np.atleast_1d(values)
        if values.shape != self.fvec.shape:
            raise ValueError(
                f"func returned shape {values.shape} after it had returned shape "
                f"{self.fvec.shape}: the number of residuals must not change"
            )
        return values

    def _complex_steps(self) -> _Vector | None:
        """Return the derivatives by complex steps; None if there are none to trust."""
        columns = []
        for j in range(self.n):
            x = self.x.astype(complex)
            h = max(_COMPLEX_STEP * abs(self.x[j]), np.finfo(float).tiny)
            if self.x[j] == 0:
                h = _COMPLEX_STEP
            x[j] += 1j * h
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", np.exceptions.ComplexWarning)
                    values = np.array(self.func(x))
            except Exception:
                return None
            if values.dtype.kind != "c":
                return None
            columns.append(self._shaped(values).imag / h)
        derivatives = np.stack(columns, axis=1).astype(float)
        known = np.isfinite(self.error)
        gap = np.abs(derivatives - self.differences)
        allowed = _SAFETY * self.error + _AGREEMENT * np.abs(self.differences)
        return derivatives if (gap <= allowed + self.floor)[known].all() else None

    # --- What is wrong -----------------------------------------------------------

    def _wrong(self, jac: _Vector) -> _Mask:
        columns = [self._wrong_in(jac[:, j], j) for j in range(self.n)]
        return np.stack(columns, axis=1)

    def _wrong_in(self, column: _Vector, j: int) -> _Mask:
        """Say which entries are wrong if this is column j of the Jacobian."""
        expected, error = self.expected[:, j], self.error[:, j]
        size = np.fmax(np.abs(column), np.abs(expected))
        allowed = _AGREEMENT * size + self.floor[:, j]
        if self.method == "differences":
            right = np.abs(column - expected) <= allowed + _SAFETY * error
        else:
            right = (np.abs(column - expected) <= allowed) | (
                np.abs(column - self.differences[:, j]) <= error
            )
        wrong: _Mask = np.isfinite(error) & ~right
        return wrong

    def _worst_first(self, jac: _Vector, wrong: _Mask) -> NDArray[np.intp]:
        """Return the rows and columns of the wrong entries, shape (k, 2)."""
        places = np.argwhere(wrong)
        rows = _row_scale(self.fvec, self.expected, self.x)
        columns = _largest(self.expected / rows[:, None])
        size = np.where(rows > 0, rows, 1)[:, None] * np.where(columns > 0, columns, 1)
        badness = (np.abs(jac - self.expected) / size)[wrong]
        badness = np.where(np.isfinite(badness), badness, np.inf)
        return places[np.argsort(-badness, kind="stable")]

    # --- Words ------------------------------------------------------------------------

    def _message(self, jac: _Vector, wrong: _Mask, is_transposed: bool) -> str:
        count, unknown = jac.size, int((~np.isfinite(self.error)).sum())
        by = "by complex steps" if self.method == "complex step" else "by differences"
        lines = []
        if is_transposed:
            lines.append(
                f"The Jacobian is transposed: Dfun returned shape ({self.n}, {self.m})"
                f", and ({self.m}, {self.n}) is wanted. leastsq takes it with "
                "col_deriv=True."
            )
        if wrong.any():
            lines.append(
                f"{wrong.sum()} of the {count} entries of the Jacobian are wrong, {by}."
            )
            lines += self._patterns(jac, wrong)
            for i, j in self._worst_first(jac, wrong)[:_SHOWN]:
                lines.append(
                    f"Row {i}, column {j}: {jac[i, j]:.8g} was returned, "
                    f"{self.expected[i, j]:.8g} is expected."
                )
        elif unknown < count:
            which = (
                f"All {count}" if unknown == 0 else f"{count - unknown} of the {count}"
            )
            lines.append(f"{which} entries of the Jacobian are right, {by}.")
        if unknown:
            lines.append(
                f"{unknown} entries could not be checked: func has no finite values "
                "near x0 there."
            )
        return "\n".join(lines)

    def _patterns(self, jac: _Vector, wrong: _Mask) -> list[str]:
        """Say what is wrong as a whole: transposed, columns swapped, signs, factors."""
        if self.m == self.n and not self._wrong(jac.T).any():
            return ["The Jacobian is transposed."]
        columns = [int(j) for j in np.flatnonzero(wrong.any(axis=0))]
        lines = [
            f"Columns {a} and {b} are in each other's place."
            for a in columns
            for b in columns
            if a < b
            and not self._wrong_in(jac[:, b], a).any()
            and not self._wrong_in(jac[:, a], b).any()
        ]
        if lines:
            return lines
        factors = {j: self._factor(jac[:, j], j) for j in columns}
        ratios = [factor for factor in factors.values() if factor is not None]
        filled = np.flatnonzero((np.abs(self.expected) > self.floor).any(axis=0))
        if len(ratios) == len(filled) > 1 and np.allclose(ratios, ratios[0], rtol=1e-4):
            return [f"The whole Jacobian {_times(ratios[0])}."]
        return [
            f"Column {j} {_times(factor)}."
            for j, factor in factors.items()
            if factor is not None
        ]

    def _factor(self, column: _Vector, j: int) -> float | None:
        """Return the factor by which a whole column is off, if that is all."""
        known = np.isfinite(self.error[:, j]) & np.isfinite(column)
        expected = np.where(known, self.expected[:, j], 0.0)
        i = int(np.abs(expected).argmax())
        factor = column[i] / expected[i]
        several = np.count_nonzero(np.abs(expected) > self.floor[:, j]) > 1
        if not several or not np.isfinite(factor) or factor == 0:
            return None
        return None if self._wrong_in(column / factor, j).any() else float(factor)


def _times(factor: float) -> str:
    if abs(factor + 1) < 1e-4:
        return "has the wrong sign"
    return f"is {factor:.5g} times what it should be"


def _row_scale(fvec: _Vector, jac: _Vector, x: _Vector) -> _Vector:
    """Return the largest term that a row of residuals is known to have; 1 if none."""
    terms = np.column_stack([fvec, jac * x])
    scale = _largest(terms.T)
    return np.where(scale > 0, scale, 1.0)


def _largest(a: _Vector) -> _Vector:
    """Return the largest finite absolute value of each column, or 0."""
    size = np.abs(a)
    largest: _Vector = np.where(np.isfinite(size), size, 0.0).max(axis=0, initial=0.0)
    return largest


def _largest_so_far(a: _Vector) -> _Vector:
    """Return the largest of each entry and those below it, in each column."""
    return np.maximum.accumulate(a[::-1])[::-1]


def _are_float32(a: _Vector) -> bool:
    """Whether numbers of float32 hold all values: func may compute in them inside."""
    return bool((a.astype(np.float32) == a).all())

"""What a batch of fits returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._status import SUCCESS, Info, message

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    traced : bool
        Whether the fits ran without Python, by a record of the function.
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
        traced: bool = False,
    ) -> None:
        self.x = x
        self.cov = cov
        self.cost = cost
        self.nfev = nfev
        self.ier = ier
        self.success: NDArray[np.bool_] = np.isin(ier, list(SUCCESS))
        self.active_mask = active_mask
        self.traced = traced
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

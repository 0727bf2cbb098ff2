"""What a batch of fits returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._status import SUCCESS, Info, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BAD_FIT = (
    "Bad input: the fit has fewer points than parameters, its start is not within its "
    "bounds, or a lower bound is greater than the upper one."
)


class BatchResult:
    """What came of a batch of fits of n parameters: an array for each quantity.

    The first axes of each array, ``...``, are those of the fits, (B,) or as the data
    have them. An index of them gives the results of some fits, ``result[3, 5]`` or
    ``result[~result.success]``, that of one fit in arrays of shape () and (n,).

    Attributes
    ----------
    x : ndarray, shape (..., n)
        The parameters: of the solution, or the best point found if there is none. NaN
        where no point with finite residuals was found.
    cov : ndarray, shape (..., n, n)
        The covariance of the parameters, for `leastsq_batch` the inverse of
        ``J.T @ J``, as from `curve_fit`: a parameter that ends on a bound has the
        error that it would have without, and those that equal bounds fix have zeros.
        NaN where J is singular, where the fit has failed, and where the points are as
        many as the parameters and their errors are not known.
    cost : ndarray, shape (...)
        Half the sum of the squares of the residuals at `x`, or what a loss makes of
        it; NaN where `x` is.
    nfev : ndarray of int, shape (...)
        The number of evaluations of the fit's residuals; with bounds, of those that
        are not for differences.
    ier : ndarray of int, shape (...)
        Why each fit ended: the numbers of `leastsq`. Negative: what a compiled
        function returned to stop the fit.
    success : ndarray of bool, shape (...)
        Where there is a solution: `ier` is 1 to 4.
    active_mask : ndarray of int, shape (..., n)
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

    @property
    def stderr(self) -> NDArray[np.float64]:
        """The standard errors of the parameters, (..., n): NaN where `cov` is."""
        errors: NDArray[np.float64] = np.sqrt(np.diagonal(self.cov, 0, -2, -1))
        return errors

    @property
    def correlation(self) -> NDArray[np.float64]:
        """The correlations of the parameters, (..., n, n).

        NaN where `cov` is, and with a parameter that equal bounds fix.
        """
        errors = self.stderr
        with np.errstate(all="ignore"):
            matrix = self.cov / errors[..., :, None] / errors[..., None, :]
            diagonal = np.arange(errors.shape[-1])
            matrix[..., diagonal, diagonal] = errors / errors
        return matrix

    def message(self, i: int | tuple[int, ...] = ()) -> str:
        """Say why fit `i` ended; `i` is an index of `ier`."""
        info = self.ier[i]
        if np.ndim(info):
            raise TypeError(
                f"message takes the index of one fit, {self.ier.ndim} integers, not "
                f"{i!r}"
            )
        return self._message_of(int(info))

    def _message_of(self, info: int) -> str:
        return _BAD_FIT if info == Info.BAD_INPUT else message(info, **self._limits)

    def __len__(self) -> int:
        """Return the length of the first axis of the fits."""
        return len(self.ier)

    def __getitem__(self, index: Any) -> BatchResult:
        """Return the results of some fits, by an index of `ier`."""
        of_fits = index if isinstance(index, tuple) else (index,)
        if not any(part is Ellipsis for part in of_fits):
            of_fits = (*of_fits, Ellipsis)
        ier = self.ier[of_fits]  # an IndexError where it is none of the fits
        of_rows = (*of_fits, slice(None))
        return BatchResult(
            self.x[of_rows],
            self.cov[(*of_rows, slice(None))],
            self.cost[of_fits],
            self.nfev[of_fits],
            ier,
            self.active_mask[of_rows],
            self._limits,
            self.traced,
        )

    def __iter__(self) -> Iterator[BatchResult]:
        """Return the results along the first axis of the fits, one after the other."""
        return (self[i] for i in range(len(self)))

    def _endings(self) -> list[tuple[int, int]]:
        """Return why fits ended and how many, the most frequent first."""
        codes, counts = np.unique(self.ier, return_counts=True)
        found = zip(codes.tolist(), counts.tolist(), strict=True)
        return sorted(found, key=lambda each: -each[1])

    def _summary(self) -> str:
        shape, count = self.ier.shape, self.ier.size
        fits = "1 fit" if count == 1 else f"{count} fits"
        if len(shape) > 1:
            fits = f"{' x '.join(map(str, shape))} fits"
        return (
            f"{fits} of {self.x.shape[-1]} parameters, "
            f"{np.count_nonzero(self.success)} converged"
        )

    def __repr__(self) -> str:
        """Return how many fits there are, how many have failed and why."""
        failed = [each for each in self._endings() if each[0] not in SUCCESS]
        lines = [
            f"\n  {count} failed, ier {info}: {self._message_of(info)}"
            for info, count in failed
        ]
        return f"<BatchResult: {self._summary()}{''.join(lines)}>"

    def _repr_html_(self) -> str:
        """Return the same as a table, for notebooks."""
        import html  # which takes a millisecond

        rows = [
            f"<tr><td>{count}</td><td>{info}</td><td style='text-align: left'>"
            f"{html.escape(self._message_of(info))}</td></tr>"
            for info, count in self._endings()
        ]
        return (
            f"<table><caption>{html.escape(self._summary())}</caption>"
            "<thead><tr><th>fits</th><th>ier</th><th>why they ended</th></tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

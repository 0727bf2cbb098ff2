"""MINPACK's own least-squares test problems.

The eighteen problems of Moré, Garbow & Hillstrom (ACM TOMS 7, 1981) that MINPACK's
tests solve, in the sizes and from the starting points that they use: 28 problems
with their sizes, 53 runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from arrays import Array

from . import mgh_functions as f

Function = Callable[[Array, int], f.Evaluation]

FACTORS = (1.0, 10.0, 100.0)


@dataclass(frozen=True, eq=False)
class Problem:
    """A test problem of one size.

    Attributes
    ----------
    number : int
        The problem's number in MINPACK's tests, 1 to 18.
    name : str
    n, m : int
        Number of parameters and of residuals.
    starts : int
        How many multiples of the standard start the tests use: 1, 10, 100 times.
    start : ndarray, shape (n,)
        The standard starting point.
    function : callable
        ``function(x, m)``, the residuals (m,) and the Jacobian (m, n).
    known_norm : float or None
        The norm of the residuals at the minimum that a descent from the standard
        start reaches; None where that depends on how the Jacobian is formed.
    """

    number: int
    name: str
    n: int
    m: int
    starts: int
    start: Array
    function: Function
    known_norm: float | None

    def __str__(self) -> str:
        """Return what tells the problem and its size from the others."""
        return f"{self.number}-{self.name}-{self.n}x{self.m}"

    def scaled_start(self, factor: float) -> Array:
        """Return the standard start times `factor`.

        Watson's standard start is zero. As in MINPACK's tests its multiples are the
        vector whose components are all `factor`.
        """
        if factor != 1 and not self.start.any():
            return np.full(self.n, float(factor))
        return self.start * factor

    def residuals(self, x: ArrayLike) -> Array:
        """Return the residuals at `x`, shape (m,)."""
        return self._evaluate(x)[0]

    def jacobian(self, x: ArrayLike) -> Array:
        """Return the Jacobian at `x`, shape (m, n)."""
        return self._evaluate(x)[1]

    @np.errstate(all="ignore")  # trial parameters may overflow
    def _evaluate(self, x: ArrayLike) -> f.Evaluation:
        x = np.asarray(x)
        return self.function(x.astype(np.result_type(x, float)), self.m)


def _sizes(
    number: int,
    function: Function,
    start: ArrayLike,
    *sizes: tuple[int, int, int, float | None],
) -> list[Problem]:
    return [
        Problem(
            number=number,
            name=function.__name__,
            n=n,
            m=m,
            starts=starts,
            start=np.array(np.broadcast_to(start, n), dtype=float),
            function=function,
            known_norm=known_norm,
        )
        for n, m, starts, known_norm in sizes
    ]


def _equispaced(n: int) -> Array:
    return np.arange(1, n + 1) / (n + 1)


# After the standard start: n, m, starts, known_norm, the norms to the eight digits
# that MINPACK's tests print. Chebyquad with n = 1 starts at a stationary point. Brown's
# almost-linear function has minima of norm 0 and of norm 1; with n = 10, MINPACK goes
# to the first with the exact Jacobian and to the second with forward differences.
PROBLEMS: tuple[Problem, ...] = (
    *_sizes(1, f.linear_full_rank, 1, (5, 10, 1, 2.2360680), (5, 50, 1, 6.7082039)),
    *_sizes(2, f.linear_rank_one, 1, (5, 10, 1, 1.4638501), (5, 50, 1, 3.4826302)),
    *_sizes(3, f.linear_zeros, 1, (5, 10, 1, 1.9097274), (5, 50, 1, 3.6917294)),
    *_sizes(4, f.rosenbrock, [-1.2, 1], (2, 2, 3, 0)),
    *_sizes(5, f.helical_valley, [-1, 0, 0], (3, 3, 3, 0)),
    *_sizes(6, f.powell_singular, [3, -1, 0, 1], (4, 4, 3, 0)),
    *_sizes(7, f.freudenstein_roth, [0.5, -2], (2, 2, 3, 6.9988752)),
    *_sizes(8, f.bard, 1, (3, 15, 3, 0.090635960)),
    *_sizes(9, f.kowalik_osborne, [0.25, 0.39, 0.415, 0.39], (4, 11, 3, 0.017535838)),
    *_sizes(10, f.meyer, [0.02, 4000, 250], (3, 16, 2, 9.3779451)),
    *_sizes(
        11,
        f.watson,
        0,
        (6, 31, 3, 0.047829594),
        (9, 31, 3, 0.0011831146),
        (12, 31, 3, 0.000021731040),
    ),
    *_sizes(12, f.box, [0, 10, 20], (3, 10, 1, 0)),
    *_sizes(13, f.jennrich_sampson, [0.3, 0.4], (2, 10, 1, 11.151779)),
    *_sizes(14, f.brown_dennis, [25, 5, -5, -1], (4, 20, 3, 292.95427)),
    *_sizes(15, f.chebyquad, _equispaced(1), (1, 8, 3, 1.8862380)),
    *_sizes(15, f.chebyquad, _equispaced(8), (8, 8, 1, 0.059303236)),
    *_sizes(15, f.chebyquad, _equispaced(9), (9, 9, 1, 0)),
    *_sizes(15, f.chebyquad, _equispaced(10), (10, 10, 1, 0.080647100)),
    *_sizes(16, f.brown_almost_linear, 0.5, (10, 10, 3, None)),
    *_sizes(16, f.brown_almost_linear, 0.5, (30, 30, 1, 0), (40, 40, 1, 0)),
    *_sizes(17, f.osborne1, [0.5, 1.5, -1, 0.01, 0.02], (5, 33, 1, 0.0073924926)),
    *_sizes(
        18,
        f.osborne2,
        [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5],
        (11, 65, 1, 0.20034404),
    ),
)
RUNS: tuple[tuple[Problem, float], ...] = tuple(
    (problem, factor) for problem in PROBLEMS for factor in FACTORS[: problem.starts]
)

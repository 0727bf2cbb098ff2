"""The NIST StRD nonlinear regression datasets.

Twenty-seven datasets with certified results, each with two starting points, read
from the files that NIST distributes (``nist/*.dat``, public domain). The certified
figures have 11 digits and were computed in 128-bit arithmetic.
See https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from arrays import Array

from .nist_models import MODELS, Model

CERTIFIED_DIGITS = 11
DIFFICULTIES = ("Lower", "Average", "Higher")
FOLDER = Path(__file__).with_suffix("")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset, its model and its certified results.

    Attributes
    ----------
    name, difficulty : str
        NIST's name and level: 'Lower', 'Average' or 'Higher'.
    x : ndarray, shape (m,) or (2, m)
        The predictor; Nelson has two, time and temperature.
    y : ndarray, shape (m,)
        The response; for Nelson its logarithm, which is what the model describes.
    starts : ndarray, shape (2, n)
        The two starting points; the second is nearer the solution.
    certified, stddev : ndarray, shape (n,)
        The certified parameters and their standard deviations.
    rss : float
        The certified residual sum of squares.
    model : callable
        ``model(b, x)``, the response at parameters `b`, which may be complex.
    """

    name: str
    difficulty: str
    x: Array
    y: Array
    starts: Array
    certified: Array
    stddev: Array
    rss: float
    model: Model

    @property
    def m(self) -> int:
        """Number of observations."""
        return self.y.size

    @property
    def n(self) -> int:
        """Number of parameters."""
        return self.certified.size

    def residuals(self, b: ArrayLike) -> Array:
        """Return the model minus the data at parameters `b`, shape (m,)."""
        return self.model(np.asarray(b), self.x) - self.y

    def jacobian(self, b: ArrayLike) -> Array:
        """Return the derivatives of the residuals at `b`, shape (m, n).

        By complex step: f(b + ih) = f(b) + ih f'(b) + O(h^2), where no difference
        is taken, so that h can be tiny and the derivative is exact to rounding
        (Squire & Trapp, SIAM Review 40, 1998).
        """
        h = 1e-40
        steps = np.asarray(b) + 1j * h * np.eye(self.n)
        return np.stack([self.model(bj, self.x).imag / h for bj in steps], axis=1)


def certified_digits(got: ArrayLike, certified: ArrayLike) -> float:
    """Return the number of digits in which a result agrees with the certified one.

    Parameters
    ----------
    got, certified : array_like
        Results of one shape; no certified value is zero.

    Returns
    -------
    float
        The log relative error, -log10(|got - certified| / |certified|), of the
        worst entry, between 0 and the 11 digits that are certified. NaN has none.
    """
    reference = np.asarray(certified)
    with np.errstate(all="ignore"):
        lre = -np.log10(np.abs((np.asarray(got) - reference) / reference))
    return float(np.clip(np.nan_to_num(lre, nan=0.0), 0, CERTIFIED_DIGITS).min())


class Digits(NamedTuple):
    """How many digits of a fit are right, in the worst entry of each."""

    b: float
    stddev: float
    rss: float


def fit(
    leastsq: Callable[..., Any],
    dataset: Dataset,
    start: int,
    *,
    analytic: bool = True,
    **options: Any,
) -> Any:
    """Return the full output of a `leastsq` that goes on until nothing is gained.

    The tolerances are a few rounding errors; gtol = 0 leaves the test of the
    gradient out.
    """
    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 0.0, "maxfev": 10_000}
    return leastsq(
        dataset.residuals,
        dataset.starts[start],
        Dfun=dataset.jacobian if analytic else None,
        full_output=True,
        **tight | options,
    )


def correct_digits(dataset: Dataset, result: Any) -> Digits:
    """Return how many digits of a full output of leastsq agree with NIST's."""
    b, cov_x, info, *_ = result
    rss = np.sum(info["fvec"] ** 2)
    variance = rss / (dataset.m - dataset.n)
    stddev = np.nan if cov_x is None else np.sqrt(np.diag(cov_x) * variance)
    return Digits(
        b=certified_digits(b, dataset.certified),
        stddev=certified_digits(stddev, dataset.stddev),
        rss=certified_digits(rss, dataset.rss),
    )


def _read(path: Path) -> Dataset:
    head, _, table = path.read_text().rpartition("\nData:")
    y, *predictors = np.loadtxt(table.splitlines()[1:], unpack=True)
    name = path.stem
    difficulty = re.search(r"(\w+) Level of Difficulty", head)
    rss = re.search(r"Residual Sum of Squares: +(\S+)", head)
    rows = re.findall(r"^ +b\d+ = +(\S+) +(\S+) +(\S+) +(\S+)", head, re.MULTILINE)
    if not (difficulty and rss and rows):
        raise ValueError(f"{path} is not an NIST StRD nonlinear regression file")
    start1, start2, certified, stddev = np.array(rows, dtype=float).T
    return Dataset(
        name=name,
        difficulty=difficulty[1],
        x=predictors[0] if len(predictors) == 1 else np.array(predictors),
        y=np.log(y) if name == "Nelson" else y,
        starts=np.array([start1, start2]),
        certified=certified,
        stddev=stddev,
        rss=float(rss[1]),
        model=MODELS[name],
    )


DATASETS: tuple[Dataset, ...] = tuple(
    sorted(
        map(_read, FOLDER.glob("*.dat")),
        key=lambda d: (DIFFICULTIES.index(d.difficulty), d.name),
    )
)
RUNS: tuple[tuple[Dataset, int], ...] = tuple(
    (dataset, start) for dataset in DATASETS for start in (0, 1)
)

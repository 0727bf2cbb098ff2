"""How often fits from hard starts are found, and what they take."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize

import minpack
from measure.cases import Array
from problems import mgh, nist
from problems.bounded import PROBLEMS as BOUNDED

TOLERANCE = 1e-13
MOST = 20_000  # evaluations of the residuals
OTHERS = Path(__file__).with_name("others")
REACHES = (100, 10, 1, 0.2, 0.1)  # of the first step, in units of |D x|
ACCELERATED = 0.002  # the part of it that `factor` means with acceleration
FOUND = 1e-4  # relative to the least norm that any solver has found
ZERO = 1e-7  # a norm that is as good as 0


class Run(NamedTuple):
    """A fit to be made."""

    name: str
    residuals: Callable[[Array], Array]
    jacobian: Callable[[Array], Array]
    start: Array


class End(NamedTuple):
    """A fit that has been made; a Jacobian counts as n evaluations."""

    x: Array
    norm: float
    evaluations: int


class _TooManyError(Exception):
    pass


class _Counted:
    """The functions of a run, and how often they are called."""

    def __init__(self, run: Run) -> None:
        self.run, self.residual_calls, self.evaluations = run, 0, 0
        self.best, self.x = np.inf, run.start

    def residuals(self, x: Array) -> Array:
        if self.residual_calls >= MOST:
            raise _TooManyError
        self.residual_calls += 1
        self.evaluations += 1
        return self.run.residuals(x)

    def jacobian(self, x: Array) -> Array:
        self.evaluations += self.run.start.size
        return self.run.jacobian(x)


def runs() -> dict[str, list[Run]]:
    """NIST's and those of Moré, Garbow and Hillstrom."""
    return {
        "NIST": [
            Run(f"{d.name} {k + 1}", d.residuals, d.jacobian, d.starts[k])
            for d, k in nist.RUNS
        ],
        "MGH": [
            Run(f"{p} x{f:g}", p.residuals, p.jacobian, p.scaled_start(f))
            for p, f in mgh.RUNS
        ],
    }


# --- Solvers -------------------------------------------------------------------------


def by_minpack(counted: _Counted, differences: bool = False, **options: Any) -> Array:
    limits = {"ftol": TOLERANCE, "xtol": TOLERANCE, "gtol": 0.0, "maxfev": MOST}
    return minpack.leastsq(
        counted.residuals, counted.run.start,
        Dfun=None if differences else counted.jacobian, **limits | options,
    )[0]  # fmt: skip


def by_scipy(counted: _Counted, method: str) -> Array:
    if method == "lm":
        return scipy.optimize.leastsq(
            counted.residuals, counted.run.start, Dfun=counted.jacobian,
            ftol=TOLERANCE, xtol=TOLERANCE, gtol=0.0, maxfev=MOST,
        )[0]  # fmt: skip
    return scipy.optimize.least_squares(
        counted.residuals, counted.run.start, counted.jacobian, method=method,
        ftol=TOLERANCE, xtol=TOLERANCE, gtol=None, max_nfev=MOST,
    ).x  # fmt: skip


@functools.cache
def library(source: str, *links: str) -> ctypes.CDLL | None:
    """Compile a fit by another library; None where it is not installed."""
    compiler = shutil.which("c++" if source.endswith(".cc") else "cc")
    if compiler is None:
        return None
    target = Path(tempfile.mkdtemp()) / f"{source}.so"
    command = [compiler, "-O2", "-shared", "-fPIC", OTHERS / source, "-o", target]
    includes = ["-I/usr/include/eigen3"]
    done = subprocess.run(
        [*command, *includes, *links], capture_output=True, check=False
    )
    return ctypes.CDLL(str(target)) if done.returncode == 0 else None


def by_library(counted: _Counted, *names: str) -> Array:
    own = library(*names)
    assert own is not None
    n, m = counted.run.start.size, counted.run.residuals(counted.run.start).size
    double = ctypes.POINTER(ctypes.c_double)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, double, double)

    def callback(function: Callable[[Array], Array], shape: tuple[int, ...]) -> Any:
        def call(x: Any, to: Any) -> int:
            point = np.ctypeslib.as_array(x, (n,)).copy()
            try:
                np.ctypeslib.as_array(to, shape)[...] = function(point)
            except _TooManyError:
                return 1
            return 0

        return kind(call)

    x = np.array(counted.run.start, float)
    functions = callback(counted.residuals, (m,)), callback(counted.jacobian, (m, n))
    own.fit(
        m, n, x.ctypes.data_as(double), *functions, ctypes.c_double(TOLERANCE), MOST
    )
    return x


GSL = ("gsl.c", "-lgsl", "-lgslcblas", "-lm")
CERES = ("ceres.cc", "-lceres", "-lglog")


def solvers() -> dict[str, Callable[[_Counted], Array]]:
    """Return those that are installed, minpack's default first."""
    partial = functools.partial
    all_of_them: dict[str, Callable[[_Counted], Array]] = {
        "minpack": by_minpack,
        "minpack, acceleration": partial(by_minpack, acceleration=True),
    }
    for method in ("lm", "trf", "dogbox"):
        all_of_them[f"SciPy, {method}"] = partial(by_scipy, method=method)
    for name, names in (("GSL, lmaccel", GSL), ("Ceres", CERES)):
        if library(*names) is not None:
            all_of_them[name] = lambda counted, names=names: by_library(counted, *names)
    return all_of_them


def end_of(run: Run, solver: Callable[[_Counted], Array]) -> End:
    """Fit; where the solver gives up with an error, the start is its end."""
    counted = _Counted(run)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            x = solver(counted)
        except (_TooManyError, ValueError, np.linalg.LinAlgError):
            x = run.start
        norm = float(np.linalg.norm(run.residuals(x)))
    return End(x, norm if np.isfinite(norm) else np.inf, counted.evaluations)


def ends(
    chosen: dict[str, Callable[[_Counted], Array]],
) -> dict[str, dict[str, list[End]]]:
    """The ends of all runs by each solver, for each family."""
    return {
        family: {
            name: [end_of(run, solver) for run in members]
            for name, solver in chosen.items()
        }
        for family, members in runs().items()
    }


# --- What they have found ------------------------------------------------------------


def digits(found: list[End]) -> list[float]:
    """How many of NIST's digits the runs have, in the worst parameter."""
    return [
        float(nist.certified_digits(end.x, dataset.certified))
        for (dataset, _), end in zip(nist.RUNS, found, strict=True)
    ]


def least_norms(found: dict[str, list[End]]) -> list[float]:
    return [
        min(end.norm for end in of_run) for of_run in zip(*found.values(), strict=True)
    ]


def is_found(end: End, least: float) -> bool:
    return end.norm <= least * (1 + FOUND) + ZERO


def relative(found: list[End], base: list[End]) -> tuple[float, float]:
    """Evaluations relative to others': the median of all runs, and their sum."""
    ours, theirs = (
        np.array([end.evaluations for end in each], float) for each in (found, base)
    )
    return float(np.median(ours / theirs)), float(ours.sum() / theirs.sum())


# --- The first step ------------------------------------------------------------------


def factor_of(bends: bool, reach: float) -> float:
    """What `factor` is for a first step of `reach` |D x|."""
    return reach / ACCELERATED if bends else reach


def first_steps(differences: bool) -> dict[tuple[bool, float], Callable[..., Array]]:
    """minpack with shorter first steps, without and with acceleration."""
    return {
        (bends, reach): functools.partial(
            by_minpack,
            differences=differences,
            acceleration=bends,
            factor=factor_of(bends, reach),
        )
        for bends in (False, True)
        for reach in REACHES
    }


def bounded_ends() -> dict[tuple[bool, float], list[tuple[float, int]]]:
    """The sums of squares and the trial points of fits with bounds."""

    def fit(problem: Any, bends: bool, factor: float) -> tuple[float, int]:
        zeros = np.zeros(problem.residuals(problem.start).size)
        try:
            info = minpack.curve_fit(
                lambda t, *x: problem.residuals(np.array(x)), zeros, zeros,
                problem.start, bounds=(problem.lower, problem.upper), full_output=True,
                maxfev=3000, ftol=1e-10, xtol=1e-10, factor=factor, acceleration=bends,
            )[2]  # fmt: skip
        except RuntimeError:
            return np.inf, 3000
        return float(np.sum(info["fvec"] ** 2)), info["nfev"]

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {
            (bends, reach): [
                fit(problem, bends, factor_of(bends, reach)) for problem in BOUNDED
            ]
            for bends in (False, True)
            for reach in REACHES
        }

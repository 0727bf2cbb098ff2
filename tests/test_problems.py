"""The test problems are the published ones."""

from collections.abc import Callable

import numpy as np
import pytest

from problems import mgh, mgh_functions, nist
from problems.mgh_functions import Array

# The norms of the residuals at the starts, as MINPACK's tests print them.
INITIAL_NORMS = """\
    5.0000000e+00 8.0622577e+00 2.9152187e+02 3.1016004e+03 1.2603968e+02 1.7489500e+03
    4.9193496e+00 1.3400631e+03 1.4300005e+05 5.0000000e+01 1.0295630e+02 9.9126182e+02
    1.4662878e+01 1.2709839e+03 1.2688790e+05 2.0012496e+01 1.2432834e+04 1.1426455e+07
    6.4561363e+00 3.6141853e+01 3.8411468e+02 7.2891510e-02 2.9793701e+00 2.9959062e+01
    4.1153467e+04 4.1682169e+06 5.4772256e+00 6.4331258e+03 6.7425604e+05 5.4772256e+00
    1.2088127e+04 1.2691093e+06 5.4772256e+00 1.9220759e+04 2.0189180e+06 3.2111584e+01
    6.4585650e+01 2.8154384e+03 5.5507335e+05 6.1211252e+07 1.8862380e+00 5.3833444e+09
    1.1808873e+18 1.9651386e-01 1.6994993e-01 1.8374783e-01 1.6530216e+01 9.7656240e+06
    9.7656250e+16 8.3476044e+01 1.2802636e+02 9.3756402e-01 1.4468654e+00
"""

each_dataset = pytest.mark.parametrize("dataset", nist.DATASETS, ids=lambda d: d.name)
each_problem = pytest.mark.parametrize("problem", mgh.PROBLEMS, ids=str)


def central_differences(
    function: Callable[[Array], Array], x: Array, h: float = 1e-6
) -> Array:
    steps = h * np.diag(np.abs(x))
    columns = [
        (function(x + step) - function(x - step)) / (2 * step.sum()) for step in steps
    ]
    return np.stack(columns, axis=1)


def complex_step(function: Callable[[Array], Array], x: Array) -> Array:
    h = 1e-40
    steps = x + 1j * h * np.eye(x.size)
    return np.stack([function(step).imag / h for step in steps], axis=1)


def assert_columns_close(got: Array, expected: Array, rtol: float) -> None:
    error = np.abs(got - expected).max(axis=0)
    assert np.all(error <= rtol * np.abs(expected).max(axis=0))


def test_there_are_27_nist_datasets_and_54_runs() -> None:
    assert len({dataset.name for dataset in nist.DATASETS}) == 27
    assert len(nist.RUNS) == 54
    counts = [d.difficulty for d in nist.DATASETS]
    assert [counts.count(level) for level in nist.DIFFICULTIES] == [8, 11, 8]


def test_there_are_18_mgh_problems_in_28_sizes_and_53_runs() -> None:
    assert {problem.number for problem in mgh.PROBLEMS} == set(range(1, 19))
    assert len({str(problem) for problem in mgh.PROBLEMS}) == 28
    assert len(mgh.RUNS) == 53


@each_dataset
def test_nist_shapes_agree_with_the_file(dataset: nist.Dataset) -> None:
    text = (nist.FOLDER / f"{dataset.name}.dat").read_text()
    assert f"{dataset.m} Observations" in text
    assert f"{dataset.n} Parameters" in text
    assert dataset.x.shape[-1] == dataset.m
    assert dataset.starts.shape == (2, dataset.n)
    assert dataset.stddev.shape == (dataset.n,)


@each_dataset
def test_nist_rss_is_reproduced_at_the_certified_parameters(
    dataset: nist.Dataset,
) -> None:
    # The certified parameters are rounded to 11 digits, by up to delta. The RSS is
    # stationary, so this adds at most |J delta|^2. It matters for Lanczos1 alone,
    # whose RSS of 1e-25 is that of data given to 13 digits.
    delta = 0.5e-10 * 10.0 ** np.floor(np.log10(np.abs(dataset.certified)))
    rounding = np.sum((np.abs(dataset.jacobian(dataset.certified)) @ delta) ** 2)
    rss = np.sum(dataset.residuals(dataset.certified) ** 2)
    assert rss == pytest.approx(dataset.rss, rel=1e-10, abs=rounding)
    assert rounding < 1e-9 * dataset.rss or dataset.name == "Lanczos1"


@each_dataset
def test_nist_jacobian_gives_the_certified_standard_deviations(
    dataset: nist.Dataset,
) -> None:
    r = np.linalg.qr(dataset.jacobian(dataset.certified), mode="r")
    variance = dataset.rss / (dataset.m - dataset.n)
    stddev = np.sqrt(variance * np.sum(np.linalg.inv(r) ** 2, axis=1))
    assert nist.certified_digits(stddev, dataset.stddev) > 9


@each_dataset
def test_nist_jacobian_agrees_with_central_differences(dataset: nist.Dataset) -> None:
    for x in (dataset.starts[1], dataset.certified):
        differences = central_differences(dataset.residuals, x)
        assert_columns_close(dataset.jacobian(x), differences, rtol=1e-5)


@pytest.mark.parametrize(
    ("got", "digits"),
    [
        ([1.0, 2.0], 11),
        ([1.0, 2.0002], 4),
        ([1.001, 2.0], 3),
        ([-5.0, 2.0], 0),
        ([np.nan, 2.0], 0),
        ([np.inf, 2.0], 0),
    ],
)
def test_certified_digits_are_those_of_the_worst_entry(
    got: list[float], digits: float
) -> None:
    assert nist.certified_digits(got, [1.0, 2.0]) == pytest.approx(digits)


def test_overflow_in_a_model_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    for dataset in nist.DATASETS:
        dataset.residuals(np.full(dataset.n, -1e300))
        dataset.jacobian(np.full(dataset.n, -1e300))
    for problem in mgh.PROBLEMS:
        problem.residuals(np.full(problem.n, -1e300))
        problem.jacobian(np.full(problem.n, -1e300))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("run", "norm"),
    list(zip(mgh.RUNS, map(float, INITIAL_NORMS.split()), strict=True)),
)
def test_mgh_residuals_at_the_starts_have_the_published_norms(
    run: tuple[mgh.Problem, float], norm: float
) -> None:
    problem, factor = run
    residuals = problem.residuals(problem.scaled_start(factor))
    assert residuals.shape == (problem.m,)
    assert np.linalg.norm(residuals) == pytest.approx(norm, rel=1e-7)


@each_problem
def test_mgh_jacobian_is_the_derivative_of_the_residuals(problem: mgh.Problem) -> None:
    aside = 0.1 * np.sin(np.arange(1.0, problem.n + 1))
    for x in (problem.start, problem.start + aside, aside):
        exact = complex_step(problem.residuals, x)
        assert problem.jacobian(x).shape == (problem.m, problem.n)
        assert_columns_close(problem.jacobian(x), exact, rtol=1e-12)


def test_multiples_of_a_zero_start_are_constant_vectors() -> None:
    watson = next(problem for problem in mgh.PROBLEMS if problem.number == 11)
    assert watson.scaled_start(1).tolist() == [0] * 6
    assert watson.scaled_start(10).tolist() == [10] * 6


@pytest.mark.parametrize("problem", mgh.PROBLEMS[:6], ids=str)
def test_known_norms_of_the_linear_problems_are_minima(problem: mgh.Problem) -> None:
    fjac = problem.jacobian(problem.start)
    step = np.linalg.lstsq(fjac, -problem.residuals(problem.start), rcond=None)[0]
    norm = np.linalg.norm(problem.residuals(problem.start + step))
    assert norm == pytest.approx(problem.known_norm, rel=1e-7)


@pytest.mark.parametrize(
    ("name", "number", "y"),
    [
        ("MGH09", 9, mgh_functions.Y_KOWALIK),
        ("MGH10", 10, mgh_functions.Y_MEYER),
        ("MGH17", 17, mgh_functions.Y_OSBORNE1),
    ],
)
def test_nist_and_mgh_share_three_problems(name: str, number: int, y: Array) -> None:
    dataset = next(dataset for dataset in nist.DATASETS if dataset.name == name)
    problem = next(problem for problem in mgh.PROBLEMS if problem.number == number)
    assert dataset.y.tolist() == y.tolist()
    assert problem.known_norm == pytest.approx(np.sqrt(dataset.rss), rel=1e-7)

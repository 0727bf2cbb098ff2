"""Thousands of fits in 2 to 16 threads have the bits of the same fits in one."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from contract.calls import decay, decay_residuals
from fits import full
from functions import OnPurposeError, at_point
from lock import WITHOUT_LOCK, lets_others_run
from minpack import OptimizeWarning, curve_fit, least_squares, leastsq

Bits = tuple[bytes, ...]

BUILT_WITHOUT_LOCK = "free-threading" in sys.version

each_number_of_threads = pytest.mark.parametrize("threads", [2, 4, 8, 16])


@pytest.fixture(autouse=True)
def hasty_threads() -> Iterator[None]:
    """Threads that take turns a hundred times as often as usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(interval)


def numbered_fit(
    m: int, number: int, during: Callable[[int], Any] = lambda call: None
) -> Bits:
    """Every bit of a fit to m points; each number has its own data.

    Every other fit has a Jacobian. `during` is told the number of each call of func.
    """
    t = np.linspace(0.0, 3.0, m)
    y = (2 + number % 7) * np.exp(-(1 + number % 3) * t) + np.cos(number + t)
    calls = itertools.count(1)

    def func(x: Any) -> Any:
        during(next(calls))
        return x[0] * np.exp(-x[1] * t) + x[2] - y

    def jacobian(x: Any) -> Any:
        e = np.exp(-x[1] * t)
        return np.stack([e, -x[0] * t * e, np.ones(m)], axis=1)

    x, cov_x, info, _, ier = leastsq(
        func, [1.0, 1.0, 0.0], Dfun=jacobian if number % 2 else None, full_output=True
    )
    numbers = [ier, *(value for value in info.values() if isinstance(value, int))]
    arrays = [x, cov_x, info["fvec"], info["fjac"], info["ipvt"], info["qtf"]]
    return tuple(np.asarray(part).tobytes() for part in [*arrays, numbers])


def small_fit(number: int) -> Bits:
    return numbered_fit(5 + number % 11, number)


def model_fit(number: int) -> Bits:
    """A model whose parameters and values live in memory that is used again."""
    t = np.linspace(0.0, 3.0, 8 + number % 5)
    y = (2 + number % 7) * np.exp(-(1 + number % 3) * t) + 0.05 * np.cos(number + 7 * t)
    sigma = [None, 1 + t, np.eye(t.size) + 0.5][number % 3]
    parts = curve_fit(lambda t, a, b, c: a * np.exp(-b * t) + c, t, y, sigma=sigma)
    return tuple(part.tobytes() for part in parts)


def large_fit(number: int) -> Bits:
    """Large enough for the lock to be released while the solver runs."""
    return numbered_fit(100_000, number)


def nested_fit(number: int) -> Bits:
    """A fit, of which two evaluations are fits, of which one evaluation is a fit."""

    def inner(call: int) -> Any:
        return call == 2 and small_fit(number + 2)

    def outer(call: int) -> Any:
        return call in {1, 3} and numbered_fit(9, number + 1, inner)

    return numbered_fit(7, number, outer)


def failing_fit(number: int) -> Bits:
    """Raises in one of its first six evaluations."""

    def fail(call: int) -> None:
        if call == 1 + number % 6:
            raise OnPurposeError(number)

    try:
        return numbered_fit(8, 2 * number, fail)
    except OnPurposeError as error:
        return (repr(error).encode(),)


def in_threads(threads: int, work: Callable[[int], list[Bits]]) -> list[list[Bits]]:
    """What work(0), work(1), ... give in threads that all start at once."""
    barrier = threading.Barrier(threads)

    def start(thread: int) -> list[Bits]:
        barrier.wait(timeout=60)
        return work(thread)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(start, range(threads)))


@each_number_of_threads
@pytest.mark.parametrize(
    ("one", "total"),
    [
        (small_fit, 1600),
        (model_fit, 1600),
        (nested_fit, 400),
        (large_fit, 16),
        (failing_fit, 800),
    ],
    ids=["small", "model", "nested", "large", "failing"],
)
def test_fits_in_threads_have_the_bits_of_the_same_fits_in_one(
    one: Callable[[int], Bits], total: int, threads: int
) -> None:
    numbers = range(min(50, total // threads))
    serial = [one(number) for number in numbers]
    rounds = total // threads // len(numbers)

    def work(_: int) -> list[Bits]:
        return [one(number) for _ in range(rounds) for number in numbers]

    for parallel in in_threads(threads, work):
        assert parallel == serial * rounds


@each_number_of_threads
def test_fits_of_every_kind_do_not_disturb_each_other(threads: int) -> None:
    kinds = [small_fit, nested_fit, failing_fit, large_fit]
    counts = [96, 24, 96, 2]
    serial = [
        [one(number) for number in range(count)]
        for one, count in zip(kinds, counts, strict=True)
    ]

    def work(thread: int) -> list[Bits]:
        kind = thread % 4
        return [kinds[kind](number) for number in range(counts[kind])]

    for thread, parallel in enumerate(in_threads(threads, work)):
        assert parallel == serial[thread % 4]


def large_problem(begin: Callable[[], None]) -> None:
    rng = np.random.default_rng(0)
    m, n = 100_000, 10
    # Nothing here computes: NumPy would release the lock, too.
    residuals = itertools.cycle(rng.normal(size=(8, m)))
    jacobians = itertools.cycle(rng.normal(size=(8, m, n)))
    begin()
    leastsq(
        lambda x: next(residuals),
        np.ones(n),
        Dfun=lambda x: next(jacobians),
        maxfev=20,
        ftol=0.0,
        xtol=0.0,
        full_output=True,
    )


def large_covariance(begin: Callable[[], None]) -> None:
    m, n = 1000, 10  # too small for the lock to be given up for anything else
    values = itertools.cycle(np.random.default_rng(0).normal(size=(8, m)))
    calls = itertools.count(1)

    def f(x: Any, *p: Any) -> Any:
        if next(calls) == 1:  # the Cholesky factorization is over, which is NumPy's
            begin()
        return next(values)

    with contextlib.suppress(RuntimeError, OptimizeWarning):  # no fit
        curve_fit(f, None, np.zeros(m), np.ones(n), np.eye(m), ftol=0.0, maxfev=200)


def large_bounded_step(begin: Callable[[], None]) -> None:
    """The first trial is worse than the start, so that a step is all that follows."""
    n = 200
    jacobian = np.random.default_rng(0).normal(size=(n, n))
    right = jacobian.sum(axis=1)
    calls = itertools.count(1)

    def residuals(x: Any) -> Any:
        match next(calls):
            case 1:
                return right
            case 2:
                begin()
                return 10 * right
        raise OnPurposeError

    with contextlib.suppress(OnPurposeError):
        least_squares(residuals, np.ones(n), lambda x: jacobian, (0.5, np.inf))


@pytest.mark.skipif(WITHOUT_LOCK, reason="no lock in this interpreter")
@pytest.mark.parametrize("fit", [large_problem, large_covariance, large_bounded_step])
def test_a_large_fit_lets_other_threads_run_while_the_solver_works(
    fit: Callable[[Callable[[], None]], None],
) -> None:
    """Here a thread gets its turn only where another gives up the lock."""
    assert lets_others_run(fit)


@pytest.mark.skipif(
    not BUILT_WITHOUT_LOCK, reason="an interpreter with a lock; see free-threading.md"
)
def test_a_free_threaded_interpreter_stays_without_its_lock() -> None:
    small_fit(0)
    assert WITHOUT_LOCK, "something imported before minpack needs the lock"
    assert not sys._is_gil_enabled()


def test_threads_may_share_every_argument() -> None:
    call = decay(diag=np.array([1.0, 20.0]), factor=0.1)
    alone = full(**call)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: full(**call), range(400)):
            assert result == alone


def test_a_fit_may_use_threads_that_fit() -> None:
    alone = full(**decay())

    def in_threads(residuals: Any) -> Any:
        with ThreadPoolExecutor(8) as pool:
            for result in pool.map(lambda _: full(**decay()), range(8)):
                assert result == alone
        return residuals

    assert full(**decay(func=at_point(4, in_threads, decay_residuals))) == alone

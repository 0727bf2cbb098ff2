"""leastsq in many threads gives what it gives in one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from contract.calls import at_point, decay, decay_residuals, raising
from contract.objects import Stop
from contract.results import full
from minpack import leastsq

THREADS = 8


def numbered_fit(number: int) -> list[Any]:
    """A fit with its own data, and its own size in both directions."""
    n = 1 + number % 3
    t = np.linspace(0.0, 1.0, 5 + number % 7)
    wanted = np.sin(np.arange(1.0, n + 1) + number)

    def func(x: Any) -> Any:
        return np.exp(np.polyval(x, t)) - np.exp(np.polyval(wanted, t)) + 0.1 * t**2

    def jacobian(x: Any) -> Any:
        return np.exp(np.polyval(x, t))[:, None] * np.vander(t, n)

    return full(func=func, x0=np.zeros(n), Dfun=jacobian if number % 2 else None)


@pytest.fixture(autouse=True)
def threads_take_turns_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_eight_threads_give_the_results_of_one() -> None:
    numbers = range(200)
    serial = [numbered_fit(number) for number in numbers]
    barrier = threading.Barrier(THREADS)

    def all_fits(_: int) -> list[Any]:
        barrier.wait()
        return [numbered_fit(number) for number in numbers]

    with ThreadPoolExecutor(THREADS) as pool:
        for parallel in pool.map(all_fits, range(THREADS)):
            assert parallel == serial


def test_fits_that_fail_do_not_disturb_those_in_other_threads() -> None:
    numbers = range(100)
    serial = [numbered_fit(number) for number in numbers]
    barrier = threading.Barrier(THREADS)

    def all_fail() -> None:
        for _ in numbers:
            call = decay(func=at_point(3, raising(Stop), decay_residuals))
            with pytest.raises(Stop):
                leastsq(**call)

    def all_fit() -> None:
        assert [numbered_fit(number) for number in numbers] == serial

    def work(thread: int) -> None:
        barrier.wait()
        all_fail() if thread % 2 else all_fit()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))


def test_threads_may_share_every_argument() -> None:
    call = decay(diag=np.array([1.0, 20.0]), factor=0.1)
    alone = full(**call)
    with ThreadPoolExecutor(THREADS) as pool:
        for result in pool.map(lambda _: full(**call), range(400)):
            assert result == alone


def test_a_fit_may_use_threads_that_fit() -> None:
    alone = full(**decay())

    def in_threads(residuals: Any) -> Any:
        with ThreadPoolExecutor(THREADS) as pool:
            for result in pool.map(lambda _: full(**decay()), range(THREADS)):
                assert result == alone
        return residuals

    assert full(**decay(func=at_point(4, in_threads, decay_residuals))) == alone

"""Compiled functions run without Python's lock: threads run, Ctrl-C stops."""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from fits import unscaled
from lock import lets_others_run
from minpack import curve_fit, curve_fit_batch, least_squares, leastsq, leastsq_batch

pytestmark = unscaled


def rests(function: Callable[[], object]) -> bool:
    """Whether another thread gets its turn meanwhile."""

    def work(begin: Callable[[], None]) -> None:
        begin()
        function()

    return lets_others_run(work)


def test_a_fit_of_a_compiled_function_lets_other_threads_run(
    functions: ctypes.CDLL,
) -> None:
    """Here a thread gets its turn only where another gives up the lock."""
    assert rests(lambda: leastsq(functions.slow, np.zeros(10), m=10))


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Ctrl-C after so many seconds."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs an alarm clock")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_stops_a_fit(
    functions: ctypes.CDLL, alarm: Callable[[float], None]
) -> None:
    """Left alone, the first Jacobian would take 4 seconds."""
    began = time.perf_counter()
    alarm(0.1)
    with pytest.raises(KeyboardInterrupt):
        leastsq(functions.slow, np.zeros(2000), m=2000)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_a_batch(
    functions: ctypes.CDLL, alarm: Callable[[float], None], workers: int
) -> None:
    """Left alone, it would take 8 seconds on one thread."""
    threads = threading.active_count()
    began = time.perf_counter()
    alarm(0.1)
    with pytest.raises(KeyboardInterrupt):
        leastsq_batch(functions.slow, np.zeros((400, 5)), m=5, workers=workers)
    assert time.perf_counter() - began < 2
    assert threading.active_count() == threads


def test_ctrl_c_stops_a_batch_within_a_round_of_its_lanes(
    functions: ctypes.CDLL, alarm: Callable[[float], None]
) -> None:
    """Left alone, the first Jacobians would take 13 seconds."""
    pauses = np.full((8, 1), 100, np.intc)
    began = time.perf_counter()
    alarm(0.1)
    with pytest.raises(KeyboardInterrupt):
        leastsq_batch(
            functions.slow, np.zeros((8, 16)), m=16, user_data=pauses, workers=1
        )
    assert time.perf_counter() - began < 4


def test_compiled_fits_of_any_kind_let_other_threads_run(
    functions: ctypes.CDLL,
) -> None:
    start, slow = np.zeros(10), functions.slow
    y = np.zeros(10)
    assert rests(lambda: curve_fit(slow, None, y, start, absolute_sigma=True))
    assert rests(lambda: least_squares(slow, start, m=10))
    assert rests(lambda: least_squares(slow, start, m=10, loss="huber", bounds=(-9, 9)))


def test_ctrl_c_stops_compiled_fits_of_any_kind(
    functions: ctypes.CDLL, alarm: Callable[[float], None]
) -> None:
    """Left alone, the first Jacobian of each would take 4 seconds."""
    start, slow = np.zeros(2000), functions.slow
    for fit in (
        lambda: curve_fit(slow, None, np.zeros(2000), start),
        lambda: least_squares(slow, start, m=2000),
        lambda: least_squares(slow, start, m=2000, verbose=2, loss="cauchy"),
        lambda: curve_fit_batch(slow, None, np.zeros((2, 2000)), start),
    ):
        began = time.perf_counter()
        alarm(0.1)
        with pytest.raises(KeyboardInterrupt):
            fit()
        assert time.perf_counter() - began < 2

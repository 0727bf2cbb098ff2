"""A model under Python's lock has as many workers as do not wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minpack._batch_run as batch_run
from batch.peaks import X, peak, peaks, same
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch
from lock import WITHOUT_LOCK

with_lock = pytest.mark.skipif(WITHOUT_LOCK, reason="there is no lock")


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_run, "processors", lambda: 4)


def seen_by(f: Callable[..., Any], threads: set[int]) -> Callable[..., Any]:
    def seeing(*args: Any) -> Any:
        threads.add(threading.get_ident())
        return f(*args)

    return seeing


def busy(x: Any, *p: Any) -> Any:
    end = time.perf_counter() + 0.004
    while time.perf_counter() < end:
        pass
    return peak(x, *p)


@with_lock
def test_a_model_that_takes_all_the_time_has_one_worker() -> None:
    threads: set[int] = set()
    y, p0 = peaks(2000)
    result = curve_fit_batch(seen_by(busy, threads), X, y, p0)
    threads.discard(threading.get_ident())  # which looks at the model before
    assert len(threads) == 1
    assert same(result, curve_fit_batch(peak, X, y, p0, workers=1))


def linear(x: Any, rows: Any) -> Any:
    """Residuals that take nothing to compute, and much to factor."""
    return np.repeat(x, 10, axis=-1) - 1.0


def test_a_model_that_takes_little_has_several_workers() -> None:
    threads: set[int] = set()
    starts = np.random.default_rng(0).uniform(5, 9, (1000, 24))
    result = leastsq_batch(seen_by(linear, threads), starts)
    threads.discard(threading.get_ident())
    assert len(threads) > 1
    assert same(result, leastsq_batch(linear, starts, workers=1))


@with_lock
def test_workers_that_are_asked_for_are_there() -> None:
    threads: set[int] = set()
    y, p0 = peaks(2000)
    curve_fit_batch(seen_by(busy, threads), X, y, p0, workers=3)
    threads.discard(threading.get_ident())
    assert len(threads) == 3

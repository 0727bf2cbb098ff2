"""A model under Python's lock has as many workers as are faster than fewer."""

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


@pytest.fixture(autouse=True)
def four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_run, "processors", lambda: 4)


def seen_by(f: Callable[..., Any], threads: list[int]) -> Callable[..., Any]:
    def seeing(*args: Any) -> Any:
        threads.append(threading.get_ident())
        return f(*args)

    return seeing


class FakeBatch:
    """Evaluates as fast as so many workers do, and has a clock of its own."""

    def __init__(
        self, rates: dict[int, float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.rates, self.workers = rates, 1
        self.time, self.evaluations = 0.0, 0.0
        self.allowed: int | None = None
        monkeypatch.setattr(time, "perf_counter", lambda: self.time)
        compiled = batch_run._minpack
        monkeypatch.setattr(compiled, "batch_served", lambda _: int(self.evaluations))
        monkeypatch.setattr(compiled, "batch_allow", self.allow)

    def allow(self, _: Any, workers: int) -> None:
        self.allowed = workers

    def start(self, more: int) -> None:
        self.workers += more

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.evaluations += seconds * self.rates[self.workers]


@pytest.mark.parametrize(
    ("rates", "started", "allowed"),
    [
        ({1: 1e5, 2: 0.8e5}, 2, 1),
        ({1: 1e5, 2: 1.05e5}, 2, 1),
        ({1: 1e5, 2: 1.5e5, 4: 1.5e5}, 4, 2),
        ({1: 1e5, 2: 2e5, 4: 4e5, 6: 5e5}, 6, None),
        ({1: 10, 2: 20, 4: 40, 6: 50}, 6, None),  # a model that takes a second
    ],
)
def test_there_are_as_many_workers_as_are_faster(
    rates: dict[int, float],
    started: int,
    allowed: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = FakeBatch(rates, monkeypatch)
    trial = batch_run._Trial(batch, 1, 6, 10, batch.start)
    for _ in range(100_000):
        batch.wait(0.001)
        trial.look()
    assert trial.is_over
    assert (batch.workers, batch.allowed) == (started, allowed)


def test_workers_that_are_not_allowed_take_no_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = batch_run._minpack.batch

    def make_for_one(**options: Any) -> Any:
        batch = make(**options)
        batch_run._minpack.batch_allow(batch, 1)
        return batch

    monkeypatch.setattr(batch_run._minpack, "batch", make_for_one)
    y, p0 = peaks(10_000)
    threads: list[int] = []
    result = curve_fit_batch(seen_by(peak, threads), X, y, p0, workers=4)
    assert len(set(threads) - {threading.get_ident()}) == 1
    assert same(result, curve_fit_batch(peak, X, y, p0, workers=1))


def linear(x: Any, rows: Any) -> Any:
    """Residuals that take nothing to compute, and much to factor."""
    return np.repeat(x, 10, axis=-1) - 1.0


def test_a_model_that_takes_little_has_several_workers() -> None:
    threads: list[int] = []
    starts = np.random.default_rng(0).uniform(5, 9, (1000, 24))
    result = leastsq_batch(seen_by(linear, threads), starts)
    assert len(set(threads) - {threading.get_ident()}) > 1
    assert same(result, leastsq_batch(linear, starts, workers=1))


def test_workers_that_are_asked_for_are_there() -> None:
    barrier, met, caller = threading.Barrier(3), set[int](), threading.get_ident()

    def meeting(x: Any, *p: Any) -> Any:
        own = threading.get_ident()
        if own not in met and own != caller:
            met.add(own)
            barrier.wait(timeout=60)  # for the two others
        return peak(x, *p)

    y, p0 = peaks(2000)
    curve_fit_batch(meeting, X, y, p0, workers=3)
    assert len(met) == 3

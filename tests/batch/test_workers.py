"""Workers: how many there are, what stops them, and batches within batches."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import X, each_number_of_workers, peak, peak_jacobian, peaks, same
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch
from batch.peaks import leastsq_batch_by_calls as leastsq_batch
from functions import OnPurposeError


@pytest.mark.parametrize("workers", [4, 30_000, 10**9, 2**31, 10**30])
def test_no_more_workers_are_started_than_there_are_fits(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = itertools.count()

    class Counted(threading.Thread):
        def start(self) -> None:
            next(started)
            super().start()

    monkeypatch.setattr(threading, "Thread", Counted)
    y, p0 = peaks(3)
    result = curve_fit_batch(peak, X, y, p0, workers=workers)
    assert next(started) == 3
    assert same(result, curve_fit_batch(peak, X, y, p0, workers=1))
    leastsq_batch(lambda p, rows: p - 1.0, np.ones((2, 2)), workers=workers)
    assert next(started) == 6
    leastsq_batch(lambda p, rows: p - 1.0, np.ones((9000, 2)), workers=workers)
    assert next(started) <= 7 + 1024


@each_number_of_workers
@pytest.mark.parametrize("where", ["f", "jac"])
def test_an_exception_passes_unchanged_and_stops_all_workers(
    chunk: Callable[[int], None], workers: int, where: str
) -> None:
    chunk(10)
    y, p0 = peaks(3000)
    error = OnPurposeError("thrown")
    calls = itertools.count()

    def failing(x: Array, *p: Any) -> Any:
        if next(calls) == 30:
            raise error
        return (peak if where == "f" else peak_jacobian)(x, *p)

    functions = {"f": peak, "jac": peak_jacobian} | {where: failing}
    threads = threading.active_count()
    with pytest.raises(OnPurposeError) as caught:
        curve_fit_batch(functions["f"], X, y, p0, jac=functions["jac"], workers=workers)
    assert caught.value is error
    assert not hasattr(error, "__notes__")
    assert threading.active_count() == threads
    assert next(calls) < 100


@each_number_of_workers
def test_ctrl_c_stops_a_batch(workers: int) -> None:
    y, p0 = peaks(3000)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    calls = itertools.count()

    def slow(x: Array, *p: Any) -> Array:
        if next(calls) == 20:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.002)
        return peak(x, *p)

    threads = threading.active_count()
    try:
        with pytest.raises(KeyboardInterrupt):
            curve_fit_batch(
                slow, X, np.tile(y, (10, 1)), np.tile(p0, (10, 1)), workers=workers
            )
    finally:
        signal.signal(signal.SIGINT, before)
    assert threading.active_count() == threads
    assert next(calls) < (22 if workers == 1 else 20 + 100 * workers)


def test_a_model_may_itself_fit_a_batch() -> None:
    y, p0 = peaks(40)
    expected = curve_fit_batch(peak, X, y, p0)

    def model(x: Array, *p: Any) -> Array:
        assert same(curve_fit_batch(peak, X, y, p0, workers=2), expected)
        return peak(x, *p)

    assert same(curve_fit_batch(model, X, y, p0, workers=2), expected)

"""What a batch holds in memory, and what it leaves behind."""

from __future__ import annotations

import contextlib
import gc
import itertools
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak, peak_jacobian, peaks
from functions import OnPurposeError, raising
from minpack import curve_fit_batch


@contextlib.contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Give the peak of the memory that is allocated within."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["plain", "rows", "masked"])
def test_memory_is_bounded_by_the_chunk_and_not_by_the_batch(kind: str) -> None:
    points, count = 1000, 4000
    x = np.linspace(-2, 4, points)
    y = np.broadcast_to(peak(x, 2.0, 1.0, 1.0), (count, points)).copy()
    options: dict[str, Any] = {}
    if kind == "masked":
        options = {"mask": np.zeros(y.shape, bool), "sigma": np.ones_like(y)}
    if kind == "rows":
        x = np.broadcast_to(x, y.shape).copy()
    with traced() as allocated:
        curve_fit_batch(peak, x, y, [1.9, 1.1, 1.0], workers=2, **options)
        assert allocated() < 8_000_000 < y.nbytes / 3


OUTCOMES: dict[str, Callable[..., Any]] = {
    "good": peak,
    "lists": lambda *a: peak(*a).tolist(),
    "raises": raising(OnPurposeError),
    "wrong shape": lambda *a: np.ones((2, 2, 2)),
    "wrong type": lambda *a: np.full(POINTS, "text"),
}


@pytest.mark.parametrize("start", ["own", "shared"])
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("model", OUTCOMES.values(), ids=OUTCOMES)
def test_batches_leave_memory_and_references_as_they_were(
    model: Callable[..., Any], workers: int, start: str
) -> None:
    y, p0 = peaks(20)
    if start == "shared":
        p0 = np.array([2.0, 1.0, 1.0])
    arrays = [
        X + np.zeros((20, 1)),
        y,
        p0,
        np.ones(POINTS),
        np.ones((20, POINTS), bool),
    ]
    calls = itertools.count()

    def later(*args: Any) -> Any:
        return (model if next(calls) % 12 > 5 else peak)(*args)

    def run() -> None:
        nonlocal calls
        calls = itertools.count()
        with contextlib.suppress(OnPurposeError, ValueError, TypeError):
            curve_fit_batch(
                later, *arrays[:4], mask=~arrays[4], workers=workers, jac=peak_jacobian
            )

    for _ in range(20):
        run()
    gc.collect()
    counts = [sys.getrefcount(each) for each in (later, *arrays)]
    with traced() as allocated:
        run()
        for _ in range(3):  # a cache that fills, unlike a leak, grows once
            gc.collect()
            first = tracemalloc.get_traced_memory()[0]
            for _ in range(100):
                run()
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - first
            if grown < 20_000:
                break
        assert allocated() > 0
    assert [sys.getrefcount(each) for each in (later, *arrays)] == counts
    assert grown < 20_000  # an array that leaks in each run would be more


def test_results_do_not_keep_the_arguments_alive() -> None:
    class Data(np.ndarray):  # can be referred to weakly
        pass

    y, p0 = peaks(20)
    data = y.view(Data)
    reference = weakref.ref(data)
    result = curve_fit_batch(peak, X, data, p0)
    del data
    gc.collect()
    assert reference() is None
    assert result.success.any()

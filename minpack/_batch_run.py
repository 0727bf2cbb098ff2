"""The running of a batch: its workers, and what shows how far they are."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack import _minpack
from minpack._batch_arguments import integer_argument
from minpack._batch_data import INT_MAX
from minpack._batch_result import BatchResult
from minpack._workers import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from minpack._traced.batch import Model

    Array = NDArray[Any]

_CHUNK_BYTES = 1 << 19  # of a worker: a quarter of the cache that one core has today
_MEASURED = 0.001  # seconds of work that tell how much of it is under Python's lock
_GAIN = 1.0  # of the workers that would never wait, those that are worth their threads
_SLICE = 0.05  # seconds that the caller waits for its workers at once
_MOST_WORKERS = 1024  # more threads help nowhere, and each takes time to start


def run_batch(
    func: Any,
    Dfun: Any,
    args: tuple[Any, ...],
    x: Array,
    lower: Array | None,
    upper: Array | None,
    limits: dict[str, Any],
    workers: int | None,
    progress: bool,
    *,
    lead: tuple[int, ...],
    m: int,
    compiled: bool = False,
    model: Model | None = None,
    **options: Any,
) -> BatchResult:
    """Run a batch of fits that have the shape `lead`.

    `x` (B, n) holds the starts, and then the results.

    A `model` that has been traced takes the place of the functions.
    """
    count, n = x.shape
    jac = Dfun
    if model is not None:
        func, args = model.program, model.rows
        jac = model.program if model.is_exact else None
        compiled = True
        options["x_rows"] = None
    default = (200 if jac is None else 100) * (n + 1)
    if lower is not None:  # as in curve_fit and least_squares
        default = 100 * n
        options["trials_only"] = True
    limits["maxfev"] = limits["maxfev"] or min(default, INT_MAX)
    chunk = 1 if compiled else _chunk(m, n)
    starts_alone = workers is None and not compiled and _has_lock()
    if workers is None:
        workers = min(processors(), -(-count // chunk))
    elif integer_argument("workers", workers) < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    workers = max(1, min(workers, count, _MOST_WORKERS))
    chunk = max(1, min(chunk, -(-count // workers)))
    first = 1 if starts_alone else workers
    results: dict[str, Array] = {
        "x": x,
        "cov": np.empty((count, n, n)),
        "cost": np.empty(count),
        "nfev": np.empty(count, dtype=np.intc),
        "ier": np.empty(count, dtype=np.intc),
        "active": np.zeros((count, n), dtype=np.intc),
    }
    optional = ("ydata", "x_rows", "weights", "sigma", "mask", "user_data")
    arguments: dict[str, Any] = dict.fromkeys(optional) | {"trials_only": False}
    arguments |= options | results | limits
    arguments |= {"func": func, "Dfun": jac, "args": args, "m": m}
    batch = _minpack.batch(chunk=chunk, lower=lower, upper=upper, **arguments)
    if workers == 1 and not compiled and not progress:
        _minpack.batch_work(batch)
    else:
        _work_in_threads(batch, count, first, workers, progress)
    results["active_mask"] = results.pop("active")
    shaped = {
        name: each.reshape(*lead, *each.shape[1:]) for name, each in results.items()
    }
    return BatchResult(**shaped, limits=limits, traced=model is not None)


def _chunk(m: int, n: int) -> int:
    """Choose how many fits of a worker are under way, by what their memory takes."""
    return max(1, _CHUNK_BYTES // (8 * m * (n + 3)))


def _work_in_threads(
    batch: Any, count: int, first: int, most: int, progress: bool
) -> None:
    """Let threads do the work while this one looks for Ctrl-C and shows the progress.

    There are `first` of them, and more where the first one has shown that they would
    not wait for Python's lock. The first exception in one of them stops all, and is
    raised here.
    """
    errors: list[BaseException] = []
    threads: list[threading.Thread] = []
    # What Thread.join says after Ctrl-C has interrupted it is not to be relied on.
    ends: list[threading.Event] = []

    def work(end: threading.Event) -> None:
        try:
            _minpack.batch_work(batch)
        except BaseException as error:
            errors.append(error)
            _minpack.batch_stop(batch)
        finally:
            end.set()

    def start(number: int) -> None:
        for _ in range(number):
            end = threading.Event()
            # In a copy of what np.errstate and the like have set here
            run = contextvars.copy_context().run
            thread = threading.Thread(target=run, args=(work, end))
            ends.append(end)
            threads.append(thread)
            thread.start()

    show = _bar(count) if progress else None
    slices = _slices()
    try:
        start(first)
        for end in ends:  # which grow
            while not end.wait(next(slices)):
                if show is not None:
                    show(_minpack.batch_done(batch), False)
                if first < most and (wanted := _worth(batch, most)):
                    start(wanted - first)
                    first = most
    finally:
        _minpack.batch_stop(batch)
        for thread, end in zip(threads, ends, strict=True):
            if thread.ident is not None:
                end.wait()
                thread.join()
        if show is not None:
            show(_minpack.batch_done(batch), True)
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # or the list and the traceback would keep each other


def _has_lock() -> bool:
    """Whether one thread at a time runs Python."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)
    return is_enabled is None or is_enabled()


def _slices() -> Iterator[float]:
    """Give the seconds to wait at once, few at first."""
    yield from (0.001, 0.001, 0.002, 0.005, 0.01, 0.02)
    while True:
        yield _SLICE


def _worth(batch: Any, most: int) -> int:
    """Say how many workers have work beside that under the lock; 0: not known yet."""
    locked, spent = _minpack.batch_locked(batch)
    if spent < _MEASURED:
        return 0
    return max(1, min(most, int(_GAIN * spent / locked)))


def _bar(total: int) -> Callable[[int, bool], None]:
    """Return what shows how many fits are done, and whether it is for the last time."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ImportError:
        return _line(total)
    bar = tqdm(total=total, unit="fit")

    def show(done: int, last: bool) -> None:
        bar.update(done - bar.n)
        if last:
            bar.close()

    return show


def _line(total: int) -> Callable[[int, bool], None]:
    began = time.monotonic()

    def show(done: int, last: bool) -> None:
        rate = done / max(time.monotonic() - began, 1e-9)
        left = f"{(total - done) / rate:.0f} s left" if done else "starting"
        text = f"\r{done:,} of {total:,} fits, {rate:,.0f} a second, {left}"
        print(f"{text:<70}", end="\n" if last else "", file=sys.stderr, flush=True)

    return show

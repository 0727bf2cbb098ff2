"""The running of a batch: its workers, and what shows how far they are."""

from __future__ import annotations

import contextvars
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import minpack._minpack as _minpack
from minpack._batch_arguments import integer_argument
from minpack._batch_data import INT_MAX
from minpack._batch_result import BatchResult
from minpack._workers import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from minpack._traced.batch import Model

    Array = NDArray[Any]

_CHUNK_BYTES = 1 << 19  # of a worker: a quarter of the cache that one core has today
_WINDOW = 0.01  # seconds that tell how fast a number of workers is, at least
_ROUNDS = 8  # and calls of the model by each of them
_FASTER = 1.1  # times: worth more workers
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
    workers: int | Callable[..., Iterable[Any]] | None,
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
    if callable(workers):
        if count and not compiled:
            from minpack._batch_slices import fit_slices

            return fit_slices(
                workers, (func, jac), lead, _bar(count) if progress else None,
                args=args, x=x, lower=lower, upper=upper, limits=limits, m=m, **options
            )  # fmt: skip
        workers = None  # threads are better without Python
    chunk = _chunk(m, n)
    starts_alone = workers is None and not compiled and _has_lock()
    if workers is None:
        most = min(processors(), count if compiled else -(-count // chunk))
    elif (most := integer_argument("workers", workers)) < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    most = max(1, min(most, count, _MOST_WORKERS))
    chunk = max(1, min(chunk, -(-count // most)))
    first = 1 if starts_alone else most
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
    if most == 1 and not compiled and not progress:
        _minpack.batch_work(batch)
    else:
        _work_in_threads(batch, count, first, most, chunk, progress)
    results["active_mask"] = results.pop("active")
    shaped = {
        name: each.reshape(*lead, *each.shape[1:]) for name, each in results.items()
    }
    of_messages = limits | {"may_accelerate": not options["acceleration"]}
    return BatchResult(**shaped, limits=of_messages, traced=model is not None)


def _chunk(m: int, n: int) -> int:
    """Choose how many fits of a worker are under way, by what their memory takes."""
    return max(1, _CHUNK_BYTES // (8 * m * (n + 3)))


def _work_in_threads(
    batch: Any, count: int, first: int, most: int, chunk: int, progress: bool
) -> None:
    """Let threads do the work while this one looks for Ctrl-C and shows the progress.

    There are `first` of them, and up to `most` where more are faster. The first
    exception in one of them stops all, and is raised here.
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
    trial = _Trial(batch, first, most, chunk, start)
    try:
        start(first)
        for end in ends:  # which grow
            while not end.wait(_SLICE if trial.is_over else _WINDOW / 8):
                if show is not None:
                    show(_minpack.batch_done(batch), False)
                trial.look()
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


class _Trial:
    """Finds how many workers are worth it: twice as many as long as that is faster.

    Threads that wait for Python's lock may be slower than fewer of them.
    """

    def __init__(
        self,
        batch: Any,
        workers: int,
        most: int,
        chunk: int,
        start: Callable[[int], None],
    ) -> None:
        self.batch, self.workers, self.most = batch, workers, most
        self.chunk, self.start = chunk, start
        self.kept, self.rate = workers, 0.0
        self.began: tuple[float, int] | None = None  # when, and evaluations until then
        self.is_over = workers == most

    def look(self) -> None:
        """Start more workers, or send the last ones home, if it is time to."""
        if self.is_over:
            return
        now, served = time.perf_counter(), _minpack.batch_served(self.batch)
        if self.began is None:
            self.began = (now, served)
        seconds, evaluations = now - self.began[0], served - self.began[1]
        if seconds < _WINDOW or evaluations < _ROUNDS * self.chunk * self.workers:
            return
        rate = evaluations / seconds
        if rate < _FASTER * self.rate:
            _minpack.batch_allow(self.batch, self.kept)
            self.is_over = True
            return
        self.kept, self.rate = self.workers, rate
        self.is_over = self.workers == self.most
        if not self.is_over:
            self.workers = min(self.most, 2 * self.workers)
            self.start(self.workers - self.kept)
            self.began = None


def _has_lock() -> bool:
    """Whether one thread at a time runs Python."""
    is_enabled = getattr(sys, "_is_gil_enabled", None)
    return is_enabled is None or is_enabled()


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

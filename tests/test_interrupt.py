"""Ctrl-C stops a fit at its next evaluation, and leaves nothing behind."""

from __future__ import annotations

import _thread
import functools
import gc
import hashlib
import itertools
import operator
import os
import signal
import subprocess
import sys
import threading
import time
import timeit
import tracemalloc
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.calls import decay_jacobian, decay_residuals
from minpack import leastsq

Call = Callable[[], Any]

# interrupt_main sets the flag that Ctrl-C sets, and leaves it to others to see it.
CTRL_C: dict[str, Call] = {
    "interrupt_main": _thread.interrupt_main,
    "raise_signal": functools.partial(signal.raise_signal, signal.SIGINT),
    "kill": functools.partial(os.kill, os.getpid(), signal.SIGINT),
}

each_way = pytest.mark.parametrize("ctrl_c", CTRL_C.values(), ids=CTRL_C)


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored() -> Iterator[None]:
    """It would be in a job that a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def with_call(function: Callable[[Any], Any], calls: Iterator[Call]) -> Any:
    """`function`, each evaluation of which makes the next of `calls` first."""

    def func(x: Any) -> Any:
        next(calls)()
        return function(x)

    return func


def compiled(answer: Any, calls: Iterator[Call]) -> Any:
    """A function that gives `answer`, and makes the next of `calls` each time.

    No bytecode runs in it, so that the interpreter never looks for signals.
    """
    made = map(operator.call, calls)
    answers = map(operator.itemgetter(1), zip(made, itertools.repeat(answer)))
    return functools.partial(next, answers)  # its second argument, x, is a default


def nothing_but(ctrl_c: Call, at: int) -> Iterator[Call]:
    """Calls that do nothing, except for that number `at`."""
    return itertools.chain([int] * (at - 1), [ctrl_c], [int] * 1000)


def number_left(calls: Iterable[Call]) -> int:
    return sum(1 for _ in calls)


@each_way
@pytest.mark.parametrize("at", [1, 2, 3, 7, 12])
def test_a_fit_of_a_python_function_stops_at_once(ctrl_c: Call, at: int) -> None:
    calls = nothing_but(ctrl_c, at)
    with pytest.raises(KeyboardInterrupt):
        leastsq(with_call(decay_residuals, calls), [1.0, 1.0])
    assert number_left(calls) == 1000


@each_way
@pytest.mark.parametrize("at", [1, 2, 3, 7, 50, 51])
def test_a_fit_of_a_compiled_function_stops_at_once(ctrl_c: Call, at: int) -> None:
    calls = nothing_but(ctrl_c, at)
    with pytest.raises(KeyboardInterrupt):
        leastsq(compiled(np.ones(60), calls), np.ones(50))
    assert number_left(calls) == 1000


@each_way
@pytest.mark.parametrize("at", [1, 2])
def test_a_fit_stops_at_a_compiled_jacobian(ctrl_c: Call, at: int) -> None:
    calls = nothing_but(ctrl_c, at)
    dfun = compiled(decay_jacobian(np.array([1.0, 1.0])), calls)
    evaluations = itertools.count()
    func = with_call(decay_residuals, (evaluations.__next__ for _ in itertools.count()))
    with pytest.raises(KeyboardInterrupt):
        leastsq(func, [1.0, 1.0], Dfun=dfun)
    assert number_left(calls) == 1000
    assert next(evaluations) >= at


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm clock")
@pytest.mark.parametrize(
    "make",
    [
        lambda matrix: functools.partial(np.matmul, matrix),
        lambda matrix: operator.methodcaller("dot", matrix.T),
    ],
    ids=["ufunc", "methodcaller"],
)
def test_a_fit_of_a_numpy_function_stops_long_before_its_end(
    make: Callable[[Any], Any],
) -> None:
    n = 400
    func = make(np.ones((5000, 2 * n))[:, ::2])  # strides that make it slow
    evaluation = min(timeit.repeat(lambda: func(np.ones(n)), number=1, repeat=5))
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, 10 * evaluation)
    try:
        with pytest.raises(KeyboardInterrupt):
            leastsq(func, np.ones(n))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - start < n / 2 * evaluation


@each_way
def test_an_interrupted_fit_leaves_no_object_behind(ctrl_c: Call) -> None:
    seen: list[weakref.ref[Any]] = []

    def func(x: Any, data: Any) -> Any:
        r = decay_residuals(x) + data
        seen.extend(map(weakref.ref, (x, r)))
        next(calls)()
        return r

    def interrupted() -> None:
        x0, diag, data = np.ones(2), np.ones(2), np.zeros(10)
        seen.extend(map(weakref.ref, (x0, diag, data)))
        with pytest.raises(KeyboardInterrupt):
            leastsq(func, x0, args=(data,), diag=diag)

    for at in range(1, 10):
        calls = nothing_but(ctrl_c, at)
        interrupted()
    gc.collect()
    assert len(seen) == 9 * 3 + 2 * sum(range(1, 10))
    assert [ref() for ref in seen if ref() is not None] == []


@each_way
def test_interrupted_fits_give_their_memory_back(ctrl_c: Call) -> None:
    def interrupted() -> None:
        with pytest.raises(KeyboardInterrupt):  # with 8 MB for the Jacobian
            leastsq(compiled(answer, nothing_but(ctrl_c, 5)), np.ones(10))

    answer = np.ones(100_000)
    interrupted()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            interrupted()
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before > 8_000_000
    assert after - before < 1_000_000


@each_way
def test_the_next_fit_has_the_bits_of_the_one_before(ctrl_c: Call) -> None:
    def bits() -> list[bytes]:
        x, cov_x, info, *_ = leastsq(decay_residuals, [1.0, 1.0], full_output=True)
        return [array.tobytes() for array in (x, cov_x, info["fvec"], info["fjac"])]

    before = bits()
    for at in range(1, 10):
        with pytest.raises(KeyboardInterrupt):
            leastsq(with_call(decay_residuals, nothing_but(ctrl_c, at)), [1.0, 1.0])
        assert bits() == before


def test_a_fit_in_another_thread_goes_on() -> None:
    """Signals are for the main thread."""
    alone = leastsq(decay_residuals, [1.0, 1.0])[0]
    found: list[Any] = []
    started, interrupted = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        interrupted.wait(timeout=60)

    def work() -> None:
        calls = itertools.chain([int, int, wait], itertools.repeat(int))
        found.append(leastsq(with_call(decay_residuals, calls), [1.0, 1.0])[0])

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(timeout=60)
    with pytest.raises(KeyboardInterrupt):
        leastsq(compiled(np.ones(9), nothing_but(_thread.interrupt_main, 4)), [1.0] * 8)
    interrupted.set()
    thread.join()
    assert found[0].tobytes() == alone.tobytes()


EVALUATIONS = 2000


def child(kind: str) -> None:
    """Fit until Ctrl-C, say what came of it, and fit again; run by the test below.

    Left alone, the first Jacobian alone would take EVALUATIONS evaluations, each
    with as much work as hashing a megabyte is.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = functools.partial(hashlib.sha256, bytes(1 << 20))
    ready = functools.partial(os.write, sys.stdout.fileno(), b"fitting\n")
    calls = itertools.chain([ready], [work] * EVALUATIONS)
    ones = np.ones(EVALUATIONS)
    func = {
        "python": with_call(lambda x: ones, calls),
        "compiled": compiled(ones, calls),
    }
    x0 = np.ones(EVALUATIONS)
    try:
        leastsq(func[kind], x0)
    except KeyboardInterrupt:
        assert number_left(calls) > 0
        print(leastsq(decay_residuals, [1.0, 1.0])[0].tobytes().hex(), flush=True)


@pytest.mark.skipif(os.name != "posix", reason="needs a signal from another process")
@pytest.mark.parametrize("kind", ["python", "compiled"])
def test_ctrl_c_at_the_terminal_stops_a_fit(kind: str) -> None:
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import test_interrupt as t; "
    command = [sys.executable, "-c", code + f"t.child({kind!r})"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "fitting\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.strip() == leastsq(decay_residuals, [1.0, 1.0])[0].tobytes().hex()

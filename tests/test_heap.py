"""A large fit keeps the memory of its function's arrays from one call to the next."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

from commands import run
from fits import plain
from functions import OnPurposeError, at_point, raising
from memory import grows
from minpack import curve_fit, curve_fit_batch, least_squares, leastsq

M = 40_000  # residuals of a large fit
T = np.linspace(0.0, 1.0, M)
Y = 2.0 * np.exp(-1.5 * T) + 0.1 * np.cos(40.0 * T)
START = [1.0, 1.0]
OURS = "minpack_fit"  # NumPy's handler of memory during a large fit

Residuals = Callable[[Any], Any]


def decay(x: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) - Y


def model(t: Any, a: Any, b: Any) -> Any:
    return a * np.exp(-b * t)


def seeing(see: Callable[[], object], function: Callable[..., Any]) -> Any:
    """`function`, each call of which calls `see` first."""

    def wrapper(*args: Any) -> Any:
        see()
        return function(*args)

    return wrapper


def raising_later(kind: type[BaseException] = OnPurposeError) -> Residuals:
    """Residuals that end a fit by an exception once it is under way."""
    return at_point(4, raising(kind), decay)


def fit(func: Residuals = decay, **options: Any) -> Any:
    return leastsq(func, START, **options)


def fit_model(f: Callable[..., Any], m: int = M, **options: Any) -> Any:
    return curve_fit(f, T[:m], Y[:m], START, **options)


FITS: dict[str, Callable[[Callable[[], object]], Any]] = {
    "leastsq": lambda see: leastsq(seeing(see, decay), START),
    "curve_fit": lambda see: fit_model(seeing(see, model)),
    "vectorized": lambda see: fit_model(seeing(see, model), vectorized=True),
    "least_squares": lambda see: least_squares(seeing(see, decay), START),
}

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="what Linux says of memory"
)
each_fit = pytest.mark.parametrize("of", FITS.values(), ids=FITS)


@pytest.fixture
def counting(failing_allocations: Any) -> Iterator[Any]:
    """A handler of the user's own, which counts the blocks in use."""
    failing_allocations.install()
    yield failing_allocations
    failing_allocations.uninstall()


# Page faults --------------------------------------------------------------------

FAULTS = """
import resource
import numpy as np
import minpack

def decays(x):
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    total = np.zeros(t.size)
    for a, b in x.reshape(5, 2):
        total += a * np.exp(-((t - b) ** 2))
    np.ones(t.size - 100 * (len(faults) % 40))  # not the same size again
    return total - y

t, y, x = np.linspace(0, 10, 100_000), 0.0, np.arange(10) * 1.1 + 1
faults = []
y = decays(x) + np.cos(t)
faults = []
minpack.{call}
print(*np.diff(faults))
"""


@on_linux
@pytest.mark.parametrize(
    "call",
    ["leastsq(decays, 0.97 * x)", "least_squares(decays, 0.97 * x, jac='3-point')"],
)
def test_pages_are_touched_for_the_first_time_in_the_first_iterate_alone(
    call: str,
) -> None:
    """In a process of its own, whose allocator no other test has trained."""
    said = run(sys.executable, "-c", FAULTS.replace("{call}", call))
    faults = [int(number) for number in said.split()]
    later = faults[22:]
    assert len(later) > 50
    assert np.mean(later) < 5  # 1,000 without a handler: 200 for each array


# The handler --------------------------------------------------------------------


@each_fit
def test_the_handler_is_there_for_the_fit_alone(of: Callable[..., Any]) -> None:
    before = get_handler_name()
    seen: list[str] = []
    of(lambda: seen.append(get_handler_name()))
    assert seen[0] == before  # the first call says how large the fit is
    assert set(seen[1:]) == {OURS}
    assert get_handler_name() == before != OURS


def test_a_small_fit_has_no_handler() -> None:
    seen: list[str] = []
    fit_model(seeing(lambda: seen.append(get_handler_name()), model), m=32_767)
    assert len(seen) > 5
    assert OURS not in seen


def test_a_batch_has_no_handler() -> None:
    seen: list[str] = []
    f = seeing(lambda: seen.append(get_handler_name()), model)
    curve_fit_batch(f, T, [Y, Y], START, workers=1, trace=False)
    assert len(seen) > 5
    assert OURS not in seen


@pytest.mark.parametrize("kind", [OnPurposeError, KeyboardInterrupt, SystemExit])
def test_an_exception_puts_the_handler_away(kind: type[BaseException]) -> None:
    before = get_handler_name()
    with pytest.raises(kind):
        fit(raising_later(kind))
    assert get_handler_name() == before


def test_ctrl_c_puts_the_handler_away() -> None:
    def interrupt(result: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return result

    before = get_handler_name()
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(at_point(4, interrupt, decay))
    finally:
        signal.signal(signal.SIGINT, earlier)
    assert get_handler_name() == before


def test_a_handler_of_the_users_is_wrapped_and_found_again(counting: Any) -> None:
    seen: list[str] = []
    fit(seeing(lambda: seen.append(get_handler_name()), decay))
    assert set(seen[1:]) == {OURS}
    assert get_handler_name() == "failing_allocations"
    assert not grows(counting, fit)


def test_a_handler_that_the_function_sets_stays(failing_allocations: Any) -> None:
    calls = iter([lambda: None, failing_allocations.install])

    try:
        x, _ = fit(seeing(lambda: next(calls, lambda: None)(), decay))
        assert get_handler_name() == "failing_allocations"
    finally:
        failing_allocations.uninstall()  # finds the one of the fit that is over
    assert x.tolist() == fit()[0].tolist()
    assert get_handler_name() != OURS


def test_fits_nest() -> None:
    x, _ = alone = fit()
    names: list[str] = []

    def nested(p: Any) -> Any:
        assert plain(fit()) == plain(alone)
        with pytest.raises(OnPurposeError):
            fit(raising_later())
        names.append(get_handler_name())
        return decay(p)

    assert fit(nested)[0].tolist() == x.tolist()
    assert set(names[1:]) == {OURS}
    assert get_handler_name() != OURS


# The arrays ---------------------------------------------------------------------


def kept_arrays() -> list[tuple[Any, Any]]:
    """Arrays that a function has made in a fit, each with the x that it is of."""
    kept = []

    def keeping(x: Any) -> Any:
        kept.append((np.exp(-x[1] * T), x.copy()))
        return x[0] * kept[-1][0] - Y

    fit(keeping)
    assert len(kept) > 5
    return kept


def test_arrays_that_the_function_keeps_outlive_the_fit() -> None:
    kept = kept_arrays()
    fit()
    for array, x in kept:
        assert array.tobytes() == np.exp(-x[1] * T).tobytes()


@pytest.mark.parametrize("free", [list.clear, lambda kept: kept.pop(3)])
def test_they_are_freed_in_another_thread(free: Callable[[Any], Any]) -> None:
    kept = kept_arrays()
    thread = threading.Thread(target=free, args=(kept,))
    thread.start()
    thread.join()
    for array, x in kept:
        assert array.tobytes() == np.exp(-x[1] * T).tobytes()


def test_arrays_go_and_come_between_threads_during_the_fit() -> None:
    """Each thread in a copy of the fit's context, so with its handler."""
    alone = plain(fit())
    shared: list[Any] = []

    def exchange(seed: int) -> bool:
        array = np.full(M, float(seed))
        shared.append(array)
        another = shared.pop(0) if len(shared) > 8 else array
        return bool((another == another[0]).all())

    with ThreadPoolExecutor(4) as pool:

        def func(x: Any) -> Any:
            contexts = [contextvars.copy_context() for _ in range(20)]
            each = [pool.submit(c.run, exchange, i) for i, c in enumerate(contexts)]
            own = [exchange(-i) for i in range(20)]
            result = decay(x)
            assert all(own)
            assert all(future.result() for future in each)
            return result

        assert plain(fit(func)) == alone


def test_the_arrays_of_the_result_outlive_the_fit() -> None:
    result = least_squares(decay, START)
    info = fit(full_output=True)[2]
    fit()
    assert result.fun.tobytes() == decay(result.x).tobytes()
    assert info["fvec"].tobytes() == decay(fit()[0]).tobytes()


def zeroed(x: Any) -> Any:
    np.empty(M).fill(np.nan)
    return np.zeros(M) + decay(x)


def trimmed(x: Any) -> Any:
    """Numbers that nonzero() and fromiter() leave in blocks larger than they need."""
    places = np.nonzero(np.arange(2 * M) < M)[0]
    count = np.fromiter(iter(range(M)), int)
    return decay(x) * (places == count)


def resized(x: Any) -> Any:
    array = np.zeros(M // 2)
    array.resize(M, refcheck=False)
    array += decay(x)
    array.resize(M + 1, refcheck=False)  # not a whole block
    result = array[:M].copy()
    del array
    np.ones(M + M // 8)  # that whole block
    return result


def in_pieces(x: Any) -> Any:
    """A function whose arrays have other sizes with every x."""
    place = np.searchsorted(T, abs(x[1]) % 1.0)
    return np.concatenate([decay(x)[:place], decay(x)[place:]])


@pytest.mark.parametrize("func", [zeroed, trimmed, resized, in_pieces])
def test_arrays_hold_what_they_would_without_a_handler(func: Residuals) -> None:
    assert plain(fit(func)) == plain(fit())


# How much is kept ---------------------------------------------------------------


def growing(see: Callable[[], object]) -> Residuals:
    """Each call takes an array larger than those before and lets go of it."""
    sizes = iter(range(20 * M, 10**9, M))
    return seeing(lambda: (see(), np.ones(next(sizes))), decay)


@on_linux
def test_what_is_not_asked_for_again_is_let_go() -> None:
    seen: list[int] = []
    statm = Path("/proc/self/statm")
    least_squares(
        growing(lambda: seen.append(int(statm.read_text().split()[1]))), START
    )
    later = np.array(seen[5:]) * os.sysconf("SC_PAGESIZE")
    assert later.size > 10
    assert np.ptp(later) < 5 * 20 * T.nbytes  # five of the arrays


def test_traced_memory_is_what_arrays_hold() -> None:
    seen: list[int] = []
    tracemalloc.start()
    try:
        fit(growing(lambda: seen.append(tracemalloc.get_traced_memory()[0])))
    finally:
        tracemalloc.stop()
    assert max(seen) - min(seen) < 10 * T.nbytes


def test_fits_leave_nothing_behind(counting: Any) -> None:
    def act() -> None:
        fit()
        kept_arrays()
        with pytest.raises(OnPurposeError):
            fit(raising_later())
        gc.collect()

    assert not grows(counting, act)

"""Functions of one structure share a program, and nothing else."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from minpack import _minpack, curve_fit, traced
from minpack._traced import record, store
from traced.answers import bits
from traced.models import MODELS

T = np.linspace(0.05, 4.0, 50)
X = np.array([2.0, 0.7])
WEIGHTS = np.cos(T) + 2.0


@pytest.fixture(autouse=True)
def nothing_is_kept() -> None:
    store.KEPT.clear()


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many outputs each record has that is differentiated."""
    found: list[int] = []

    def derivatives(trace: Any, outputs: Any, n: int) -> Any:
        found.append(len(outputs))
        return original(trace, outputs, n)

    original = record.derivatives
    monkeypatch.setattr(record, "derivatives", derivatives)
    return found


def assert_right(f: Any, t: Any = T, x: Any = X) -> None:
    """Values have the bits of f, and the Jacobian those that it has without a store."""
    bound = traced(f).bind_curve(t, x, np.size(f(t, *x)))
    values = _minpack.program_values(bound.record.program, bound.arrays, x)
    jacobian = _minpack.program_jacobian(bound.record.program, bound.arrays, x)
    assert bits(values) == bits(f(t, *x))
    kept = store.KEPT.copy()
    store.KEPT.clear()
    assert bits(jacobian) == bits(traced(f).jacobian(t, *x))
    store.KEPT.clear()
    store.KEPT.update(kept)


# --- What is shared -------------------------------------------------------------------


def weighted(weights: Any) -> Any:
    return lambda t, a, b: weights * a * np.exp(-b * t)


def test_a_function_made_anew_is_not_differentiated_again(derived):
    for _ in range(5):
        curve_fit(traced(weighted(2.0)), T, np.exp(-T), X)
    assert derived == [1]


@pytest.mark.parametrize(
    "others",
    [
        [WEIGHTS + k for k in range(4)],
        [np.repeat(WEIGHTS, 3)[::3], WEIGHTS[::-1], np.broadcast_to(3.0, 50)],
        [WEIGHTS.astype(">f8"), np.asfortranarray(WEIGHTS)],
        [np.frombuffer(b"0" + WEIGHTS.tobytes(), np.float64, 50, 1)],
    ],
    ids=["other numbers", "other strides", "other bytes", "not aligned"],
)
def test_captured_arrays_are_each_functions_own(others, derived):
    functions = [weighted(each) for each in (WEIGHTS, *others)]
    programs = [traced(f) for f in functions]
    jacobians = [g.jacobian(T, *X) for g in programs]
    assert derived == [1]
    for f, g, jacobian in zip(functions, programs, jacobians, strict=True):
        assert bits(jacobian) == bits(g.jacobian(T, *X))
        assert bits(jacobian[:, 0]) == bits(f(T, 1.0, X[1]))
        assert_right(f)


def test_two_captured_arrays_are_not_mixed_up(derived):
    def model(u, v):
        return lambda t, a, b: a * np.exp(u * t) + b * v

    first, second = np.sin(T), np.cos(T)
    for u, v in ((first, second), (second, first), (first + 1.0, first)):
        jacobian = traced(model(u, v)).jacobian(T, *X)
        assert bits(jacobian[:, 1]) == bits(v)
    assert derived == [1]
    # One array in the place of two is another structure.
    assert_right(model(first, first))


def test_a_matrix_of_its_own_is_multiplied_by_each_function(derived):
    for scale in (1.0, 2.0, 3.0):
        matrix = scale * np.stack([T, T**2], axis=1)
        assert_right(lambda t, *p, matrix=matrix: matrix @ np.array(p))
        f = traced(lambda t, *p, matrix=matrix: matrix @ np.array(p), derivatives=False)
        bound = f.bind_curve(T, X, 50)
        found = _minpack.program_values(bound.record.program, bound.arrays, X)
        assert bits(found) == bits(matrix @ X)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("derivatives", [True, False])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_found_is_what_would_be_made(name, derivatives):
    model = MODELS[name]

    def made() -> Any:
        g = traced(model.function, derivatives=derivatives)
        if model.xdata is None:
            return g.bind_residuals(model.start, model.args)
        xdata = np.asarray(model.xdata, float)
        m = np.size(model.function(xdata, *model.start))
        return g.bind_curve(xdata, model.start, m)

    first, again = made(), made()
    one, other = first.record.description, again.record.description
    assert one.scalars == other.scalars
    assert one.segments == other.segments
    assert one.arrays == other.arrays
    assert first.record.watched == again.record.watched
    assert first.record.missing == again.record.missing
    x = np.array(model.true, float)
    for compute in (_minpack.program_values, _minpack.program_jacobian):
        if compute is _minpack.program_values or first.jacobian is not None:
            assert bits(compute(first.record.program, first.arrays, x)) == bits(
                compute(again.record.program, again.arrays, x)
            )


# --- What is told apart ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1.0, np.nextafter(1.0, 2.0)),
        (0.0, -0.0),
        (np.nan, -np.nan),
        (np.inf, -np.inf),
        (2, 2.0),
        (True, 1),
        (1, np.float32(1.0)),
        (np.float32(0.1), 0.1),
        (2**62, 2**62 + 1),
    ],
)
@pytest.mark.parametrize(
    "model",
    [
        lambda c: lambda t, a, b: a * t * c + b,
        lambda c: lambda t, a, b: np.copysign(a, c) * t + b,
        lambda c: lambda t, a, b: a * t + b + (c // np.arange(1, 51)) * 1.0,
    ],
    ids=["factor", "sign", "of integers"],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_constants_are_told_apart_by_their_bits(model, one, other):
    for c in (one, other, one):
        f = model(c)
        bound = traced(f, derivatives=False).bind_curve(T, X, 50)
        found = _minpack.program_values(bound.record.program, bound.arrays, X)
        assert bits(found) == bits(f(T, *X))


INTEGERS = np.arange(50)
TABLE = np.arange(100.0).reshape(2, 50)


@pytest.mark.parametrize(
    "data",
    [
        [INTEGERS, INTEGERS.astype(float)],
        [TABLE[0], np.repeat(TABLE[0], 2)[::2], TABLE[0, ::-1]],
        [np.repeat(TABLE[0], 2).astype(np.float32)[::2], TABLE[0]],
        [TABLE[0], TABLE[0, :49]],
        [INTEGERS > 7, INTEGERS.astype(np.int64)],
    ],
    ids=["types", "strides", "types of one stride", "lengths", "booleans"],
)
def test_data_are_told_apart(data):
    def model(t, a, b):
        return a * np.exp(-b * (t * 0.5)) + t / 3

    for t in (*data, data[0]):
        found = traced(model).bind_curve(t, X, t.size)
        values = _minpack.program_values(found.record.program, found.arrays, X)
        assert bits(values) == bits(model(t, *X))


def test_rows_and_columns_are_told_apart():
    def first(t, a, b):
        return a * t[0] + b * t[1]

    def last(t, a, b):
        return a * t[1] + b * t[0]

    for f in (first, last, first):
        for t in (TABLE, np.asfortranarray(TABLE)):
            assert_right(f, t)


def test_results_are_told_apart():
    def model(*which):
        def f(t, a, b):
            parts = [a * t[:25], b * t[25:], a + b * t[:25]]
            return np.concatenate([parts[k] for k in which])

        return f

    for which in ((0, 1), (1, 0), (2, 1), (0, 0), (0, 1), (0, 1, 2), (0,)):
        assert_right(model(*which))


def test_one_number_is_repeated_for_as_many_values_as_there_are():
    for m in (3, 5, 3):
        bound = traced(lambda t, a, b: a * b).bind_curve(None, X, m)
        values = _minpack.program_values(bound.record.program, bound.arrays, X)
        assert bits(values) == bits(np.full(m, X[0] * X[1]))


def test_derivatives_are_there_where_they_are_wanted():
    f = weighted(3.0)
    for wanted in (True, False, True):
        bound = traced(f, derivatives=wanted).bind_curve(T, X, 50)
        assert (bound.jacobian is not None) == wanted


def test_as_many_parameters_are_there_as_the_fit_has():
    def model(t, *p):
        return p[0] * np.exp(-p[1] * t)

    for n in (2, 3, 2, 4):
        assert traced(model).jacobian(T, *np.arange(1.0, n + 1)).shape == (50, n)


def test_a_branch_on_captured_numbers_is_taken_by_each_function():
    def model(limit):
        return lambda t, a, b: a * t if limit[0] > 0 else b * t

    for sign in (1.0, -1.0, 1.0):
        assert_right(model(np.array([sign, 2.0])))


# --- What is held ---------------------------------------------------------------------


def test_arrays_and_functions_live_no_longer_than_without_a_store():
    weights = WEIGHTS.copy()
    f = weighted(weights)
    held = [weakref.ref(f), weakref.ref(weights)]
    traced(f).jacobian(T, *X)
    del f, weights
    gc.collect()
    assert [each() for each in held] == [None, None]
    assert len(store.KEPT) == 1
    assert_right(weighted(WEIGHTS))


def test_the_programs_used_last_are_kept(derived):
    def power(k):
        return traced(lambda t, a, b: a * t + b * (t + 1.0 * k))

    for k in range(200):
        power(-1).jacobian(T, *X)
        power(k).jacobian(T, *X)
        assert len(store.KEPT) <= store.MOST_PROGRAMS
    assert len(derived) == 201
    power(199).jacobian(T, *X)
    assert len(derived) == 201
    power(0).jacobian(T, *X)
    assert len(derived) == 202


def test_long_records_are_not_kept():
    traced(lambda t, a, b: sum(a * t**k for k in range(store.MOST_NODES))).jacobian(
        T, *X
    )
    assert len(store.KEPT) == 0


def test_threads_find_and_keep_at_the_same_time():
    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for _ in range(150):
                weights, k = rng.normal(size=50), int(rng.integers(100))
                g = traced(lambda t, a, b, w=weights, k=k: w * a * t + b * (t + k))
                jacobian = g.jacobian(T, *X)
                assert bits(jacobian) == bits(np.stack([weights * T, T + k], axis=1))
            done.append(seed)
        except Exception as error:
            failed.append(error)

    done: list[int] = []
    failed: list[Exception] = []
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(done) == list(range(8))
    assert len(store.KEPT) <= store.MOST_PROGRAMS + len(threads)

"""A batch of a program: each fit with rows of its own, in any number of threads."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from memory import each_extent, fail_each_allocation
from minpack import _minpack
from traced.drafts import (
    ONE,
    Draft,
    decay,
    decay_derivatives,
    decay_draft,
    fit,
    floating_point_flags,
    needs_flags,
    raising_draft,
    same_bits,
)

M, COUNT = 40, 30
T = np.linspace(0.0, 4.0, M)
TRUE = np.stack(
    [np.linspace(lo, hi, COUNT) for lo, hi in ((1, 3), (0.5, 2), (0, 1))], 1
)


def batch(func: Any, dfun: Any, args: Any, y: Any, **changes: Any) -> Any:
    """A batch that starts at ones, and its results."""
    count, n = COUNT, 3
    results = {
        "x": np.ones((count, n)),
        "cov": np.empty((count, n, n)),
        "cost": np.empty(count),
        "nfev": np.empty(count, np.intc),
        "ier": np.empty(count, np.intc),
        "active": np.zeros((count, n), np.intc),
    }
    names = ("x_rows", "weights", "sigma", "mask", "lower", "upper", "user_data")
    arguments = dict.fromkeys(names) | {
        "func": func, "Dfun": dfun, "args": args, "is_curve": True, "m": M, "chunk": 1,
        "ydata": y, "scales_cov": True, "ftol": 1e-8, "xtol": 1e-8, "gtol": 0.0,
        "maxfev": 1000, "trials_only": False, "loss": "linear", "f_scale": 1.0,
        "epsfcn": None, "diff_step": None, "acceleration": False,
    }  # fmt: skip
    made = _minpack.batch(**(arguments | results | changes))
    return made, results | changes


def work(made: Any, workers: int) -> None:
    threads = [
        threading.Thread(target=_minpack.batch_work, args=(made,))
        for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rows_of(kind: str) -> Any:
    """The t of each fit."""
    if kind == "shared":
        return np.broadcast_to(T, (COUNT, M))
    if kind == "reversed":
        return (
            np.broadcast_to(T, (COUNT, M))[::-1] * np.linspace(1, 2, COUNT)[::-1, None]
        )
    return T * np.linspace(1, 2, COUNT)[:, None]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", ["shared", "own", "reversed"])
def test_each_fit_has_the_bits_of_one_alone(
    kind: str, workers: int, exact: bool
) -> None:
    t = rows_of(kind)
    program = decay_draft(T).build()
    y = decay(t.T, *TRUE.T).T + 0.01 * np.cos(9 * t)
    made, results = batch(program, program if exact else None, (t,), y)
    work(made, workers)
    assert _minpack.batch_done(made) == COUNT
    for k in range(COUNT):
        f, jac = _minpack.program_bind(program, (t[k],), np.ones(3), None)
        alone = fit(f, jac if exact else None, y[k], np.ones(3))
        assert same_bits(results["x"][k], alone[0])
        assert same_bits(results["cov"][k], alone[1])


@pytest.mark.parametrize("exact", [True, False])
def test_masks_weights_and_bounds_are_those_of_any_batch(exact: bool) -> None:
    t = rows_of("own")
    program = decay_draft(T).build()
    y = decay(t.T, *TRUE.T).T + 0.01 * np.cos(9 * t)
    more = {
        "mask": np.resize([False, False, True], (COUNT, M)),
        "sigma": 1 + np.resize([0.0, 0.5], (COUNT, M)),
        "lower": np.zeros((COUNT, 3)),
        "upper": np.full((COUNT, 3), 1.8),
    }
    made, results = batch(program, program if exact else None, (t,), y, **more)
    work(made, 2)

    def values(x_rows: Any, *p: Any) -> Any:
        return decay(x_rows, *p)

    dfun = decay_derivatives if exact else None
    theirs, expected = batch(
        values, dfun, (np.array(0.0),), y, x_rows=t, chunk=COUNT, **more
    )
    _minpack.batch_work(theirs)
    for name in ("x", "cov", "cost", "nfev", "ier", "active"):
        assert same_bits(results[name], expected[name])
    assert expected["active"].any()


def test_residuals_are_those_of_a_program_without_data() -> None:
    d = Draft(3, T, ONE)
    d.segment(M)
    out = d.value(np.subtract, "dd->d", 0, 3)
    program = d.ends(d.value(np.multiply, "dd->d", out, 1)).build()
    made, results = batch(program, None, (), None, is_curve=False)
    work(made, 1)
    f, _ = _minpack.program_bind(program, (), np.ones(3), None)
    alone = fit(f, None, np.zeros(M), np.ones(3))
    assert same_bits(results["x"], np.broadcast_to(alone[0], (COUNT, 3)))


def test_an_exception_that_a_loop_sets_is_raised() -> None:
    program = raising_draft(3, M).build()
    made, _ = batch(program, None, (), np.ones((COUNT, M)))
    with pytest.raises(ValueError, match="negative integer powers"):
        _minpack.batch_work(made)


@needs_flags
def test_floating_point_flags_are_left_as_they_were() -> None:
    d = Draft(3, T)  # which begins with zero
    d.segment(M)
    program = d.ends(d.value(np.divide, "dd->d", 0, 3)).build()
    made, _ = batch(program, None, (), np.ones((COUNT, M)))
    assert floating_point_flags(lambda: _minpack.batch_work(made)) == 0


def without_derivatives() -> Any:
    d = Draft(3)
    d.segment(M)
    return d.ends(0).build()


WRONG = {
    "another Dfun": (
        {"dfun": without_derivatives()},
        "Dfun must be the program, with derivatives",
    ),
    "another m": ({"m": M + 1}, "the program has m = 40, n = 3"),
    "another n": ({"x": np.ones((COUNT, 2))}, "the batch has m = 40, n = 2"),
    "too few arrays": ({"args": ()}, "reads 1 arrays; .* 0 arrays"),
    "no array": ({"args": (3,)}, r"args\[0\] must be an array of a row a fit"),
    "too few rows": ({"args": (np.ones((2, M)),)}, r"args\[0\] must be an array of"),
    "short rows": ({"args": (np.ones((COUNT, M - 1)),)}, "array 0 does not hold"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_the_program_is_an_error(name: str) -> None:
    changes, message = WRONG[name]
    program = decay_draft(T).build()
    arguments = {"dfun": program, "args": (rows_of("own"),)} | changes
    with pytest.raises(ValueError, match=message):
        batch(program, y=np.ones((COUNT, M)), **arguments)


def test_derivatives_must_be_there() -> None:
    program = without_derivatives()
    with pytest.raises(ValueError, match="with derivatives"):
        batch(program, program, (), np.ones((COUNT, M)))


@each_extent
def test_where_memory_runs_out_a_worker_leaves_nothing_behind(
    memory: Any, alone: bool
) -> None:
    t = rows_of("own")
    program, y = decay_draft(T).build(), decay(t.T, *TRUE.T).T
    failing = memory.failing(_minpack.batch_work)

    def act() -> str:
        made, results = batch(program, program, (t,), y)
        try:
            failing(made)
        except MemoryError:
            return "MemoryError"
        return repr(results["x"].tolist())

    made, results = batch(program, program, (t,), y)
    _minpack.batch_work(made)
    fail_each_allocation(memory, alone, act, repr(results["x"].tolist()))

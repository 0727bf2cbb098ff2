"""minpack.dask fits block by block what minpack.curve_fit_batch fits at once."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

import minpack
from arrays import Column
from commands import run
from functions import killing_once
from models import decay, decay_jacobian

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

from minpack.dask import LazyBatchResult, curve_fit_batch  # noqa: E402

M, N = 20, 3
T = np.linspace(0.0, 10.0, M)
RNG = np.random.default_rng(0)
START = np.array([1.5, 0.5, 0.2])


def data(*lead: int, **chunks: Any) -> Any:
    """Decays with noise, each with its own parameters, as NumPy and as Dask array."""
    rng = np.random.default_rng(1)
    a, b, c = (rng.uniform(low, 2 * low, (*lead, 1)) for low in (1.0, 0.4, 0.2))
    y = decay(T, a, b, c) + rng.normal(scale=0.02, size=(*lead, M))
    return y, da.from_array(y, **chunks)


def at_once(f: Any, x: Any, y: Any, **arguments: Any) -> minpack.BatchResult:
    """The fits to all rows of `y`, without Dask."""
    return minpack.curve_fit_batch(f, x, y.reshape(-1, y.shape[-1]), **arguments)


def compute(lazy: LazyBatchResult, **options: Any) -> LazyBatchResult:
    (result,) = dask.compute(lazy, **{"scheduler": "threads", **options})
    return result


def assert_same(result: LazyBatchResult, expected: Any, lead: tuple[int, ...]) -> None:
    assert type(result) is LazyBatchResult
    for name in result._fields:
        ours, theirs = getattr(result, name), getattr(expected, name)
        assert ours.dtype == theirs.dtype, name
        assert ours.shape == (*lead, *theirs.shape[1:]), name
        assert ours.tobytes() == theirs.tobytes(), name


# The same fits ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("lead", "chunks"),
    [
        ((), (M,)),
        ((1,), (1, M)),
        ((12,), (5, M)),
        ((12,), (12, 7)),
        ((4, 6), (3, 4, M)),
        ((4, 6), (1, 6, 3)),
        ((2, 3, 4), (1, 2, 2, M)),
        ((0,), (1, M)),
    ],
)
def test_every_blocking_gives_the_bits_of_one_batch(lead, chunks):
    y, lazy = data(*lead, chunks=chunks)
    result = compute(curve_fit_batch(decay, T, lazy, START))
    assert_same(result, at_once(decay, T, y, p0=START), lead)
    assert result.success.all()


LEAD = (4, 6)
EACH = RNG.uniform(1.0, 1.2, (*LEAD, 1))  # a factor for each fit
CALLS: dict[str, dict[str, Any]] = {
    "start from the signature": {},
    "start for all": {"p0": [1.5, 0.5, 0.2]},
    "start a fit": {"p0": START * EACH},
    "start from bounds": {"bounds": ([0, 0, 0], [5, 5, 5])},
    "bounds for all": {"p0": START, "bounds": ([0, 0.5, 0], [1.8, 2.0, 5])},
    "bounds a fit": {"bounds": (START * EACH * 0.8, START * EACH * 1.4)},
    "one bound a fit": {"p0": START, "bounds": (-np.inf, START * EACH)},
    "no lower bound": {"p0": START, "bounds": (None, 3)},
    "no upper bound": {"p0": START, "bounds": (0, None)},
    "no bound": {"bounds": (None, None)},
    "a bound for some": {"p0": START, "bounds": ([None, 0.5, 0], [1.8, None, None])},
    "one number": {"p0": START, "sigma": 0.02, "absolute_sigma": True},
    "sigma for all": {"sigma": 0.01 + 0.01 * T},
    "sigma a fit": {"sigma": (0.01 + 0.01 * T) * EACH, "absolute_sigma": True},
    "mask for all": {"mask": T > 8},
    "mask a fit": {"mask": RNG.random((*LEAD, M)) < 0.2},
    "decay_jacobian": {"p0": START, "jac": decay_jacobian},
    "a pair": {"p0": START, "jac": True},
    "loss": {"p0": START, "loss": "cauchy", "f_scale": 0.01},
    "precision": {"p0": START, "epsfcn": 1e-6},
    "one step": {"p0": START, "diff_step": 1e-4},
    "acceleration": {"p0": START, "acceleration": True},
    "steps": {"p0": START, "diff_step": [1e-3, 1e-4, 1e-5]},
    "NaN left out": {"p0": START, "nan_policy": "omit"},
    "limits": {"p0": START, "maxfev": 9, "ftol": 1e-3, "xtol": 1e-3, "gtol": 1e-3},
    "two workers": {"workers": 2},
    "more workers than fits": {"workers": 10**9},
}


def decay_pair(t: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    return decay(t, a, b, c), decay_jacobian(t, a, b, c)


def flat(value: Any) -> Any:
    """What is given for each fit, with all fits in one axis; else what is given."""
    if isinstance(value, tuple):
        return tuple(map(flat, value))
    return value.reshape(24, -1) if np.shape(value)[:-1] == LEAD else value


def as_dask(value: Any) -> Any:
    """Arrays as Dask arrays, in blocks that are not those of the data."""
    if isinstance(value, tuple):
        return tuple(map(as_dask, value))
    is_array = isinstance(value, np.ndarray)
    return da.from_array(value, chunks=2) if is_array else value


@pytest.mark.parametrize("arrays_of", ["NumPy", "Dask"])
@pytest.mark.parametrize("arguments", CALLS.values(), ids=CALLS)
def test_every_argument_means_what_it_means_without_dask(arguments, arrays_of):
    y, _ = data(*LEAD)
    y[1, 2, 3] = np.nan  # one fit has no result
    lazy = da.from_array(y, chunks=(3, 4, M))
    expected = {name: flat(value) for name, value in arguments.items()}
    if arrays_of == "Dask":
        arguments = {name: as_dask(value) for name, value in arguments.items()}
    f = decay_pair if arguments.get("jac") is True else decay
    result = compute(curve_fit_batch(f, T, lazy, **arguments))
    assert_same(result, at_once(f, T, y, **expected), LEAD)


@pytest.mark.parametrize("make", [np.asarray, as_dask], ids=["NumPy", "Dask"])
def test_each_fit_may_have_its_own_points(make):
    y, lazy = data(*LEAD, chunks=(3, 4, M))
    x = T * EACH
    result = compute(curve_fit_batch(decay, make(x), lazy))
    assert_same(result, at_once(decay, flat(x), y), LEAD)
    shared = compute(curve_fit_batch(decay, make(T), lazy))
    assert_same(shared, at_once(decay, T, y), LEAD)


def two_predictors(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x[0]) + c * x[1]


def two_jacobian(x: Any, a: Any, b: Any, c: Any) -> Any:
    e = np.exp(-b * x[0])
    return np.stack(np.broadcast_arrays(e, -a * x[0] * e, x[1]), axis=-1)


@pytest.mark.parametrize("jac", [None, two_jacobian])
@pytest.mark.parametrize("kind", [np.asarray, tuple, lambda x: {0: x[0], 1: x[1]}])
def test_points_of_two_predictors_are_not_taken_for_those_of_a_block_of_two(kind, jac):
    y, lazy = data(5, chunks=(2, M))
    x = kind(np.stack([T, np.cos(T)]))
    result = compute(curve_fit_batch(two_predictors, x, lazy, jac=jac))
    assert_same(result, at_once(two_predictors, x, y, jac=jac), (5,))


@pytest.mark.parametrize("jac", [None, two_jacobian])
def test_a_tuple_of_predictors_is_for_all_fits_though_it_has_the_shape_of_the_data(jac):
    y, lazy = data(2, chunks=(1, M))
    x = (T, np.cos(T))
    result = compute(curve_fit_batch(two_predictors, x, lazy, START, jac=jac))
    assert_same(result, at_once(two_predictors, x, y, p0=START, jac=jac), (2,))


@pytest.mark.parametrize("grid", [np.arange(7.0), np.arange(M + 9.0)])
def test_a_tuple_of_what_the_model_can_tell_apart_is_handed_over_whole(grid):
    def model(x: Any, a: Any, b: Any, c: Any) -> Any:
        assert isinstance(x, tuple)
        assert [len(each) for each in x] == [len(each) for each in given]
        return decay(T, a, b, c) + 1e-3 * x[0][3]

    y, lazy = data(5, chunks=(2, M))
    for given in ((grid, T), (grid, grid + 1.0), (grid, {"any": 1})):
        result = compute(curve_fit_batch(model, given, lazy, START))
        assert_same(result, at_once(model, given, y, p0=START), (5,))


def test_xdata_in_one_dimension_are_a_plain_array_to_the_model():
    y, lazy = data(5, chunks=(2, M))
    result = compute(curve_fit_batch(decay, Column(T), lazy, START))
    assert_same(result, at_once(decay, T, y, p0=START), (5,))


@pytest.mark.parametrize("kind", [np.asarray, tuple, np.ndarray.tolist])
def test_a_compiled_model_gets_the_points_of_two_predictors(kind):
    numba = pytest.importorskip("numba")
    integer, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(integer(integer, integer, numbers, numbers, numbers))
    def compiled(m: Any, n: Any, p: Any, values: Any, x: Any) -> Any:
        for i in range(m):
            values[i] = p[0] * np.exp(-p[1] * x[i]) + p[2] * x[m + i]
        return 0

    y, lazy = data(5, chunks=(2, M))
    x = kind(np.stack([T, np.cos(T)]))
    result = compute(curve_fit_batch(compiled, x, lazy, START))
    assert_same(result, at_once(compiled, x, y, p0=START), (5,))
    np.testing.assert_allclose(
        result.x, at_once(two_predictors, x, y, p0=START).x, rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_data_of_other_types_are_read_as_without_dask(dtype):
    y, _ = data(6)
    y = (1000 * y).astype(dtype)
    lazy, start = da.from_array(y, chunks=(4, M)), 1000 * START * [1, 1e-3, 1]
    result = compute(curve_fit_batch(decay, T, lazy, start))
    assert_same(result, at_once(decay, T, y, p0=start), (6,))
    assert result.success.all()


def test_rows_that_are_chosen_by_a_condition_need_no_sizes():
    y, lazy = data(12, chunks=(5, M))
    chosen = lazy[:, 0] > np.median(y[:, 0])
    start = da.from_array(np.tile(START, (12, 1)), chunks=(5, N))
    fits = curve_fit_batch(decay, T, lazy[chosen], start[chosen])
    assert np.isnan(fits.x.shape[0])
    y = y[y[:, 0] > np.median(y[:, 0])]
    assert_same(compute(fits), at_once(decay, T, y, p0=START), (6,))


# When something is computed ---------------------------------------------------


class Counting:
    """The decay, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, t: Any, a: Any, b: Any, c: Any) -> Any:
        self.calls += 1
        return decay(t, a, b, c)


def test_nothing_is_computed_before_compute():
    def load(_: Any) -> Any:
        pytest.fail("the data are computed")

    lazy = da.ones((4, M), chunks=(2, M)).map_blocks(load, meta=np.ones((0, 0)))
    f = Counting()
    fits = curve_fit_batch(f, T, lazy, START, sigma=abs(lazy), mask=lazy > 9)
    assert f.calls == 0
    assert [array.shape for array in fits] == [
        (4, N), (4, N, N), (4,), (4,), (4,), (4,), (4, N),
    ]  # fmt: skip


@pytest.mark.parametrize("names", [["x"], ["x", "cov"], LazyBatchResult._fields])
def test_each_block_is_fitted_once_whatever_is_computed(names):
    y, lazy = data(4, 6, chunks=(2, 3, M))
    f, f_blocks = Counting(), Counting()
    fits = curve_fit_batch(f, T, lazy, START)
    dask.compute(*(getattr(fits, name) for name in names), scheduler="synchronous")
    for block in (y[i : i + 2, j : j + 3] for i in (0, 2) for j in (0, 3)):
        at_once(f_blocks, T, block, p0=START, workers=1)
    assert f.calls == f_blocks.calls


def test_a_result_may_be_kept_in_blocks_and_used_on():
    y, lazy = data(12, chunks=(5, M))
    (kept,) = dask.persist(curve_fit_batch(decay, T, lazy), scheduler="threads")
    assert type(kept) is LazyBatchResult
    errors = da.sqrt(kept.cov[:, 0, 0])
    expected = at_once(decay, T, y)
    assert errors.chunks == ((5, 5, 2),)
    assert (errors.compute() == np.sqrt(expected.cov[:, 0, 0])).all()


# What goes wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"ydata": np.ones((4, M))}, TypeError, "ydata must be a Dask array.*ndarray"),
        ({"ydata": da.ones(())}, ValueError, "ydata must have the points"),
        ({"xdata": None, "ydata": da.ones((4, 2))}, ValueError, "as many points"),
        ({"ydata": da.ones((4, M), dtype=complex)}, TypeError, "ydata.*complex"),
        ({"xdata": np.ones(7)}, ValueError, r"xdata.*\(7,\)"),
        ({"xdata": da.ones(7)}, ValueError, r"xdata.*\(20,\).*\(4, 20\).*\(7,\)"),
        ({"xdata": da.ones((3, M))}, ValueError, r"xdata.*\(3, 20\)"),
        ({"sigma": np.ones((3, M))}, ValueError, r"sigma.*\(4, 20\).*\(3, 20\)"),
        ({"sigma": np.ones((4, 1))}, ValueError, r"sigma.*\(4, 20\).*\(4, 1\)"),
        ({"sigma": "narrow"}, TypeError, "sigma"),
        ({"mask": da.zeros((4, M))}, TypeError, "mask.*bool.*float64"),
        ({"mask": np.zeros((2, 4, M), bool)}, ValueError, "mask"),
        ({"p0": da.ones((M, 3))}, ValueError, r"p0.*\(4, 3\).*\(20, 3\)"),
        ({"p0": []}, TypeError, "p0 must hold one number"),
        ({"p0": da.ones((4, 0))}, TypeError, "p0 must hold one number"),
        ({"p0": [1, [2, 3]]}, ValueError, "p0: sequences of different lengths"),
        ({"p0": np.ma.masked_less([1, 0, 1], 1)}, TypeError, "p0 must be plain"),
        ({"ydata": da.ones((2, 2**31))}, ValueError, "ydata .*2147483647.* 2147483648"),
        ({"maxfev": 2**31}, OverflowError, "maxfev .* 2147483647 .* 2147483648"),
        ({"bounds": 3}, TypeError, "bounds must be a pair"),
        ({"bounds": (0, np.ones(2))}, ValueError, r"upper.*\(3,\).*\(2,\)"),
        ({"ftol": -1}, ValueError, "ftol"),
        ({"workers": 0}, ValueError, "workers"),
        ({"jac": 3}, TypeError, "Dfun|jac"),
        ({"loss": "quadratic"}, ValueError, "loss must be"),
        ({"f_scale": 0}, ValueError, "f_scale must be"),
        ({"epsfcn": "small"}, TypeError, "epsfcn must be"),
        ({"diff_step": [1e-3, 1e-3]}, ValueError, "diff_step"),
        ({"nan_policy": "propagate"}, ValueError, "nan_policy must be"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_computed(arguments, error, match):
    call = {"xdata": T, "ydata": da.ones((4, M), chunks=(2, M)), "p0": START}
    with pytest.raises(error, match=match):
        curve_fit_batch(decay, **{**call, **arguments})


def failing(t: Any, a: Any, b: Any, c: Any) -> Any:
    raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_an_exception_in_the_model_passes(scheduler):
    _, lazy = data(4, chunks=(2, M))
    fits = curve_fit_batch(failing, T, lazy)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        dask.compute(fits, scheduler=scheduler, num_workers=2)


@pytest.mark.parametrize(
    "options", [{"nan_policy": "raise"}, {"check_finite": True}], ids=str
)
def test_a_block_with_a_number_that_is_missing_is_an_error_of_compute(options):
    y, _ = data(4)
    y[3, 2] = np.nan
    fits = curve_fit_batch(decay, T, da.from_array(y, chunks=(2, M)), START, **options)
    with pytest.raises(ValueError, match=r"NaN|finite"):
        dask.compute(fits)


def test_a_model_that_does_not_broadcast_is_an_error_of_compute():
    _, lazy = data(4, chunks=(2, M))
    fits = curve_fit_batch(lambda t, a: np.sum(a * t), T, lazy)
    with pytest.raises(ValueError, match="broadcast"):
        dask.compute(fits)


def python(code: str) -> str:
    """What a new interpreter prints."""
    return run(sys.executable, "-W", "error", "-c", code).strip()


def test_minpack_does_not_import_dask():
    assert python("import minpack, sys; print('dask' in sys.modules)") == "False"


def test_without_dask_the_error_says_what_to_install():
    code = """
import sys
sys.modules["dask"] = None
try:
    import minpack.dask
except ImportError as error:
    print(error)"""
    assert python(code) == "minpack.dask needs Dask: pip install minpack[dask]"


# More than one process --------------------------------------------------------


def test_processes_give_the_bits_of_one_batch(client):
    y, lazy = data(40, chunks=(5, M))
    fits = curve_fit_batch(decay, T, lazy, START, sigma=abs(lazy))
    (result,) = client.compute((fits,), sync=True)
    assert_same(result, at_once(decay, T, y, p0=START, sigma=abs(y)), (40,))


def test_a_worker_that_is_killed_in_mid_run_costs_nothing_but_time(client, tmp_path):
    y, lazy = data(40, chunks=(5, M))
    before = set(client.run(os.getpid).values())
    f = partial(killing_once, tmp_path / "once", decay)
    (result,) = client.compute((curve_fit_batch(f, T, lazy, START),), sync=True)
    assert int((tmp_path / "once").read_text()) in before
    assert_same(result, at_once(decay, T, y, p0=START), (40,))


def test_an_exception_in_another_process_passes(client):
    _, lazy = data(4, chunks=(2, M))
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        client.compute(curve_fit_batch(failing, T, lazy).x, sync=True)

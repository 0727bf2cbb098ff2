"""Compiled functions of every make are fitted without Python, to the same bits."""

from __future__ import annotations

import ctypes
import gc
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minpack import (
    OptimizeWarning,
    _minpack,
    curve_fit,
    curve_fit_batch,
    least_squares,
    leastsq,
    leastsq_batch,
)
from test_allocations import each_extent, fail_each_allocation, memory

# Unscaled covariances are for comparing: there are no errors of the data here.
pytestmark = pytest.mark.filterwarnings("ignore:absolute_sigma is true")

__all__ = ["memory"]  # a fixture

Array = np.ndarray[Any, Any]

SOURCE = r"""
#include <time.h>

/* Rows of user_data are pairs (t, y); the model is sums, products and quotients. */
int residuals(int m, int n, const double *x, double *fvec, void *user_data)
{
    const double *data = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * data[2 * i];
        fvec[i] = x[0] / (1 + u * u) - data[2 * i + 1];
    }
    return 0;
}

int jacobian(int m, int n, const double *x, double *fjac, int ldfjac, void *user_data)
{
    const double *data = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * data[2 * i], over = 1 / (1 + u * u);
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * data[2 * i];
    }
    return 0;
}

/* The model itself: user_data is t. */
int values(int m, int n, const double *x, double *fvec, void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * t[i];
        fvec[i] = x[0] / (1 + u * u);
    }
    return 1;
}

int derivatives(int m, int n, const double *x, double *fjac, int ldfjac,
                void *user_data)
{
    const double *t = user_data;
    (void)n;
    for (int i = 0; i < m; i++) {
        double u = x[1] * t[i], over = 1 / (1 + u * u);
        fjac[i] = over;
        fjac[i + ldfjac] = -2 * x[0] * over * over * u * t[i];
    }
    return 1;
}

/* x - 3, without user_data */
int plain(int m, int n, const double *x, double *fvec, void *user_data)
{
    for (int i = 0; i < m; i++)
        fvec[i] = i < n ? x[i] - 3 : 0;
    return user_data == 0 ? 0 : -99;
}

/* Stops at the evaluation that the first number of user_data counts down to. */
int stopping(int m, int n, const double *x, double *fvec, void *user_data)
{
    int *count = user_data;
    for (int i = 0; i < m; i++)
        fvec[i] = x[i % n] * x[i % n] + i;
    return --*count == 0 ? -7 : 5;
}

int stopping_jacobian(int m, int n, const double *x, double *fjac, int ldfjac,
                      void *user_data)
{
    (void)x;
    (void)user_data;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            fjac[i + j * ldfjac] = i == j;
    return -8;
}

int slow(int m, int n, const double *x, double *fvec, void *user_data)
{
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, 0);
    for (int i = 0; i < m; i++)
        fvec[i] = x[i % n] - 1;
    (void)user_data;
    return 0;
}

double other(double x)
{
    return x;
}
"""

M = 20
T = np.linspace(0.0, 3.0, M)
DOUBLES = ctypes.POINTER(ctypes.c_double)
RESIDUALS = [ctypes.c_int, ctypes.c_int, DOUBLES, DOUBLES, ctypes.c_void_p]
JACOBIAN = [*RESIDUALS[:4], ctypes.c_int, ctypes.c_void_p]
SIGNATURE = {
    "residuals": "int (int, int, double *, double *, void *)",
    "jacobian": "int (int, int, double *, double *, int, void *)",
}
SIGNATURE |= {"values": SIGNATURE["residuals"], "derivatives": SIGNATURE["jacobian"]}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions above as a shared library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("compiled")
    source, library = folder / "functions.c", folder / "functions.so"
    source.write_text(SOURCE)
    command = [compiler, "-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([*command, str(source), "-o", str(library)], check=True)
    return library


@pytest.fixture(scope="module")
def functions(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))


# How a function may come ------------------------------------------------------------


def by_ctypes(path: Path, name: str) -> Any:
    return getattr(ctypes.CDLL(str(path)), name)


def by_ctypes_with_types(path: Path, name: str) -> Any:
    function = getattr(ctypes.CDLL(str(path)), name)
    function.argtypes = RESIDUALS if name in ("residuals", "values") else JACOBIAN
    function.restype = ctypes.c_int
    return function


def by_ctypes_with_numpy(path: Path, name: str) -> Any:
    function = by_ctypes_with_types(path, name)
    vector = np.ctypeslib.ndpointer(dtype=float, ndim=1)
    function.argtypes = [vector if t is DOUBLES else t for t in function.argtypes]
    return function


def by_prototype(path: Path, name: str) -> Any:
    """A pointer to a Python function, which does the work of the C one."""
    function = by_ctypes_with_types(path, name)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, *function.argtypes)
    return prototype(function)


def capsule(path: Path, name: str, signature: str | None) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p] * 2
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    function = by_ctypes(path, name)
    made = new(
        ctypes.cast(function, ctypes.c_void_p),
        _kept(signature.encode() if signature else None),
        None,
    )
    return made


def _kept(text: bytes | None, kept: list[Any] = []) -> bytes | None:  # noqa: B006
    """A capsule does not copy its name."""
    kept.append(text)
    return text


def by_capsule(path: Path, name: str) -> Any:
    return capsule(path, name, SIGNATURE[name])


def by_capsule_with_const(path: Path, name: str) -> Any:
    return capsule(path, name, SIGNATURE[name].replace("double *", "const double*", 1))


def by_capsule_without_name(path: Path, name: str) -> Any:
    return capsule(path, name, None)


def by_scipy(path: Path, name: str) -> Any:
    scipy = pytest.importorskip("scipy")
    return scipy.LowLevelCallable(by_ctypes_with_types(path, name))


def by_cffi(path: Path, name: str) -> Any:
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef(SIGNATURE[name].replace("int ", f"int {name}", 1) + ";")
    return getattr(ffi.dlopen(str(path)), name)


def by_numba(path: Path, name: str) -> Any:
    numba = pytest.importorskip("numba")
    i, p = numba.types.intc, numba.types.CPointer(numba.types.double)
    if name == "residuals":

        @numba.cfunc(i(i, i, p, p, p))
        def function(m, n, x, fvec, data):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * data[2 * k]
                fvec[k] = x[0] / (1 + u * u) - data[2 * k + 1]
            return 0

    elif name == "values":

        @numba.cfunc(i(i, i, p, p, p))
        def function(m, n, x, fvec, t):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * t[k]
                fvec[k] = x[0] / (1 + u * u)
            return 0

    elif name == "derivatives":

        @numba.cfunc(i(i, i, p, p, i, p))
        def function(m, n, x, fjac, ldfjac, t):  # type: ignore[no-untyped-def]
            for k in range(m):
                u = x[1] * t[k]
                over = 1 / (1 + u * u)
                fjac[k] = over
                fjac[k + ldfjac] = -2 * x[0] * over * over * u * t[k]
            return 0

    else:

        @numba.cfunc(i(i, i, p, p, i, numba.types.voidptr))
        def function(m, n, x, fjac, ldfjac, address):  # type: ignore[no-untyped-def]
            data = numba.carray(address, (m, 2), numba.float64)
            for k in range(m):
                u = x[1] * data[k, 0]
                over = 1 / (1 + u * u)
                fjac[k] = over
                fjac[k + ldfjac] = -2 * x[0] * over * over * u * data[k, 0]
            return 0

    return function


MAKES = [
    by_ctypes, by_ctypes_with_types, by_ctypes_with_numpy, by_capsule,
    by_capsule_with_const, by_capsule_without_name, by_scipy, by_cffi, by_numba,
]  # fmt: skip

each_make = pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__[3:])


def data(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Pairs (t, y), shape (count, M, 2), and a start for each."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1.0, 0.5], [4.0, 3.0], (count, 2))
    y = model(truth) + rng.normal(scale=0.05, size=(count, M))
    pairs = np.stack([np.broadcast_to(T, y.shape), y], axis=-1)
    return np.ascontiguousarray(pairs), truth * rng.uniform(0.5, 1.5, truth.shape)


def model(x: Array) -> Array:
    u = x[:, 1:] * T
    return x[:, :1] / (1 + u * u)


def derivatives(x: Array) -> Array:
    u = x[:, 1:] * T
    over = 1 / (1 + u * u)
    return np.stack([over, -2 * x[:, :1] * over * over * u * T], axis=-1)


def in_python(pairs: Array, p0: Array, jacobian: bool, **options: Any) -> list[Any]:
    """All that is known of the fit of the same function in Python."""
    y = pairs[:, 1]
    return plain(
        leastsq(
            lambda x: model(x[None])[0] - y,
            p0,
            Dfun=(lambda x: derivatives(x[None])[0]) if jacobian else None,
            full_output=True,
            **options,
        )
    )


def plain(result: Any) -> list[Any]:
    x, cov, info, message, ier = result
    arrays = [x, cov, info["fvec"], np.triu(info["fjac"].T[:2]), info["qtf"]]
    numbers = [info["nfev"], info.get("njev"), message, ier]
    return [None if a is None else a.tobytes() for a in arrays] + numbers


# One fit ----------------------------------------------------------------------------


@each_make
@pytest.mark.parametrize("with_jacobian", [False, True], ids=["differences", "Dfun"])
@pytest.mark.parametrize("kernels", ["fast", "reference"])
def test_a_fit_has_the_bits_of_the_same_function_in_python(
    path: Path, make: Callable[..., Any], with_jacobian: bool, kernels: str
) -> None:
    func = make(path, "residuals")
    dfun = make(path, "jacobian") if with_jacobian else None
    for options in ({}, {"diag": [1.0, 2.0], "factor": 1.0}, {"maxfev": 4}):
        for pairs, p0 in zip(*data(30), strict=True):
            result = leastsq(
                func, p0, (), dfun, True, m=M, user_data=pairs, kernels=kernels,
                **options,
            )  # fmt: skip
            assert plain(result) == in_python(
                pairs, p0, with_jacobian, kernels=kernels, **options
            )


def test_without_user_data_the_function_gets_none(functions: ctypes.CDLL) -> None:
    x, ier = leastsq(functions.plain, [1.0, 2.0], m=5)
    np.testing.assert_allclose(x, 3.0)
    assert ier in (1, 2, 3, 4)


def test_a_pointer_to_a_python_function_works_too(path: Path) -> None:
    calls = []
    inner = by_ctypes_with_types(path, "residuals")

    @ctypes.CFUNCTYPE(ctypes.c_int, *RESIDUALS)
    def func(*args: Any) -> int:
        calls.append(threading.get_ident())
        return inner(*args)

    (pairs,), (p0,) = data(1)
    result = leastsq(func, p0, full_output=True, m=M, user_data=pairs)
    assert plain(result) == in_python(pairs, p0, False)
    assert len(calls) == result[2]["nfev"]


def test_a_low_level_callable_may_bring_its_user_data(path: Path) -> None:
    scipy = pytest.importorskip("scipy")
    (pairs, other), (p0, _) = data(2)
    function = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "residuals"), pairs.ctypes.data_as(ctypes.c_void_p)
    )
    expected = in_python(pairs, p0, False)
    assert plain(leastsq(function, p0, full_output=True, m=M)) == expected
    result = leastsq(function, p0, full_output=True, m=M, user_data=other)
    assert plain(result) == in_python(other, p0, False)


@pytest.mark.parametrize("at", [1, 2, 3, 6])
def test_a_negative_value_stops_the_fit_and_becomes_its_ier(
    functions: ctypes.CDLL, at: int
) -> None:
    count = np.array([at], dtype=np.intc)
    x, cov, info, message, ier = leastsq(
        functions.stopping, [1.0, 2.0], full_output=True, m=3, user_data=count
    )
    assert ier == -7
    assert "-7" in message
    assert count[0] == 0
    assert cov is None
    assert np.isfinite(x).all()
    assert not info["fjac"].any()
    with pytest.warns(RuntimeWarning, match="-7"):
        leastsq(functions.stopping, [1.0, 2.0], m=3, user_data=np.array([at], np.intc))


@pytest.mark.parametrize("m", [2**31 - 1, 2**31 - 8])
def test_as_many_residuals_as_an_int_can_count_are_no_riddle(
    functions: ctypes.CDLL, m: int
) -> None:
    """The fit ends at its first evaluation, if there is memory for it."""
    count = np.array([1], np.intc)
    try:
        result = leastsq_batch(
            functions.stopping, [[1.0, 2.0]], m=m, user_data=count, workers=1
        )
    except MemoryError:
        return
    assert result.ier == -7


def test_a_jacobian_stops_the_fit_as_well(functions: ctypes.CDLL) -> None:
    count = np.array([1000], dtype=np.intc)
    with pytest.warns(RuntimeWarning, match="-8"):
        ier = leastsq(
            functions.stopping, [1.0, 2.0], (), functions.stopping_jacobian,
            m=3, user_data=count,
        )[1]  # fmt: skip
    assert ier == -8


def rests(function: Callable[[], object]) -> bool:
    """Whether another thread gets its turn meanwhile, with nobody forcing it."""
    interval = sys.getswitchinterval()
    start, ran = threading.Lock(), threading.Event()

    def wait_for_a_turn() -> None:
        with start:
            ran.set()

    sys.setswitchinterval(1000.0)
    try:
        with start:
            thread = threading.Thread(target=wait_for_a_turn)
            thread.start()
        function()
        ran_meanwhile = ran.is_set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    return ran_meanwhile


def test_a_fit_of_a_compiled_function_lets_other_threads_run(
    functions: ctypes.CDLL,
) -> None:
    """Here a thread gets its turn only where another gives up the lock."""
    assert rests(lambda: leastsq(functions.slow, np.zeros(10), m=10))


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Ctrl-C after so many seconds."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs an alarm clock")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_stops_a_fit(
    functions: ctypes.CDLL, alarm: Callable[[float], None]
) -> None:
    """Left alone, the first Jacobian would take 4 seconds."""
    began = time.perf_counter()
    alarm(0.1)
    with pytest.raises(KeyboardInterrupt):
        leastsq(functions.slow, np.zeros(2000), m=2000)
    assert time.perf_counter() - began < 2


# Batches ----------------------------------------------------------------------------


def of_batch(result: Any) -> list[tuple[Any, ...]]:
    return [
        (result.x[i].tobytes(), result.cov[i].tobytes(), result.nfev[i], result.ier[i])
        for i in range(len(result))
    ]


def alone(pairs: Array, p0: Array, jacobian: bool) -> tuple[Any, ...]:
    x, cov, _, _, _, nfev, _, _, ier = in_python(pairs, p0, jacobian)
    return x, cov, nfev, ier


@each_make
@pytest.mark.parametrize("with_jacobian", [False, True], ids=["differences", "Dfun"])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_fit_of_a_batch_has_the_bits_of_one_in_python(
    path: Path, make: Callable[..., Any], with_jacobian: bool, workers: int
) -> None:
    pairs, p0 = data(300)
    result = leastsq_batch(
        make(path, "residuals"), p0, (),
        make(path, "jacobian") if with_jacobian else None,
        m=M, user_data=pairs, workers=workers,
    )  # fmt: skip
    assert of_batch(result) == [
        alone(*each, with_jacobian) for each in zip(pairs, p0, strict=True)
    ]


def test_fits_may_share_their_user_data(path: Path) -> None:
    pairs, p0 = data(50)
    func = by_ctypes(path, "residuals")
    shared = np.broadcast_to(pairs[7], pairs.shape)
    result = leastsq_batch(func, p0, m=M, user_data=shared)
    assert of_batch(result) == [alone(pairs[7], start, False) for start in p0]
    every_other = np.repeat(pairs, 2, axis=0)[::2]
    result = leastsq_batch(func, p0, m=M, user_data=every_other)
    assert of_batch(result)[9] == alone(pairs[9], p0[9], False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fit_that_stops_disturbs_no_other(
    functions: ctypes.CDLL, workers: int
) -> None:
    counts = np.full((40, 1), 1000, dtype=np.intc)
    counts[::3] = np.arange(1, 15)[:, None]
    good = leastsq_batch(
        functions.stopping, np.ones((40, 2)), m=3, user_data=counts + 9999
    )
    result = leastsq_batch(
        functions.stopping, np.ones((40, 2)), m=3, user_data=counts, workers=workers
    )
    stopped = result.ier == -7
    assert stopped.sum() >= 5
    assert stopped[0]
    assert np.isnan(result.x[0]).all()  # before there was a residual
    assert np.isfinite(result.x[1:]).all()
    assert np.isnan(result.cov[stopped]).all()
    assert "-7" in result.message(0)
    for i in np.flatnonzero(~stopped):
        assert of_batch(result)[i] == of_batch(good)[i]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_a_batch(
    functions: ctypes.CDLL, alarm: Callable[[float], None], workers: int
) -> None:
    """Left alone, it would take 8 seconds on one thread."""
    threads = threading.active_count()
    began = time.perf_counter()
    alarm(0.1)
    with pytest.raises(KeyboardInterrupt):
        leastsq_batch(functions.slow, np.zeros((400, 5)), m=5, workers=workers)
    assert time.perf_counter() - began < 2
    assert threading.active_count() == threads


# A model and data -------------------------------------------------------------------


def value_of(t: Array, a: Any, b: Any) -> Array:
    """The model of Python, with the bits of the compiled one."""
    u = b * t
    return np.asarray(a / (1 + u * u))


def derivatives_of(t: Array, a: Any, b: Any) -> Array:
    u = b * t
    over = 1 / (1 + u * u)
    return np.stack([over, -2 * a * over * over * u * t], axis=-1)


SIGMA = np.linspace(0.03, 0.09, M)
COVARIANCE = np.diag(SIGMA**2) + 1e-4
CURVES: dict[str, dict[str, Any]] = {
    "plain": {},
    "sigma in a number": {"sigma": 0.05, "absolute_sigma": True},
    "sigma": {"sigma": SIGMA},
    "covariance": {"sigma": COVARIANCE, "absolute_sigma": True},
    "bounds": {"bounds": ([0, 0], [9, 1])},
    "bounds and sigma": {"bounds": ([0, 0], [2, 9]), "sigma": SIGMA},
    "diag": {"diag": [1.0, 2.0], "factor": 1.0},
    "reference": {"kernels": "reference", "sigma": SIGMA},
}
each_curve = pytest.mark.parametrize("options", CURVES.values(), ids=CURVES)


def all_of(
    f: Any, y: Array, p0: Array, jac: Any, *, xdata: Any = T, **options: Any
) -> list[Any]:
    """All that is known of a curve_fit."""
    p0 = np.clip(p0, *options.get("bounds", (-np.inf, np.inf)))
    popt, pcov, info, message, ier = curve_fit(
        f, xdata, y, p0, jac=jac, full_output=True, **options
    )
    return plain((popt, pcov, info, message, ier))


@each_make
@each_curve
@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
def test_a_curve_fit_has_the_bits_of_the_same_model_in_python(
    path: Path, make: Callable[..., Any], options: dict[str, Any], with_jac: bool
) -> None:
    f = make(path, "values")
    jac = make(path, "derivatives") if with_jac else None
    for pairs, p0 in zip(*data(20), strict=True):
        y = pairs[:, 1]
        assert all_of(f, y, p0, jac, **options) == all_of(
            value_of, y, p0, derivatives_of if with_jac else None, **options
        )


def test_a_compiled_model_of_many_points_has_these_bits_too(
    functions: ctypes.CDLL,
) -> None:
    """From some thousands of points on, the factorization forms the differences."""
    t = np.linspace(0.0, 3.0, 5000)
    y = value_of(t, 2.0, 1.5) + 0.01 * np.cos(40 * t)
    start = np.array([1.0, 1.0])
    for options in ({}, {"sigma": 1 + t}, {"bounds": (0, 2)}):
        assert all_of(functions.values, y, start, None, xdata=t, **options) == all_of(
            value_of, y, start, None, xdata=t, **options
        )


@pytest.mark.parametrize(
    "xdata",
    [
        T.tolist(),
        tuple(T),
        np.repeat(T, 2)[::2],
        np.asfortranarray(np.stack([T, T + 1])),
        memoryview(T),
    ],
    ids=["list", "tuple", "strided", "by columns", "buffer"],
)
def test_a_compiled_model_gets_xdata_as_contiguous_numbers(
    functions: ctypes.CDLL, xdata: Any
) -> None:
    (pairs,), (p0,) = data(1)
    expected = all_of(value_of, pairs[:, 1], p0, None)
    assert all_of(functions.values, pairs[:, 1], p0, None, xdata=xdata) == expected


def test_whole_numbers_in_xdata_become_floats(functions: ctypes.CDLL) -> None:
    t = np.arange(M)
    y = value_of(t, 2.0, 0.3) + 0.01 * np.cos(7.0 * t)
    start = np.array([1.0, 1.0])
    assert all_of(functions.values, y, start, None, xdata=t) == all_of(
        value_of, y, start, None, xdata=t
    )


def test_user_data_takes_the_place_of_xdata(path: Path, functions: Any) -> None:
    scipy = pytest.importorskip("scipy")
    (pairs,), (p0,) = data(1)
    y, elsewhere = pairs[:, 1], T + 1
    expected = all_of(value_of, y, p0, None)
    for xdata in (None, elsewhere, object()):
        assert expected == all_of(
            functions.values, y, p0, None, xdata=xdata, user_data=T
        )
    bringing = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "values"), T.ctypes.data_as(ctypes.c_void_p)
    )
    for xdata in (None, elsewhere):
        assert all_of(bringing, y, p0, None, xdata=xdata) == expected
    brought = all_of(bringing, y, p0, None, user_data=elsewhere)
    assert brought == all_of(value_of, y, p0, None, xdata=elsewhere)


def test_without_xdata_and_user_data_a_model_gets_none(functions: ctypes.CDLL) -> None:
    popt, pcov = curve_fit(functions.plain, None, np.ones(2), [1.0, 2.0], sigma=2.0,
                           absolute_sigma=True)  # fmt: skip
    np.testing.assert_allclose(popt, 4.0)
    np.testing.assert_allclose(pcov, 4 * np.eye(2), atol=1e-12)


def test_a_number_for_ydata_is_one_datum_of_a_compiled_model(
    functions: ctypes.CDLL,
) -> None:
    popt, _ = curve_fit(functions.plain, None, 2.0, 1.0, absolute_sigma=True)
    np.testing.assert_allclose(popt, 5.0)
    with pytest.raises(TypeError, match="2 parameters cannot be fitted to 1 data"):
        curve_fit(functions.plain, None, 2.0, [1.0, 1.0])


def test_points_with_nan_are_left_out_of_xdata_but_not_of_user_data(
    functions: ctypes.CDLL,
) -> None:
    (pairs,), (p0,) = data(1)
    y = pairs[:, 1].copy()
    y[[3, 8]] = np.nan
    for xdata in (T, np.stack([T, T])):
        result = all_of(functions.values, y, p0, None, xdata=xdata, nan_policy="omit")
        assert result == all_of(value_of, y, p0, None, nan_policy="omit")
    with pytest.raises(ValueError, match="user_data"):
        curve_fit(functions.values, T, y, p0, nan_policy="omit", user_data=T)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_negative_value_ends_a_curve_fit_in_a_runtime_error(
    functions: ctypes.CDLL, at: int
) -> None:
    for bounds in ((-np.inf, np.inf), (-9, 9)):
        count = np.array([at], dtype=np.intc)
        with pytest.raises(RuntimeError, match="compiled function returned -7"):
            curve_fit(
                functions.stopping, None, np.zeros(3), [1.0, 2.0], user_data=count,
                bounds=bounds,
            )  # fmt: skip
        assert count[0] == 0
    with pytest.raises(RuntimeError, match="compiled function returned -8"):
        curve_fit(
            functions.stopping, None, np.zeros(3), [1.0, 2.0],
            jac=functions.stopping_jacobian, user_data=np.array([99], np.intc),
        )  # fmt: skip


def test_values_that_are_not_finite_are_no_solution(functions: ctypes.CDLL) -> None:
    with pytest.raises(RuntimeError, match="not finite"):
        curve_fit(functions.values, T, np.ones(M), [np.nan, 1.0])


def test_a_compiled_curve_fit_changes_no_argument(functions: ctypes.CDLL) -> None:
    (pairs,), (p0,) = data(1)
    given = [T.copy(), pairs[:, 1].copy(), p0.copy(), SIGMA.copy()]
    for array in given:
        array.flags.writeable = False
    curve_fit(functions.values, *given[:3], sigma=given[3])
    for array, before in zip(given, (T, pairs[:, 1], p0, SIGMA), strict=True):
        np.testing.assert_array_equal(array, before)


def test_compiled_fits_of_any_kind_let_other_threads_run(
    functions: ctypes.CDLL,
) -> None:
    start, slow = np.zeros(10), functions.slow
    y = np.zeros(10)
    assert rests(lambda: curve_fit(slow, None, y, start, absolute_sigma=True))
    assert rests(lambda: least_squares(slow, start, m=10))
    assert rests(lambda: least_squares(slow, start, m=10, loss="huber", bounds=(-9, 9)))


def test_ctrl_c_stops_compiled_fits_of_any_kind(
    functions: ctypes.CDLL, alarm: Callable[[float], None]
) -> None:
    """Left alone, the first Jacobian of each would take 4 seconds."""
    start, slow = np.zeros(2000), functions.slow
    for fit in (
        lambda: curve_fit(slow, None, np.zeros(2000), start),
        lambda: least_squares(slow, start, m=2000),
        lambda: least_squares(slow, start, m=2000, verbose=2, loss="cauchy"),
        lambda: curve_fit_batch(slow, None, np.zeros((2, 2000)), start),
    ):
        began = time.perf_counter()
        alarm(0.1)
        with pytest.raises(KeyboardInterrupt):
            fit()
        assert time.perf_counter() - began < 2


# least_squares ----------------------------------------------------------------------


def soft(z: Array) -> Array:
    t = 1 + z
    return np.stack([2 * np.sqrt(t) - 2, t**-0.5, -0.5 * t**-1.5])


LEAST_SQUARES: dict[str, dict[str, Any]] = {
    "plain": {},
    "jac": {"jac": "derivatives"},
    "3-point": {"jac": "3-point"},
    "bounds": {"bounds": ([0, 0], [9, 1])},
    "3-point within bounds": {"jac": "3-point", "bounds": ([0, 0], [2, 9])},
    "huber": {"loss": "huber", "f_scale": 0.05},
    "cauchy, jac, bounds": {
        "loss": "cauchy", "f_scale": 0.1, "jac": "derivatives", "bounds": (0, 2),
    },
    "a loss of Python": {"loss": soft, "f_scale": 0.1},
    "scales and steps": {"x_scale": [1.0, 3.0], "diff_step": [1e-7, 1e-6]},
    "few evaluations": {"max_nfev": 3},
}  # fmt: skip


def least_squares_in_python(y: Array, start: Array, **options: Any) -> Any:
    if options.get("jac") == "derivatives":
        options["jac"] = lambda x: derivatives_of(T, *x)
    return least_squares(lambda x: value_of(T, *x) - y, start, **options)


def all_entries(result: Any) -> dict[str, Any]:
    return {
        name: entry.tobytes() if isinstance(entry, np.ndarray) else entry
        for name, entry in result.items()
    }


@each_make
@pytest.mark.parametrize("options", LEAST_SQUARES.values(), ids=LEAST_SQUARES)
def test_least_squares_has_the_bits_of_the_same_function_in_python(
    path: Path, make: Callable[..., Any], options: dict[str, Any]
) -> None:
    fun, compiled_options = make(path, "residuals"), dict(options)
    if options.get("jac") == "derivatives":
        compiled_options["jac"] = make(path, "jacobian")
    for pairs, p0 in zip(*data(20), strict=True):
        start = np.clip(p0, *options.get("bounds", (-np.inf, np.inf)))
        expected = least_squares_in_python(pairs[:, 1], start, **options)
        result = least_squares(fun, start, m=M, user_data=pairs, **compiled_options)
        assert all_entries(result) == all_entries(expected)


@pytest.mark.parametrize("loss", ["linear", "cauchy", soft])
def test_callbacks_and_verbose_see_what_they_see_of_a_python_function(
    functions: ctypes.CDLL, capsys: pytest.CaptureFixture[str], loss: Any
) -> None:
    (pairs,), (p0,) = data(1)
    seen: list[list[Any]] = [[], []]

    def into(iterates: list[Any]) -> Callable[..., bool]:
        def callback(intermediate_result: Any) -> bool:
            iterates.append(all_entries(intermediate_result))
            return len(iterates) == 4

        return callback

    options: dict[str, Any] = {"verbose": 2, "loss": loss}
    results = [
        least_squares(
            functions.residuals, p0, m=M, user_data=pairs, callback=into(seen[0]),
            **options,
        ),
        least_squares_in_python(pairs[:, 1], p0, callback=into(seen[1]), **options),
    ]  # fmt: skip
    assert all_entries(results[0]) == all_entries(results[1])
    assert results[0].status == -2
    assert len(seen[0]) == 4
    assert seen[0] == seen[1]
    printed = capsys.readouterr().out
    half = len(printed) // 2
    assert printed[:half] == printed[half:]


def test_exceptions_of_callbacks_and_losses_pass_unchanged(
    functions: ctypes.CDLL,
) -> None:
    def raising(*args: Any) -> Any:
        raise LookupError("on purpose")

    (pairs,), (p0,) = data(1)
    for options in ({"callback": raising}, {"loss": raising}):
        with pytest.raises(LookupError, match="on purpose"):
            least_squares(functions.residuals, p0, m=M, user_data=pairs, **options)


@pytest.mark.parametrize("at", [1, 2, 4, 5])
@pytest.mark.parametrize("loss", ["linear", "huber"])
def test_a_negative_value_is_a_status_and_a_message(
    functions: ctypes.CDLL, at: int, loss: str
) -> None:
    count = np.array([at], dtype=np.intc)
    result = least_squares(
        functions.stopping, [1.0, 2.0], m=3, user_data=count, loss=loss, bounds=(1, 9)
    )
    assert count[0] == 0
    assert result.status == -1
    assert not result.success
    assert "-7" in result.message
    assert np.isfinite(result.x).all()
    assert np.isnan(result.jac).all()
    assert np.isnan(result.grad).all()
    assert np.isnan(result.fun).all() == (at == 1)
    assert np.isnan(result.cost) == (at == 1)
    assert result.active_mask[0] == -1
    assert result.njev is None


def test_a_jacobian_that_stops_least_squares_says_so(functions: ctypes.CDLL) -> None:
    result = least_squares(
        functions.stopping, [1.0, 2.0], functions.stopping_jacobian, m=3,
        user_data=np.array([99], np.intc),
    )  # fmt: skip
    assert (result.status, result.njev) == (-1, 1)
    assert "-8" in result.message
    np.testing.assert_array_equal(result.fun, [1, 5, 3])


def test_compiled_residuals_must_be_finite_at_x0(functions: ctypes.CDLL) -> None:
    with pytest.raises(ValueError, match="fun must be finite at x0: residual 0 is nan"):
        least_squares(
            functions.residuals, [np.nan, 1.0], m=M, user_data=np.ones((M, 2))
        )


# Batches of models ------------------------------------------------------------------


def single(t: Array, y: Array, p0: Array, jac: bool, **options: Any) -> tuple[Any, ...]:
    """One fit of the Python model, as of_batch shows those of a batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        popt, pcov, info, _, ier = curve_fit(
            value_of, t, y, p0, jac=derivatives_of if jac else None, full_output=True,
            **options,
        )  # fmt: skip
    if np.isinf(pcov).any():  # which a batch says by NaN
        pcov[:] = np.nan
    return popt.tobytes(), pcov.tobytes(), info["nfev"], ier


@each_make
@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("workers", [1, 2])
def test_every_fit_of_a_batch_has_the_bits_of_one_curve_fit(
    path: Path, make: Callable[..., Any], with_jac: bool, workers: int
) -> None:
    pairs, p0 = data(150)
    y = pairs[:, :, 1]
    result = curve_fit_batch(
        make(path, "values"), T, y, p0,
        jac=make(path, "derivatives") if with_jac else None, workers=workers,
    )  # fmt: skip
    assert of_batch(result) == [
        single(T, *each, with_jac) for each in zip(y, p0, strict=True)
    ]


@pytest.mark.parametrize("with_jac", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("masked", [False, True], ids=["all points", "mask"])
@pytest.mark.parametrize("sigma", ["none", "shared", "own"])
@pytest.mark.parametrize("bounds", [None, (0.0, 2.0)], ids=["free", "bounds"])
def test_masks_errors_and_bounds_of_a_batch_are_those_of_one_curve_fit(
    functions: ctypes.CDLL,
    with_jac: bool,
    masked: bool,
    sigma: str,
    bounds: tuple[float, float] | None,
) -> None:
    pairs, p0 = data(60)
    rng = np.random.default_rng(5)
    y = pairs[:, :, 1].copy()
    mask = rng.random(y.shape) < 0.2
    y[mask & masked] = np.nan
    errors = {
        "none": None,
        "shared": SIGMA,
        "own": rng.uniform(0.03, 0.09, y.shape),
    }[sigma]
    options: dict[str, Any] = {"absolute_sigma": sigma == "shared"}
    if bounds is not None:
        options["bounds"] = bounds
        p0 = np.clip(p0, *bounds)
    result = curve_fit_batch(
        functions.values, T, y, p0, errors, mask=mask if masked else None,
        jac=functions.derivatives if with_jac else None, **options,
    )  # fmt: skip
    for i, fit in enumerate(of_batch(result)):
        kept = ~(mask[i] & masked)
        own = None if errors is None else np.broadcast_to(errors, y.shape)[i][kept]
        assert fit == single(T[kept], y[i][kept], p0[i], with_jac, sigma=own, **options)


def test_a_fit_of_a_batch_gets_its_row_of_xdata_or_of_user_data(
    path: Path, functions: ctypes.CDLL
) -> None:
    scipy = pytest.importorskip("scipy")
    p0 = data(30)[1]
    t = T + np.linspace(0.0, 1.0, 30)[:, None]
    y = value_of(t, *(1.2 * p0.T[:, :, None])) + 0.02 * np.cos(40 * t)
    expected = [single(*each, False) for each in zip(t, y, p0, strict=True)]

    def fits(f: Any, xdata: Any, **options: Any) -> list[Any]:
        return of_batch(curve_fit_batch(f, xdata, y, p0, **options))

    for xdata in (t, t.tolist(), np.asfortranarray(t), np.repeat(t, 2, axis=1)[:, ::2]):
        assert fits(functions.values, xdata) == expected
    for xdata in (None, T, t[::-1]):
        assert fits(functions.values, xdata, user_data=t) == expected
    of_floats = t.astype(np.float32)
    assert fits(functions.values, of_floats) == [
        single(*each, False)
        for each in zip(of_floats.astype(float), y, p0, strict=True)
    ]
    shared = [single(T, *each, False) for each in zip(y, p0, strict=True)]
    for xdata in (T, T.tolist(), np.repeat(T, 2)[::2], np.stack([T, T + 1])):
        assert fits(functions.values, xdata) == shared
    assert fits(functions.values, (T, T + 1)) == shared  # a tuple is for all fits
    assert fits(functions.values, tuple(t)) == fits(functions.values, t[0])
    bringing = scipy.LowLevelCallable(
        by_ctypes_with_types(path, "values"), T.ctypes.data_as(ctypes.c_void_p)
    )
    for xdata in (None, t):
        assert fits(bringing, xdata) == shared
    assert fits(bringing, None, user_data=t) == expected


def test_a_model_that_stops_one_fit_disturbs_no_other(functions: ctypes.CDLL) -> None:
    counts = np.full((40, 1), 9999, dtype=np.intc)
    counts[::3] = np.arange(1, 15)[:, None]
    y, start = np.zeros((40, 3)), np.ones(2)
    result = curve_fit_batch(functions.stopping, None, y, start, user_data=counts)
    good = curve_fit_batch(
        functions.stopping, None, y, start, user_data=np.full((40, 1), 9999, np.intc)
    )
    stopped = result.ier == -7
    assert stopped.sum() >= 5
    assert np.isnan(result.x[0]).all()
    assert "-7" in result.message(0)
    for i in np.flatnonzero(~stopped):
        assert of_batch(result)[i] == of_batch(good)[i]


def test_bounds_may_tell_a_batch_how_many_parameters_there_are(
    functions: ctypes.CDLL,
) -> None:
    y = data(5)[0][:, :, 1]
    result = curve_fit_batch(functions.values, T, y, bounds=(np.zeros(2), 9.0))
    assert of_batch(result) == [
        single(T, row, np.array([4.5, 4.5]), False, bounds=(0, 9)) for row in y
    ]


# What is no such function -----------------------------------------------------------


def test_other_signatures_are_errors_that_show_the_right_one(path: Path) -> None:
    short = by_ctypes_with_types(path, "residuals")
    short.argtypes = RESIDUALS[:4]
    of_floats = by_ctypes_with_types(path, "residuals")
    of_floats.argtypes = [ctypes.c_double, *RESIDUALS[1:]]
    returning = by_ctypes_with_types(path, "residuals")
    returning.restype = ctypes.c_double
    wrong = [
        short, of_floats, returning, capsule(path, "other", "double (double)"),
        capsule(path, "residuals", SIGNATURE["jacobian"]),
        capsule(path, "residuals", SIGNATURE["residuals"].replace("int", "long")),
        capsule(path, "residuals", "int (int, int, double *, double *)"),
        by_ctypes_with_types(path, "jacobian"),
    ]  # fmt: skip
    for function in wrong:
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq(function, [1.0, 1.0], m=M)
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq_batch(function, np.ones((2, 2)), m=M)


def test_other_signatures_of_cffi_and_numba_are_errors_too(path: Path) -> None:
    ffi = pytest.importorskip("cffi").FFI()
    numba = pytest.importorskip("numba")
    ffi.cdef("double other(double);")
    double = numba.types.double
    for function in (
        ffi.dlopen(str(path)).other,
        ffi.new("double[3]"),
        numba.cfunc(double(double))(lambda x: x),
    ):
        with pytest.raises(TypeError, match=r"func must be compiled from 'int func"):
            leastsq(function, [1.0, 1.0], m=M)


def test_a_function_that_needs_the_lock_is_an_error(path: Path) -> None:
    with pytest.raises(TypeError, match="without Python's lock"):
        leastsq(ctypes.PyDLL(str(path)).residuals, [1.0, 1.0], m=M)


def test_a_null_pointer_is_an_error() -> None:
    null = ctypes.CFUNCTYPE(ctypes.c_int, *RESIDUALS)()
    with pytest.raises(ValueError, match="func is a null pointer"):
        leastsq(null, [1.0, 1.0], m=M)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, TypeError, "m is needed"),
        ({"m": 1}, TypeError, "m = 1 for n = 2"),
        ({"m": "20"}, TypeError, "m must be an integer"),
        ({"m": M, "args": (1.0,)}, TypeError, "args are for Python"),
        ({"m": M, "user_data": 1.0}, TypeError, "user_data must be"),
        (
            {"m": M, "user_data": np.ones((9, 9))[:, ::2]},
            TypeError,
            "user_data must be",
        ),
        ({"m": M, "Dfun": lambda x: x}, TypeError, "both be compiled"),
    ],
)
def test_bad_arguments_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        leastsq(functions.residuals, [1.0, 1.0], **options)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"m": None}, TypeError, "m is needed"),
        ({"m": 1}, ValueError, "m = 1 for n = 2"),
        ({"args": (1.0,)}, TypeError, "args are for Python"),
        ({"user_data": np.ones((3, 2))}, ValueError, "row for each of the 5"),
        ({"user_data": np.array([None] * 5)}, ValueError, "row for each of the 5"),
        ({"user_data": np.ones((5, 9))[:, ::2]}, ValueError, "contiguous"),
        ({"Dfun": lambda x: x}, TypeError, "both be compiled"),
    ],
)
def test_bad_arguments_of_a_batch_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        leastsq_batch(functions.plain, np.ones((5, 2)), **({"m": M} | options))


def test_a_python_function_takes_neither_m_nor_user_data() -> None:
    for options in ({"m": 2}, {"user_data": np.ones(2)}):
        with pytest.raises(TypeError, match="compiled functions"):
            leastsq(lambda x: x, [1.0, 1.0], **options)
    with pytest.raises(TypeError, match="compiled functions"):
        leastsq_batch(lambda x, r: x, np.ones((2, 2)), user_data=np.ones(2))


def test_what_only_looks_like_one_is_called_as_python() -> None:
    class CFunc:
        def __call__(self, x: Array) -> Array:
            return x - 3

    looks = type("_cffi_backend._CDataBase", (), {"__call__": lambda self, x: x - 3})
    named = CFunc()
    assert leastsq(named, [1.0, 1.0])[1] in (1, 2, 3, 4)
    named.address = 0
    named.ctypes = SimpleNamespace(argtypes=None, restype=ctypes.c_int)
    with pytest.raises(ValueError, match="null pointer"):
        leastsq(named, [1.0, 1.0], m=2)
    with pytest.raises(TypeError):
        leastsq(looks(), [1.0, 1.0], m=2)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": None}, ValueError, "p0 is needed: a compiled f"),
        ({"p0": None, "bounds": (0, 9)}, ValueError, "p0 is needed: a compiled f"),
        ({"p0": []}, TypeError, "p0 must hold"),
        ({"p0": np.ones(M + 1)}, TypeError, f"{M + 1} parameters cannot be fitted"),
        ({"jac": derivatives_of}, TypeError, "f and jac must both be compiled"),
        ({"user_data": 1.0}, TypeError, "user_data must be"),
        ({"user_data": np.ones((9, 9))[:, ::2]}, TypeError, "user_data must be"),
        ({"xdata": {}}, TypeError, "xdata must be an array of real numbers"),
        ({"xdata": object()}, TypeError, "xdata must be an array of real numbers"),
        ({"xdata": T * np.nan}, ValueError, "xdata must be finite"),
        ({"sigma": np.zeros(M)}, ValueError, "sigma"),
        ({"bounds": (5, 6)}, ValueError, "p0 must be within"),
        ({"args": (1.0,)}, ValueError, "args"),
    ],
)
def test_bad_arguments_of_curve_fit_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"xdata": T, "ydata": np.ones(M), "p0": [1.0, 1.0]} | options
    with pytest.raises(error, match=match):
        curve_fit(functions.values, **call)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"m": None}, TypeError, "m is needed: a compiled fun"),
        ({"m": 1}, ValueError, "m = 1 for n = 2"),
        ({"m": 1.5}, TypeError, "m must be an integer"),
        ({"jac": "cs"}, ValueError, "jac='cs' needs a Python fun"),
        ({"jac": "4-point"}, ValueError, "jac must be"),
        ({"jac": lambda x: x}, TypeError, "fun and jac must both be compiled"),
        ({"args": (1.0,)}, TypeError, "args are for Python"),
        ({"kwargs": {"a": 1}}, TypeError, "args are for Python"),
        ({"user_data": 1.0}, TypeError, "user_data must be"),
    ],
)
def test_bad_arguments_of_least_squares_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        least_squares(functions.residuals, [1.0, 1.0], **({"m": M} | options))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"p0": None}, ValueError, "p0 is needed: a compiled f"),
        ({"jac": derivatives_of}, TypeError, "f and jac must both be compiled"),
        ({"xdata": {}}, TypeError, "xdata must be real numbers"),
        ({"xdata": np.ones((5, M - 1))}, ValueError, f"the {M} points"),
        ({"user_data": np.ones((3, M))}, ValueError, "row for each of the 5"),
        ({"user_data": np.ones((5, 9))[:, ::2]}, ValueError, "contiguous"),
    ],
)
def test_bad_arguments_of_a_batch_of_models_are_errors_that_name_them(
    functions: ctypes.CDLL, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"xdata": T, "ydata": np.ones((5, M)), "p0": [1.0, 1.0]} | options
    with pytest.raises(error, match=match):
        curve_fit_batch(functions.values, **call)


def test_what_is_for_compiled_functions_is_an_error_with_others() -> None:
    y = np.ones(M)
    for call in (
        lambda: curve_fit(value_of, T, y, [1.0, 1.0], user_data=T),
        lambda: curve_fit_batch(value_of, T, y[None], [1.0, 1.0], user_data=T[None]),
        lambda: least_squares(lambda x: x, [1.0, 1.0], m=2),
        lambda: least_squares(lambda x: x, [1.0, 1.0], user_data=T),
    ):
        with pytest.raises(TypeError, match="compiled functions"):
            call()


def test_other_signatures_are_errors_wherever_a_function_is_taken(path: Path) -> None:
    wrong = capsule(path, "other", "double (double)")
    start, y = [1.0, 1.0], np.ones((1, M))
    for name, call in (
        ("f", lambda: curve_fit(wrong, T, y[0], start)),
        ("f", lambda: curve_fit(wrong, T, y[0])),
        ("f", lambda: curve_fit_batch(wrong, T, y, start)),
        ("fun", lambda: least_squares(wrong, start, m=M)),
    ):
        with pytest.raises(
            TypeError, match=f"{name} must be compiled from 'int {name}"
        ):
            call()
    good = by_ctypes(path, "values")
    for call in (
        lambda: curve_fit(good, T, y[0], start, jac=wrong),
        lambda: curve_fit_batch(good, T, y, start, jac=wrong),
        lambda: least_squares(good, start, wrong, m=M),
    ):
        with pytest.raises(TypeError, match="jac must be compiled from 'int jac"):
            call()


@each_make
def test_functions_and_data_are_kept_no_longer_than_the_call(
    path: Path, make: Callable[..., Any]
) -> None:
    func, dfun = make(path, "residuals"), make(path, "jacobian")
    f, jac = make(path, "values"), make(path, "derivatives")
    pairs, p0 = data(20)
    y = np.ascontiguousarray(pairs[:, :, 1])
    strided = np.repeat(T, 2)[::2]

    keywords = {"user_data": T}

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leastsq(func, p0[0], (), dfun, m=M, user_data=pairs)
            leastsq(func, p0[0], m=M, user_data=pairs, maxfev=2)
        leastsq_batch(func, p0, (), dfun, m=M, user_data=pairs, workers=2)
        with pytest.raises(TypeError):
            leastsq(dfun, p0[0], m="a", user_data=pairs)
        for xdata, extra in ((T, {}), (strided, {"sigma": SIGMA}), (None, keywords)):
            curve_fit(f, xdata, y[0], p0[0], jac=jac, full_output=True, **extra)
        curve_fit_batch(f, T, y, p0, jac=jac, mask=y > 9, workers=2)
        curve_fit_batch(f, None, y, p0, user_data=y)
        least_squares(func, p0[0], dfun, m=M, user_data=pairs, loss=soft)
        with pytest.raises(TypeError):
            curve_fit(f, T, y[0], [], user_data=pairs)
        with pytest.raises(ValueError, match="cs"):
            least_squares(func, p0[0], "cs", m=M, user_data=pairs)

    run()
    gc.collect()
    counted = [func, dfun, f, jac, pairs, p0, y, strided, T, SIGMA]
    before = [sys.getrefcount(each) for each in counted]
    for _ in range(50):
        run()
    gc.collect()
    assert [sys.getrefcount(each) for each in counted] == before


FAILING: dict[str, Callable[[SimpleNamespace], Any]] = {
    "leastsq": lambda c: leastsq(c.residuals, START, m=M, user_data=PAIRS),
    "curve_fit": lambda c: curve_fit(
        c.values, T, PAIRS[:, 1], START, jac=c.derivatives, bounds=(0, 9)
    ),
    "curve_fit, strided": lambda c: curve_fit(
        c.values, PAIRS[:, 0], PAIRS[:, 1], START, sigma=SIGMA, full_output=True
    ),
    "curve_fit that stops": lambda c: curve_fit(
        c.stopping, None, T, START, user_data=np.array([3], np.intc)
    ),
    "xdata is no array": lambda c: curve_fit(c.values, {}, PAIRS[:, 1], START),
    "user_data has no memory": lambda c: curve_fit(
        c.values, T, PAIRS[:, 1], START, user_data=1
    ),
    "least_squares": lambda c: least_squares(
        c.residuals, START, c.jacobian, m=M, user_data=PAIRS, loss="cauchy"
    ),
    "least_squares that stops": lambda c: least_squares(
        c.stopping, START, m=3, user_data=np.array([3], np.intc)
    ),
    "no m": lambda c: least_squares(c.residuals, START),
}
(PAIRS,), (START,) = data(1)


@each_extent
@pytest.mark.parametrize("name", FAILING)
def test_where_memory_runs_out_a_compiled_fit_leaves_nothing_behind(
    path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, name: str, alone: bool
) -> None:
    """With capsules: ctypes itself does not always say that memory has run out."""
    names = ("residuals", "jacobian", "values", "derivatives", "stopping")
    functions = SimpleNamespace(**{name: capsule(path, name, None) for name in names})

    def act() -> str:
        try:
            result = FAILING[name](functions)
        except MemoryError:
            return "MemoryError"
        except Exception as error:
            return repr(error)
        return repr(result)

    expected = act()
    for solver in ("leastsq", "curve_fit", "least_squares"):
        failing = memory.failing(getattr(_minpack, solver))
        monkeypatch.setattr(_minpack, solver, failing)
    fail_each_allocation(memory, alone, act, expected)

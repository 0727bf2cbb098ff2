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

from minpack import leastsq, leastsq_batch

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
    function.argtypes = RESIDUALS if name == "residuals" else JACOBIAN
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
    rest = {"residuals": "void *", "jacobian": "int, void *"}[name]
    ffi.cdef(f"int {name}(int, int, const double *, double *, {rest});")
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


def test_a_jacobian_stops_the_fit_as_well(functions: ctypes.CDLL) -> None:
    count = np.array([1000], dtype=np.intc)
    with pytest.warns(RuntimeWarning, match="-8"):
        ier = leastsq(
            functions.stopping, [1.0, 2.0], (), functions.stopping_jacobian,
            m=3, user_data=count,
        )[1]  # fmt: skip
    assert ier == -8


def test_a_fit_of_a_compiled_function_lets_other_threads_run(
    functions: ctypes.CDLL,
) -> None:
    """Here a thread gets its turn only where another gives up the lock."""
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
        leastsq(functions.slow, np.zeros(10), m=10)
        ran_meanwhile = ran.is_set()
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert ran_meanwhile


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
        with pytest.raises(
            TypeError, match=r"func must be compiled from 'int residuals"
        ):
            leastsq(function, [1.0, 1.0], m=M)
        with pytest.raises(
            TypeError, match=r"func must be compiled from 'int residuals"
        ):
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
        with pytest.raises(
            TypeError, match=r"func must be compiled from 'int residuals"
        ):
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


@each_make
def test_functions_and_data_are_kept_no_longer_than_the_call(
    path: Path, make: Callable[..., Any]
) -> None:
    func, dfun = make(path, "residuals"), make(path, "jacobian")
    pairs, p0 = data(20)

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leastsq(func, p0[0], (), dfun, m=M, user_data=pairs)
            leastsq(func, p0[0], m=M, user_data=pairs, maxfev=2)
        leastsq_batch(func, p0, (), dfun, m=M, user_data=pairs, workers=2)
        with pytest.raises(TypeError):
            leastsq(dfun, p0[0], m="a", user_data=pairs)

    run()
    gc.collect()
    counted = [func, dfun, pairs, p0]
    before = [sys.getrefcount(each) for each in counted]
    for _ in range(50):
        run()
    gc.collect()
    assert [sys.getrefcount(each) for each in counted] == before

"""Objects to throw at leastsq, drawn by hypothesis.

A strategy here draws makers: functions without arguments whose every call makes the
same object afresh, so that one example can be run twice.
"""

from __future__ import annotations

import array
import collections
import decimal
import fractions
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from arrays import Sub, read_only, unaligned
from functions import OnPurposeError, Stop, raising

Maker = Callable[[], Any]


# Numbers ----------------------------------------------------------------------

SPECIAL = (
    0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e-8, np.nan, np.inf, -np.inf, 1e308, -1e308,
    1e160, 1e-160, 5e-324, 2.3e-308, 2.0**31, 2.0**53, 2.0**63, 65504.0, 1e39,
)  # fmt: skip

SCALARS = (
    None, True, False, ..., "", "text", "1.0", b"1", bytearray(b"12"), 1j,
    np.complex64(1),
    2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**400, -(10**400),
    decimal.Decimal("1.5"), decimal.Decimal("sNaN"), fractions.Fraction(1, 3),
    np.float16(1.5), np.float32(np.nan), np.longdouble("1e4000"), np.longdouble(1),
    np.int8(3), np.uint64(2**64 - 1), np.bool_(True), np.str_("1"), np.bytes_(b"1"),
    np.datetime64("2000-01-01"), np.timedelta64(3, "s"), np.datetime64("NaT", "s"),
    np.void(b"12345678"), np.array(2.0), np.array(None), np.ma.masked, NotImplemented,
    range(3), slice(3), np, object, ValueError, np.dtype(float), {}, {1: 2.0}, {1.0},
    frozenset(), (), [], [[]], [1.0, [2.0]], [None, 1.0], ["a", 1.0], [1.0, 1j],
    [2**70, 1.0], [Ellipsis], (1.0, b"x"), [np.ones(2), np.ones(3)],
)  # fmt: skip

numbers: st.SearchStrategy[Any] = (
    st.sampled_from(SPECIAL) | st.floats() | st.integers(-3, 300)
)


def mostly(sensible: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Three times in four a sensible number, else any."""
    return st.integers(0, 3).flatmap(lambda i: sensible if i else numbers)


def constant(value: Any) -> Maker:
    return lambda: value


# Arrays -----------------------------------------------------------------------

DTYPES = (
    *"?bBhHiIlLqQefdgFDGSUVO", "M8[s]", "m8[ms]", "M8", "S3", "U2", "V5", ">f8", ">f4",
    ">i4", ">c16", ">U1", "f8,i4", "f8,(2,)f4,S1", np.dtypes.StringDType(),
)  # fmt: skip

shapes = (
    st.tuples(st.integers(0, 6))
    | st.just((3,))
    | st.lists(st.integers(0, 3), max_size=4).map(tuple)
)


def filled(dtype: Any, shape: tuple[int, ...], how: str, seed: int) -> np.ndarray:
    """An array of random bits, of special values, or of ones."""
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    if how == "bits" and dtype.kind not in "OUTb":
        if dtype.itemsize == 0:
            dtype = np.dtype((dtype.type, 4))
        size = int(np.prod(shape))
        return np.frombuffer(rng.bytes(size * dtype.itemsize), dtype).reshape(shape)
    result = np.ones(shape, dtype)
    if how == "special":
        try:
            with np.errstate(all="ignore"):
                result[...] = rng.choice(SPECIAL, result.shape).astype(result.dtype)
        except (TypeError, ValueError, OverflowError):
            pass
    return result


def overlapping(a: np.ndarray) -> np.ndarray:
    """An array whose entries share memory with their neighbours."""
    if a.dtype.hasobject or a.dtype.kind == "T":
        raise TypeError("entries that are pointers must not overlap")
    strides = [max(stride - 1, 0) for stride in a.strides]
    return np.lib.stride_tricks.as_strided(a, strides=strides)


def released(a: np.ndarray) -> memoryview:
    view = memoryview(a.copy())
    view.release()
    return view


def containing_itself(a: np.ndarray) -> list[Any]:
    items = a.tolist() if a.ndim else [a.item()]
    items.append(items)
    return items


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "plain": lambda a: a,
    "read-only": read_only,
    "transposed": lambda a: a.T,
    "backwards": lambda a: a[::-1],
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "one value": lambda a: np.broadcast_to(a.flat[0], a.shape),
    "overlapping": overlapping,
    "unaligned": unaligned,
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "a row": lambda a: a[None],
    "a column": lambda a: a[..., None],
    "subclass": lambda a: a.view(Sub),
    "matrix": np.asmatrix,
    "records": lambda a: a.view(np.recarray),
    "masked": lambda a: np.ma.masked_array(a, np.arange(a.size).reshape(a.shape) % 2),
    "objects": lambda a: a.astype(object),
    "list": lambda a: a.tolist(),
    "tuple": tuple,
    "scalars": list,
    "generator": lambda a: (item for item in a),
    "iterator": iter,
    "map": lambda a: map(float, a),
    "deque": collections.deque,
    "dict": lambda a: dict(enumerate(a)),
    "bytes": lambda a: a.tobytes(),
    "memoryview": memoryview,
    "memoryview of bytes": lambda a: memoryview(a.astype(float)).cast("B"),
    "released memoryview": released,
    "array.array": lambda a: array.array("d", a),
    "nditer": np.nditer,
    "ragged": lambda a: [a, a[1:]],
    "containing itself": containing_itself,
}
forms = st.just("plain") | st.sampled_from(sorted(FORMS))


def formed(form: str, values: np.ndarray) -> Any:
    """The values in a form; as they are, where they don't have it."""
    try:
        return FORMS[form](values)
    except (TypeError, ValueError, IndexError, BufferError):
        return values


@st.composite
def arrays(draw: Any) -> Maker:
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(shapes)
    how = draw(st.sampled_from(["ones", "special", "bits"]))
    form, seed = draw(forms), draw(st.integers(0, 2**16))

    return lambda: formed(form, filled(dtype, shape, how, seed))


# Objects that break their promises ----------------------------------------------

METHODS = (
    "__float__", "__index__", "__int__", "__complex__", "__bool__", "__len__",
    "__iter__", "__next__", "__getitem__", "__array__", "__call__", "__lt__", "__le__",
    "__eq__",
    "__hash__", "__repr__", "__str__", "__format__", "__array_interface__",
    "__array_struct__", "__array_priority__", "__array_ufunc__", "__length_hint__",
)  # fmt: skip


answers = st.one_of(
    st.just(raising(OnPurposeError)),
    st.just(raising(Stop)),
    numbers.map(constant),
    st.sampled_from(SCALARS).map(constant),
    arrays(),
)


@st.composite
def broken(draw: Any) -> Maker:
    """An object with some special methods, each with an answer of its own."""
    chosen = draw(st.dictionaries(st.sampled_from(METHODS), answers, max_size=4))
    base = draw(st.sampled_from([object, object, int, float, str, list, tuple, dict]))

    def method(answer: Maker) -> Any:
        return lambda self, *args, **options: answer()

    names: dict[str, Any] = {
        name: property(method(answer)) if "_array_" in name else method(answer)
        for name, answer in chosen.items()
    }
    if "__array__" in chosen:
        names["__array__"] = method(chosen["__array__"])
    return lambda: (
        object.__new__(type("Broken", (), names))
        if base is object
        else (base.__new__(type("Broken", (base,), names)))
    )


# Functions ----------------------------------------------------------------------

CALLABLES = (
    len, float, list, tuple, str, np.sin, np.array, np.linalg.inv, np.sum, type, min,
    functools.partial(np.multiply, 2.0), dict.get, np.ndarray.tolist, iter, memoryview,
    lambda: 0, lambda x: None, lambda x, y: x, lambda *x: x, int, object, np.vstack,
    OnPurposeError,
)  # fmt: skip

functions = st.sampled_from(CALLABLES).map(constant)

anything: st.SearchStrategy[Maker] = st.one_of(
    numbers.map(constant),
    st.sampled_from(SCALARS).map(constant),
    arrays(),
    broken(),
    functions,
)

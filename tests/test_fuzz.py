"""Whatever is thrown at leastsq, it gives a result or says what is wrong.

``pytest tests/test_fuzz.py --fuzz-examples 100000`` draws more, and other, examples
than the few that are always the same.
"""

from __future__ import annotations

import faulthandler
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import OnPurposeError, Stop, raising
from fuzz_inputs import (
    anything,
    constant,
    formed,
    forms,
    mostly,
)
from minpack import leastsq

SECONDS = 120  # without an example coming to its end
MOST_CALLS = 300
# Without vectorized, for which x has another shape
PARAMETERS = [p for p in inspect.signature(leastsq).parameters.values()
              if p.name != "vectorized"]  # fmt: skip
NAMES = [p.name for p in PARAMETERS]
KERNELS = ["fast", "reference"] if "kernels" in NAMES else []
POSITIONAL = [p.name for p in PARAMETERS if p.kind is not p.KEYWORD_ONLY]


class EnoughError(Exception):
    """A fit that would run for long is stopped."""


CLEAR = (TypeError, ValueError, OverflowError, OnPurposeError, Stop, EnoughError)


pytestmark = pytest.mark.filterwarnings("ignore")

# Calls --------------------------------------------------------------------------

TOLERANCES = [0.0, 1e-300, 1e-16, 1e-8, 0.1]
SHAPES: dict[str, Callable[[Any], Any]] = {
    "line": lambda s: s,
    "parabola": lambda s: s * s,
    "exponential": np.exp,
    "root": np.sqrt,
    "pole": lambda s: 1 / s,
    "steps": lambda s: np.floor(8 * s),
    "bend": np.abs,
    "flat": np.zeros_like,
    "nowhere": lambda s: s * np.nan,
    "at one point": lambda s: np.where(s == s[0], 1.0, np.nan),
}


@dataclass(frozen=True)
class Model:
    """Residuals and something that may pass for their Jacobian; both are pure."""

    shape: str
    m: int
    scale: float
    target: float

    def powers(self, n: int) -> Any:
        return np.linspace(-1.0, 1.0, self.m)[:, None] ** np.arange(n)

    def residuals(self, x: Any) -> Any:
        with np.errstate(all="ignore"):
            s = np.sum(self.powers(x.size) * x, axis=1)
            return SHAPES[self.shape](s) * self.scale - self.target if self.m else s

    def jacobian(self, x: Any) -> Any:
        with np.errstate(all="ignore"):
            ahead = self.residuals(x + 1e-4) - self.residuals(x)
            return ahead[:, None] / 1e-4 * self.powers(x.size)


def snapshot(item: Any) -> Any:
    """The bits of arrays, and the identity of what is in containers."""
    if isinstance(item, np.ma.MaskedArray):
        return snapshot(np.asarray(item.data)), snapshot(np.asarray(item.mask))
    if isinstance(item, np.ndarray):
        if item.dtype.kind == "T":
            content: Any = item.tolist()
        elif item.dtype.hasobject:
            content = list(map(id, item.flat))
        else:
            content = item.tobytes()
        return content, item.dtype, item.shape, item.strides, item.flags.writeable
    if type(item) in (list, tuple):
        return [(id(o), o if isinstance(o, float) else None) for o in item]
    if type(item) is dict:
        return list(map(id, item)), list(map(id, item.values()))
    return id(item)


@dataclass
class Recorder:
    """A function that is watched, and that may change its mind at a call."""

    function: Callable[..., Any]
    change_at: int
    change: Callable[[Any], Any]
    calls: int = 0
    given: list[Any] = field(default_factory=list)
    answers: list[tuple[Any, Any]] = field(default_factory=list)

    def __call__(self, x: Any, *args: Any) -> Any:
        assert type(x) is np.ndarray
        assert (x.dtype, x.ndim, x.flags.owndata) == (np.float64, 1, True)
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise EnoughError
        self.given.append(x.copy())
        try:
            answer = self.function(x, *args)
            if self.calls == self.change_at:
                answer = self.change(answer)
        except Exception as error:
            raise OnPurposeError from error
        self.answers.append((answer, snapshot(answer)))
        return answer


CHANGES: dict[str, Callable[[Any], Any]] = {
    "raises": raising(OnPurposeError),
    "halts": raising(Stop),
    "None": lambda r: None,
    "nothing": lambda r: np.asarray(r)[:0],
    "shorter": lambda r: np.asarray(r)[:-1],
    "longer": lambda r: np.append(np.asarray(r), 1.0),
    "enormous": lambda r: np.ones((1000, 50)),
    "a column": lambda r: np.asarray(r)[..., None],
    "a row": lambda r: np.asarray(r)[None],
    "one number": lambda r: 1.0,
    "complex": lambda r: np.asarray(r) + 0j,
    "text": lambda r: np.asarray(r).astype(str),
    "objects": lambda r: np.asarray(r).astype(object),
    "half": lambda r: np.asarray(r).astype(np.float16),
    "long": lambda r: np.asarray(r).astype(np.longdouble),
    "integers": lambda r: np.ones(np.shape(r), int),
    "NaN": lambda r: np.full(np.shape(r), np.nan),
    "infinity": lambda r: np.full(np.shape(r), -np.inf),
    "huge": lambda r: np.full(np.shape(r), 1e308),
    "tiny": lambda r: np.full(np.shape(r), 5e-324),
    "a list": lambda r: list(r),
    "read-only": lambda r: np.broadcast_to(2.0, np.shape(r)),
}


@dataclass
class Call:
    """Arguments of leastsq, and what their functions saw and said."""

    arguments: dict[str, Any]
    pure: bool
    overwrites: bool

    def recorder(self, name: str) -> Recorder | None:
        function = self.arguments.get(name)
        return function if isinstance(function, Recorder) else None


@st.composite
def calls(draw: Any, wild: bool) -> Callable[[], Call]:
    """A maker of calls: sound ones, or with anything at some of the parameters."""
    n = draw(st.integers(1, 4))
    model = Model(
        shape=draw(st.sampled_from(sorted(SHAPES))),
        m=n + draw(st.integers(-1 if wild else 0, 5)),
        scale=draw(st.sampled_from([1.0] * 6 + [1e-8, 1e160, 1e-160, 1e300, 1e-300])),
        target=draw(mostly(st.floats(-2, 2))),
    )
    start = draw(st.lists(mostly(st.floats(-3, 3)), min_size=n, max_size=n))
    form = draw(forms)
    dtype = draw(
        st.sampled_from(
            ["f8", "f8", "f8", "f8", "f8", "f8", "f4", "f2", "g", ">f8", "O", "c16"]
        )
    )
    analytic, by_columns = draw(st.booleans()), draw(st.booleans())

    options = {"full_output": constant(draw(st.booleans()))}
    for name in ("ftol", "xtol", "gtol", "epsfcn", "factor"):
        if draw(st.integers(0, 3)) == 0:
            sensible = st.sampled_from([0.1, 100.0] if name == "factor" else TOLERANCES)
            options[name] = constant(draw(mostly(sensible)))
    if draw(st.integers(0, 2)) == 0:
        sensible = mostly(st.floats(1e-3, 1e3))
        diag = draw(st.lists(sensible, min_size=n, max_size=n))
        options["diag"] = lambda: np.array(diag, float)
    if draw(st.booleans()):
        options["maxfev"] = constant(draw(st.integers(-1, 60)))
    if KERNELS:
        options["kernels"] = constant(draw(st.sampled_from(KERNELS)))

    change, change_at, thrown, overwrites = "NaN", 0, {}, False
    if wild:
        what = draw(st.sampled_from(["change", "throw", "throw", "overwrite", "all"]))
        if what in ("change", "all"):
            change = draw(st.sampled_from(sorted(CHANGES)))
            change_at = draw(st.integers(1, 9))
        if what in ("throw", "all"):
            names = st.sampled_from(NAMES)
            thrown = draw(st.dictionaries(names, anything, min_size=1, max_size=2))
        overwrites = what == "overwrite"

    def make() -> Call:
        x0 = np.array(start, float)

        def in_form(values: Any) -> Any:
            if overwrites:  # the caller's own arrays, in the middle of a fit
                x0[...] = np.nan
            return formed(form, values.astype(dtype))

        def jacobian(x: Any, *_: Any) -> Any:
            values = model.jacobian(x)
            return in_form(values.T if by_columns else values)

        def residuals(x: Any, *_: Any) -> Any:
            return in_form(model.residuals(x))

        changing = CHANGES[change]
        arguments = {"func": Recorder(residuals, change_at, changing), "x0": x0}
        if analytic:
            arguments["Dfun"] = Recorder(jacobian, change_at, changing)
            arguments["col_deriv"] = by_columns
        arguments |= {name: maker() for name, maker in options.items()}
        for name, maker in thrown.items():
            item = maker()
            if name in ("func", "Dfun") and callable(item):
                item = Recorder(item, change_at, changing)
            arguments[name] = item
        pure = not change_at and not {"func", "x0", "args", "Dfun"} & thrown.keys()
        return Call(arguments, pure, overwrites)

    return make


# What becomes of them -----------------------------------------------------------


def outcome(call: Call, positional: bool = False) -> Any:
    """The result, or the exception; what must hold for either has been checked."""
    arguments = call.arguments
    before = {name: snapshot(item) for name, item in arguments.items()}
    order = POSITIONAL if positional else POSITIONAL[:2]
    while order and order[-1] not in arguments:
        order = order[:-1]
    defaults = inspect.signature(leastsq).parameters
    args = [arguments.get(name, defaults[name].default) for name in order]
    options = {name: v for name, v in arguments.items() if name not in order}

    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        result = leastsq(*args, **options)
    except CLEAR as error:
        result = error
    finally:
        faulthandler.cancel_dump_traceback_later()

    if isinstance(result, (TypeError, ValueError, OverflowError)):
        assert str(result)
    for name, item in arguments.items():
        if name != "x0" or not call.overwrites:
            assert snapshot(item) == before[name], f"{name} was changed"
    for name in ("func", "Dfun"):
        recorder = call.recorder(name)
        for answer, then in recorder.answers if recorder else ():
            assert snapshot(answer) == then, f"what {name} returned was changed"
    return result


def assert_sound(call: Call, result: tuple[Any, ...]) -> None:
    x, ier = result[0], result[-1]
    assert type(x) is np.ndarray
    assert (x.dtype, x.ndim, x.flags.owndata) == (np.float64, 1, True)
    assert x.flags.writeable
    assert type(ier) is int
    if len(result) == 2:
        return
    cov_x, info, mesg = result[1:4]
    assert len(result) == 5
    assert isinstance(mesg, str)
    assert mesg
    n, m = info["fjac"].shape
    assert (x.shape, info["fvec"].shape) == ((n,), (m,))
    assert (info["ipvt"].shape, info["qtf"].shape) == ((n,), (n,))
    assert cov_x is None or cov_x.shape == (n, n)
    if ier != 0:
        assert sorted(info["ipvt"]) == list(range(n)) or ier == 9
    func, dfun = call.recorder("func"), call.recorder("Dfun")
    if func is not None:
        assert func.calls == max(info["nfev"], 1)
        assert any(same(x, given) for given in func.given)
    if dfun is not None:
        assert dfun.calls == info["njev"]
    if call.pure and func is not None:
        assert_descent(func, x, info["fvec"])


def assert_descent(func: Recorder, x: Any, fvec: Any) -> None:
    at_start, at_end = (
        np.atleast_1d(np.array(func.function(point), float))
        for point in (func.given[0], x)
    )
    assert same(fvec, at_end)
    before, after = math.hypot(*at_start), math.hypot(*at_end)
    if np.isfinite(before):
        assert not after > before * (1 + 1e-12)


def bits(a: Any) -> tuple[Any, bytes]:
    """The shape and the bits; all NaN are one."""
    a = np.where(np.isnan(a), np.nan, a) if a.dtype == float else a
    return a.shape, a.tobytes()


def same(ours: Any, theirs: Any) -> bool:
    return bits(ours) == bits(theirs)


def plain(item: Any) -> Any:
    """A result with its arrays as bits, or the type of an exception."""
    if isinstance(item, BaseException):
        return type(item)
    if isinstance(item, dict):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, tuple):
        return [plain(value) for value in item]
    if isinstance(item, np.ndarray):
        return bits(item)
    return item


@np.errstate(all="ignore")
def assert_ends_well(make: Callable[[], Call]) -> Any:
    call = make()
    result = outcome(call)
    if isinstance(result, tuple):
        assert_sound(call, result)
    assert plain(outcome(make(), positional=True)) == plain(result)
    return result


@given(make=calls(wild=True))
def test_anything_ends_in_a_result_or_in_a_clear_exception(
    make: Callable[[], Call],
) -> None:
    assert_ends_well(make)


@given(make=calls(wild=False))
def test_a_sound_call_ends_in_a_sound_result(make: Callable[[], Call]) -> None:
    assert_ends_well(make)

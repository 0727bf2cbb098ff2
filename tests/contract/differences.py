"""Where minpack.leastsq and scipy.optimize.leastsq differ on purpose.

``python -m contract.differences``, in tests/, prints them as a Markdown table.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from contract.calls import (
    Call,
    T,
    at_point,
    decay,
    decay_jacobian,
    decay_residuals,
    decay_returning,
    decay_with_columns,
    decay_with_jacobian,
    jacobian_returning,
    rate,
    rate_derivatives,
    single,
)
from contract.objects import AsFloat, AsIndex, RaisesAsFloat

Leastsq = Callable[..., Any]


@dataclass(frozen=True)
class Difference:
    """A call, and what each side does with it.

    name
        What is special about the call.
    observe
        Makes the call and says what happened, in a few words. It raises what
        the call raises.
    scipy, minpack
        What `observe` says of each, or "raises ..." with the exception's name.
    why
        The reason why minpack does not do the same.
    argument
        The word that minpack's message must contain if it raises.
    unsafe
        SciPy must not run this: it reads or shows memory that is not its own,
        or takes the process down.
    """

    name: str
    observe: Callable[[Leastsq], str]
    scipy: str
    minpack: str
    why: str
    argument: str = ""
    unsafe: bool = False


def observed(difference: Difference, leastsq: Leastsq) -> tuple[str, str]:
    """What happens, and the message if it is an exception."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return difference.observe(leastsq), ""
    except BaseException as error:
        kind = type(error)
        home = "" if kind.__module__ == "builtins" else kind.__module__ + "."
        return f"raises {home}{kind.__name__}", str(error)


def as_markdown(differences: list[Difference]) -> str:
    lines = ["| Call | SciPy 1.17 | minpack | Why |", "|---|---|---|---|"]
    for d in differences:
        lines.append(f"| {d.name} | {d.scipy} | {d.minpack} | {d.why} |")
    return "\n".join(lines).replace("__", r"\_\_")


# Observations ---------------------------------------------------------------


def ends(build: Callable[[], Call]) -> Callable[[Leastsq], str]:
    """How the call ends: the value of ier."""

    def observe(leastsq: Leastsq) -> str:
        return f"ier {leastsq(**build())[-1]}"

    return observe


def times_at_start(counted: str) -> Callable[[Leastsq], str]:
    """How often the function `counted` is called at x0."""

    def observe(leastsq: Leastsq) -> str:
        call = decay_with_jacobian()
        inner, at_start = call[counted], []

        def function(x: Any) -> Any:
            at_start.append(np.array_equal(x, [1.0, 1.0]))
            return inner(x)

        leastsq(**call | {counted: function})
        return f"{sum(at_start)} at x0"

    return observe


def first_x(x0: Any) -> Callable[[Leastsq], str]:
    """The dtype of the first x that func sees."""

    def observe(leastsq: Leastsq) -> str:
        seen: list[str] = []

        def func(x: Any) -> Any:
            seen.append(x.dtype.name)
            return decay_residuals(x)

        leastsq(func, x0)
        return seen[0]

    return observe


def difference_step(leastsq: Leastsq) -> str:
    """The step of the first difference, where x0 and residuals are float32."""
    points: list[Any] = []

    def func(x: Any) -> Any:
        points.append(np.array(x, dtype=float))
        return x**2 - np.ones(2, dtype=np.float32)

    leastsq(func, np.array([2.0, 2.0], dtype=np.float32))
    step = next(np.max(np.abs(p - 2.0)) for p in points if p[0] != 2.0)
    return f"steps of {step / 2.0:.1e} x"


def reused_buffer(leastsq: Leastsq) -> str:
    buffer = np.empty(T.size)

    def func(x: Any) -> Any:
        buffer[:] = decay_residuals(x)
        return buffer

    same = np.allclose(leastsq(**decay(func=func))[0], leastsq(**decay())[0])
    return "the same fit" if same else "stops at x0"


def overwritten_x(leastsq: Leastsq) -> str:
    def func(x: Any) -> Any:
        residuals = decay_residuals(x)
        x[:] = -7.0
        return residuals

    same = np.allclose(leastsq(**decay(func=func))[0], leastsq(**decay())[0])
    return "the same fit" if same else "another fit"


def kept_residuals(leastsq: Leastsq) -> str:
    kept: list[tuple[Any, Any]] = []

    def func(x: Any) -> Any:
        residuals = decay_residuals(x)
        kept.append((residuals, residuals.copy()))
        return residuals

    leastsq(**decay(func=func))
    same = all(np.array_equal(now, then) for now, then in kept)
    return "unchanged" if same else "overwritten"


def kept_x(leastsq: Leastsq) -> str:
    kept: list[tuple[Any, Any]] = []

    def func(x: Any) -> Any:
        kept.append((x, x.copy()))
        return decay_residuals(x)

    leastsq(**decay(func=func))
    same = all(np.array_equal(now, then) for now, then in kept)
    return "unchanged" if same else "overwritten"


def shared_x(leastsq: Leastsq) -> str:
    kept: list[Any] = []

    def func(x: Any) -> Any:
        kept.append(x)
        return decay_residuals(x)

    x = leastsq(**decay(func=func))[0]
    return "shared" if any(np.shares_memory(x, k) for k in kept) else "its own"


def shared_fvec(leastsq: Leastsq) -> str:
    kept: list[Any] = []

    def func(x: Any) -> Any:
        kept.append(decay_residuals(x))
        return kept[-1]

    fvec = leastsq(**decay(func=func, full_output=True))[2]["fvec"]
    return "shared" if any(np.shares_memory(fvec, k) for k in kept) else "its own"


def shape_of_one_residual(leastsq: Leastsq) -> str:
    result = leastsq(**single(lambda x: x[0] - 3.0, full_output=True))
    return f"shape {np.shape(result[2]['fvec'])}"


def improper_arrays(leastsq: Leastsq) -> str:
    info = leastsq(**decay(ftol=-1.0, full_output=True))[2]
    zero = all(np.all(info[key] == 0.0) for key in ("fjac", "qtf"))
    return "zeros" if zero else "uninitialised"


def printed(leastsq: Leastsq) -> str:
    """What reaches sys.stderr when residuals cannot be converted."""
    stderr = io.StringIO()
    with contextlib.suppress(Exception), contextlib.redirect_stderr(stderr):
        leastsq(**decay_returning(lambda r: r + 0j))
    return "a traceback" if stderr.getvalue() else "nothing"


# The table ------------------------------------------------------------------

ONCE = "The value is still there; evaluating is what costs."
OWN_DTYPE = "func always sees float64, in its first call as in its last."
NO_VECTOR = "It is not the shape that is wrong."
SIZE = "SciPy reads the memory behind diag, or ignores what is too much."
SHAPE = "Of the same size, but not the same Jacobian."
ERROR = "`_minpack.error` cannot be caught without SciPy, and hides the cause."
NONSENSE = "Certainly a mistake, and SciPy reports a fit."
OWN_ARRAYS = "Memory is the solver's or the user's, never both."
INTERRUPT = "An exception is the caller's to handle."
ANY_FLAG = "A flag is true or false; np.True_ is a usual answer of a comparison."
MESSAGE = "SciPy fails in the text of a message that it does not need."

DIFFERENCES = [
    Difference("calls of func", times_at_start("func"), "3 at x0", "1 at x0", ONCE),
    Difference("calls of Dfun", times_at_start("Dfun"), "2 at x0", "1 at x0", ONCE),
    Difference(
        "x of the first call, x0 of integers",
        first_x(np.array([1, 1], dtype=np.int64)),
        "int64",
        "float64",
        OWN_DTYPE,
    ),
    Difference(
        "x of the first call, x0 of float32",
        first_x(np.array([1.0, 1.0], dtype=np.float32)),
        "float32",
        "float64",
        OWN_DTYPE,
    ),
    Difference(
        "differences from a float32 x0",
        difference_step,
        "steps of 3.5e-04 x",
        "steps of 1.5e-08 x",
        "The precision of the residuals counts, and those are float64.",
    ),
    Difference(
        "x0 of booleans, negated by func",
        ends(lambda: decay(x0=[True, True])),
        "raises TypeError",
        "ier 1",
        OWN_DTYPE,
    ),
    Difference(
        "x0 is None, and func takes two parameters",
        ends(lambda: decay(x0=None)),
        "raises IndexError",
        "raises TypeError",
        "The mistake is in x0, not in func.",
        "x0",
    ),
    Difference(
        "diag too short",
        ends(lambda: decay(diag=[1.0])),
        "reads past the end",
        "raises ValueError",
        SIZE,
        "diag",
        unsafe=True,
    ),
    Difference(
        "diag empty",
        ends(lambda: decay_with_jacobian(diag=[])),
        "reads past the end",
        "raises ValueError",
        SIZE,
        "diag",
        unsafe=True,
    ),
    Difference(
        "diag too long",
        ends(lambda: decay(diag=[1.0, 1.0, -1.0])),
        "ier 1",
        "raises ValueError",
        SIZE,
        "diag",
    ),
    *(
        Difference(
            f"diag is {name}",
            ends(lambda make=make: decay(diag=make())),
            "raises ValueError",
            "raises TypeError",
            NO_VECTOR,
            "diag",
        )
        for name, make in {
            "a string": lambda: "ab",
            "a list of words": lambda: ["a", "b"],
            "a set": lambda: {1.0, 20.0},
            "a generator": lambda: (v for v in (1.0, 20.0)),
        }.items()
    ),
    *(
        Difference(
            f"Jacobian {name} after the first call",
            ends(lambda change=change: decay(Dfun=at_point(2, change, decay_jacobian))),
            "ier 1",
            "raises ValueError",
            SHAPE,
            "Dfun",
        )
        for name, change in {
            "transposed": lambda j: j.T,
            "flat": np.ravel,
            "in shape (5, 4)": lambda j: j.reshape(5, 4),
        }.items()
    ),
    Difference(
        "Jacobian of one parameter in shape (2, 5)",
        ends(lambda: rate(Dfun=lambda x: rate_derivatives(x).reshape(2, 5))),
        "ier 1",
        "raises TypeError",
        SHAPE,
        "Dfun",
    ),
    Difference(
        "Jacobian of one parameter, a row too few",
        ends(lambda: rate(Dfun=lambda x: T[1:])),
        "raises ValueError",
        "raises TypeError",
        "The same mistake as with two parameters, the same exception.",
        "Dfun",
    ),
    *(
        Difference(
            f"residuals {name}",
            ends(lambda convert=convert: decay_returning(convert)),
            "raises _minpack.error",
            f"raises {kind}",
            ERROR,
            "func",
        )
        for name, convert, kind in [
            ("complex", lambda r: r + 0j, "TypeError"),
            ("in an array of objects", lambda r: r.astype(object), "TypeError"),
            ("in an array of strings", lambda r: r.astype(str), "TypeError"),
            ("in dates", lambda r: np.zeros(10, dtype="M8[s]"), "TypeError"),
            ("in records", lambda r: np.zeros(10, dtype="f8, f8"), "TypeError"),
            ("in a list of huge integers", lambda r: [10**400] * 10, "OverflowError"),
            ("in a column", lambda r: r[:, None], "ValueError"),
            ("in two columns", lambda r: np.stack([r, r], axis=1), "ValueError"),
            ("in nested lists", lambda r: [[v] for v in r], "ValueError"),
            ("in three dimensions", lambda r: r.reshape(5, 2, 1), "ValueError"),
        ]
    ),
    *(
        Difference(
            f"one residual as {name}",
            ends(lambda value=value: single(lambda x: value)),
            "raises _minpack.error",
            f"raises {kind}",
            ERROR,
            "func",
        )
        for name, value, kind in [
            ("a complex number", 1j, "TypeError"),
            ("a word", "abc", "TypeError"),
            ("a set", {1.0}, "TypeError"),
            ("a function", len, "TypeError"),
            ("a matrix", np.ones((1, 1)), "ValueError"),
        ]
    ),
    Difference(
        "residuals complex after the first call",
        ends(lambda: decay(func=at_point(2, lambda r: r + 0j, decay_residuals))),
        "raises _minpack.error",
        "raises TypeError",
        ERROR,
        "func",
    ),
    Difference(
        "residuals in a column after the first call",
        ends(lambda: decay(func=at_point(2, lambda r: r[:, None], decay_residuals))),
        "raises _minpack.error",
        "raises ValueError",
        ERROR,
        "func",
    ),
    *(
        Difference(
            f"Jacobian {name}",
            ends(lambda convert=convert: jacobian_returning(convert)),
            "raises _minpack.error",
            "raises TypeError",
            ERROR,
            "Dfun",
        )
        for name, convert in {
            "complex": lambda j: j + 0j,
            "in an array of objects": lambda j: j.astype(object),
            "in an array of strings": lambda j: j.astype(str),
        }.items()
    ),
    *(
        Difference(
            f"Jacobian of one parameter as {name}",
            ends(lambda value=value: rate(Dfun=lambda x: value)),
            "raises _minpack.error",
            "raises TypeError",
            ERROR,
            "Dfun",
        )
        for name, value in {
            "a number": 1.0,
            "None": None,
            "an array of three dimensions": T[:, None, None],
        }.items()
    ),
    Difference(
        "Jacobian of three dimensions after the first call",
        ends(lambda: decay(Dfun=at_point(2, lambda j: j[..., None], decay_jacobian))),
        "raises _minpack.error",
        "raises ValueError",
        ERROR,
        "Dfun",
    ),
    Difference(
        "an error in converting residuals prints",
        printed,
        "a traceback",
        "nothing",
        "The exception says it all.",
    ),
    *(
        Difference(
            f"one residual as {name}",
            ends(lambda value=value: single(lambda x: value)),
            "ier 4",
            "raises TypeError",
            NONSENSE,
            "func",
        )
        for name, value in {
            "None": None,
            "a string of digits": "1.5",
            "a complex NumPy scalar": np.complex128(1j),
            "a date": np.datetime64("2020-01-01"),
        }.items()
    ),
    *(
        Difference(
            f"residuals in a list of {name}",
            ends(lambda convert=convert: decay_returning(convert)),
            f"ier {ier}",
            "raises TypeError",
            NONSENSE,
            "func",
        )
        for name, convert, ier in [
            ("None", lambda r: [None] * r.size, 4),
            ("complex numbers", lambda r: list(r + 1j), 1),
            ("strings of digits", lambda r: [str(v) for v in r], 1),
        ]
    ),
    Difference(
        "Jacobian in lists of None",
        ends(lambda: jacobian_returning(lambda j: [[None, None]] * 10)),
        "ier 4",
        "raises TypeError",
        NONSENSE,
        "Dfun",
    ),
    Difference(
        "func returns one buffer, filled anew",
        reused_buffer,
        "stops at x0",
        "the same fit",
        OWN_ARRAYS,
    ),
    Difference(
        "func overwrites its x",
        overwritten_x,
        "another fit",
        "the same fit",
        OWN_ARRAYS,
    ),
    Difference("an x that func keeps", kept_x, "overwritten", "unchanged", OWN_ARRAYS),
    Difference(
        "residuals that func keeps",
        kept_residuals,
        "overwritten",
        "unchanged",
        OWN_ARRAYS,
    ),
    Difference(
        "the x returned, beside what func keeps",
        shared_x,
        "shared",
        "its own",
        OWN_ARRAYS,
    ),
    Difference(
        "the fvec returned, beside what func keeps",
        shared_fvec,
        "shared",
        "its own",
        OWN_ARRAYS,
    ),
    Difference(
        "fvec of one residual, returned as a scalar",
        shape_of_one_residual,
        "shape ()",
        "shape (1,)",
        "fvec is an array of m residuals, also where m is 1.",
    ),
    Difference(
        "fjac and qtf after improper input",
        improper_arrays,
        "uninitialised",
        "zeros",
        "Nobody wants to see what was in that memory before.",
        unsafe=True,
    ),
    Difference(
        "KeyboardInterrupt while residuals are converted",
        ends(lambda: single(lambda x: RaisesAsFloat(KeyboardInterrupt))),
        "raises _minpack.error",
        "raises KeyboardInterrupt",
        INTERRUPT,
    ),
    Difference(
        "SystemExit while residuals are converted",
        ends(lambda: single(lambda x: RaisesAsFloat(SystemExit))),
        "ends the process",
        "raises SystemExit",
        INTERRUPT,
        unsafe=True,
    ),
    *(
        Difference(
            f"full_output is {value!r}",
            ends(lambda value=value: decay(full_output=value)),
            "raises TypeError",
            "ier 1",
            ANY_FLAG,
        )
        for value in (np.True_, "yes", "", None, 1.0)
    ),
    *(
        Difference(
            f"col_deriv is {value!r}",
            ends(lambda value=value: decay_with_columns(col_deriv=value)),
            "raises TypeError",
            "ier 1",
            ANY_FLAG,
        )
        for value in (np.True_, "yes", 1.0)
    ),
    *(
        Difference(
            f"{name} is an object with {what}",
            ends(lambda name=name, value=value: decay(**{name: value})),
            "raises TypeError",
            "ier 1",
            MESSAGE,
        )
        for name, value, what in [
            ("ftol", AsFloat(1e-8), "__float__"),
            ("xtol", AsFloat(1e-8), "__float__"),
            ("gtol", AsFloat(0.0), "__float__"),
            ("ftol", AsIndex(1), "__index__"),
        ]
    ),
]

if np.longdouble(0).itemsize > np.float64(0).itemsize:
    DIFFERENCES.append(
        Difference(
            "residuals in long double",
            ends(lambda: decay_returning(lambda r: r.astype(np.longdouble))),
            "raises _minpack.error",
            "raises TypeError",
            ERROR,
            "func",
        )
    )


if __name__ == "__main__":
    print(as_markdown(DIFFERENCES))

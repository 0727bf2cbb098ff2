"""What a difference is, and ways to see one."""

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
    decay,
    decay_residuals,
    decay_returning,
    decay_with_jacobian,
    single,
)

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


# Observations ---------------------------------------------------------------


def ends(build: Callable[[], Call]) -> Callable[[Leastsq], str]:
    """How the call ends: the value of ier."""

    def observe(leastsq: Leastsq) -> str:
        with np.errstate(all="ignore"):
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
            return decay_residuals(x.astype(float))

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

    x = leastsq(**decay(func=func))[0]
    return "stays at x0" if np.array_equal(x, [1.0, 1.0]) else compared(leastsq, x)


def overwritten_x(leastsq: Leastsq) -> str:
    def func(x: Any) -> Any:
        residuals = decay_residuals(x)
        x[:] = -7.0
        return residuals

    return compared(leastsq, leastsq(**decay(func=func))[0])


def compared(leastsq: Leastsq, x: Any) -> str:
    """Whether x is what a well-behaved func would have given."""
    same = np.allclose(x, leastsq(**decay())[0])
    return "the same fit" if same else "another fit"


def kept_x(leastsq: Leastsq) -> str:
    now, then, _ = kept(leastsq, lambda x, residuals: x)
    return "unchanged" if np.array_equal(now, then) else "overwritten"


def kept_residuals(leastsq: Leastsq) -> str:
    now, then, _ = kept(leastsq, lambda x, residuals: residuals)
    return "unchanged" if np.array_equal(now, then) else "overwritten"


def shared_x(leastsq: Leastsq) -> str:
    now, _, result = kept(leastsq, lambda x, residuals: x)
    shared = any(np.shares_memory(result[0], x) for x in now)
    return "shared" if shared else "its own"


def shared_fvec(leastsq: Leastsq) -> str:
    now, _, result = kept(leastsq, lambda x, residuals: residuals)
    shared = any(np.shares_memory(result[2]["fvec"], fvec) for fvec in now)
    return "shared" if shared else "its own"


def kept(leastsq: Leastsq, choose: Callable[[Any, Any], Any]) -> tuple[list, list, Any]:
    """The x or the residuals of every call, as they are and as they were."""
    now: list[Any] = []
    then: list[Any] = []

    def func(x: Any) -> Any:
        residuals = decay_residuals(x)
        now.append(choose(x, residuals))
        then.append(now[-1].copy())
        return residuals

    return now, then, leastsq(**decay(func=func, full_output=True))


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
    return f"prints {'a traceback' if stderr.getvalue() else 'nothing'}"

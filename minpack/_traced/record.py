"""A record: what a function does with arguments of some shapes, as a program."""

from __future__ import annotations

import functools
import inspect
import linecache
import os
import sysconfig
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._traced import store
from minpack._traced.derivatives import Missing, derivatives
from minpack._traced.loops import UntraceableError
from minpack._traced.program import Program, text
from minpack._traced.stand_ins import STAND_INS, Cells, Joined, Node, Scalar, Vector
from minpack._traced.trace import Trace
from minpack._traced.traced import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_MOST_NAMES = 100  # of data in a text


class Record:
    """What a function does with arguments of some shapes, as a program.

    Attributes
    ----------
    program : capsule
        What `_minpack` runs.
    watched : bool
        Whether the record holds arrays or numbers from outside the function, which
        may have changed.
    data : list of bytes or None
        The contents of the arguments, if the record depends on them.
    missing : str
        Why there are no exact derivatives; empty if there are.
    """

    def __init__(
        self,
        description: Program,
        program: Any,
        m: int,
        is_curve: bool,
        watched: bool,
        data: list[bytes] | None,
        missing: str,
    ) -> None:
        self.description = description
        self.program = program
        self.m = m
        self.is_curve = is_curve
        self.watched = watched
        self.data = data
        self.missing = missing
        self.rounds = False  # whether its values differ from those of f by rounding

    def lines(self, function: Callable[..., Any]) -> list[str]:
        """Write the program as formulas."""
        names = _names(function, self.description.n, self.is_curve)
        return text(self.description, *names)

    def is_for(self, arrays: Sequence[NDArray[Any]]) -> bool:
        """Whether the record holds for the contents of these arguments."""
        return self.data is None or self.data == [each.tobytes() for each in arrays]


def record(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    arrays: tuple[Any, ...],
    n: int,
    m: int,
    *,
    is_curve: bool,
    wants_derivatives: bool,
) -> Record:
    """Call a function with stand-ins; a TypeError names what cannot be recorded."""
    trace = Trace(m)
    try:
        stands = {id(array): trace.argument(array) for array in arrays}
        parameters = [trace.parameter(j) for j in range(n)]
        if is_curve:
            answer = function(stands.get(id(args[0]), args[0]), *parameters)
        else:
            args = tuple([stands.get(id(each), each) for each in args])
            kwargs = {name: stands.get(id(each), each) for name, each in kwargs.items()}
            cells = np.empty(n, object)
            cells[:] = parameters
            answer = function(Cells(trace, cells, None), *args, **kwargs)
        pieces, lengths = _pieces(trace, answer, m)
        return record_of(
            trace, function, pieces, lengths, arrays, wants_derivatives, is_curve
        )
    except Exception as error:
        raise cannot_be_traced(function, error) from error
    finally:
        trace.clear()


def record_of(
    trace: Trace,
    function: Callable[..., Any],
    pieces: list[Node],
    lengths: list[int],
    arrays: tuple[Any, ...],
    wants_derivatives: bool,
    is_curve: bool = False,
) -> Record:
    """Make a program of what a trace has recorded."""
    missing = ""
    key = store.structure(trace, pieces, lengths, wants_derivatives)
    known = store.find(key, trace)
    if known is None:
        columns = None
        if wants_derivatives:
            found = derivatives(trace, pieces, len(trace.parameters))
            if isinstance(found, Missing):
                missing = str(found)
            else:
                columns = found
        description = Program(trace, pieces, lengths, columns)
        program = description.compile()
        if not missing:  # a rule may come with an import
            store.keep(key, description, program)
    else:
        description, program = known
    watched = trace.captures or not _are_in_code(trace.numbers, function)
    data = [each.tobytes() for each in arrays] if trace.reads_data else None
    return Record(description, program, sum(lengths), is_curve, watched, data, missing)


def _pieces(trace: Trace, answer: Any, m: int) -> tuple[list[Node], list[int]]:
    """Read what a function returns for stand-ins, as m numbers."""
    value = answer if isinstance(answer, STAND_INS) else trace.leaf(answer)
    pieces: list[Node]
    lengths: list[int]
    if isinstance(value, Scalar):
        pieces, lengths = [value], [m]
    elif isinstance(value, Vector):
        pieces, lengths = [value], [value.size]
    elif isinstance(value, Joined):
        pieces = value.pieces
        lengths = [piece.length or 1 for piece in pieces]
    elif value.points is None and value.array.ndim == 1:
        pieces = list(value.array)
        lengths = [1] * len(pieces)
    else:
        raise trace.refuse(f"a result of shape {value.shape}", "return a 1-D array")
    if lengths == [1]:
        lengths = [m]  # one number for all
    if sum(lengths) != m:
        raise trace.refuse(
            f"a result of {sum(lengths)} values where it had {m} before",
            "return as many each time",
        )
    for piece in pieces:
        if piece.char == "f":
            raise trace.refuse("a result of float32", "return it as float64")
    return [trace.cast(piece, "d") for piece in pieces], lengths


# --- Names --------------------------------------------------------------------------


def _are_in_code(numbers: set[Any], function: Callable[..., Any]) -> bool:
    """Whether numbers, or their negatives, are in the code of a function."""
    code = getattr(function, "__code__", None)
    found: set[Any] = {0, 1}
    for each in () if code is None else code.co_consts:
        if isinstance(each, (int, float)):
            found |= {each, -each}
    return numbers <= found


def _names(
    function: Callable[..., Any], n: int, is_curve: bool
) -> tuple[list[str], list[str]]:
    """Name the n parameters and the data of a function for a text."""
    try:
        known = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        known = []
    names = [f"x{j}" for j in range(n)]
    data = known[:1] if is_curve else known[1:]
    if is_curve and len(known) == n + 1:
        names = known[1:]
    elif not is_curve and known:
        names = [f"{known[0]}[{j}]" for j in range(n)]
    return names, [*data, *(f"data{k}" for k in range(len(data), _MOST_NAMES))]


# --- Errors ---------------------------------------------------------------------------


@functools.cache
def _libraries() -> tuple[str, ...]:
    """Return the folders with code that is not the user's."""
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [
        os.path.dirname(np.__file__),
        os.path.dirname(os.path.dirname(__file__)),
    ]
    return tuple(folder + os.sep for folder in folders)


def cannot_be_traced(function: Callable[..., Any], error: Exception) -> TypeError:
    """Say which operation cannot be recorded, and on which line of the user's code."""
    # NumPy replaces some errors by its own.
    refusal: BaseException | None = error
    while refusal is not None and not isinstance(refusal, UntraceableError):
        refusal = refusal.__cause__ or refusal.__context__
    what = (
        str(refusal)
        if refusal is not None
        else f"{type(error).__name__}: {error}; use NumPy's functions and operators"
    )
    return TypeError(
        f"{name_of(function)} cannot be traced: {what}{_line(function, error)}. The "
        "function itself, without traced, always works"
    )


def _line(function: Callable[..., Any], error: Exception) -> str:
    """Name the last line of an error's traceback that is the user's."""
    own = getattr(getattr(function, "__code__", None), "co_filename", "")
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        is_users = name == own or not name.startswith((*_libraries(), "<__array_func"))
        if is_users:
            line = linecache.getline(name, traceback.tb_lineno).strip()
            code = f": {line}" if line else ""
            place = f" (line {traceback.tb_lineno} of {name}{code})"
        traceback = traceback.tb_next
    return place

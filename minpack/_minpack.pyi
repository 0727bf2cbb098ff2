"""The compiled part: a fit from Python's arguments to a tuple of results."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Vector = NDArray[np.float64]

COMPILERS: str  # that built this module, with their versions
KERNELS_BUILT: str  # the instruction sets, or why there is but one

def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: Any,
    Dfun: Callable[..., ArrayLike] | Literal[True] | None,  # True: of a range of rows
    full_output: bool,
    col_deriv: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float | None,
    factor: float,
    diag: ArrayLike | None,
    kernels: str,
    m: int | None,
    user_data: Any,
    workers: int | None,  # threads for a compiled function of a range of rows
    vectorized: bool,
    acceleration: bool,
    /,
) -> (
    tuple[_Vector, int]
    | tuple[_Vector, int, float]  # where there is no solution; see below
    | tuple[
        _Vector,  # x, (n,)
        int,  # info
        # the part of the sum of squares that the last step has saved: 0 where no step
        # has been taken, 1 where nothing is left
        float,
        _Vector | None,  # cov_x, (n, n)
        _Vector,  # fvec, (m,)
        int,  # nfev
        int,  # njev
        _Vector,  # fjac, (n, m)
        NDArray[np.intc],  # ipvt, (n,)
        _Vector,  # qtf, (n,)
        tuple[int, ...],  # the parameters without effect on the residuals at x
        int,  # how often the fit has left MINPACK's path on purpose
    ]
):
    """Fit; a short result where full_output is False, else the long one."""

def least_squares(
    fun: Callable[..., ArrayLike],
    x0: ArrayLike,
    jac: str | Callable[..., ArrayLike] | Literal[True],
    lower: _Vector | None,  # both, (n,), or neither; x0 is within
    upper: _Vector | None,
    ftol: float,
    xtol: float,
    gtol: float,
    diag: _Vector | None,
    loss: str | Callable[[_Vector], ArrayLike],
    f_scale: float,
    diff_step: _Vector | None,
    max_nfev: int,
    args: Sequence[Any],
    kwargs: dict[str, Any] | None,
    m: int | None,
    user_data: Any,
    workers: int | None,
    # x, fun, cost, nit, nfev, optimality of each new iterate; whether to stop
    observer: Callable[[_Vector, _Vector, float, int, int, float], bool] | None,
    vectorized: bool,
    # what returns fun of each of a list of points
    map_points: Callable[[list[Any]], Sequence[Any]] | None,
    acceleration: bool,
    /,
) -> tuple[
    _Vector,  # x, (n,)
    float,  # cost
    _Vector,  # fun, (m,)
    _Vector,  # jac, (m, n); with a loss the weighted one
    _Vector,  # grad, (n,)
    float,  # optimality
    NDArray[np.intp],  # active_mask, (n,)
    int,  # nfev
    int,  # njev
    int | None,  # info; None where the observer has stopped the fit
    float,  # the part of the cost that the last step has saved, as above
]:
    """Fit, and return what there is to know at the solution."""

def curve_fit(
    f: Callable[..., ArrayLike],
    xdata: Any,
    ydata: _Vector,  # (m,), (1,) or ()
    p0: ArrayLike,
    sigma: ArrayLike | None,  # (m,), (1,) or ()
    factor_of_covariance: _Vector | None,  # (m, m), L' of the covariance L L'
    jac: str | Callable[..., ArrayLike] | Literal[True] | None,
    lower: _Vector | None,  # (n,)
    upper: _Vector | None,  # (n,)
    absolute_sigma: bool,
    check_finite: bool,
    full_output: bool,
    user_data: Any,
    workers: int | None,  # threads for a compiled function of a range of rows
    vectorized: bool,
    col_deriv: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float | None,
    factor: float,
    diag: ArrayLike | None,
    kernels: str,
    loss: str | Callable[[_Vector], ArrayLike],
    f_scale: float,
    diff_step: _Vector | None,
    trials_only: bool,  # nfev and maxfev do not count differences
    observer: Callable[[_Vector, _Vector, float, int, int, float], bool] | None,
    acceleration: bool,
    /,
) -> tuple[Any, ...]:
    """Fit a model.

    The result is (popt, pcov, info or None where the observer has stopped the fit, what
    is known of pcov, the parameters without effect at popt, the part of the cost that
    the last step has saved). Where full_output is true, the rest of the long result of
    leastsq follows, from fvec to qtf, and then the active mask or, where there are no
    bounds, None.
    """

class _Batch:
    """A capsule."""

def batch(
    *,
    func: Any,  # may be a _Program
    Dfun: Any,  # or None; of a _Program itself; True: func returns a pair
    args: tuple[Any, ...],  # of a curve (xdata,); of a _Program arrays (B, ...) of data
    is_curve: bool,
    m: int,
    chunk: int,  # fits under way, for each worker
    # Rows of float64 or float32, of which any but those of x_rows, ydata and sigma are
    # float64 and contiguous
    # (B, m); of a compiled f float64 rows of any shape, for want of user_data
    x_rows: NDArray[Any] | None,
    ydata: NDArray[Any] | None,  # (B, m)
    weights: _Vector | None,  # (m,)
    sigma: NDArray[Any] | None,  # (B, m)
    mask: NDArray[np.bool_] | None,  # (B, m)
    lower: _Vector | None,  # (B, n)
    upper: _Vector | None,  # (B, n)
    user_data: NDArray[Any] | None,  # (B, ...)
    # The results, C-contiguous; x holds the starts, and active zeros
    x: _Vector,  # (B, n)
    cov: _Vector,  # (B, n, n)
    cost: _Vector,  # (B,)
    nfev: NDArray[np.intc],  # (B,)
    ier: NDArray[np.intc],  # (B,)
    active: NDArray[np.intc],  # (B, n)
    scales_cov: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    trials_only: bool,  # nfev and maxfev do not count differences
    loss: str,
    f_scale: float,
    epsfcn: float | None,
    diff_step: _Vector | None,  # (n,)
    acceleration: bool,
) -> _Batch:
    """Make what the workers of a batch of fits share."""

def batch_work(batch: _Batch, /) -> None:
    """Take fits until none is left; in any number of threads at once."""

def batch_stop(batch: _Batch, /) -> None:
    """Let the workers end at their next evaluation."""

def batch_done(batch: _Batch, /) -> int:
    """Count the fits that have ended."""

def batch_served(batch: _Batch, /) -> int:
    """Count the evaluations that Python functions have made."""

def batch_allow(batch: _Batch, workers: int, /) -> None:
    """Let so many workers take fits, those that came first; others end theirs."""

class Graph:
    """What makes the nodes of a record, each once; `_traced.trace.Trace` is one."""

    nodes: dict[Any, Any]  # in their order

    def __init__(
        self,
        scalar: type[Node],  # the class of one number,
        vector: type[Node],  # and that of one for each point
        loops: dict[np.ufunc, str],  # the types of the loops for float64, as "dd->d"
        most: int,  # nodes
        /,
    ) -> None: ...
    def add(
        self,
        key: Any,
        op: Any,
        operands: tuple[Node, ...],
        char: str,
        length: int | None,
        depends: bool,
        types: str,
        payload: Any,
        /,
    ) -> Any:
        """Return a new node under a key, in place of any other."""

    def make(
        self, op: Any, types: str, operands: tuple[Any, ...], part: int = 0, /
    ) -> Any:
        """Return the node of an operation on nodes of the right types.

        It calls the method `refuse_lengths` where the nodes differ in length, and
        `refuse_more` where there are too many.
        """

    def apply(self, ufunc: np.ufunc, operands: Sequence[Any], /) -> Any:
        """Record a ufunc; return its output, or a tuple of several outputs.

        It calls the method `apply_to_any` where not all operands are nodes of float64.
        """

class Node:
    """What `_traced.stand_ins.Node` says. A graph makes them."""

    trace: Any
    op: Any
    operands: tuple[Any, ...]
    char: str
    length: int | None
    types: str
    payload: Any
    order: int
    depends: bool

class _Program:
    """A capsule: a function as a list of NumPy's own inner loops."""

# What to run, its types such as "dd->d", and the numbers of its operands. Numbers count
# the parameters, then the leaves, then what instructions compute, in order.
_Instruction = tuple[np.ufunc | str, str, tuple[int, ...]]
_Instructions = tuple[_Instruction, ...]
# A constant, which is read where it is; or data of an array that is bound later: its
# number, the byte where they begin, the stride in bytes, the type, whether a scalar
_Leaf = NDArray[Any] | tuple[int, int, int, str, bool]
_Segment = tuple[
    int,  # rows of the result, which follow those of the segment before
    _Instructions,  # for all rows at once: np.matmul
    _Instructions,  # the values
    _Instructions,  # what their derivatives need besides
    int,  # the operand that is the values; a scalar is repeated
    tuple[int, ...] | None,  # those that are the derivatives, where there are any
]

def lower(
    parameters: list[Any],  # nodes
    size: int,  # of the record
    pieces: list[Any],  # nodes
    lengths: list[int],
    columns: list[list[Any]] | None,  # for each piece n nodes
    matmul: np.ufunc,
    /,
) -> tuple[
    tuple[_Leaf, ...],
    tuple[tuple[int, int], ...],  # of each array the place as a leaf and as a node
    _Instructions,  # the scalars
    int,  # the split
    tuple[_Segment, ...],
]:
    """Describe the program of a record."""

def program(
    n: int,
    leaves: tuple[_Leaf, ...],
    scalars: _Instructions,
    split: int,  # the scalars from here on are for the derivatives alone
    segments: tuple[_Segment, ...],
    has_poles: bool = False,  # derivatives above 1e150 stand for infinite ones
    /,
) -> _Program:
    """Build a program.

    What it runs are ufuncs, "cast", "select" and, of scalars, "pow".
    """

def call_model(f: Callable[..., Any], data: Any, x: ArrayLike, /) -> Any:
    """Call f(data, *x) as a fit does, with NumPy's scalars."""

def program_bind(
    program: _Program,
    arrays: tuple[NDArray[Any], ...],
    x: ArrayLike,
    values: _Vector | None,
    workers: int = 1,  # threads that a fit in blocks may use
    /,
) -> tuple[Any, Any] | None:
    """Make compiled functions of a program and its data: the values, the Jacobian.

    The latter is None where the program has none. Both are for one thread at a time.
    The result is None where the program's values at x are not `values`.
    """

def program_values(
    program: _Program,
    arrays: tuple[NDArray[Any], ...],
    x: ArrayLike,
    first: int = 0,
    count: int = -1,  # rows from `first` on; -1: all of them
    /,
) -> _Vector:
    """Compute what the program does at x: (m,)."""

def program_jacobian(
    program: _Program, arrays: tuple[NDArray[Any], ...], x: ArrayLike, /
) -> _Vector:
    """Compute its derivatives at x: (m, n)."""

# What a fit must know of some rows: one number, the norm of their residuals, or with a
# loss the root of twice the cost; and where there are derivatives the triangle R and,
# as its last column, Q'f, (n, n + 1) by columns. Pieces are float64 vectors.
_Piece = _Vector

def check_finite(array: Any, name: str, /) -> None:
    """Raise a ValueError where an array holds NaN or infinity."""

def block_residuals(
    values: ArrayLike, ydata: _Vector, sigma: ArrayLike | None, /
) -> tuple[_Vector, float]:
    """Weigh what f returned; the number is the relative spacing of its type."""

def reduce_block(
    values: ArrayLike,  # what f returned for the block
    ydata: _Vector,
    sigma: ArrayLike | None,  # one number, or one for each of ydata
    n: int,
    # What jac returned; with steps what f returned where each parameter had moved, or
    # None where it had not; or None for the norm alone
    derivatives: ArrayLike | list[ArrayLike | None] | None,
    steps: _Vector | None,  # (n,)
    loss: str,
    f_scale: float,
    ends: bool,  # weigh the rows by the true curvature of the loss
    /,
) -> _Piece:
    """Reduce a block of rows to a piece, for the most part without Python's lock."""

def reduce_program(
    program: _Program,
    arrays: tuple[NDArray[Any], ...],
    x: _Vector,
    ydata: _Vector,
    sigma: ArrayLike | None,
    has_triangle: bool,
    loss: str,
    f_scale: float,
    ends: bool,
    /,
) -> _Piece | None:
    """Reduce the rows of a traced model with exact derivatives to a piece.

    None where the program cannot compute some rows without the others.
    """

def merge_pieces(a: _Piece, b: _Piece, n: int, /) -> _Piece:
    """Make one piece of two."""

def fit_in_pieces(
    # evaluate(x, steps, what, ahead) returns the piece of all rows. what is 0: its norm
    # alone; 1: its triangle too; 2: that by the true curvature of the loss; 3: instead
    # of a piece J'(f(ahead) - f(x) - J (ahead - x)), of length n. steps is None unless
    # derivatives are to come from differences. ahead is None but for 3.
    evaluate: Callable[[_Vector, _Vector | None, int, _Vector | None], _Piece],
    # The residuals of some rows at x, from which the steps of differences are found;
    # None where derivatives are exact
    sample: Callable[[_Vector], _Vector] | None,
    rows: int,  # of the sample
    rounding: float,  # relative spacing of the type that f computes in
    m: float,  # residuals
    x0: ArrayLike,
    lower: _Vector | None,
    upper: _Vector | None,
    absolute_sigma: bool,
    weighted: bool,  # there is a loss
    ftol: float,
    xtol: float,
    gtol: float,
    maxfev: int,
    epsfcn: float | None,
    factor: float,
    diag: ArrayLike | None,
    diff_step: _Vector | None,
    trials_only: bool,  # nfev and maxfev do not count differences
    observer: Callable[..., bool] | None,
    acceleration: bool,
    /,
) -> tuple[
    _Vector,  # x, (n,)
    _Vector,  # its covariance, (n, n)
    int | None,  # info, or None where the observer has stopped the fit
    int,  # a Covariance
    tuple[int, ...],  # the parameters without effect
    float,  # the part of the cost that the last step has saved, as above
    float,  # the norm at x
    int,  # nfev
    int,  # njev
    NDArray[np.intp] | None,  # active mask, where there are bounds
]:
    """Fit rows that are reduced to pieces elsewhere."""

def is_compiled(function: Any, name: str, /) -> bool:
    """Whether it is a compiled function; raise where it has another signature."""

def takes_range(function: Any, name: str, /) -> bool:
    """Whether it is a compiled function that computes a range of rows."""

def instruction_sets() -> tuple[str, ...]:
    """Name the instruction sets whose fast kernels run here, the best last."""

"""Whether a model that is called for many fits at once gives each its own values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minpack._batch_data import check_size, is_real
from minpack._pairs import pair_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

_TRIES = 5  # calls of a running batch that are compared with calls for single fits

_ADVICE = (
    "The model is called for many fits at once, with each parameter as a column of "
    "shape (k, 1), and must give each fit its row of a (k, m) array: sums over the "
    "points take axis=-1, choices np.where, functions are NumPy's and not those of "
    "math. See docs/batch.md."
)


def residual_count(
    func: Any, start: Array, extra: tuple[Any, ...], is_pair: bool
) -> int:
    """Call `func` for the first fit alone, and count its residuals."""
    answer = func(start[:1].copy(), np.zeros(1, dtype=np.intp), *extra)
    values = _values(pair_of(answer, "func", "Dfun")[0] if is_pair else answer)
    if not is_real(values.dtype):  # the first call of the batch says what is wrong
        return int(start.shape[1])
    if values.ndim != 2 or len(values) != 1:
        raise ValueError(
            "func must return an array of shape (k, m), a row for each of the k fits "
            f"that it is called for; for one fit it returned shape {values.shape}"
        )
    check_size("func must return at most {} residuals, not {}", values.shape[1])
    return int(values.shape[1])


def some_fits(
    start: Array, lower: Array | None, upper: Array | None, mask: Array | None, m: int
) -> list[int]:
    """Choose the first, a middle and the last of the fits that are evaluated at all."""
    good = np.ones(len(start), bool)
    if lower is not None:
        good &= ((lower <= start) & (start <= upper)).all(axis=1)
    if mask is not None:
        masked = mask if mask.strides[0] else mask[:1]  # one row may serve all
        good &= m - np.count_nonzero(masked, axis=1) >= start.shape[1]
    fits = np.flatnonzero(good).tolist()
    return sorted({fits[0], fits[len(fits) // 2], fits[-1]}) if fits else []


def check_broadcasting(
    f: Callable[..., ArrayLike],
    jac: Callable[..., ArrayLike] | Literal[True] | None,
    x: Any,
    x_rows: Array | None,
    start: Array,
    lower: Array | None,
    upper: Array | None,
    fits: list[int],
    m: int,
) -> tuple[Callable[..., ArrayLike], Callable[..., ArrayLike] | Literal[True] | None]:
    """Compare one call for some fits with a call for each of them.

    Nothing is evaluated but what the fits will evaluate, or nearly so. Return the
    functions: where the fits are too near each other to see rows that are mixed up,
    those that go on comparing.
    """
    n = start.shape[1]
    points = start[fits]
    many_x, all_x = x, [x] * len(fits)
    if x_rows is not None:
        many_x = x_rows[fits].astype(np.float64)
        many_x.flags.writeable = False  # as in the batch
        all_x = list(many_x)
    if jac is None and len(fits) > 1 and (points == points[0]).all():
        bounds = None if lower is None or upper is None else (lower[fits], upper[fits])
        points = _steps_apart(points, bounds, _values(f(all_x[0], *points[0])))
    of_f, of_jac = _Part("f", (m,)), _Part("jac", (m, n))

    def check(function: Any, *parts: _Part) -> Any:
        singles = [
            _answers(function(*each), parts)
            for each in zip(all_x, *points.T, strict=True)
        ]
        columns = points.T[:, :, None].copy()  # which the function may change
        try:
            together = function(many_x, *columns)
        except Exception as error:
            name = parts[0].name
            error.add_note(f"{name} fails for {len(fits)} fits at once. {_ADVICE}")
            raise
        every = list(range(len(fits)))
        if _compare(parts, _answers(together, parts), singles, every, len(fits)):
            return function
        return _Compared(function, x_rows is not None, parts)

    if jac is True:
        return check(f, of_f, of_jac), True
    return check(f, of_f), None if jac is None else check(jac, of_jac)


class _Part(NamedTuple):
    """What a function returns, or one of the two things."""

    name: str
    shape: tuple[int, ...]  # for one fit


def _answers(answer: Any, parts: tuple[_Part, ...]) -> list[Array]:
    """Return what a function has returned as arrays of their own."""
    pieces = pair_of(answer, "f", "jac") if len(parts) == 2 else (answer,)
    return [_values(piece).copy() for piece in pieces]


def _own(answer: Any) -> Any:
    """Copy what may be the function's own memory."""
    if isinstance(answer, tuple):
        return tuple(map(_own, answer))
    return answer.copy() if isinstance(answer, np.ndarray) else answer


def _values(answer: Any) -> Array:
    """Return what a function has returned as an array, maybe in its own memory."""
    try:
        return np.asarray(answer)
    except ValueError:  # sequences of different lengths
        return np.array(None)


def _spacing(values: Array) -> float:
    """Return the relative spacing of the numbers that a function computes in."""
    low = values.dtype in (np.float16, np.float32)
    return float(np.finfo(values.dtype if low else np.float64).eps)


def _steps_apart(
    points: Array, bounds: tuple[Array, Array] | None, values: Array
) -> Array:
    """Move starts, all but the first, by up to the step of a forward difference."""
    part = np.linspace(0.0, 1.0, len(points))[:, None]
    size = np.where(points == 0, 1.0, np.abs(points))
    step = part * np.sqrt(_spacing(values)) * np.where(np.isfinite(size), size, 0.0)
    moved: Array = points + step
    if bounds is not None:  # a step that would leave them goes inward
        lower, upper = bounds
        moved = np.clip(np.where(moved <= upper, moved, points - step), lower, upper)
    return moved


class _Compared:
    """A function of a batch, some calls of which are compared with single fits.

    These are its first calls for fits that have moved apart.
    """

    def __init__(
        self,
        function: Callable[..., ArrayLike],
        has_rows: bool,
        parts: tuple[_Part, ...],
    ) -> None:
        self.function = function
        self.has_rows = has_rows
        self.parts = parts
        self.tries = _TRIES

    def __call__(self, x: Any, *columns: Array) -> ArrayLike:
        if self.tries <= 0 or len(columns[0]) == 1:
            return self.function(x, *columns)
        points = np.hstack(columns)  # a copy, for the function may change its own
        rows = _far_apart(points)
        together = self.function(x, *columns)
        if len(rows) > 1:
            self.tries -= 1
            together = _own(together)
            answers = _answers(together, self.parts)
            singles = [
                _answers(
                    self.function(x[k] if self.has_rows else x, *points[k]), self.parts
                )
                for k in rows
            ]
            if _compare(self.parts, answers, singles, rows, len(points)):
                self.tries = 0
        return together


def _far_apart(points: Array) -> list[int]:
    """Choose the first row, the farthest from it and the last; none if all are near."""
    with np.errstate(all="ignore"):
        distance = np.abs(points - points[0]) / np.abs(points).max(axis=0)
    distance = np.nan_to_num(distance, nan=0.0).max(axis=1)
    far = int(distance.argmax())
    return sorted({0, far, len(points) - 1}) if distance[far] > 1e-3 else []


def _compare(
    parts: tuple[_Part, ...],
    together: list[Array],
    singles: list[list[Array]],
    rows: list[int],
    count: int,
) -> bool:
    """Raise where rows of a call for `count` fits are not what single fits have.

    Return whether rows that are mixed up would have been seen, so far apart are they.
    """
    ones = zip(*singles, strict=True)
    clear = [
        _compare_part(part.name, values, list(one), rows, (count, *part.shape))
        for part, values, one in zip(parts, together, ones, strict=True)
    ]
    return all(clear)


def _compare_part(
    name: str,
    values: Array,
    singles: list[Array],
    rows: list[int],
    shape: tuple[int, ...],
) -> bool:
    """Compare rows of values (k, m) or derivatives (k, m, n), as `_compare` does."""
    if not all(is_real(each.dtype) for each in (values, *singles)):
        return True  # the first call of the batch says what is wrong
    try:
        many = np.broadcast_to(values, shape)[rows].astype(np.float64)
    except ValueError:
        wanted = "(k, m)" if len(shape) == 2 else "(k, m, n)"
        raise ValueError(
            f"{name} does not broadcast: for k = {shape[0]} fits at once it returned "
            f"shape {values.shape}, which is not {wanted} = {shape}. {_ADVICE}"
        ) from None
    ones = np.empty_like(many)
    for one, single in zip(ones, singles, strict=True):
        try:
            one[...] = np.broadcast_to(single, shape[1:])
        except ValueError:
            raise ValueError(
                f"{name} must return shape {shape[1:]} for one fit, not {single.shape}"
            ) from None
    same, far = _same_rows(many, ones, _spacing(values))
    if not same.all():
        k, *at = np.unravel_index(int(np.argmin(same)), same.shape)
        raise ValueError(
            f"{name} does not broadcast: for {shape[0]} fits at once it gives "
            f"{many[k, *at]} where it gives {ones[k, *at]} for one of them alone. "
            f"{_ADVICE}"
        )
    return far


def _same_rows(many: Array, ones: Array, spacing: float) -> tuple[Array, bool]:
    """Tell where two arrays of some rows are the same but for rounding.

    Tell also whether the rows differ by much more than rounding would explain.
    """
    relative, absolute = max(1e-5, 16 * spacing), max(1e-7, 16 * spacing)
    with np.errstate(all="ignore"):
        size = np.where(np.isfinite(ones), np.abs(ones), 0.0)
        largest = size.max(axis=tuple(range(1, size.ndim)), keepdims=True)
        same = np.isclose(many, ones, relative, absolute * largest, equal_nan=True)
        finite = ones[:, np.isfinite(ones).all(axis=0)]
        apart = np.max(np.ptp(finite, axis=0), initial=0.0)
        # Rows that are near each other: what is mixed up differs by about as much.
        if same.all() and apart > max(1e-11, 256 * spacing) * size.max():
            same = ~(np.abs(many - ones) > apart / 16)
    return same, bool(apart > 64 * relative * size.max())

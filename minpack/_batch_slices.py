"""A batch in slices, which a map of the user's hands to processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._batch_result import BatchResult
from minpack._batch_run import run_batch
from minpack._workers import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Array = NDArray[Any]

_EACH = 4  # slices for each processor here: one that is slow is not waited for long
# Arguments of `run_batch` that have a row for each fit
_ROWS = ("x", "lower", "upper", "ydata", "x_rows", "sigma", "mask")
_RESULTS = ("x", "cov", "cost", "nfev", "ier", "active_mask")


class _Shifted:
    """A function func(x, rows, *args) for fits whose rows begin at `first`."""

    def __init__(self, func: Callable[..., Any], first: int) -> None:
        self.func, self.first = func, first

    def __call__(self, x: Array, rows: Array, *args: Any) -> Any:
        return self.func(x, rows + self.first, *args)


class _Slices:
    """What all slices share: it makes the fits of one of them, wherever it is."""

    def __init__(self, functions: tuple[Any, Any], **shared: Any) -> None:
        self.functions, self.shared = functions, shared

    def __call__(self, part: tuple[int, dict[str, Any]]) -> tuple[Array, ...]:
        first, rows = part
        func, jac = self.functions
        if not self.shared["is_curve"]:
            func = _Shifted(func, first)
            jac = _Shifted(jac, first) if callable(jac) else jac
        lead = (len(rows["x"]),)
        shared = self.shared | {"limits": dict(self.shared["limits"])}
        result = run_batch(
            func, jac, workers=1, progress=False, lead=lead, **shared, **rows
        )
        return tuple(getattr(result, name) for name in _RESULTS)


def fit_slices(
    workers: Callable[..., Iterable[Any]],
    functions: tuple[Any, Any],
    lead: tuple[int, ...],
    show: Callable[[int, bool], None] | None,
    **arguments: Any,
) -> BatchResult:
    """Fit by ``workers(function, slices)``, which is like ``map``."""
    rows = {name: arguments.pop(name) for name in _ROWS if name in arguments}
    count = len(rows["x"])
    size = max(1, -(-count // (_EACH * processors())))

    def part(first: int) -> tuple[int, dict[str, Any]]:
        end = first + size
        return first, {k: a if a is None else a[first:end] for k, a in rows.items()}

    parts = [part(first) for first in range(0, count, size)]
    results: list[tuple[Array, ...]] = []
    done = 0
    try:
        for result in workers(_Slices(functions, **arguments), parts):
            results.append(result)
            done += len(result[0])
            if show is not None:
                show(done, False)
    finally:
        if show is not None:
            show(done, True)
    if done != count:
        raise ValueError(
            f"workers must return what the function returns for each of {len(parts)} "
            f"slices, as map does; it returned {len(results)} results"
        )
    joined = zip(_RESULTS, zip(*results, strict=True), strict=True)
    shaped: dict[str, Any] = {}
    for name, pieces in joined:
        array = np.concatenate(pieces)
        shaped[name] = array.reshape(*lead, *array.shape[1:])
    of_messages = arguments["limits"] | {
        "may_accelerate": not arguments["acceleration"]
    }
    return BatchResult(**shaped, limits=of_messages)

"""Who evaluates the points of a Jacobian by differences, or blocks of points."""

from __future__ import annotations

import operator
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    MapPoints = Callable[[list[Any]], Sequence[Any]]


class _AtPoint:
    """A function with its further arguments; other processes take it where they can."""

    def __init__(
        self,
        fun: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
    ) -> None:
        self.fun, self.args, self.kwargs = fun, tuple(args), dict(kwargs or {})

    def __call__(self, x: Any) -> Any:
        return self.fun(x, *self.args, **self.kwargs)


def processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(workers: Any) -> int | None:
    """Read how many threads may share the rows; None: as many as these are worth."""
    return None if workers is None else _count(workers, " of threads for this function")


def is_one(workers: Any) -> bool:
    """Whether the points are evaluated one after the other."""
    return workers is None or (isinstance(workers, int) and workers == 1)


@contextmanager
def mapping(
    workers: Any,
    fun: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
) -> Iterator[MapPoints]:
    """Provide what evaluates fun at a list of points: a map, or a pool of processes."""
    at_point = _AtPoint(fun, args, kwargs) if args or kwargs else fun
    if callable(workers):
        yield lambda points: list(workers(at_point, points))
        return
    with _pool(_count(workers)) as pool:
        yield lambda points: pool.map(at_point, points)


def _count(workers: Any, rest: str = ", or a callable workers(fun, iterable)") -> int:
    """Read a number of processes or threads."""
    try:
        count = operator.index(workers)
    except TypeError:
        raise TypeError(
            f"workers must be a number{rest}, not {type(workers).__name__}"
        ) from None
    if count == -1:
        return processors()
    if count < 1:
        raise ValueError(
            f"workers must be a positive number, or -1 for all processors, not {count}"
        )
    return count


def _pool(processes: int) -> Any:
    from multiprocessing import get_context, get_start_method

    method = get_start_method(allow_none=True)
    if method is None and os.name == "posix" and sys.version_info < (3, 14):
        method = "forkserver"  # the default since 3.14: fork copies held locks
    return get_context(method).Pool(processes)

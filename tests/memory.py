"""What calls leave behind in memory, also where memory runs out."""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def references(values: Iterable[Any]) -> list[int]:
    """The reference counts of what calls are handed, but for shared constants."""
    return [
        sys.getrefcount(item)
        for item in values
        if not isinstance(item, int | str | None)
    ]


def grows(memory: Any, act: Callable[[], None]) -> bool:
    """Whether `act` leaves a block behind each time, rather than filling a cache."""
    for repeats in (3, 3, 30, 300, 300, 300):
        gc.collect()  # which also empties the interpreter's free lists
        before = memory.live_blocks()
        for _ in range(repeats):
            act()
        gc.collect()
        if memory.live_blocks() - before < repeats:
            return False
    return True


def outcome(act: Callable[[], Any]) -> str:
    """What `act` returns, as text, or that memory ran out."""
    try:
        return repr(act())
    except MemoryError:
        return "MemoryError"


each_extent = pytest.mark.parametrize(
    "alone", [True, False], ids=["alone", "with all that follow"]
)


def fail_each_allocation(
    memory: Any, alone: bool, act: Callable[[], str], expected: str
) -> None:
    """Let `act`, which gives its outcome, meet each of its allocations failing.

    NumPy and the interpreter can do without some; then the outcome is as ever.
    """
    outcomes = set()

    def attempt() -> None:
        ended = act()
        failed = memory.allocations() >= number
        allowed = {expected, "MemoryError"} if failed else {expected}
        assert ended in allowed, f"allocation {number}"
        outcomes.add(ended)

    for number in itertools.count(1):
        memory.choose(number, number if alone else sys.maxsize)
        assert not grows(memory, attempt), f"allocation {number} leaks"
        if memory.allocations() < number:
            break
    assert outcomes == {expected, "MemoryError"}

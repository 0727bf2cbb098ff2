"""Programs by the structure of their records.

The structure says which operations a function applies to what, and holds all numbers
but those of arrays. Derivatives and program follow from it alone. So a function that is
made anew, or captures other arrays, finds the program of the last one like it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minpack._traced.program import Program
    from minpack._traced.stand_ins import Node
    from minpack._traced.trace import Trace

MOST_PROGRAMS = 64
MOST_NODES = 500  # of a record whose program is kept


class _Kept:
    """A program without its arrays, compiled if it has none, and when it was used."""

    __slots__ = ("compiled", "description", "used")

    def __init__(self, description: Program, compiled: Any) -> None:
        self.description = description
        self.compiled = compiled
        self.used = next(_CLOCK)


_CLOCK = itertools.count()
KEPT: dict[Any, _Kept] = {}  # threads need no lock: an operation on it is whole


def structure(
    trace: Trace,
    pieces: Sequence[Node],
    lengths: Sequence[int],
    wants_derivatives: bool,
) -> Any:
    """Return what derivatives and a program depend on, to the bit, as a key.

    None where a record is so long that its program is not kept.
    """
    if len(trace.nodes) > MOST_NODES:
        return None
    return (
        wants_derivatives,
        tuple(lengths),
        tuple([piece.order for piece in pieces]),
        tuple(trace.nodes),
    )


def find(key: Any, trace: Trace) -> tuple[Program, Any] | None:
    """Return the program of a structure for the arrays of a trace, and it compiled."""
    kept = KEPT.get(key)
    if kept is None:
        return None
    kept.used = next(_CLOCK)
    if not kept.description.arrays:
        return kept.description, kept.compiled
    nodes = list(trace.nodes.values())
    arrays = [nodes[order].payload for _, order in kept.description.arrays]
    description = kept.description.with_arrays(arrays)
    return description, description.compile()


def keep(key: Any, description: Program, compiled: Any) -> None:
    """Keep a program without its arrays; of too many half go, used longest ago."""
    if key is None or any(order >= len(key[-1]) for _, order in description.arrays):
        return  # an array that was made from another, for a derivative
    if description.arrays:
        description = description.with_arrays([None] * len(description.arrays))
        compiled = None
    if len(KEPT) >= MOST_PROGRAMS:
        by_use = sorted(list(KEPT.items()), key=lambda item: item[1].used)
        for each, _ in by_use[: MOST_PROGRAMS // 2]:
            KEPT.pop(each, None)
    KEPT[key] = _Kept(description, compiled)

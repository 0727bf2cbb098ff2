"""Results of leastsq in forms that are easy to compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from minpack import leastsq


def plain(result: tuple[Any, ...]) -> list[Any]:
    """A result as lists and numbers, for a comparison bit by bit."""
    return [
        plain(tuple(item.values()))
        if isinstance(item, dict)
        else item.tolist()
        if isinstance(item, np.ndarray)
        else item
        for item in result
    ]


def full(**call: Any) -> list[Any]:
    """All that a fit gives, in a form that can be compared."""
    return plain(leastsq(**call, full_output=True))


def arrays(result: tuple[Any, ...]) -> dict[str, np.ndarray]:
    """The arrays of a full result."""
    x, cov_x, info, *_ = result
    named = {"x": x, "cov_x": cov_x} | info
    return {name: a for name, a in named.items() if isinstance(a, np.ndarray)}

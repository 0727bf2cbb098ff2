"""Fits and their results, in forms that are easy to compare."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from minpack import BatchResult, leastsq

# For covariances that are only compared: there are no errors of the data.
unscaled = pytest.mark.filterwarnings("ignore:absolute_sigma is true")


def quiet_fit(solver: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Fit without the warnings of the residuals."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return solver(*args, **options)


def plain(item: Any) -> Any:
    """A result as lists and numbers."""
    if isinstance(item, tuple):
        return [plain(part) for part in item]
    if isinstance(item, dict):
        return {name: plain(part) for name, part in item.items()}
    return item.tolist() if isinstance(item, np.ndarray) else item


def full(**call: Any) -> list[Any]:
    """All that a fit of leastsq gives, as lists and numbers."""
    return plain(leastsq(**call, full_output=True))


def arrays(result: tuple[Any, ...]) -> dict[str, np.ndarray]:
    """The arrays of a full result of leastsq."""
    x, cov_x, info, *_ = result
    named = {"x": x, "cov_x": cov_x} | info
    return {name: a for name, a in named.items() if isinstance(a, np.ndarray)}


def bits(result: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a result, arrays by their bits."""
    return {
        name: entry.tobytes() if isinstance(entry, np.ndarray) else entry
        for name, entry in result.items()
    }


def bits_of_batch(result: BatchResult) -> list[tuple[Any, ...]]:
    """Of each fit of a batch the bits of x and cov, nfev and ier."""
    return [
        (result.x[i].tobytes(), result.cov[i].tobytes(), result.nfev[i], result.ier[i])
        for i in range(len(result))
    ]

"""Data for one fit: a noisy decay, in memory and in chunks."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np

from arrays import Array
from models import decay

M = 3001
T = np.linspace(0.0, 10.0, M)
ERRORS = 0.05 + 0.02 * np.cos(3 * T)
Y = decay(T, 2.0, 0.7, 0.5) + ERRORS * np.random.default_rng(0).normal(size=M)
START = np.array([1.0, 1.0, 0.1])
CHUNKS = (700, 0, 2, 1000, 1, 1298)  # uneven, empty, and fewer rows than parameters


def lazy(values: Array, chunks: Any = CHUNKS) -> Any:
    """The values in chunks along their last axis."""
    return da.from_array(values, chunks=(*(-1,) * (values.ndim - 1), chunks))

"""What many tests fit: a decay on a background; and a loss."""

from __future__ import annotations

from typing import Any

import numpy as np


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def decay_jacobian(t: Any, a: Any, b: Any, c: Any) -> Any:
    """A column a parameter, behind the axes of the values."""
    e = np.exp(-b * t)
    return np.stack([e, -a * t * e, np.ones_like(e)], axis=-1)


def soft(z: Any) -> Any:
    """The loss 'soft_l1' with its derivatives."""
    t = 1 + z
    return np.stack([2 * np.sqrt(t) - 2, t**-0.5, -0.5 * t**-1.5])

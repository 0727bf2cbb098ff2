"""The residuals of a decay, and losses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import models
from arrays import Array

T = np.linspace(0.0, 4.0, 50)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.02 * np.random.default_rng(0).normal(size=T.size)
START = [1.0, 1.0, 0.0]


def decay(x: Array) -> Array:
    return models.decay(T, *x) - Y


def decay_jacobian(x: Array) -> Array:
    return models.decay_jacobian(T, *x)


def label(value: Any) -> str:
    """Without the addresses of functions, which differ from run to run."""
    return re.sub(r"<function ([^ ]*) at 0x[0-9a-f]+>", r"\1", str(value))


each_jac = pytest.mark.parametrize(
    "jac", ["2-point", "3-point", "cs", decay_jacobian], ids=label
)
LOSSES = ["soft_l1", "huber", "cauchy", "arctan"]


def cubic_soft_l1(z: Array) -> Array:
    t = 1 + z
    return np.array([3 * (t ** (1 / 3) - 1), t ** (-2 / 3), -2 / 3 * t ** (-5 / 3)])


def rho(loss: Any, z: Array) -> Array:
    """The loss and its first derivative."""
    by_name = {
        "linear": lambda: [z, np.ones_like(z)],
        "soft_l1": lambda: [2 * (np.sqrt(1 + z) - 1), 1 / np.sqrt(1 + z)],
        "huber": lambda: [
            np.where(z <= 1, z, 2 * np.sqrt(z) - 1),
            np.where(z <= 1, 1, 1 / np.sqrt(np.maximum(z, 1))),
        ],
        "cauchy": lambda: [np.log1p(z), 1 / (1 + z)],
        "arctan": lambda: [np.arctan(z), 1 / (1 + z**2)],
    }
    return np.array(by_name[loss]()) if isinstance(loss, str) else loss(z)[:2]

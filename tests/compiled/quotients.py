"""The model of functions.c in Python, data for it, and what its fits give."""

from __future__ import annotations

from typing import Any

import numpy as np

from arrays import Array
from minpack import leastsq

M = 20
T = np.linspace(0.0, 3.0, M)


def data(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Pairs (t, y), shape (count, M, 2), and a start for each."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform([1.0, 0.5], [4.0, 3.0], (count, 2))
    y = value_of(T, *truth.T[:, :, None]) + rng.normal(scale=0.05, size=(count, M))
    pairs = np.stack([np.broadcast_to(T, y.shape), y], axis=-1)
    return np.ascontiguousarray(pairs), truth * rng.uniform(0.5, 1.5, truth.shape)


def in_python(pairs: Array, p0: Array, jacobian: bool, **options: Any) -> list[Any]:
    """All that is known of the fit of the same function in Python."""
    y = pairs[:, 1]
    return bits_of_full(
        leastsq(
            lambda x: value_of(T, *x) - y,
            p0,
            Dfun=(lambda x: derivatives_of(T, *x)) if jacobian else None,
            full_output=True,
            **options,
        )
    )


def bits_of_full(result: Any) -> list[Any]:
    x, cov, info, message, ier = result
    arrays = [x, cov, info["fvec"], np.triu(info["fjac"].T[:2]), info["qtf"]]
    numbers = [info["nfev"], info.get("njev"), message, ier]
    return [None if a is None else a.tobytes() for a in arrays] + numbers


def value_of(t: Array, a: Any, b: Any) -> Array:
    """The model of Python, with the bits of the compiled one."""
    u = b * t
    return np.asarray(a / (1 + u * u))


def derivatives_of(t: Array, a: Any, b: Any) -> Array:
    u = b * t
    over = 1 / (1 + u * u)
    return np.stack([over, -2 * a * over * over * u * t], axis=-1)


SIGMA = np.linspace(0.03, 0.09, M)
COVARIANCE = np.diag(SIGMA**2) + 1e-4

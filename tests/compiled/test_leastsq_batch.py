"""leastsq_batch: every fit has the bits of one in Python."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import by_ctypes, each_make
from compiled.quotients import M, data, in_python
from fits import bits_of_batch
from minpack import leastsq_batch


def alone(pairs: Array, p0: Array, jacobian: bool) -> tuple[Any, ...]:
    x, cov, _, _, _, nfev, _, _, ier = in_python(pairs, p0, jacobian)
    return x, cov, nfev, ier


@each_make
@pytest.mark.parametrize("with_jacobian", [False, True], ids=["differences", "Dfun"])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_fit_of_a_batch_has_the_bits_of_one_in_python(
    path: Path, make: Callable[..., Any], with_jacobian: bool, workers: int
) -> None:
    pairs, p0 = data(300)
    result = leastsq_batch(
        make(path, "residuals"), p0, (),
        make(path, "jacobian") if with_jacobian else None,
        m=M, user_data=pairs, workers=workers,
    )  # fmt: skip
    assert bits_of_batch(result) == [
        alone(*each, with_jacobian) for each in zip(pairs, p0, strict=True)
    ]


def test_fits_may_share_their_user_data(path: Path) -> None:
    pairs, p0 = data(50)
    func = by_ctypes(path, "residuals")
    shared = np.broadcast_to(pairs[7], pairs.shape)
    result = leastsq_batch(func, p0, m=M, user_data=shared)
    assert bits_of_batch(result) == [alone(pairs[7], start, False) for start in p0]
    every_other = np.repeat(pairs, 2, axis=0)[::2]
    result = leastsq_batch(func, p0, m=M, user_data=every_other)
    assert bits_of_batch(result)[9] == alone(pairs[9], p0[9], False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fit_that_stops_disturbs_no_other(
    functions: ctypes.CDLL, workers: int
) -> None:
    counts = np.full((40, 1), 1000, dtype=np.intc)
    counts[::3] = np.arange(1, 15)[:, None]
    good = leastsq_batch(
        functions.stopping, np.ones((40, 2)), m=3, user_data=counts + 9999
    )
    result = leastsq_batch(
        functions.stopping, np.ones((40, 2)), m=3, user_data=counts, workers=workers
    )
    stopped = result.ier == -7
    assert stopped.sum() >= 5
    assert stopped[0]
    assert np.isnan(result.x[0]).all()  # before there was a residual
    assert np.isfinite(result.x[1:]).all()
    assert np.isnan(result.cov[stopped]).all()
    assert "-7" in result.message(0)
    for i in np.flatnonzero(~stopped):
        assert bits_of_batch(result)[i] == bits_of_batch(good)[i]

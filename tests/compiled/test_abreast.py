"""Small fits of compiled functions run abreast, each with the bits that it has alone.

A batch of one fit does not run abreast.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from arrays import Array
from compiled.makes import RESIDUALS as RESIDUAL_TYPES
from fits import bits_of_batch, unscaled
from minpack import BatchResult, curve_fit_batch, leastsq_batch

pytestmark = [
    unscaled,
    pytest.mark.filterwarnings("ignore::minpack.OptimizeWarning"),
]

RESIDUALS = ctypes.CFUNCTYPE(ctypes.c_int, *RESIDUAL_TYPES)
TRUTH = np.array([2.0, 5.0, 1.5, 0.5])

each_way = pytest.mark.parametrize("exact", [False, True], ids=["differences", "exact"])


def peaks(count: int, m: int, clean: bool = False) -> tuple[Array, Array, Array]:
    """The points, noisy data, and starts, some of them far off.

    Clean data have no noise and no offset, so that differences need longer steps.
    """
    rng = np.random.default_rng(m)
    t = np.linspace(0, 10, m)
    a, b, c, d = (TRUTH * rng.uniform(0.8, 1.2, (count, 4))).T[:, :, None]
    noise = d + rng.normal(scale=0.02, size=(count, m))
    y = a / (1 + ((t - b) / c) ** 2) + (0 if clean else noise)
    starts = np.array([1, 4.5, 1, 0.1]) * rng.uniform(0.8, 1.2, (count, 4))
    starts[::7] *= 3
    return t, y, starts


def fit(
    functions: ctypes.CDLL, exact: bool, t: Array, y: Array, p0: Array, **options: Any
) -> BatchResult:
    jac = functions.peak_jacobian if exact else None
    return curve_fit_batch(functions.peak, t, y, p0, jac=jac, **options)


def one_by_one(
    functions: ctypes.CDLL, exact: bool, t: Array, y: Array, p0: Array, **options: Any
) -> list[Any]:
    """The same fits in batches of one, with what each has of its own."""
    found = []
    for i in range(len(y)):
        own = dict(options)
        if np.ndim(options.get("sigma")) == 2:
            own["sigma"] = options["sigma"][i : i + 1]
        points = t[i : i + 1] if t.ndim == 2 else t
        result = fit(functions, exact, points, y[i : i + 1], p0[i : i + 1], **own)
        found += bits_of_batch(result)
    return found


@each_way
@pytest.mark.parametrize("clean", [False, True], ids=["noise", "clean"])
@pytest.mark.parametrize("m", [7, 16, 31, 32, 50, 65, 200, 201, 251])
def test_a_fit_has_the_bits_that_it_has_alone(
    functions: ctypes.CDLL, m: int, clean: bool, exact: bool
) -> None:
    data = peaks(60, m, clean)
    found = fit(functions, exact, *data)
    assert bits_of_batch(found) == one_by_one(functions, exact, *data)
    assert found.success.sum() > 40


@pytest.mark.parametrize(
    ("m", "n", "go_abreast"),
    [
        (5, 2, True),
        (200, 5, True),
        (100, 10, True),
        (201, 2, False),
        (100, 11, False),
        (50, 17, False),
    ],
)
def test_eight_small_fits_take_turns(m: int, n: int, go_abreast: bool) -> None:
    """Where moving their numbers to the lanes would take too long, fits go alone."""
    calls: list[int] = []

    @RESIDUALS
    def function(m: int, n: int, x: Any, fvec: Any, data: int) -> int:
        calls.append(ctypes.c_int.from_address(data).value)
        for i in range(m):
            fvec[i] = x[i % n] - 1
        return 0

    numbers = np.arange(20, dtype=np.intc)[:, None]
    leastsq_batch(function, np.zeros((20, n)), m=m, user_data=numbers, workers=1)
    assert calls[:3] == ([0, 1, 2] if go_abreast else [0, 0, 0])


@each_way
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("count", [2, 5, 8, 9, 25])
def test_lanes_may_be_empty_and_are_filled_again(
    functions: ctypes.CDLL, count: int, workers: int, exact: bool
) -> None:
    data = peaks(count, 50)
    found = fit(functions, exact, *data, workers=workers)
    assert bits_of_batch(found) == one_by_one(functions, exact, *data)


@each_way
@pytest.mark.parametrize("m", [20, 50])
@pytest.mark.parametrize(
    "options",
    [
        {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14},
        {"maxfev": 9},
        {"gtol": 0.1},
        {"bounds": ([0, 4, 0.5, 0], [3, 5, 1.6, 0.6])},
        {"bounds": ([0, 4, 0.5, 0.4], [3, 5, 1.6, 0.4])},
        {"sigma": 0.3, "absolute_sigma": True},
    ],
    ids=str,
)
def test_options_change_nothing_of_that(
    functions: ctypes.CDLL, options: dict[str, Any], m: int, exact: bool
) -> None:
    t, y, starts = peaks(40, m)
    starts = np.clip(starts, *options.get("bounds", (-np.inf, np.inf)))
    found = fit(functions, exact, t, y, starts, **options)
    assert bits_of_batch(found) == one_by_one(functions, exact, t, y, starts, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"epsfcn": 1e-5},
        {"diff_step": 1e-5},
        {"diff_step": 0.3, "bounds": ([0, 4, 1, 0], [3, 6, 1, 1])},
    ],
    ids=str,
)
def test_the_steps_of_differences_are_those_of_each_fit(
    functions: ctypes.CDLL, options: dict[str, Any]
) -> None:
    """A parameter whose bounds are equal is not moved."""
    t, y, starts = peaks(40, 50)
    starts = np.clip(starts, *options.get("bounds", (-np.inf, np.inf)))
    found = bits_of_batch(fit(functions, False, t, y, starts, **options))
    assert found == one_by_one(functions, False, t, y, starts, **options)
    assert found != bits_of_batch(fit(functions, False, t, y, starts))


@each_way
@pytest.mark.parametrize("each", [False, True], ids=["one sigma", "each its own"])
def test_weights_and_points_are_those_of_each_fit(
    functions: ctypes.CDLL, each: bool, exact: bool
) -> None:
    t, y, starts = peaks(40, 50)
    sigma = np.random.default_rng(0).uniform(0.5, 2, y.shape if each else 50)
    own = t * np.linspace(0.9, 1.1, 40)[:, None]
    found = fit(functions, exact, own, y, starts, sigma=sigma)
    assert bits_of_batch(found) == one_by_one(
        functions, exact, own, y, starts, sigma=sigma
    )


@each_way
def test_a_fit_that_fails_leaves_its_neighbours_alone(
    functions: ctypes.CDLL, exact: bool
) -> None:
    """NaN, infinity, a start where the line has no width, zeros, data of huge size."""
    t, y, starts = peaks(40, 50)
    expected = bits_of_batch(fit(functions, exact, t, y, starts))
    ill = [1, 2, 8, 17, 18]
    y[1], y[2, 3], y[17], y[18] = np.nan, np.inf, 0, 1e200
    starts[8, 1:3] = [0.0, 0.0]
    found = fit(functions, exact, t, y, starts, check_finite=False)
    assert found.ier[1] == found.ier[2] == found.ier[8] == 9
    for i, bits in enumerate(bits_of_batch(found)):
        assert bits == expected[i] or i in ill
    assert bits_of_batch(found) == one_by_one(
        functions, exact, t, y, starts, check_finite=False
    )


@each_way
@pytest.mark.parametrize("clean", [False, True], ids=["noise", "clean"])
@pytest.mark.parametrize("code", [-7, 0], ids=["stops", "NaN"])
@pytest.mark.parametrize("bounds", [None, (0, [9, 9, 9, 0.4])], ids=["free", "bounds"])
def test_trouble_at_any_call_ends_that_fit_as_it_does_alone(
    functions: ctypes.CDLL, code: int, clean: bool, bounds: Any, exact: bool
) -> None:
    """Each fit has as many calls as alone, and every second one has no trouble."""
    t, y, starts = peaks(60, 50, clean)
    options: dict[str, Any] = {"jac": functions.troubled_jacobian if exact else None}
    if bounds is not None:
        starts = np.clip(starts, *bounds)
        options["bounds"] = bounds

    def troubled(first: int, end: int, trouble: bool) -> tuple[list[Any], list[int]]:
        rows = np.array(
            [[1 + i if trouble and i % 2 else 1e6, code, *t] for i in range(60)]
        )
        rows = rows[first:end].copy()
        found = curve_fit_batch(
            functions.troubled_peak, None, y[first:end], starts[first:end],
            user_data=rows, **options,
        )  # fmt: skip
        return bits_of_batch(found), rows[:, 0].tolist()

    found, left = troubled(0, 60, trouble=True)
    alone = [troubled(i, i + 1, trouble=True) for i in range(60)]
    assert found == [bits[0] for bits, _ in alone]
    assert left == [calls[0] for _, calls in alone]
    assert found[::2] == troubled(0, 60, trouble=False)[0][::2]
    ended = [ier for *_, ier in found if ier == (code or 9)]
    assert len(ended) > 5
    assert max(left) < 1e6 - 1


def test_residuals_take_their_own_data_in_the_lanes(functions: ctypes.CDLL) -> None:
    t, y, _ = peaks(40, 20)
    pairs = np.stack([np.broadcast_to(t, y.shape), y], axis=-1)
    starts = np.ones((40, 2))
    for jacobian in None, functions.jacobian:
        found = leastsq_batch(
            functions.residuals, starts, (), jacobian, m=20, user_data=pairs
        )
        alone = [
            leastsq_batch(
                functions.residuals, starts[:1], (), jacobian, m=20,
                user_data=pairs[i : i + 1],
            )
            for i in range(40)
        ]  # fmt: skip
        assert bits_of_batch(found) == [bits_of_batch(each)[0] for each in alone]


def test_workers_share_few_fits_evenly(functions: ctypes.CDLL) -> None:
    """No worker has more fits abreast than the others, where each may be slow."""
    counts = np.array([[3, 0]], np.intc)
    found = leastsq_batch(
        functions.meeting, np.ones((6, 2)), m=5, workers=3,
        user_data=np.broadcast_to(counts, (6, 2)),
    )  # fmt: skip
    assert found.success.all()

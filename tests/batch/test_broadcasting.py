"""A model that does not broadcast over fits is seen, wherever they start."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import POINTS, X, peak, peak_jacobian, peaks
from batch.peaks import curve_fit_batch_by_calls as curve_fit_batch


def summed_over_the_wrong_axis(x: Array, *p: Any) -> Array:
    value = peak(x, *p)
    return value / np.sum(value, axis=0)


def summed_over_everything(x: Array, *p: Any) -> Array:
    value = peak(x, *p)
    return value / np.sum(value)


def with_if(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, a, b, c) if a > 0 else peak(x, -a, b, c)


def with_float(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, float(a), b, c)


def transposed(x: Array, a: Any, b: Any, c: Any) -> Array:
    return np.ravel(peak(x, a, b, c))


def of_the_first(x: Array, a: Any, b: Any, c: Any) -> Array:
    return peak(x, *(np.ravel(p)[0] for p in (a, b, c)))


@pytest.mark.parametrize("start", ["shared", "own"])
@pytest.mark.parametrize(
    "model",
    [summed_over_the_wrong_axis, summed_over_everything, transposed, of_the_first],
)
def test_a_model_that_does_not_broadcast_is_an_error_that_says_so(
    model: Callable[..., Array], start: str
) -> None:
    y, p0 = peaks(100)
    with pytest.raises(ValueError, match=r"f does not broadcast.*docs/batch\.md"):
        curve_fit_batch(model, X, y, p0 if start == "own" else [2.0, 1.0, 1.0])


@pytest.mark.parametrize("model", [with_if, with_float])
def test_what_such_a_model_raises_itself_comes_with_the_advice(
    model: Callable[..., Array],
) -> None:
    y, p0 = peaks(100)
    with pytest.raises((ValueError, TypeError)) as caught:
        curve_fit_batch(model, X, y, p0)
    assert "np.where" in caught.value.__notes__[0]


def test_a_jacobian_that_does_not_broadcast_is_an_error_that_says_so() -> None:
    y, p0 = peaks(100)

    def first_axis(x: Array, *p: Any) -> Array:
        return np.moveaxis(peak_jacobian(x, *p), -1, 0)

    with pytest.raises(ValueError, match="jac"):
        curve_fit_batch(peak, X, y, p0, jac=first_axis)
    with pytest.raises(ValueError, match="jac does not broadcast"):
        curve_fit_batch(
            peak, X, y, p0,
            jac=lambda x, *p: peak_jacobian(x, *(np.ravel(a)[0] for a in p)),
        )  # fmt: skip


def mixed(mix: Callable[[Array], Array], function: Callable[..., Array]) -> Any:
    """`function` with the rows of different fits mixed up."""

    def model(x: Array, *p: Any) -> Array:
        value = function(x, *p)
        return mix(value) if np.shape(p[0]) else value

    return model


# What is made of the peaks, and about what it does to their derivatives
SCALES: dict[str, tuple[Callable[[Array], Array], float]] = {
    "smooth": (lambda v: v, 1.0),
    "steep": (lambda v: np.sin(1e5 * v), 1.0),
    "flat": (lambda v: 1e7 + v, 1.0),
    "tiny": (lambda v: 1e-100 * v, 1e-100),
    "with kinks": (lambda v: np.abs(v - 1.0), 1.0),
    "in float32": (lambda v: v.astype(np.float32), 1.0),
    "in float16": (lambda v: v.astype(np.float16), 1.0),
}


@pytest.mark.parametrize("jacobian", [False, True], ids=["differences", "jac"])
@pytest.mark.parametrize("start", ["shared", "nearly shared", "own"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    "mix",
    [
        lambda v: v[::-1],
        lambda v: np.roll(v, 1, axis=0),
        lambda v: v[:1],
        lambda v: np.mean(v, axis=0),
    ],
    ids=["backwards", "shifted", "the first", "the mean"],
)
def test_rows_that_are_mixed_up_are_seen_wherever_the_fits_start(
    mix: Any, scale: Any, start: str, jacobian: bool
) -> None:
    y, p0 = peaks(100)
    of_values, of_derivatives = scale
    if start != "own":
        p0 = np.array([2.0, 1.0, 1.0]) + (start != "shared") * 1e-10 * p0

    def model(x: Array, *p: Any) -> Array:
        return of_values(peak(x, *p))

    def derivatives(x: Array, *p: Any) -> Array:
        return of_derivatives * peak_jacobian(x, *p)

    call = {"xdata": X, "ydata": of_values(y), "p0": p0}
    call["jac"] = derivatives if jacobian else None
    curve_fit_batch(model, **call)  # as it is, nothing is wrong with it
    with pytest.raises(ValueError, match=r"f does not broadcast.*docs/batch\.md"):
        curve_fit_batch(mixed(mix, model), **call)


def test_fits_that_would_all_be_the_same_are_compared_a_difference_step_apart() -> None:
    y, _ = peaks(1)
    calls = itertools.count()

    def model(x: Array, *p: Any) -> Array:
        next(calls)
        return mixed(lambda v: v[::-1], peak)(x, *p)

    with pytest.raises(ValueError, match="does not broadcast"):
        curve_fit_batch(model, X, np.tile(y, (100, 1)), [2.0, 1.0, 1.0])
    assert next(calls) <= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_jacobian_with_rows_that_are_mixed_up_is_seen(workers: int) -> None:
    y, _ = peaks(100)
    jac = mixed(lambda d: d[::-1], peak_jacobian)
    with pytest.raises(ValueError, match="jac does not broadcast"):
        curve_fit_batch(peak, X, y, [2.0, 1.0, 1.0], jac=jac, workers=workers)


def test_rows_of_xdata_go_with_the_fits_that_are_compared() -> None:
    y, _ = peaks(100)
    x = X + np.random.default_rng(4).uniform(-1e-9, 1e-9, y.shape)
    curve_fit_batch(peak, x, y, [2.0, 1.0, 1.0], jac=peak_jacobian)
    with pytest.raises(ValueError, match="does not broadcast"):
        curve_fit_batch(
            mixed(lambda v: v[::-1], peak), x, y, [2.0, 1.0, 1.0], jac=peak_jacobian
        )


@pytest.mark.parametrize(
    ("noise", "jac"), [(1e-10, None), (1e-7, peak_jacobian)], ids=["differences", "jac"]
)
def test_rounding_that_depends_on_the_number_of_fits_is_no_error(
    noise: float, jac: Any
) -> None:
    """As that of matrix products, or of single precision within the model."""
    y, _ = peaks(100)
    noisy = mixed(lambda v: v * (1 + noise * np.cos(1e3 * v)), peak)
    result = curve_fit_batch(noisy, X, y, [2.0, 1.0, 1.0], jac=jac)
    assert result.success.any()


def defined_within(low: Any, high: Any) -> Callable[..., Array]:
    """A line that refuses points which are not within `low` and `high`."""

    def line(x: Array, *p: Any) -> Array:
        for a, lowest, highest in zip(p, low, high, strict=True):
            assert np.all((lowest <= a) & (a <= highest)), "asked for elsewhere"
        return p[0] + p[1] * x

    return line


LINES = np.array([1.0, 2.0]) @ np.stack([np.ones(POINTS), X]) + 1e-3 * np.cos(
    np.arange(5)[:, None] * 7 + 9 * X
)


@pytest.mark.parametrize("width", [0.0, 1e-12, 1e-3])
@pytest.mark.parametrize("side", [-1, 0, 1])
@pytest.mark.parametrize("own", [False, True], ids=["for all", "a row a fit"])
def test_a_model_is_asked_for_nothing_outside_the_bounds(
    own: bool, side: int, width: float
) -> None:
    start = np.array([1.0, 2.0])
    low, high = start - width * (side <= 0), start + width * (side >= 0)
    model = defined_within(low, high)
    bounds = (np.tile(low, (5, 1)), np.tile(high, (5, 1))) if own else (low, high)
    result = curve_fit_batch(model, X, LINES, start, bounds=bounds)
    assert result.success.all()


def test_each_fit_is_compared_within_its_own_bounds() -> None:
    """Those of the fits that are compared are all narrower than a step."""
    start = np.array([1.0, 2.0])
    width = np.array([1e-3, 1e-12, 1e-10, 1e-12, 0.0])[:, None]
    asked: list[float] = []

    def model(x: Array, a: Any, b: Any) -> Array:
        if not np.shape(a):
            asked.append(max(a - 1.0, (b - 2.0) / 2.0))
        return a + b * x

    curve_fit_batch(
        model, X, LINES, start, bounds=(start - 0 * width, start + width), workers=1
    )
    assert max(asked[1:4]) <= 1e-10
    assert min(asked) >= 0


def test_with_jac_a_model_at_the_edge_of_its_domain_emits_nothing_new() -> None:
    """A warning would be an error here, as it is where the model raises."""

    def root(x: Array, a: Any, b: Any) -> Array:
        return np.sqrt(4.0 - a) + b * x

    def derivatives(x: Array, a: Any, b: Any) -> Array:
        da, db = np.broadcast_arrays(-0.5 / np.sqrt(4.1 - a), x)
        return np.stack([da, db], axis=-1)

    result = curve_fit_batch(root, X, LINES, [4.0, 1.0], jac=derivatives)
    assert result.success.any()


def test_fits_that_are_never_evaluated_are_not_compared() -> None:
    low, high = np.array([0.5, 1.5]), np.array([1.5, 2.5])
    model = defined_within(low, high)
    p0 = np.tile([1.0, 2.0], (5, 1))
    p0[[0, 2, 4]] = [[7.0, 2.0], [np.nan, 2.0], [1.0, -9.0]]
    bounds = (np.tile(low, (5, 1)), np.tile(high, (5, 1)))
    result = curve_fit_batch(model, X, LINES, p0, bounds=bounds)
    np.testing.assert_array_equal(result.success, [0, 1, 0, 1, 0])
    mask = ~result.success[:, None] & np.ones(POINTS, bool)
    result = curve_fit_batch(model, X, LINES, p0, mask=mask)
    np.testing.assert_array_equal(result.success, [0, 1, 0, 1, 0])
    assert not curve_fit_batch(model, X, LINES, [9.0, 9.0], mask=True).success.any()

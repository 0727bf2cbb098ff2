"""What a fit says that has gone nowhere, or not far enough."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

from fits import quiet_fit
from minpack import OptimizeWarning, curve_fit, curve_fit_batch, least_squares, leastsq

Array = np.ndarray
T = np.linspace(0.0, 3.0, 12)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.cos(9 * T)
P0 = [20.0, 8.0, -3.0]


def decay(t: Array, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def residuals(x: Array) -> Any:
    return decay(T, *x) - Y


def message_of(way: str, **options: Any) -> str:
    """Why a fit ended that is to end early."""
    limit = options.pop("limit")
    if way == "least_squares":
        return str(least_squares(residuals, P0, max_nfev=limit, **options).message)
    if way == "leastsq":
        return leastsq(residuals, P0, full_output=True, maxfev=limit, **options)[3]
    if way == "leastsq, short":
        with pytest.warns(RuntimeWarning) as warned:
            leastsq(residuals, P0, maxfev=limit, **options)
        return str(warned[0].message)
    with pytest.raises(RuntimeError) as raised:
        curve_fit(decay, T, Y, P0, maxfev=limit, **options)
    return str(raised.value)


WAYS = ("leastsq", "leastsq, short", "curve_fit", "least_squares")

# --- The budget ----------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_end_of_the_budget_says_how_fast_the_fit_went_down(way: str) -> None:
    said = message_of(way, limit=4 if way == "least_squares" else 14)
    part = re.search(
        r"Its last step lowered the (?:cost|sum of squares) by (.*?)\. ", said
    )
    assert part is not None
    assert float(part[1].removesuffix(" %")) > 0


@pytest.mark.parametrize("maxfev", [10, 14, 18])
def test_the_part_is_that_of_the_last_iterates(maxfev: int) -> None:
    costs = []

    def look(intermediate_result: Any) -> None:
        costs.append(intermediate_result.cost)

    start = 0.5 * np.sum(residuals(np.array(P0)) ** 2)
    said = least_squares(residuals, P0, max_nfev=maxfev // 2, callback=look).message
    before, last = ([start, *costs])[-2:]
    shown = re.search(r"by (.*?) %", said)
    assert shown is not None
    assert float(shown[1]) == pytest.approx(100 * (1 - last / before), rel=0.06)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("bends", [False, True])
def test_it_says_what_may_help(way: str, bends: bool) -> None:
    said = message_of(
        way, limit=14 if way != "least_squares" else 4, acceleration=bends
    )
    limit = "max_nfev" if way == "least_squares" else "maxfev"
    start = "p0" if way == "curve_fit" else "x0"
    bent = "" if bends else "acceleration=True, "
    others = f"parameters of similar size or a better {start} may help"
    assert f"A larger {limit}, {bent}{others}" in said


def test_a_fit_without_a_step_says_so() -> None:
    """Its first trial point is worse than the start."""

    def wall(x: Array) -> Array:
        return np.array([1 + (x[0] - 2) ** 2 if x[0] < 1 else 1e3, x[1]])

    said = leastsq(wall, [0.9, 0.0], full_output=True, maxfev=4)[3]
    assert "No step from x0 has lowered the sum of squares" in said
    said = least_squares(wall, [0.9, 0.0], max_nfev=2).message
    assert "No step from x0 has lowered the cost" in said


def test_a_slow_end_is_named_in_full() -> None:
    """Along a valley that is nearly flat, by less than a ten-thousandth."""

    def flat(x: Array) -> Array:
        return np.array([1.0, 1e-5 * x[0] ** 2, x[1]])

    said = leastsq(flat, [3.0, 0.0], full_output=True, maxfev=8, ftol=1e-15)[3]
    assert re.search(r"by a relative \de-\d+\. A larger", said)


def test_batches_say_what_may_help() -> None:
    for bends in (False, True):
        fits = curve_fit_batch(decay, T, Y[None], P0, maxfev=14, acceleration=bends)
        said = pickle.loads(pickle.dumps(fits)).message(0)
        assert ("acceleration=True" in said) == (not bends)
        assert "may help" in said


# --- No step, and no effect ----------------------------------------------------------


def at_minimum(x: Array) -> Array:
    """(1, 2) is the minimum, where the residuals are not 0."""
    return np.array([x[0] - 1, 10 * (x[1] - 2), 1.0])


def test_a_fit_that_stays_at_its_start_says_so() -> None:
    stays = "No step from {} has lowered the {}: the fit is where it started."
    said = leastsq(at_minimum, [1.0, 2.0], full_output=True)[3]
    assert stays.format("x0", "sum of squares") in said
    said = leastsq(at_minimum, [1.1, 2.0], full_output=True)[3]
    assert "No step" not in said
    fit = least_squares(at_minimum, [1.0, 2.0])
    assert stays.format("x0", "cost") in fit.message
    said = curve_fit(
        lambda t, a, b: at_minimum(np.array([a, b])), T[:3], np.zeros(3), [1, 2],
        full_output=True,
    )[3]  # fmt: skip
    assert stays.format("p0", "sum of squares") in said


def test_a_start_that_fits_exactly_is_no_failure() -> None:
    said = leastsq(lambda x: x - 1, [1.0, 1.0], full_output=True)[3]
    assert "No step" not in said
    assert "No step" not in least_squares(lambda x: x - 1, [1.0, 1.0]).message


def test_a_parameter_on_which_nothing_depends_is_told_from_one_that_is_lost() -> None:
    def bump(t: Array, height: float, width: float, idle: float) -> Array:
        return height * np.exp(-((t / width) ** 2)) + 0 * idle

    t = np.linspace(1.0, 2.0, 9)
    with pytest.warns(OptimizeWarning) as warned:
        popt, _ = curve_fit(bump, t, -np.ones(9) * (t > 1.9), [1e-3, 0.5, 7.0])
    assert popt[2] == 7
    said = str(warned[0].message)
    assert (
        "Parameter 2 (idle) has no effect on the values of f at popt, and has had none "
        "on the way: the function does not depend on it, or not near the start." in said
    )


def hill(x: Array) -> Array:
    """It falls up to x[0] = 2, from where on x[0] has no effect."""
    return np.array([1 + max(2 - x[0], 0.0), x[1] - 1, 1.0])


@pytest.mark.parametrize("solver", [leastsq, least_squares])
def test_a_parameter_that_is_lost_on_the_way_is_named(solver: Any) -> None:
    start = [0.0, 3.0]
    if solver is leastsq:
        said = quiet_fit(leastsq, hill, start, full_output=True)[3]
    else:
        said = least_squares(hill, start).message
    assert (
        "Parameter 0 has no effect on the residuals at x, but has had one on the way: "
        "the data do not determine it there. Another start, or bounds, may help."
        in said
    )


@pytest.mark.parametrize("bends", [False, True])
def test_fits_of_dask_arrays_advise_acceleration_where_there_is_none(
    bends: bool,
) -> None:
    da = pytest.importorskip("dask.array")
    from minpack import dask

    with pytest.raises(RuntimeError, match="Its last step lowered") as raised:
        dask.curve_fit(
            decay, da.from_array(T), da.from_array(Y), P0, maxfev=14, acceleration=bends
        )
    assert ("acceleration=True" in str(raised.value)) == (not bends)
    assert "may help" in str(raised.value)

"""The minimum within bounds is that of SciPy's 'trf'."""

from __future__ import annotations

import numpy as np
import pytest

from least_squares.cases import START, Y, decay, decay_jacobian, each_jac, label
from minpack import least_squares


@each_jac
@pytest.mark.parametrize(
    "bounds",
    [
        ([0, 0, 0], [2, 3, 4]),
        (0, [3, 1.2, 4]),
        ([-np.inf, 1.4, -np.inf], np.inf),
        ([-1, -1, 0.6], [9, 9, 9]),
        (-50, 50),
    ],
    ids=label,
)
def test_the_bounded_minimum_is_that_of_scipys_trf(optimize, jac, bounds):
    start = np.clip(START, *bounds)
    ours = least_squares(decay, start, jac, bounds, ftol=1e-12, xtol=1e-12)
    theirs = optimize.least_squares(
        decay, start, decay_jacobian, bounds, ftol=1e-13, xtol=1e-13, gtol=1e-13
    )
    assert ours.cost <= theirs.cost * (1 + 1e-8)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-4)
    np.testing.assert_array_equal(
        ours.active_mask,
        np.where(ours.x == bounds[0], -1, np.where(ours.x == bounds[1], 1, 0)),
    )
    free = ours.active_mask == 0
    assert ours.optimality == np.abs(ours.grad[free]).max()
    assert ours.optimality < 1e-4


def test_scipys_bounds_are_taken_too(optimize):
    bounds = optimize.Bounds([0, 0, 0], [2, 3, 4])
    np.testing.assert_array_equal(
        least_squares(decay, START, bounds=bounds).x,
        least_squares(decay, START, bounds=([0, 0, 0], [2, 3, 4])).x,
    )


def test_equal_bounds_fix_a_parameter():
    fit = least_squares(decay, [1, 1.3, 0], bounds=([-9, 1.3, -9], [9, 1.3, 9]))
    assert fit.x[1] == 1.3
    assert fit.active_mask[1] != 0
    columns = decay_jacobian(fit.x)[:, [0, 2]]
    np.testing.assert_allclose(
        fit.x[[0, 2]], np.linalg.lstsq(columns, Y, rcond=None)[0], rtol=1e-6
    )


def test_a_parameter_that_its_bound_holds_does_not_count_as_not_optimal():
    fit = least_squares(lambda x: x - 3, [0.0, 0.0], bounds=(-1, [1, 9]))
    np.testing.assert_allclose(fit.x, [1, 3])
    np.testing.assert_allclose(fit.grad, [-2, 0], atol=1e-7)
    assert fit.optimality < 1e-7


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((1, 2), "x0 must be within the bounds: parameter 0"),
        (([0, 3], [1, 2]), "lower bound of parameter 1"),
        ((0, 1, 2), "pair"),
        (([0, 0, 0], 1), "one for each of the 2"),
        ((np.nan, 1), "lower bound of parameter 0"),
    ],
)
def test_bad_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        least_squares(lambda x: x, [0.5, 0.5], bounds=bounds)

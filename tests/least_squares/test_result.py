"""The result is a dictionary with attributes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from least_squares.cases import START, decay
from minpack import OptimizeResult, least_squares


def test_the_result_is_a_dictionary_with_attributes():
    fit = least_squares(decay, START)
    assert fit["x"] is fit.x
    fit.comment = "good"
    assert fit["comment"] == "good"
    del fit.comment
    assert "comment" not in fit
    assert {"x", "cost", "keys"} <= set(dir(fit))
    with pytest.raises(AttributeError, match="no entry 'nit'"):
        _ = fit.nit
    for same in (pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert isinstance(same, OptimizeResult)
        np.testing.assert_array_equal(same.jac, fit.jac)


def test_the_method_is_an_attribute_and_no_entry():
    """A client that copies all entries to its own result keeps its own method."""
    fit = least_squares(decay, START)
    for same in (fit, pickle.loads(pickle.dumps(fit)), copy.deepcopy(fit)):
        assert same.method == "lm"
        assert "method" not in same
    fit.method = "mine"
    assert fit.method == fit["method"] == "mine"


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {
            "nit": 3,
            "x": np.array([1.5, np.nan, -np.inf]),
            "message": "ends",
            "fun": 2.0,
        },
        {"jac": np.arange(40.0).reshape(20, 2) / 7, "x": np.arange(3), "success": True},
    ],
)
def test_it_is_shown_as_scipys(optimize, entries):
    assert repr(OptimizeResult(entries)) == repr(optimize.OptimizeResult(entries))


def test_a_fit_is_shown_as_scipys(optimize):
    fit = least_squares(decay, START)
    assert repr(fit) == repr(optimize.OptimizeResult(fit))

"""SciPy's own tests of curve_fit, leastsq and least_squares pass with ours.

Those of least_squares are written for a method: here for 'lm', with what SciPy asks of
its other methods alone, bounds and losses. What they ask of those methods by name, ours
is asked too.
"""

from __future__ import annotations

from typing import Any

import pytest

import minpack
from scipy_own import Suite, raises_whatever_it_says, with_ours

pytest.importorskip("scipy", minversion="1.17")
pytest.importorskip("scipy.optimize.tests.test_minpack")

# Which warnings are errors is for SciPy's tests to say.
pytestmark = pytest.mark.filterwarnings("default")

WANTS_LM_TO_REFUSE = "asserts that 'lm' refuses what ours takes"
WANTS_TRF_DIGITS = "wants digits of a degenerate root that SciPy's 'lm' does not give"
WANTS_TRF_GTOL = "gtol of 'trf' is an absolute gradient, that of 'lm' a cosine"
WANTS_TRF_LIMIT = "wants max_nfev=1 to mean x0; 'lm', SciPy's too, looks after a step"


def least_squares(*args: Any, **kwargs: Any) -> Any:
    """Ours, for calls that choose a solver for Jacobians that are sparse, too."""
    if kwargs.get("tr_solver") == "lsmr":
        del kwargs["tr_solver"]
    return minpack.least_squares(*args, **kwargs)


SUITES = [
    Suite(
        module="scipy.optimize.tests.test_minpack",
        classes=("TestCurveFit",),
        replaced={
            "curve_fit": minpack.curve_fit,
            "optimize.curve_fit": minpack.curve_fit,
            "OptimizeWarning": minpack.OptimizeWarning,
            "assert_raises": raises_whatever_it_says,
        },
        excluded={
            "test_bounds": "asserts that 'lm' refuses bounds, which it takes here",
            "test_gh20155_error_mentions_x0": "asserts the words of a message",
        },
    ),
    Suite(
        module="scipy.optimize.tests.test_minpack",
        classes=("TestLeastSq",),
        replaced={
            "leastsq": minpack.leastsq,
            "optimize.leastsq": minpack.leastsq,
            "assert_raises": raises_whatever_it_says,
        },
    ),
    Suite(
        module="scipy.optimize.tests.test_least_squares",
        classes=("TestLM", "BoundsMixin", "LossFunctionMixin"),
        replaced={"least_squares": least_squares},
        excluded={
            "test_bounds_not_supported": WANTS_LM_TO_REFUSE,
            "test_loss": WANTS_LM_TO_REFUSE,
            "test_options": WANTS_TRF_DIGITS,
            "test_x_scale_options": WANTS_TRF_DIGITS,
            "test_grad": WANTS_TRF_LIMIT,
            "test_jac": WANTS_TRF_LIMIT,
        },
    ),
    Suite(
        module="scipy.optimize.tests.test_least_squares",
        classes=(),
        replaced={"least_squares": least_squares},
        excluded={
            "test_basic": WANTS_TRF_DIGITS,
            "test_gh_18793_and_19351": WANTS_TRF_GTOL,
        },
    ),
]

for _suite in SUITES:
    globals()[_suite.name] = with_ours(_suite)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_excluded_tests_are_tests_of_scipy(suite: Suite) -> None:
    tests = {name for name in dir(suite.tests) if name.startswith("test_")}
    assert suite.excluded.keys() < tests

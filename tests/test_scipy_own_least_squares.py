"""SciPy's own tests of least_squares, with ours in its place.

They are written for a method: here for 'lm', with what SciPy asks of its other methods
alone, bounds and losses. What they ask of those methods by name, ours is asked too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import minpack

pytest.importorskip("scipy", minversion="1.17")
theirs = pytest.importorskip("scipy.optimize.tests.test_least_squares")

WANTS_LM_TO_REFUSE = "asserts that 'lm' refuses what ours takes"
WANTS_PROCESSES = "asks for differences in several processes"
WANTS_TRF_DIGITS = "wants digits of a degenerate root that SciPy's 'lm' does not give"
WANTS_TRF_GTOL = "gtol of 'trf' is an absolute gradient, that of 'lm' a cosine"
WANTS_TRF_LIMIT = "wants max_nfev=1 to mean x0; 'lm', SciPy's too, looks after a step"

EXCLUDED = {
    "LM.test_bounds_not_supported": WANTS_LM_TO_REFUSE,
    "LM.test_loss": WANTS_LM_TO_REFUSE,
    "LM.test_workers": WANTS_PROCESSES,
    "LM.test_options": WANTS_TRF_DIGITS,
    "LM.test_x_scale_options": WANTS_TRF_DIGITS,
    "test_basic": WANTS_TRF_DIGITS,
    "test_gh_18793_and_19351": WANTS_TRF_GTOL,
    "LM.test_grad": WANTS_TRF_LIMIT,
    "LM.test_jac": WANTS_TRF_LIMIT,
}


def least_squares(*args: Any, **kwargs: Any) -> Any:
    """Ours, for calls that choose a solver for Jacobians that are sparse, too."""
    if kwargs.get("tr_solver") == "lsmr":
        del kwargs["tr_solver"]
    return minpack.least_squares(*args, **kwargs)


class LM(theirs.TestLM, theirs.BoundsMixin, theirs.LossFunctionMixin):
    __test__ = False


def own_tests() -> Iterator[tuple[str, Callable[[], None]]]:
    for name in dir(LM):
        if name.startswith("test_"):
            yield f"LM.{name}", getattr(LM(), name)
    for name, function in vars(theirs).items():
        if name.startswith("test_"):
            yield name, function


TESTS = dict(own_tests())


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [name for name in TESTS if name not in EXCLUDED])
def test_passes_with_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theirs, "least_squares", least_squares)
    TESTS[name]()


@pytest.mark.parametrize("name", EXCLUDED)
def test_an_excluded_test_would_fail(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theirs, "least_squares", least_squares)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        TESTS[name]()


def test_every_exclusion_is_of_a_test_that_there_is() -> None:
    assert TESTS.keys() >= EXCLUDED.keys()
    assert len(TESTS) - len(EXCLUDED) > 30

"""SciPy's own tests, with our functions in the place of SciPy's.

They come with SciPy's wheel. What their messages say is left aside: ours are our own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import pytest

import minpack

pytest.importorskip("scipy", minversion="1.17")
pytest.importorskip("scipy.optimize.tests.test_minpack")

# Which warnings are errors is for SciPy's tests to say.
pytestmark = pytest.mark.filterwarnings("default")


def raises_whatever_it_says(kind: Any, *args: Any, match: str = "", **kw: Any) -> Any:
    return pytest.raises(kind, *args, **kw)


@dataclass(frozen=True)
class Suite:
    """A class of tests.

    module
        Where SciPy has it.
    name
        What it is called there.
    replaced
        What stands in the place of what, by the names that the module has for it.
    excluded
        The tests that are not run, each with the reason.
    """

    module: str
    name: str
    replaced: dict[str, Any]
    excluded: dict[str, str] = field(default_factory=dict)

    @property
    def tests(self) -> type:
        return getattr(importlib.import_module(self.module), self.name)


SUITES = [
    Suite(
        module="scipy.optimize.tests.test_minpack",
        name="TestCurveFit",
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
        name="TestLeastSq",
        replaced={
            "leastsq": minpack.leastsq,
            "optimize.leastsq": minpack.leastsq,
            "assert_raises": raises_whatever_it_says,
        },
    ),
]


def with_ours(suite: Suite) -> type:
    """The tests of a suite as a class that pytest collects here."""

    class Tests(suite.tests):
        @pytest.fixture(autouse=True)
        def ours(
            self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
        ) -> None:
            if request.node.originalname in suite.excluded:
                pytest.skip(suite.excluded[request.node.originalname])
            for name, replacement in suite.replaced.items():
                monkeypatch.setattr(f"{suite.module}.{name}", replacement)

    return Tests


for _suite in SUITES:
    globals()[_suite.name] = with_ours(_suite)


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_excluded_tests_are_tests_of_scipy(suite: Suite) -> None:
    assert suite.excluded.keys() <= set(dir(suite.tests))

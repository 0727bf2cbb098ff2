"""SciPy's own tests, which come with its wheel, on our functions."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

FAILURES = (AssertionError, ValueError, pytest.fail.Exception)


def raises_whatever_it_says(kind: Any, *args: Any, match: str = "", **kw: Any) -> Any:
    """pytest.raises, whatever the message is: ours are our own."""
    return pytest.raises(kind, *args, **kw)


@dataclass(frozen=True)
class Suite:
    """Tests of a module of SciPy.

    module
        Where SciPy has them.
    classes
        Their classes there, all in one; none: the functions of the module.
    replaced
        What stands in the place of what, by the names that the module has for it.
    excluded
        The tests that must fail, each with the reason.
    """

    module: str
    classes: tuple[str, ...]
    replaced: dict[str, Any]
    excluded: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.classes[0] if self.classes else "TestFunctions"

    @cached_property
    def tests(self) -> type:
        """The tests as they are in SciPy."""
        module = importlib.import_module(self.module)
        functions = {
            name: staticmethod(function)
            for name, function in vars(module).items()
            if name.startswith("test_")
        }
        bases = tuple(getattr(module, name) for name in self.classes)
        return type(self.name, bases, {} if bases else functions)


def with_ours(suite: Suite) -> type:
    """The tests of a suite as a class for pytest to collect."""

    class Tests(suite.tests):
        @pytest.fixture(autouse=True)
        def ours(
            self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
        ) -> None:
            reason = suite.excluded.get(request.node.originalname)
            if reason is not None:
                request.applymarker(
                    pytest.mark.xfail(strict=True, raises=FAILURES, reason=reason)
                )
            for name, replacement in suite.replaced.items():
                monkeypatch.setattr(f"{suite.module}.{name}", replacement)

    return Tests

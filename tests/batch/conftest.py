"""How many fits of a batch are under way at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minpack import _batch_run


@pytest.fixture
def chunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def choose(fits: int) -> None:
        monkeypatch.setattr(_batch_run, "_chunk", lambda m, n: fits)

    return choose

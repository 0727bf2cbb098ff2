"""How many fits of a batch are under way at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minpack import _batch


@pytest.fixture
def chunk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def choose(fits: int) -> None:
        monkeypatch.setattr(_batch, "_chunk", lambda m, n: fits)

    return choose

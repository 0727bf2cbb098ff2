"""SciPy, to compare with."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def optimize() -> Any:
    pytest.importorskip("scipy", minversion="1.17")
    from scipy import optimize

    return optimize

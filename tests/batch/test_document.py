"""docs/batch.md: its examples run, and its advice holds."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak
from commands import ROOT
from documents import run_blocks


def test_the_examples_in_the_document_work() -> None:
    names: dict[str, Any] = {}
    for ran in run_blocks(ROOT / "docs/batch.md", names):
        if "\nresult =" in ran.code:
            assert names["result"].x.shape == (10_000, 3)
            assert names["result"].success.all()
            assert names["result"].traced == ("jac=" not in ran.code)
    a_map = names["maps"]
    assert a_map.x.shape == (40, 60, 3)
    assert a_map.success.all()
    assert names["dark"].x.shape == (0, 3)
    assert names["fits"].x.shape == (100, 3)
    assert not np.isclose(names["fits"].cost, names["best"].cost).all()
    np.testing.assert_allclose(np.abs(names["best"].x[:2]), [1.5, 3.0], rtol=0.1)
    if find_spec("xarray"):
        assert names["rate"].dims == ("y", "x")
        np.testing.assert_allclose(names["rate"], 0.7, rtol=0.1)


REWRITTEN: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sum": (
        lambda v, t, a, b: v / v.sum(),
        lambda v, t, a, b: v / v.sum(axis=-1, keepdims=True),
    ),
    "integral": (
        lambda v, t, a, b: v / np.trapezoid(v, t),
        lambda v, t, a, b: v / np.trapezoid(v, t, axis=-1)[..., None],
    ),
    "cumulated": (
        lambda v, t, a, b: np.cumsum(v),
        lambda v, t, a, b: np.cumsum(v, axis=-1),
    ),
    "if": (
        lambda v, t, a, b: v if a > 1.0 else -v,
        lambda v, t, a, b: np.where(a > 1.0, v, -v),
    ),
    "max": (
        lambda v, t, a, b: max(a, 1.0) * t,
        lambda v, t, a, b: np.maximum(a, 1.0) * t,
    ),
    "by index": (
        lambda v, t, a, b: np.add(
            np.where(t > 1, 0, b), [a if s > 1 else 0 for s in t]
        ),
        lambda v, t, a, b: np.where(t > 1, a, b),
    ),
    "interp": (lambda v, t, a, b: np.interp(t - a, X, X),) * 2,
}


@pytest.mark.parametrize("written", REWRITTEN.values(), ids=REWRITTEN)
def test_what_the_document_advises_gives_the_same_for_one_fit_and_for_many(
    written: tuple[Callable[..., Any], Callable[..., Any]],
) -> None:
    def with_model(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda t, a, b: function(peak(t, a, b, 1.0), t, a, b)

    one, many = map(with_model, written)
    p = np.array([[0.5, 0.3], [2.0, 1.0], [1.5, -0.2]])
    together = np.broadcast_to(many(X, *p.T[:, :, None]), (3, POINTS))
    for row, parameters in zip(together, p, strict=True):
        np.testing.assert_allclose(row, one(X, *parameters))

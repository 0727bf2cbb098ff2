"""What a batch shows while it runs, and what its result can do."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from batch.peaks import X, peak, peaks, same
from minpack import BatchResult, curve_fit_batch


def test_progress_without_tqdm_is_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    y, p0 = peaks(1234)
    shown = curve_fit_batch(peak, X, y, p0, progress=True)
    line = capsys.readouterr().err.splitlines()[-1]
    assert "1,234 of 1,234 fits" in line
    assert "a second, 0 s left" in line
    assert same(shown, curve_fit_batch(peak, X, y, p0))


def test_progress_with_tqdm_is_its_bar(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    y, p0 = peaks(1234)
    curve_fit_batch(peak, X, y, p0, progress=True)
    assert "1234/1234" in capsys.readouterr().err


def test_a_batch_shows_nothing_unless_it_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    y, p0 = peaks(10)
    curve_fit_batch(peak, X, y, p0)
    assert capsys.readouterr() == ("", "")


def test_a_result_says_what_it_is() -> None:
    y, p0 = peaks(10)
    y[3] = np.nan
    result = curve_fit_batch(peak, X, y, p0)
    assert len(result) == 10
    assert repr(result) == "<BatchResult: 10 fits of 3 parameters, 9 converged>"
    assert result.message(0).startswith("Converged")


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda r, p=protocol: pickle.loads(pickle.dumps(r, p))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_result_can_be_pickled_and_copied(copied: Callable[[Any], Any]) -> None:
    y, p0 = peaks(10)
    y[3] = np.nan
    result = curve_fit_batch(peak, X, y, p0, maxfev=9)
    other = copied(result)
    assert type(other) is BatchResult
    assert same(other, result)
    assert [other.message(i) for i in range(10)] == [
        result.message(i) for i in range(10)
    ]
    assert repr(other) == repr(result)

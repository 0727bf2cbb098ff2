"""What a batch shows while it runs, and what its result can do."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

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
    assert repr(result).startswith("<BatchResult: 10 fits of 3 parameters, 9 converged")
    assert result.message(0).startswith("Converged")


def spoilt() -> BatchResult:
    """12 fits in three rows: two are not finite, one has a bad start, one stops."""
    y, p0 = peaks(12)
    low = np.full((12, 3), -np.inf)
    y[[1, 6], 4] = np.nan
    low[7, 0] = 1e9
    return curve_fit_batch(
        peak, X, y.reshape(3, 4, -1), p0.reshape(3, 4, -1), maxfev=40,
        bounds=(low.reshape(3, 4, 3), np.inf),
    )  # fmt: skip


def test_a_result_says_how_many_fits_have_failed_and_why() -> None:
    result = spoilt()
    assert result.ier.shape == (3, 4)
    first, *reasons = repr(result).splitlines()
    assert first == "<BatchResult: 3 x 4 fits of 3 parameters, 9 converged"
    assert reasons[0] == f"  2 failed, ier 9: {result.message((0, 1))}"
    assert reasons[1] == f"  1 failed, ier 0: {result.message((1, 3))}>"
    assert repr(result[0, 0]) == "<BatchResult: 1 fit of 3 parameters, 1 converged>"
    assert repr(result[:0]) == "<BatchResult: 0 x 4 fits of 3 parameters, 0 converged>"


def test_in_a_notebook_a_result_is_a_table() -> None:
    result = spoilt()
    table = ElementTree.fromstring(result._repr_html_())
    assert table.findtext("caption") == "3 x 4 fits of 3 parameters, 9 converged"
    rows = [[cell.text for cell in row] for row in table.iter("tr")]
    assert rows[0] == ["fits", "ier", "why they ended"]
    assert sum(int(count or 0) for count, _, _ in rows[1:]) == 12
    assert ["2", "9", result.message((0, 1))] in rows


def test_the_text_of_a_table_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchResult, "_message_of", lambda self, info: "<b> & more")
    assert "&lt;b&gt; &amp; more</td>" in spoilt()._repr_html_()


INDICES: list[Any] = [
    1, -1, np.int64(2), slice(1, 3), slice(None, None, 2), (1, 2), (1, slice(2)),
    [2, 0], np.array([[0, 1], [2, 0]]), ([0, 2], [1, 3]), (slice(None), [3, 0]),
    ..., (..., 1), (..., [0, 2]), (None, 1), np.arange(12).reshape(3, 4) % 5 == 1,
    np.array([True, False, True]), (), (2, ...),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_an_index_of_the_fits_gives_their_results(index: Any) -> None:
    result = spoilt()
    numbers = np.arange(12).reshape(3, 4)[index]
    some = result[index]
    assert type(some) is BatchResult
    for name in ("x", "cov", "cost", "nfev", "ier", "success", "active_mask"):
        whole = getattr(result, name)
        flat = whole.reshape(12, *whole.shape[2:])
        assert getattr(some, name).shape == flat[numbers].shape
        assert getattr(some, name).tobytes() == flat[numbers].tobytes()
    assert some.traced == result.traced
    if np.ndim(numbers) == 0:
        assert some.message() == result.message(divmod(int(numbers), 4))


def test_the_fits_that_have_failed_are_an_index() -> None:
    result = spoilt()
    failed = result[~result.success]
    assert len(failed) == 3
    assert {failed.message(i)[:7] for i in range(3)} == {"Stopped", "Bad inp"}


def test_a_result_goes_along_its_first_axis() -> None:
    result = spoilt()
    rows = list(result)
    assert len(rows) == len(result) == 3
    for i, row in enumerate(rows):
        assert same(row, result[i])
    assert [float(fit.cost) for fit in rows[0]] == pytest.approx(
        result.cost[0].tolist(), rel=0, abs=0, nan_ok=True
    )
    with pytest.raises(TypeError, match="unsized"):
        len(result[0, 0])


@pytest.mark.parametrize("index", [3, (0, 4), (0, 0, 0), (0, 0, slice(None)), "x", 1.0])
def test_what_is_no_index_of_the_fits_is_an_error(index: Any) -> None:
    with pytest.raises(IndexError):
        spoilt()[index]


def test_a_message_is_that_of_one_fit() -> None:
    with pytest.raises(TypeError, match="the index of one fit, 2 integers, not 1"):
        spoilt().message(1)


def test_standard_errors_are_the_roots_of_variances() -> None:
    result = spoilt()
    variances = np.diagonal(result.cov, axis1=-2, axis2=-1)
    assert result.stderr.shape == (3, 4, 3)
    np.testing.assert_array_equal(result.stderr, np.sqrt(variances))
    assert np.isnan(result.stderr[~result.success]).all()


def test_correlations_are_covariances_over_standard_errors() -> None:
    result = spoilt()
    s, r = result.stderr, result.correlation
    np.testing.assert_allclose(r * s[..., None, :] * s[..., :, None], result.cov)
    assert (np.diagonal(r[result.success], 0, 1, 2) == 1).all()
    assert np.isnan(r[~result.success]).all()


def test_a_fixed_parameter_has_no_error_and_no_correlation() -> None:
    y, _ = peaks(5)
    bounds = ([-np.inf, 1.0, 0.1], [np.inf, 1.0, 9.0])
    result = curve_fit_batch(peak, X, y, bounds=bounds)
    assert result.success.all()
    assert (result.stderr[:, 1] == 0).all()
    assert (result.stderr[:, [0, 2]] > 0).all()
    assert np.isnan(result.correlation[:, 1]).all()
    assert np.isnan(result.correlation[:, :, 1]).all()
    assert np.isfinite(result.correlation[:, [0, 0, 2, 2], [0, 2, 0, 2]]).all()


def test_correlations_neither_overflow_nor_vanish() -> None:
    tiny = curve_fit_batch(lambda t, a, b: a + b * t, X, 1e-150 * peaks(3)[0])
    assert (np.diagonal(tiny.correlation, 0, 1, 2) == 1).all()
    assert (abs(tiny.correlation) <= 1).all()


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

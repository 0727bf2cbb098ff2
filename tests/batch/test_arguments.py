"""Arguments that make no sense are errors that name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak, peaks
from minpack import curve_fit_batch, leastsq_batch

LONG = np.broadcast_to(np.int8(1), (2, 2**31))  # a byte, longer than an int of C counts


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"ydata": np.ones(POINTS)}, ValueError, "ydata"),
        ({"ydata": np.ones((5, POINTS), complex)}, TypeError, "ydata"),
        ({"ydata": np.full((5, POINTS), "a")}, TypeError, "ydata"),
        ({"xdata": np.ones(POINTS + 1)}, ValueError, "xdata"),
        ({"p0": np.ones((4, 3))}, ValueError, "p0"),
        ({"p0": np.ones((5, 3, 1))}, ValueError, "p0"),
        ({"p0": np.ones(POINTS + 1)}, ValueError, "as many points"),
        ({"sigma": np.ones(4)}, ValueError, "sigma"),
        ({"sigma": "wide"}, TypeError, "sigma"),
        ({"mask": np.zeros(4, bool)}, ValueError, "mask"),
        ({"mask": np.zeros(POINTS)}, TypeError, "mask"),
        ({"bounds": 1.0}, TypeError, "bounds"),
        ({"bounds": (0.0, 1.0, 2.0)}, ValueError, "bounds"),
        ({"bounds": ([0.0, 0.0], np.inf)}, ValueError, "lower bounds"),
        ({"bounds": (2.0, 1.0)}, ValueError, "must not be greater"),
        ({"bounds": (2.0, 3.0)}, ValueError, "p0 must be within"),
        ({"ftol": -1.0}, ValueError, "ftol"),
        ({"gtol": np.nan}, ValueError, "gtol"),
        ({"xtol": "1e-8"}, TypeError, "xtol must be a real number, not str"),
        ({"ftol": None}, TypeError, "ftol must be a real number, not NoneType"),
        ({"gtol": 10**400}, OverflowError, "gtol is too large for float64"),
        ({"maxfev": 1.5}, TypeError, "maxfev must be an integer"),
        ({"maxfev": 2**31}, OverflowError, "maxfev .* 2147483647 .* 2147483648"),
        ({"maxfev": -(10**30)}, OverflowError, "maxfev .* 2147483647 .*, not -1000"),
        ({"workers": 0}, ValueError, "workers"),
        ({"workers": 1.0}, TypeError, "workers must be an integer, not float"),
        ({"p0": []}, TypeError, "p0 must hold one number for each"),
        ({"p0": np.ones((5, 0))}, TypeError, "p0 must hold one number for each"),
        ({"p0": None, "bounds": ([], 1.0)}, TypeError, "bounds must hold one number"),
        ({"p0": [1.0, [2.0, 3.0]]}, ValueError, "p0: sequences of different lengths"),
        ({"ydata": [[1.0], [2.0, 3.0]]}, ValueError, "ydata: sequences of different"),
        ({"mask": [[True], [False] * 2]}, ValueError, "mask: sequences of different"),
        (
            {"p0": np.broadcast_to(1, 2**31)},
            ValueError,
            "p0 .* 2147483647 .*2147483648",
        ),
        ({"ydata": LONG}, ValueError, "ydata .* 2147483647 points .* 2147483648"),
        ({"ydata": LONG[:0]}, ValueError, "ydata .* 2147483647 points .* 2147483648"),
        ({"f": None}, TypeError, "f must be callable"),
        ({"jac": "2-point"}, TypeError, "jac must be callable"),
    ],
    ids=str,
)
def test_bad_arguments_are_errors_that_name_them(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    y, _ = peaks(5)
    call = {"f": peak, "xdata": X, "ydata": y, "p0": np.ones(3)}
    with pytest.raises(error, match=match):
        curve_fit_batch(**(call | change))


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"m": 2**31}, OverflowError, "m must be at most 2147483647 .* 2147483648"),
        ({"m": 10**30}, OverflowError, "m must be at most 2147483647 .* 1000000"),
        ({"m": -1}, ValueError, "m = -1 for n = 2"),
        ({"m": 3.0}, TypeError, "m must be an integer, not float"),
        ({"maxfev": 2**31}, OverflowError, "maxfev .* 2147483647 .* 2147483648"),
        ({"x0": np.ones((4, 0))}, ValueError, r"x0 must have a row.*\(4, 0\)"),
        ({"x0": []}, ValueError, r"x0 must have a row.*\(0,\)"),
        ({"x0": LONG}, ValueError, "x0 .* 2147483647 .* 2147483648"),
        ({"func": lambda p, r: LONG[:1]}, ValueError, "func .*2147483647.* 2147483648"),
    ],
    ids=str,
)
def test_bad_arguments_of_leastsq_batch_are_errors_that_name_them(
    change: dict[str, Any], error: type[Exception], match: str
) -> None:
    call = {"func": lambda p, rows: p[:, [0, 1, 1]], "x0": np.ones((4, 2))}
    with pytest.raises(error, match=match):
        leastsq_batch(**(call | change))


def test_without_a_start_the_signature_must_tell_the_number_of_parameters() -> None:
    y, _ = peaks(5)
    with pytest.raises(ValueError, match="p0 is needed"):
        curve_fit_batch(lambda x, *p: peak(x, *p), X, y)


def test_nothing_of_the_callers_is_changed() -> None:
    y, p0 = peaks(50)
    arrays = {
        "xdata": X + np.zeros((50, 1)), "ydata": y, "p0": p0, "sigma": np.ones(POINTS),
        "mask": np.zeros(y.shape, bool),
        "bounds": (np.full((50, 3), -1e9), np.full((50, 3), 1e9)),
    }  # fmt: skip
    before = {name: np.array(array) for name, array in arrays.items()}
    curve_fit_batch(peak, **arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.array(array), before[name])


MASKED = np.ma.masked_array(np.ones(POINTS), np.arange(POINTS) % 3 == 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("xdata", MASKED),
        ("xdata", (MASKED, X)),
        ("ydata", [MASKED] * 5),
        ("p0", MASKED[:3]),
        ("sigma", MASKED),
        ("mask", MASKED > 0),
        ("bounds", (MASKED[:3], 2.0)),
    ],
)
def test_masked_arrays_are_refused_for_there_is_mask(name: str, value: Any) -> None:
    call = {"f": peak, "xdata": X, "ydata": np.ones((5, POINTS)), name: value}
    with pytest.raises(
        TypeError, match=f"{name} must be plain numbers.*masked: .*mask="
    ):
        curve_fit_batch(**call)

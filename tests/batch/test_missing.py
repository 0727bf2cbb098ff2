"""NaN in the data: left out, refused, or a fit's own affair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from batch.peaks import POINTS, X, peak, peaks, same
from minpack import curve_fit, curve_fit_batch

COUNT = 60


def spoilt(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Data with NaN in a tenth of the points of one argument."""
    y, p0 = peaks(COUNT)
    rng = np.random.default_rng(2)
    data: dict[str, Any] = {
        "xdata": X + np.zeros(shape if name == "xdata" else POINTS),
        "ydata": y,
        "p0": p0,
        "sigma": rng.uniform(0.5, 2.0, shape if name == "sigma" else POINTS),
    }
    data[name][rng.random(data[name].shape) < 0.1] = np.nan
    return data


WHERE = pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("ydata", (COUNT, POINTS)),
        ("sigma", (COUNT, POINTS)),
        ("sigma", (POINTS,)),
        ("xdata", (COUNT, POINTS)),
        ("xdata", (POINTS,)),
    ],
    ids=str,
)


@WHERE
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("trace", [False, True])
def test_omit_leaves_out_points_as_a_mask_does(
    name: str, shape: tuple[int, ...], masked: bool, trace: bool
) -> None:
    data = spoilt(name, shape)
    mask = np.arange(POINTS) % 7 == 3 if masked else np.zeros(POINTS, bool)
    missing = np.isnan(np.broadcast_to(data[name], (COUNT, POINTS)))
    options = {"mask": mask} if masked else {}
    result = curve_fit_batch(peak, **data, nan_policy="omit", trace=trace, **options)
    assert same(result, curve_fit_batch(peak, **data, mask=mask | missing))
    for i in np.flatnonzero(result.success):
        keep = ~(mask | missing[i])
        x, y, sigma = (
            np.broadcast_to(data[each], (COUNT, POINTS))[i, keep]
            for each in ("xdata", "ydata", "sigma")
        )
        popt, pcov = curve_fit(peak, x, y, data["p0"][i], sigma)
        assert result.x[i].tobytes() == popt.tobytes()
        assert result.cov[i].tobytes() == pcov.tobytes()
    assert result.success.mean() > 0.8


def test_omit_has_the_bits_of_curve_fit_with_it() -> None:
    data = spoilt("ydata", ())
    result = curve_fit_batch(peak, **data, nan_policy="omit")
    for i in np.flatnonzero(result.success):
        one = data | {"ydata": data["ydata"][i], "p0": data["p0"][i]}
        popt, pcov = curve_fit(peak, **one, nan_policy="omit")
        assert result.x[i].tobytes() == popt.tobytes()
        assert result.cov[i].tobytes() == pcov.tobytes()


def test_omit_reads_data_of_any_type_and_shape() -> None:
    y, p0 = peaks(COUNT)
    y[::5, 4] = np.nan
    expected = curve_fit_batch(peak, X, y, p0, mask=np.isnan(y))
    for other in (np.asfortranarray(y), y.reshape(3, -1, POINTS)):
        starts = p0.reshape(*other.shape[:-1], 3)
        result = curve_fit_batch(peak, X, other, starts, nan_policy="omit")
        assert same(result, expected)
    low = y.astype(np.float32)
    assert same(
        curve_fit_batch(peak, X, low, p0, nan_policy="omit"),
        curve_fit_batch(peak, X, low, p0, mask=np.isnan(y)),
    )
    counts = np.round(np.nan_to_num(100 * y)).astype(int)
    assert same(
        curve_fit_batch(peak, X, counts, p0, nan_policy="omit"),
        curve_fit_batch(peak, X, counts, p0),
    )


def test_omit_looks_at_all_predictors() -> None:
    rng = np.random.default_rng(5)
    u, v = rng.normal(size=(2, POINTS))
    y = np.array([[1.0], [2.0], [3.0]]) * u + 0.5 * v
    v[3] = u[8] = np.nan

    def plane(x: Any, a: Any, b: Any) -> Any:
        return a * x[0] + b * x[1]

    for predictors in (np.stack([u, v]), (u, v)):
        result = curve_fit_batch(plane, predictors, y, nan_policy="omit")
        np.testing.assert_allclose(result.x[:, 0], [1.0, 2.0, 3.0], rtol=1e-6)


@pytest.mark.parametrize("with_x", [False, True])
def test_omit_serves_compiled_models_too(with_x: bool) -> None:
    numba = pytest.importorskip("numba")
    number, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(number(number, number, numbers, numbers, numbers))
    def line(m: Any, n: Any, p: Any, values: Any, x: Any) -> Any:
        for i in range(m):
            values[i] = p[0] + p[1] * x[i]
        return 0

    x = X + np.zeros((2, 1)) if with_x else X.copy()
    y = np.array([[1.0], [2.0]]) + 0.5 * X
    y[0, 3] = np.nan
    x[..., 7] = np.nan
    result = curve_fit_batch(line, x, y, [0.0, 0.0], nan_policy="omit")
    np.testing.assert_allclose(result.x, [[1.0, 0.5], [2.0, 0.5]], rtol=1e-6)


def test_a_fit_without_enough_points_is_what_a_mask_makes_of_it() -> None:
    y, p0 = peaks(20)
    y[3, 2:] = np.nan
    y[4] = np.nan
    result = curve_fit_batch(peak, X, y, p0, nan_policy="omit")
    np.testing.assert_array_equal(np.flatnonzero(result.ier == 0), [3, 4])
    assert "fewer points" in result.message(3)


def test_data_without_nan_are_fitted_as_ever() -> None:
    y, p0 = peaks(20)
    expected = curve_fit_batch(peak, X, y, p0)
    for policy in ("omit", "raise"):
        result = curve_fit_batch(peak, X, y, p0, nan_policy=policy, check_finite=True)
        assert same(result, expected)


@WHERE
def test_raise_refuses_nan_unless_it_is_masked(
    name: str, shape: tuple[int, ...]
) -> None:
    data = spoilt(name, shape)
    with pytest.raises(ValueError, match=r"NaN in xdata, ydata or sigma.*'raise'"):
        curve_fit_batch(peak, **data, nan_policy="raise")
    mask = np.isnan(np.broadcast_to(data[name], (COUNT, POINTS)))
    assert same(
        curve_fit_batch(peak, **data, mask=mask, nan_policy="raise"),
        curve_fit_batch(peak, **data, mask=mask),
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["xdata", "ydata"])
@pytest.mark.parametrize("policy", [None, "omit", "raise"])
def test_check_finite_refuses_what_is_not_finite_unless_it_is_masked(
    name: str, value: float, policy: Any
) -> None:
    y, p0 = peaks(20)
    data = {"xdata": X.copy(), "ydata": y, "p0": p0, "nan_policy": policy}
    data[name][..., 5] = value
    with pytest.raises(ValueError, match="xdata and ydata must be finite"):
        curve_fit_batch(peak, **data, check_finite=True)
    mask = np.arange(POINTS) == 5
    result = curve_fit_batch(peak, **data, check_finite=True, mask=mask)
    assert same(
        result, curve_fit_batch(peak, **(data | {"nan_policy": None}), mask=mask)
    )


def test_infinity_is_left_to_the_fit() -> None:
    y, p0 = peaks(20)
    y[3, 4] = np.inf
    for policy in (None, "omit", "raise"):
        result = curve_fit_batch(peak, X, y, p0, nan_policy=policy)
        np.testing.assert_array_equal(np.flatnonzero(result.ier == 9), [3])


def test_another_policy_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"nan_policy must be .* not 'propagate'"):
        curve_fit_batch(peak, X, np.ones((2, POINTS)), nan_policy="propagate")

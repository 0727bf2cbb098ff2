"""Data in any number of axes, and as pandas and xarray have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arrays import Array
from batch.peaks import POINTS, X, peak, peak_jacobian, peaks, same
from minpack import BatchResult, curve_fit, curve_fit_batch, leastsq_batch

LEADS = [(12,), (3, 4), (2, 3, 2), (1, 12), (12, 1)]
NAMES = ("x", "cov", "cost", "nfev", "ier", "success", "active_mask")


def image(*lead: int) -> tuple[Array, Array]:
    """Peaks and starts of fits in this shape, all of which converge."""
    y, truth = peaks(64)
    good = curve_fit_batch(peak, X, y, truth).success
    count = int(np.prod(lead))
    return y[good][:count].reshape(*lead, POINTS), truth[good][:count].reshape(*lead, 3)


def flat(lead: tuple[int, ...], array: Any) -> Any:
    return np.reshape(array, (-1, *array.shape[len(lead) :]))


def assert_has_shape(
    result: BatchResult, expected: BatchResult, lead: tuple[int, ...]
) -> None:
    """It is the result of the fits in one row, in another shape."""
    for name in NAMES:
        each = getattr(result, name)
        assert each.shape == (*lead, *getattr(expected, name).shape[1:]), name
    assert same(result, expected)


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_results_have_the_shape_of_the_data(lead: tuple[int, ...], trace: bool) -> None:
    y, p0 = image(*lead)
    result = curve_fit_batch(peak, X, y, p0, trace=trace)
    assert_has_shape(
        result, curve_fit_batch(peak, X, flat(lead, y), flat(lead, p0)), lead
    )
    for i in np.ndindex(lead):
        x, cov = curve_fit(peak, X, y[i], p0[i])
        assert result.x[i].tobytes() == x.tobytes()
        assert result.cov[i].tobytes() == cov.tobytes()


OF_EACH_FIT: dict[str, Callable[[tuple[int, ...]], dict[str, Any]]] = {
    "sigma": lambda lead: {"sigma": spread(lead, POINTS)},
    "a sigma a fit": lambda lead: {"sigma": spread(lead, 1)},
    "a row of sigma": lambda lead: {"sigma": spread((), POINTS)},
    "mask": lambda lead: {"mask": spread(lead, POINTS) > 1.7},
    "a row of mask": lambda lead: {"mask": spread((), POINTS) > 1.7},
    "lower bounds": lambda lead: {"bounds": (-50 * spread(lead, 3), np.inf)},
    "upper bounds": lambda lead: {"bounds": ([-9.0, -9, -9], 50 * spread(lead, 3))},
    "xdata": lambda lead: {"xdata": X + 0.01 * spread(lead, POINTS)},
}


def spread(lead: tuple[int, ...], size: int) -> Array:
    return np.random.default_rng(3).uniform(0.5, 2.0, (*lead, size))


@pytest.mark.parametrize("given", OF_EACH_FIT.values(), ids=OF_EACH_FIT)
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_what_each_fit_has_of_its_own_has_the_shape_of_the_data(
    lead: tuple[int, ...], given: Callable[..., dict[str, Any]]
) -> None:
    y, p0 = image(*lead)
    arguments = given(lead)
    in_a_row = {
        name: tuple(one_row(lead, each) for each in value)
        if name == "bounds"
        else one_row(lead, value)
        for name, value in arguments.items()
    }
    call = {"f": peak, "xdata": X, "ydata": y, "p0": p0}
    flattened = {"f": peak, "xdata": X, "ydata": flat(lead, y), "p0": flat(lead, p0)}
    assert_has_shape(
        curve_fit_batch(**(call | arguments)),
        curve_fit_batch(**(flattened | in_a_row)),
        lead,
    )


def one_row(lead: tuple[int, ...], value: Any) -> Any:
    return flat(lead, value) if np.ndim(value) > len(lead) else value


@pytest.mark.parametrize("name", ["p0", "sigma", "mask", "bounds", "xdata"])
def test_axes_of_length_one_stand_for_all_fits_along_them(name: str) -> None:
    y, p0 = image(3, 4)
    rng = np.random.default_rng(9)
    some: dict[str, Any] = {
        "p0": p0[:, :1] * np.ones(3),
        "sigma": rng.uniform(0.5, 2.0, (1, 4, POINTS)),
        "mask": rng.random((3, 1, POINTS)) < 0.2,
        "bounds": rng.uniform(-9.0, -8.0, (4, 3)),
        "xdata": X + rng.uniform(-0.01, 0.01, (1, 4, POINTS)),
    }
    size = 3 if name in ("p0", "bounds") else POINTS
    whole = np.array(np.broadcast_to(some[name], (3, 4, size)))

    def fit(value: Any) -> BatchResult:
        argument = (value, np.inf) if name == "bounds" else value
        return curve_fit_batch(
            **({"f": peak, "xdata": X, "ydata": y, "p0": p0} | {name: argument})
        )

    assert same(fit(some[name]), fit(whole))


@pytest.mark.parametrize("name", ["p0", "sigma", "mask", "bounds"])
def test_a_shape_that_is_not_that_of_the_fits_is_an_error_that_says_so(
    name: str,
) -> None:
    y, _ = image(3, 4)
    size = 3 if name in ("p0", "bounds") else POINTS
    for lead in [(12,), (4, 3), (2, 3, 4)]:
        value: Any = np.ones((*lead, size), bool if name == "mask" else float)
        argument = (-value, 9 * value) if name == "bounds" else value
        with pytest.raises(ValueError, match=rf"{name} must be .*\(3, 4, {size}\)"):
            curve_fit_batch(
                **({"f": peak, "xdata": X, "ydata": y, "p0": None} | {name: argument})
            )


def test_an_image_is_read_in_whatever_order_its_axes_lie() -> None:
    y, p0 = image(3, 4)
    expected = curve_fit_batch(peak, X, y, p0)
    frames = np.ascontiguousarray(np.moveaxis(y, -1, 0))  # (POINTS, rows, columns)
    assert same(curve_fit_batch(peak, X, np.moveaxis(frames, 0, -1), p0), expected)
    assert same(curve_fit_batch(peak, X, np.asfortranarray(y), p0), expected)


@pytest.mark.parametrize("lead", [(0,), (0, 3), (3, 0)], ids=str)
def test_an_image_without_pixels_has_results_without_fits(
    lead: tuple[int, ...],
) -> None:
    result = curve_fit_batch(peak, X, np.ones((*lead, POINTS)))
    assert result.x.shape == (*lead, 3)
    assert result.cov.shape == (*lead, 3, 3)
    assert leastsq_batch(lambda p, rows: p, np.ones((*lead, 2))).x.shape == (*lead, 2)


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("bounded", [False, True])
def test_starts_of_leastsq_batch_have_any_shape(bounded: bool, trace: bool) -> None:
    y, p0 = image(3, 4)
    rows_of_y = y.reshape(-1, POINTS)

    def func(p: Array, rows: Array) -> Array:
        return peak(X, *p.T[:, :, None]) - rows_of_y[rows]

    bounds = (
        [np.minimum(p0, -9.0), np.maximum(p0, 9.0)] if bounded else [-np.inf, np.inf]
    )
    result = leastsq_batch(func, p0, bounds=bounds, trace=trace)
    in_a_row = [flat((3, 4), b) for b in bounds] if bounded else bounds
    expected = leastsq_batch(func, p0.reshape(-1, 3), bounds=in_a_row, trace=trace)
    assert_has_shape(result, expected, (3, 4))


def test_user_data_has_the_shape_of_the_fits() -> None:
    numba = pytest.importorskip("numba")
    number, numbers = numba.types.intc, numba.types.CPointer(numba.types.double)

    @numba.cfunc(number(number, number, numbers, numbers, numbers))
    def distances(m: Any, n: Any, x: Any, fvec: Any, data: Any) -> Any:
        for i in range(m):
            fvec[i] = x[0] - data[i]
        return 0

    data = np.arange(24.0).reshape(2, 3, 4)
    result = leastsq_batch(distances, np.ones((2, 3, 1)), m=4, user_data=data)
    np.testing.assert_allclose(result.x[..., 0], data.mean(axis=-1))
    with pytest.raises(ValueError, match=r"user_data .* 6 fits, \(2, 3, ...\), not"):
        leastsq_batch(distances, np.ones((2, 3, 1)), m=4, user_data=data.reshape(6, 4))


# Labelled arrays --------------------------------------------------------------


def frame(values: Any) -> Any:
    """A table whose rows and columns are labelled from the last to the first."""
    rows, columns = np.shape(values)
    return pytest.importorskip("pandas").DataFrame(
        values, index=np.arange(rows)[::-1], columns=np.arange(columns)[::-1]
    )


def data_array(values: Any) -> Any:
    xarray = pytest.importorskip("xarray")
    dims = [f"axis {k}" for k in range(np.ndim(values))]
    labels = {d: np.arange(s)[::-1] for d, s in zip(dims, values.shape, strict=True)}
    return xarray.DataArray(values, dims=dims, coords=labels)


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize(
    ("make", "lead"), [(frame, (12,)), (data_array, (12,)), (data_array, (3, 4))]
)
def test_labelled_arrays_are_read_by_place_and_plain_arrays_returned(
    make: Callable[[Any], Any], lead: tuple[int, ...], trace: bool
) -> None:
    y, p0 = image(*lead)
    plain: dict[str, Any] = {
        "xdata": X + 0.01 * spread(lead, POINTS),
        "ydata": y,
        "p0": p0,
        "sigma": spread(lead, POINTS),
        "mask": spread(lead, POINTS) > 1.7,
    }
    labelled = {name: make(value) for name, value in plain.items()}
    low, high = np.minimum(p0, -9.0), np.maximum(p0, 9.0)
    result = curve_fit_batch(
        peak, **labelled, bounds=(make(low), make(high)), trace=trace
    )
    assert same(result, curve_fit_batch(peak, **plain, bounds=(low, high)))
    assert all(type(getattr(result, name)) is np.ndarray for name in NAMES)


def test_columns_of_a_table_are_read_by_place() -> None:
    series = pytest.importorskip("pandas").Series
    y, _ = image(12)
    sigma, mask = spread((), POINTS), spread((), POINTS) > 1.7
    order = np.arange(POINTS)[::-1]
    result = curve_fit_batch(
        peak, series(X, order), frame(y), series([2.0, 1.0, 1.0], list("cab")),
        series(sigma, order), mask=series(mask, order),
    )  # fmt: skip
    assert same(result, curve_fit_batch(peak, X, y, [2.0, 1, 1], sigma, mask=mask))


def test_a_table_of_predictors_is_still_the_models_own() -> None:
    table = pytest.importorskip("pandas").DataFrame({"u": X, "v": X**2})
    y = np.array([[1.0], [2.0]]) * X + 0.5 * X**2

    def plane(x: Any, a: Any, b: Any) -> Array:
        return a * x["u"].to_numpy() + b * x["v"].to_numpy()

    np.testing.assert_allclose(
        curve_fit_batch(plane, table, y).x, [[1.0, 0.5], [2.0, 0.5]], rtol=1e-6
    )


def test_a_jacobian_serves_an_image_too() -> None:
    y, p0 = image(3, 4)
    result = curve_fit_batch(peak, X, y, p0, jac=peak_jacobian)
    expected = curve_fit_batch(
        peak, X, y.reshape(-1, POINTS), p0.reshape(-1, 3), jac=peak_jacobian
    )
    assert_has_shape(result, expected, (3, 4))

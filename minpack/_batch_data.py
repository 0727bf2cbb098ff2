"""The data of a batch: arrays with a row for each fit, or one for all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._arguments import refuse_masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Shape = tuple[int, ...]

INT_MAX = 2**31 - 1  # of C's int, in which the solver counts


def check_size(text: str, size: int) -> None:
    """Raise where an axis is longer than the solver can count."""
    if size > INT_MAX:
        raise ValueError(text.format(INT_MAX, size))


def check_points(m: int) -> None:
    """Raise where `ydata` has more points in a row than the solver can count."""
    check_size("ydata must have at most {} points in a row, not {}", m)


def array_of(name: str, values: Any) -> Array:
    """Return an array, the caller's own if it is one."""
    refuse_masked(name, values, "there is mask= for points to leave out")
    try:
        return np.asarray(values)
    except ValueError:
        if not isinstance(values, list | tuple):  # what its own methods raise
            raise
        raise ValueError(
            f"{name}: sequences of different lengths are no array of numbers"
        ) from None


def is_real(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf" and np.can_cast(dtype, np.float64)


def real_array(name: str, values: Any) -> Array:
    """Return an array of real numbers, the caller's own if it is one."""
    array = array_of(name, values)
    if not is_real(array.dtype):
        raise TypeError(
            f"{name} must be real numbers that fit float64, not dtype {array.dtype}"
        )
    return array


def as_floats(array: Array) -> Array:
    """Return an array of real numbers as float64 or float32, itself if it is one."""
    if array.dtype in (np.float64, np.float32) and array.dtype.isnative:
        return array if array.flags.aligned else array.astype(array.dtype)
    return array.astype(np.float64)


def float_array(name: str, values: Any) -> Array:
    """Return an array of float64 or float32, the caller's own if it is one."""
    return as_floats(real_array(name, values))


def per_fit(
    name: str, array: Array, lead: Shape, size: int, *, contiguous: bool = False
) -> Array:
    """Give an array a row for each fit, (B, size); one row for all is not copied.

    `lead` is the shape that the fits have, to which the array broadcasts.
    """
    try:
        np.broadcast_to(array, (*lead, size))
    except ValueError:
        raise ValueError(
            f"{name} must be one number, of shape ({size},) or a row a fit, "
            f"{(*lead, size)}, not {array.shape}"
        ) from None
    if array.shape[-1:] != (size,):
        array = np.broadcast_to(array, (*array.shape[:-1], size))
    if contiguous and array.strides[-1] != array.itemsize:
        array = np.ascontiguousarray(array)
    count = math.prod(lead)
    if math.prod(array.shape[:-1]) == 1:
        return np.broadcast_to(array.reshape(size), (count, size))
    return np.broadcast_to(array, (*lead, size)).reshape(count, size)


def shared_or_rows(xdata: Any, shape: Shape) -> tuple[Any, Array | None]:
    """Return `xdata` as what `f` gets for all fits, or else as rows, one a fit.

    `shape` is that of the data, the points in its last axis, and then that of the
    rows. One of the two is None.
    """
    x = _predictors(xdata, shape)
    is_tuple = isinstance(xdata, tuple)
    if x is None or (is_tuple and x.shape[-1:] != shape[-1:]):
        return xdata, None
    if _has_rows(x.shape, shape) and not is_tuple:
        return None, x if x.shape == shape else np.broadcast_to(x, shape)
    if x.ndim and x.shape[-1] != shape[-1]:
        raise ValueError(
            f"xdata must have the {shape[-1]} points of a row of ydata in its last "
            f"axis, not shape {x.shape}"
        )
    return x.astype(np.float64, copy=False), None


def _has_rows(x: Shape, shape: Shape) -> bool:
    """Whether an array of shape `x` has a row a fit: it has the shape of the data.

    Where fits have more axes than one, axes of length 1 stand for the same row in all.
    """
    if len(shape) <= 2:
        return x == shape and len(x) == 2
    return (
        len(x) == len(shape)
        and x[-1] == shape[-1]
        and all(size in (1, fits) for size, fits in zip(x, shape, strict=True))
    )


def _predictors(xdata: Any, shape: Shape) -> Array | None:
    """Return `xdata` as float64 or float32, or None where it is no array of numbers.

    An array that is not NumPy's, such as a column of a table, counts as one where it
    has one dimension or the `shape` of the data: others may have labels that `f` uses.
    """
    is_plain = isinstance(xdata, list | tuple | np.ndarray)
    if not is_plain and not (
        hasattr(xdata, "__array__")
        and (getattr(xdata, "ndim", 1) == 1 or getattr(xdata, "shape", None) == shape)
    ):
        return None
    refuse_masked("xdata", xdata, "there is mask= for points to leave out")
    try:
        x = np.asarray(xdata)
    except (TypeError, ValueError, RuntimeError):  # ragged, or on another device
        return None
    if x.dtype.kind not in "biuf" or not (is_plain or x.ndim == 1 or x.shape == shape):
        return None
    return float_array("xdata", x)


def xdata_of_compiled(xdata: Any, shape: Shape) -> Array | None:
    """Return a float64 row for each fit, (B, ...), or None where `xdata` is."""
    if xdata is None:
        return None
    if not isinstance(xdata, tuple):  # which is for all fits, of whatever shape
        xdata = float_array("xdata", xdata)
    x, rows = shared_or_rows(xdata, shape)
    count = math.prod(shape[:-1])
    if rows is not None:
        return np.ascontiguousarray(rows, np.float64).reshape(count, shape[-1])
    shared = np.ascontiguousarray(float_array("xdata", x), dtype=np.float64)
    return np.broadcast_to(shared, (count, *shared.shape))


def data_rows(user_data: Any, lead: Shape) -> Array:
    """Return `user_data` with a row for each fit, (B, ...)."""
    data = np.asarray(user_data)
    count, axes = math.prod(lead), len(lead)
    if data.shape[:axes] != lead or data.dtype.hasobject:
        raise ValueError(
            f"user_data must have a row for each of the {count} fits, "
            f"({', '.join(map(str, lead))}, ...), not shape {data.shape} of "
            f"{data.dtype}"
        )
    if count and not data[(0,) * axes].flags.c_contiguous:
        raise ValueError("each row of user_data must be contiguous")
    return data.reshape(count, *data.shape[axes:])


def points_of_xdata(x: Any, x_rows: Array | None, m: int) -> Array | None:
    """Return `xdata` as (B, ..., m), or (1, ..., m) for all fits.

    None where it is no array of numbers with a point of data for each in its last axis.
    """
    is_shared = isinstance(x, np.ndarray) and x.dtype.kind == "f"
    array = x[None] if is_shared else x_rows
    return array if array is not None and array.shape[1:][-1:] == (m,) else None


def points_where(test: Callable[[Array], Array], *arrays: Array | None) -> Array | None:
    """Return at which points (B, m) one of some arrays has what `test` finds, or None.

    The arrays are of shape (B, ..., m). The result is (1, m) where one row serves all.
    """
    found: Array | None = None
    for array in arrays:
        if array is None:
            continue
        rows = array if array.strides[0] else array[:1]
        here: Array = np.any(test(rows), axis=tuple(range(1, rows.ndim - 1)))
        if here.any():
            found = here if found is None else found | here
    return found


def read_missing(
    nan_policy: str | None,
    check_finite: bool,
    mask: Array | None,
    sigma: Array | None,
    x: Array | None,
    y: Array,
) -> Array | None:
    """Return the mask (B, m) with the points that `nan_policy` leaves out.

    Raise where there is what `nan_policy` or `check_finite` does not let pass, but for
    points that are masked.
    """
    if nan_policy not in ("raise", "omit", None):
        raise ValueError(
            f"nan_policy must be 'raise', 'omit' or None, not {nan_policy!r}"
        )
    masked = mask[:1] if mask is not None and mask.strides[0] == 0 else mask
    counts = True if masked is None else ~masked
    if check_finite:
        infinite = points_where(lambda array: ~np.isfinite(array), x, y)
        if infinite is not None and (infinite & counts).any():
            raise ValueError(
                "xdata and ydata must be finite where check_finite is true: there is "
                "NaN or infinity in them"
            )
    if nan_policy is None:
        return mask
    missing = points_where(np.isnan, y, x, sigma)
    if missing is None or not (missing & counts).any():
        return mask
    if nan_policy == "raise":
        raise ValueError(
            "there is NaN in xdata, ydata or sigma, and nan_policy is 'raise'"
        )
    if masked is not None:
        missing = missing | masked
    return np.broadcast_to(np.ascontiguousarray(missing), y.shape)

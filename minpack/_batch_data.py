"""The data of a batch: arrays with a row for each fit, or one for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._arguments import refuse_masked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

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
    name: str, array: Array, count: int, size: int, *, contiguous: bool = False
) -> Array:
    """Give an array a row for each fit; rows that fits share are not copied."""
    if array.shape not in ((), (size,), (count, size)):
        raise ValueError(
            f"{name} must be one number, of shape ({size},) or a row a fit, "
            f"({count}, {size}), not {array.shape}"
        )
    if array.ndim == 0:
        array = np.broadcast_to(array, (size,)).copy()
    if contiguous and array.ndim and array.strides[-1] != array.itemsize:
        array = np.ascontiguousarray(array)
    if array.ndim == 1:
        array = np.broadcast_to(array, (count, size))
    return array


def shared_or_rows(xdata: Any, shape: tuple[int, ...]) -> tuple[Any, Array | None]:
    """Return `xdata` as what `f` gets for all fits, or else as rows, one a fit.

    `shape` is that of the data, the points in its last axis. One of the two is None.
    """
    x = _predictors(xdata)
    is_tuple = isinstance(xdata, tuple)
    if x is None or (is_tuple and x.shape[-1:] != shape[-1:]):
        return xdata, None
    if x.shape == shape and x.ndim > 1 and not is_tuple:
        return None, x
    if x.ndim and x.shape[-1] != shape[-1]:
        raise ValueError(
            f"xdata must have the {shape[-1]} points of a row of ydata in its last "
            f"axis, not shape {x.shape}"
        )
    return x.astype(np.float64, copy=False), None


def _predictors(xdata: Any) -> Array | None:
    """Return `xdata` as float64 or float32, or None where it is no array of numbers.

    An array that is not NumPy's, such as a column of a table, counts as one where it
    has one dimension: with more, it may have labels that `f` uses.
    """
    is_plain = isinstance(xdata, list | tuple | np.ndarray)
    if not is_plain and not (
        hasattr(xdata, "__array__") and getattr(xdata, "ndim", 1) == 1
    ):
        return None
    refuse_masked("xdata", xdata, "there is mask= for points to leave out")
    try:
        x = np.asarray(xdata)
    except (TypeError, ValueError, RuntimeError):  # ragged, or on another device
        return None
    if x.dtype.kind not in "biuf" or not (is_plain or x.ndim == 1):
        return None
    return float_array("xdata", x)


def xdata_of_compiled(xdata: Any, shape: tuple[int, ...]) -> Array | None:
    """Return a float64 row for each fit, or None where `xdata` is."""
    if xdata is None:
        return None
    if not isinstance(xdata, tuple):  # which is for all fits, of whatever shape
        xdata = float_array("xdata", xdata)
    x, rows = shared_or_rows(xdata, shape)
    if rows is not None:
        return np.ascontiguousarray(rows, dtype=np.float64)
    shared = np.ascontiguousarray(float_array("xdata", x), dtype=np.float64)
    return np.broadcast_to(shared, (shape[0], *shared.shape))


def data_rows(user_data: Any, count: int) -> Array:
    data = np.asarray(user_data)
    if data.ndim == 0 or data.shape[0] != count or data.dtype.hasobject:
        raise ValueError(
            f"user_data must have a row for each of the {count} fits, not shape "
            f"{data.shape} of {data.dtype}"
        )
    if count and not data[0].flags.c_contiguous:
        raise ValueError("each row of user_data must be contiguous")
    return data

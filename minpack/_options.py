"""Options that `curve_fit` and `least_squares` take as SciPy's do."""

from __future__ import annotations

import operator
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Vector = NDArray[np.float64]

_EPS = 2.0**-52
_INT_MAX = 2**31 - 1  # of C's int, in which the solver counts
METHODS = (None, "lm", "trf", "dogbox")


def check_method(method: Any) -> None:
    """Raise a ValueError unless it is a name of the one algorithm there is."""
    if isinstance(method, str | None) and method in METHODS:
        return
    raise ValueError(
        "method must be 'lm', 'trf', 'dogbox' or None, all names of one algorithm, not "
        f"{method!r}"
    )


def check_dense(tr_solver: Any, tr_options: Any, jac_sparsity: Any) -> None:
    """Raise a ValueError for what SciPy's methods do with a Jacobian that is not dense.

    What means nothing for a dense Jacobian is accepted.
    """
    if tr_solver is not None and tr_solver != "exact":
        raise ValueError(
            f"tr_solver must be None or 'exact', not {tr_solver!r}: the Jacobian is "
            "dense and always factorized"
        )
    if tr_options:
        raise ValueError(
            f"tr_options must be None or empty, not {tr_options!r}: the exact solver "
            "has no options"
        )
    if jac_sparsity is not None:
        raise ValueError(
            f"jac_sparsity must be None, not {type(jac_sparsity).__name__}: the "
            "Jacobian is dense"
        )


def tolerances(method: str | None, **given: Any) -> list[Any]:
    """Read tolerances as SciPy's `least_squares` does: None switches one off.

    By the name 'lm' none may be off; by others one may, but not all of them.
    """
    read = []
    for name, value in given.items():
        if value is None:
            value = 0.0
        is_off = isinstance(value, int | float) and not value >= _EPS
        if is_off and (method == "lm" or value != value):
            raise ValueError(
                f"{name} must be at least the machine epsilon, 2.2e-16, not "
                f"{given[name]}"
            )
        if is_off and value:
            warnings.warn(
                f"{name} = {value:g} is below the machine epsilon, 2.2e-16, and so "
                "switched off",
                stacklevel=3,
            )
        read.append(0.0 if is_off else value)
    if not any(read):
        raise ValueError(
            f"{', '.join(given)} must not all be None or below the machine epsilon, "
            "2.2e-16: nothing would end the fit but its limit of evaluations"
        )
    return read


def evaluations(name: str, value: Any, default: int) -> int:
    """Read a limit of evaluations, which may be a float; None means the default."""
    if value is None:
        return default
    if isinstance(value, float | np.floating):
        if not value > 0:
            raise ValueError(f"{name} must be positive, not {value}")
        return int(min(value, _INT_MAX)) or 1
    try:
        limit = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be a number or None, not {type(value).__name__}"
        ) from None
    if limit <= 0:
        raise ValueError(f"{name} must be a positive integer, not {value}")
    return min(limit, _INT_MAX)


def positive(name: str, value: Any, n: int, other: str = "") -> _Vector:
    """Read one positive number for each parameter, or one for all."""
    wrong = ValueError(
        f"{name} must be {other}a positive number or one for each of the {n} "
        f"parameters, not {value!r}"
    )
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or array.shape not in ((), (n,)):
        raise wrong
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise wrong
    return np.full(n, array, dtype=float)


def scales(x_scale: Any, n: int) -> _Vector | None:
    """Make diag of x_scale; None where it follows the columns of the Jacobian."""
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return None
    return np.divide(1, positive("x_scale", x_scale, n, "'jac', "))

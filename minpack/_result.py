"""The result of a fit with named parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Vector = NDArray[np.float64]

# What a reader looks for first; the rest follows as it was set.
_FIRST = ("message", "success", "status", "fun", "x")


class OptimizeResult(dict[str, Any]):
    """A dictionary whose entries are attributes too: ``result["x"]`` is ``result.x``.

    Which entries there are is said where a function returns one.

    Examples
    --------
    >>> from minpack import OptimizeResult
    >>> result = OptimizeResult(x=1.5, success=True)
    >>> result.x
    1.5
    >>> result
     success: True
           x: 1.5
    """

    if TYPE_CHECKING:  # the entries of least_squares and of what its callback gets
        message: str
        success: bool
        status: int
        fun: _Vector
        x: _Vector
        cost: float
        jac: _Vector
        grad: _Vector
        optimality: float
        active_mask: NDArray[np.intp]
        nit: int
        nfev: int
        njev: int | None
        method: str  # no entry
        # of check_jacobian, with message, success, jac and method
        wrong: NDArray[np.intp]
        expected: _Vector
        uncertainty: _Vector

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__} has no entry {name!r}", name=name, obj=self
            ) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop(name, None)  # an attribute that is no entry
        self[name] = value

    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        if not self:
            return f"{type(self).__name__}()"
        names = [name for name in _FIRST if name in self]
        names += [name for name in self if name not in _FIRST]
        width = 1 + max(map(len, names))
        with np.printoptions(
            linewidth=76 - width,
            edgeitems=2,
            threshold=12,
            formatter={"float_kind": _short},
        ):
            lines = (
                f"{name:>{width}}: "
                + str(self[name]).replace("\n", "\n" + " " * (width + 2))
                for name in names
            )
            return "\n".join(lines)


def _short(number: np.floating[Any]) -> str:
    """Write a number in ten characters."""
    if not np.isfinite(number):
        return f"{number:10}"
    return np.format_float_scientific(number, precision=3, pad_left=2, unique=False)

"""Who looks at the iterates of a fit."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from minpack._result import OptimizeResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    _Vector = NDArray[np.float64]


class Observer:
    """Shows each new iterate to a callback and, with verbose 2, on the screen."""

    def __init__(self, callback: Callable[..., Any] | None, verbose: int) -> None:
        if verbose not in (0, 1, 2):
            raise ValueError(f"verbose must be 0, 1 or 2, not {verbose!r}")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable, not {callback!r}")
        self.callback = callback
        self.takes_result = callback is not None and _takes_result(callback)
        self.verbose = verbose
        self.first_cost: float | None = None
        self.x = np.empty(0)
        self.cost = 0.0
        self.nfev = 0
        self.optimality = 0.0

    def __call__(
        self,
        x: _Vector,
        fvec: _Vector | None,  # None where nobody has them all
        cost: float,
        nit: int,
        nfev: int,
        optimality: float,
    ) -> bool:
        """Look at an iterate, and say whether to stop."""
        if nit == 0:
            self.first_cost = cost
        if self.verbose == 2:
            self.print_row(x, cost, nit, nfev, optimality)
        self.x, self.cost = x.copy(), cost  # the callback may change its x
        self.nfev, self.optimality = nfev, optimality
        if self.callback is None or nit == 0:
            return False
        try:
            if self.takes_result:
                result = OptimizeResult(
                    x=x, fun=fvec, cost=cost, optimality=optimality, nit=nit, nfev=nfev
                )
                if fvec is None:
                    del result["fun"]
                answer = self.callback(intermediate_result=result)
            else:
                answer = self.callback(x)
        except StopIteration:
            return True
        return isinstance(answer, bool | np.bool_) and bool(answer)

    def print_row(
        self, x: _Vector, cost: float, nit: int, nfev: int, optimality: float
    ) -> None:
        if nit == 0:
            header = ("Iteration", "Total nfev", "Cost", "Cost reduction", "Step norm")
            print("".join(f"{title:^15}" for title in (*header, "Optimality")))
            progress = " " * 30
        else:
            step = float(np.linalg.norm(x - self.x))
            progress = f"{self.cost - cost:^15.2e}{step:^15.2e}"
        print(f"{nit:^15}{nfev:^15}{cost:^15.4e}{progress}{optimality:^15.2e}")

    def print_end(self, message: str) -> None:
        """Print how the fit ended, from what was seen at its last iterate."""
        if not self.verbose:
            return
        print(message)
        if self.first_cost is not None:
            print(
                f"{self.nfev} evaluations, cost {self.first_cost:.4e} at the start and "
                f"{self.cost:.4e} at the end, optimality {self.optimality:.2e}."
            )


def _takes_result(callback: Callable[..., Any]) -> bool:
    """Whether the only parameter is called intermediate_result."""
    try:
        return [*inspect.signature(callback).parameters] == ["intermediate_result"]
    except (TypeError, ValueError):
        return False

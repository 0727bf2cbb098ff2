"""Fits through leastsq by the kernels that a test chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minpack import leastsq
from minpack._minpack import instruction_sets

INSTRUCTION_SETS = instruction_sets()
FEW = 32  # with fewer residuals a fit has MINPACK's order of operations
MANY = 1024  # with more it never has
with_and_without_jacobian = pytest.mark.parametrize("analytic", [True, False])


def fit(func: Any, x0: Any, jac: Any = None, **options: Any) -> dict[str, Any]:
    """All that a fit returns."""
    with np.errstate(all="ignore"):
        x, cov_x, info, _, ier = leastsq(
            func, x0, Dfun=jac, full_output=True, **options
        )
    return info | {"x": x, "cov_x": cov_x, "ier": ier}


def path(result: dict[str, Any]) -> tuple[int, int]:
    return result["ier"], result["nfev"]


def cost(result: dict[str, Any]) -> float:
    return float(result["fvec"] @ result["fvec"])

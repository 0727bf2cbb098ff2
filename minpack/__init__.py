"""Nonlinear least squares at the speed the machine allows.

MINPACK's Levenberg-Marquardt algorithm in Fortran, with SciPy's interface and no
dependency but NumPy.
"""

try:
    import numpy as _numpy  # noqa: F401

    import minpack._minpack as _minpack  # noqa: F401
except ImportError as error:
    if error.name not in ("minpack._minpack", "_minpack"):
        raise  # NumPy is missing, say
    from pathlib import Path

    from minpack._not_built import explanation

    raise ImportError(explanation(error, Path(__file__).parent)) from None

from minpack._arguments import OptimizeWarning
from minpack._batch import curve_fit_batch, leastsq_batch
from minpack._batch_result import BatchResult
from minpack._check_jacobian import check_jacobian
from minpack._curve_fit import curve_fit
from minpack._least_squares import least_squares
from minpack._leastsq import leastsq
from minpack._result import OptimizeResult
from minpack._traced.traced import traced

__all__ = [
    "BatchResult",
    "OptimizeResult",
    "OptimizeWarning",
    "check_jacobian",
    "curve_fit",
    "curve_fit_batch",
    "least_squares",
    "leastsq",
    "leastsq_batch",
    "traced",
]
__version__ = "0.1.0"

"""Nonlinear least squares at the speed the machine allows.

MINPACK's Levenberg-Marquardt algorithm in Fortran, with SciPy's interface and no
dependency but NumPy.
"""

from minpack._batch import BatchResult, curve_fit_batch, leastsq_batch
from minpack._curve_fit import OptimizeWarning, curve_fit
from minpack._least_squares import least_squares
from minpack._leastsq import leastsq
from minpack._result import OptimizeResult

__all__ = [
    "BatchResult",
    "OptimizeResult",
    "OptimizeWarning",
    "curve_fit",
    "curve_fit_batch",
    "least_squares",
    "leastsq",
    "leastsq_batch",
]
__version__ = "0.1.0"

"""Nonlinear least squares at the speed the machine allows.

MINPACK's Levenberg-Marquardt algorithm in Fortran, with SciPy's interface and no
dependency but NumPy.
"""

from minpack._curve_fit import OptimizeWarning, curve_fit
from minpack._least_squares import least_squares
from minpack._leastsq import leastsq
from minpack._result import OptimizeResult

__all__ = [
    "OptimizeResult",
    "OptimizeWarning",
    "curve_fit",
    "least_squares",
    "leastsq",
]
__version__ = "0.1.0"

"""Nonlinear least squares at the speed the machine allows.

MINPACK's Levenberg-Marquardt algorithm in Fortran, with SciPy's interface and no
dependency but NumPy.
"""

from minpack._leastsq import leastsq

__all__ = ["leastsq"]
__version__ = "0.1.0"

"""The calls on which minpack.leastsq and scipy.optimize.leastsq are compared."""

from contract.answers import DFUN, NOT_FINITE, RESIDUALS
from contract.calls import Case
from contract.fits import ARGS, FUNC, GOOD, INFO
from contract.options import COUNTS, FLAGS, FORMS, SCALES, STEPS, TOLERANCES
from contract.starts import STARTS

# Each of these in its short and its full form, and FORMS as they are.
CASES: list[Case] = [
    *GOOD,
    *INFO.values(),
    *ARGS,
    *FUNC,
    *RESIDUALS,
    *DFUN,
    *FLAGS,
    *TOLERANCES,
    *COUNTS,
    *STEPS,
    *SCALES,
    *STARTS,
]

__all__ = ["CASES", "FORMS", "GOOD", "INFO", "NOT_FINITE", "Case"]

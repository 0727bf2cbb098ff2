"""The pages on equal bits and equal paths."""

from __future__ import annotations

import numpy as np

import measure.agreement as measured
from measure.agreement import AS_LOW, COMPARED
from pages.report import table

ENOUGH = (4, 6, 8)  # digits


def same_bits() -> str:
    """Hash the results of each instruction set on the sizes of the own times."""
    fits, digests = measured.hashes()
    same = len(set(digests.values())) == 1
    return f"""\
SHA-256 of x, the residuals and R of the {fits} fits above with m × n up to
1,000,000. Their model, sums, products and quotients alone, rounds alike everywhere: the
hash should be this one on every processor. The instruction sets of this one
{"agree" if same else "DIFFER"}.

{table(["instruction set", "hash"], digests.items())}"""


def same_paths() -> str:
    """Count the fits that end after as many evaluations as the reference, and why."""
    rows = [
        [
            title,
            counts.fits,
            *(f"{100 * counts.same[name] / counts.fits:.1f}" for name in COMPARED),
            counts.leaving,
            f"{counts.as_low} of {counts.fits - counts.same['fast']}",
        ]
        for title, counts in measured.paths().items()
    ]
    header = ["problems", "fits", *COMPARED, "others with fast: leave", "as low"]
    return f"""\
Of 100 fits, how many end with the same ier and nfev as with the reference kernels. All
tolerances are the defaults where nothing else is said; the first three are fitted with
their Jacobian and by differences. Of the others some leave MINPACK's path on purpose: a
difference with MINPACK's step holds rounding errors alone, and is taken again with a
longer one, or a first step that changes nothing is longer. "As low" are those of the
others whose sum of squares with fast kernels is at most {AS_LOW} (relative) above that
of the reference.

{table(header, rows)}

Certified digits of the 54 NIST fits, with tolerances of 1e-15: in how many of them the
worst parameter has so many, and how many it has on average. All fits but BoxBOD's from
its first start should find the certified solution.

{digits_table()}"""


def digits_table() -> str:
    """Return the certified digits of all solvers."""
    rows = []
    for analytic in (True, False):
        how = "with the Jacobian" if analytic else "by differences"
        for name, digits in measured.digits(analytic).items():
            counts = [int(np.sum(digits >= enough)) for enough in ENOUGH]
            rows.append([f"{name}, {how}", *counts, f"{digits.mean():.2f}"])
    return table(["", *(f"≥ {enough} digits" for enough in ENOUGH), "mean"], rows)

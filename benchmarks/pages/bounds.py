"""The page on fits with bounds."""

from __future__ import annotations

import numpy as np

import measure.bounds as measured
from measure.bounds import METHODS, NO_WORSE, POSITIVE_FITS, no_worse
from measure.timing import ratios
from pages.report import spread, table, verdict
from problems.bounded import KINDS


def bounded() -> str:
    """Compare with SciPy's methods for bounds: where fits end, and how fast."""
    return "\n\n".join([all_problems(), positive_parameters(), non_negative_linear()])


def positive_parameters() -> str:
    """Count the fits of models with positive parameters that reach the minimum."""
    counts = measured.positive_parameters()
    rows = [[name, *found.values()] for name, found in counts.items()]
    return f"""\
Models of positive parameters, with bounds of 0, where they degenerate: how many of
{POSITIVE_FITS} fits, from starts within a factor of 5 of the truth, end at the minimum.

{table(["model", *METHODS], rows)}"""


def non_negative_linear() -> str:
    """Time linear least squares with bounds of 0 that bind for half the parameters."""
    rows = [
        [
            n,
            *(f"{1e3 * np.median(times[method]):.0f} ms" for method in times),
            spread(ratios(times, "lm", "trf")),
        ]
        for n, times in measured.non_negative_linear().items()
    ]
    return f"""\
Non-negative linear least squares with 2n residuals, from a start of ones, with the
Jacobian. Ratios above 1 mean that minpack ('lm') is faster, with quartiles.

{table(["n", "lm", "trf", "ratio"], rows)}"""


def all_problems() -> str:
    """Compare all bounded problems."""
    ends = measured.all_problems()
    rows = []
    for kind in (*KINDS, "all"):
        found = [
            found
            for problem, found in ends.items()
            if kind == "all" or problem.name.endswith(kind)
        ]
        good = {
            how: 100 * np.mean([no_worse(one, how) for one in found]) for how in METHODS
        }
        rows.append(
            [
                kind,
                len(found),
                *(f"{good[how]:.1f}" for how in METHODS),
                *(
                    f"{np.median([one[how].evaluations for one in found]):g}"
                    for how in METHODS
                ),
            ]
        )
    outside = sum(one["lm"].outside for one in ends.values())
    header = [
        "bounds",
        "problems",
        *METHODS,
        *(f"{how}, evaluations" for how in METHODS),
    ]
    names = [
        str(problem) for problem, found in ends.items() if not no_worse(found, "lm")
    ]
    return f"""\
`least_squares` with its default tolerances, forward differences, by SciPy's 'trf' and
'dogbox' and by minpack ('lm'): of 100 fits, how many end with a cost that is at most
{NO_WORSE:g} (relative) above the least of those of the other methods, and the median
of the evaluations, differences included. Target for minpack: {verdict(good["lm"], 95)}.
Evaluations of minpack outside the bounds: {outside}.

{table(header, rows)}

minpack ends above another method in {", ".join(names)}."""

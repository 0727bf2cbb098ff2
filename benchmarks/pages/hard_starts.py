"""The page on fits from hard starts."""

from __future__ import annotations

import numpy as np

import measure.hard_starts as measured
from measure.hard_starts import MOST, REACHES, TOLERANCE, digits, is_found, relative
from pages.report import at_most, table, verdict


def hard_starts() -> str:
    """Compare solvers by what they find, and first steps."""
    return "\n\n".join([all_solvers(), first_steps()])


def all_solvers() -> str:
    """Compare minpack with others, all with exact Jacobians."""
    ends = measured.ends(measured.solvers())
    least = measured.least_norms(ends["MGH"])
    rows, found = [], {}
    for name in ends["MGH"]:
        right = np.array(digits(ends["NIST"][name]))
        reached = [
            is_found(*each) for each in zip(ends["MGH"][name], least, strict=True)
        ]
        both = ends["NIST"][name] + ends["MGH"][name]
        base = ends["NIST"]["minpack"] + ends["MGH"]["minpack"]
        median, total = relative(both, base)
        found[name] = (np.sum(right >= 4), np.sum(right >= 6), sum(reached), median)
        rows.append([name, *found[name][:3], f"{median:.2f}", f"{total:.2f}"])
    four, six, mgh, median = found["minpack, acceleration"]
    header = [
        "solver", "NIST, 4 digits", "NIST, 6 digits", "MGH", "evaluations", "in sum",
    ]  # fmt: skip
    return f"""\
The 54 runs of NIST's certified datasets and the 53 of Moré, Garbow and Hillstrom's
problems, with exact Jacobians, tolerances of {TOLERANCE:g} in the sum of squares and in
x, none for the gradient, and at most {MOST:,} evaluations. NIST: how many runs reach so
many of the certified digits in the worst parameter. MGH: how many end at the least norm
that any of these solvers finds, within {measured.FOUND:g} of it. Evaluations are
relative to minpack's without acceleration, in
the median of all runs and in sum; a Jacobian counts as n.

{table(header, rows)}

With acceleration: 4 digits in {four} of 54 runs (target: {verdict(four, 54)}), 6 in
{six} (target: {verdict(six, 53)}), {mgh} of the 53 others (target: {verdict(mgh, 51)}),
{median:.2f} times the evaluations (target: {at_most(median, 1.1)})."""


def first_steps() -> str:
    """Compare what shorter first steps find."""
    tables = []
    bounded = measured.bounded_ends()
    best = np.min([[cost for cost, _ in each] for each in bounded.values()], axis=0)
    for differences in (False, True):
        ends = measured.ends(measured.first_steps(differences))
        least = measured.least_norms(ends["MGH"])
        rows = []
        for bends, reach in ends["MGH"]:
            key = (bends, reach)
            right = np.array(digits(ends["NIST"][key]))
            reached = [
                is_found(*each) for each in zip(ends["MGH"][key], least, strict=True)
            ]
            both = ends["NIST"][key] + ends["MGH"][key]
            base = ends["NIST"][False, REACHES[0]] + ends["MGH"][False, REACHES[0]]
            row = [
                "with acceleration" if bends else "without",
                f"{reach:g}",
                np.sum(right >= 4),
                sum(reached),
                f"{relative(both, base)[0]:.2f}",
            ]
            if differences:
                costs, trials = map(np.array, zip(*bounded[key], strict=True))
                plain = np.array([nfev for _, nfev in bounded[False, REACHES[0]]])
                row += [
                    np.sum(costs <= best * (1 + measured.FOUND) + measured.ZERO**2),
                    f"{np.median(trials / plain):.2f}",
                ]
            rows.append(row)
        header = ["steps", "first step", "NIST, 4 digits", "MGH", "evaluations"]
        if differences:
            header += [f"bounds, of {best.size}", "trial points"]
        tables.append(table(header, rows))
    return f"""\
What a shorter first step, in units of |D x|, would change. MINPACK's `factor` is 100.
With acceleration `factor` means 0.002 times as much, so that the default is 0.2.
With exact Jacobians:

{tables[0]}

By differences; and the problems with bounds, by differences too, their trial points
relative to those with the default:

{tables[1]}

Without acceleration 100 is MINPACK's and stays. With bounds it stays too: a shorter
step finds one more of {best.size}."""

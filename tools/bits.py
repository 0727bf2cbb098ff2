"""Count the random fits that have the bits of the original MINPACK.

    python tools/bits.py [--fits N]

runs the fits of tests/problems/random_fits.py with Argonne's Fortran as Debian
compiles it (libminpack1), with minpack's reference kernels, and with two SciPys:
1.14.1, the last that compiled MINPACK's Fortran, and 1.17.1, which has MINPACK in C.
It prints a Markdown table. Each SciPy lives in a virtual environment of its own under
build/, made when it is missing, and is compared with the original there, so that both
call the same NumPy.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = {
    "SciPy 1.14.1": ["scipy==1.14.1", "numpy==2.2.6"],
    "SciPy 1.17.1": ["scipy==1.17.1", "numpy==2.4.6"],
}
QUANTITIES = ("x", "fvec", "fjac", "qtf", "ipvt", "nfev", "info")
COLUMNS = ("everything", "x", "info", "nfev")

Counts = dict[str, int]  # "lmdif x" -> how many fits have the same x


def count(leastsq: Callable[..., Any], fits: int) -> Counts:
    """Run the first fits with the original and with leastsq, and compare."""
    sys.path.insert(0, str(ROOT / "tests"))
    import numpy as np

    import original
    from problems.random_fits import random_fit

    library = original.load()
    if library is None:
        sys.exit(
            "No libminpack.so.1 here (Debian and Ubuntu: apt install libminpack1)."
        )
    counts: Counts = collections.Counter()
    for seed in range(fits):
        fit = random_fit(seed)
        jac = fit.jacobian if fit.analytic else None
        theirs = original.fit(library, fit.residuals, fit.x0, jac, **fit.options)
        x, _, info, _, ier = leastsq(
            fit.residuals, fit.x0, Dfun=jac, full_output=True, **fit.options
        )
        if 0 in info["ipvt"]:  # minpack and newer SciPys count columns from 0
            info["ipvt"] = info["ipvt"] + 1
        ours = info | {"x": x, "info": ier}
        same = {
            name: np.array_equal(ours[name], getattr(theirs, name), equal_nan=True)
            for name in QUANTITIES
        }
        same["everything"] = all(same.values())
        driver = "lmder" if fit.analytic else "lmdif"
        counts[f"{driver} fits"] += 1
        for name in COLUMNS:
            counts[f"{driver} {name}"] += same[name]
    return counts


def count_here(name: str, fits: int) -> Counts:
    """Count with what is installed in this environment."""
    warnings.simplefilter("ignore")
    if name.startswith("SciPy"):
        from scipy.optimize import leastsq
    else:
        from minpack import leastsq

        leastsq = partial(leastsq, kernels="reference")
    return count(leastsq, fits)


def count_in_environment(name: str, fits: int) -> Counts:
    """Count with a SciPy in its own environment."""
    folder = ROOT / "build" / name.lower().replace(" ", "-")
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *ENVIRONMENTS[name]]
        subprocess.run(install, check=True)
    command = [python, __file__, "--only", name, "--fits", str(fits)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


def table(results: dict[str, Counts]) -> str:
    """Return the counts as a Markdown table."""
    lines = [
        "| Against the original | Fits by | all bits | x | info | nfev |",
        "|---|---|---|---|---|---|",
    ]
    for name, counts in results.items():
        for driver in ("lmdif", "lmder"):
            total = counts[f"{driver} fits"]
            cells = [f"{counts[f'{driver} {column}']} of {total}" for column in COLUMNS]
            lines.append(f"| {name} | `{driver}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=5600)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(count_here(args.only, args.fits)))
        return
    results = {"minpack": count_here("minpack", args.fits)}
    for name in ENVIRONMENTS:
        results[name] = count_in_environment(name, args.fits)
    print(table(results))


if __name__ == "__main__":
    main()

"""Compare minpack with SciPy: time, memory, bits, paths.

    python benchmarks [PART ...]

prints the parts that are named; without a name all of them, which it also writes to
docs/performance.md, with docs/own-time.png. The part "scaling" is a page of its own,
which it writes to docs/scaling.md.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import scipy

import minpack
from pages.agreement import same_bits, same_paths
from pages.all_points import all_points
from pages.batch import batch
from pages.bounds import bounded
from pages.footprint import footprint
from pages.hard_starts import hard_starts
from pages.hotspots import hotspots
from pages.large import large
from pages.own_time import own_time
from pages.report import wrapped
from pages.scaling import scaling
from pages.traced import traced
from pages.whole_fits import threads, whole_fits
from pages.wrappers import wrappers

DOCS = Path(__file__).resolve().parents[1] / "docs"
PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "own-time": ("Own time", own_time),
    "whole-fits": ("Whole fits", whole_fits),
    "wrappers": ("curve_fit and least_squares", wrappers),
    "traced": ("NumPy functions without Python", traced),
    "large": ("One large fit", large),
    "all-points": ("Differences in one call", all_points),
    "bounds": ("Bounds", bounded),
    "hard-starts": ("Hard starts", hard_starts),
    "threads": ("Two threads", threads),
    "batch": ("Many fits at once", batch),
    "footprint": ("Import, wheel, memory", footprint),
    "bits": ("The same bits", same_bits),
    "paths": ("The same paths", same_paths),
    "hotspots": ("Where the own time goes", hotspots),
}


def machine() -> str:
    """Return on what is measured, and when."""
    versions = [
        f"{module.__name__} {module.__version__}" for module in (minpack, np, scipy)
    ]
    return f"""\
{processor()}, {os.cpu_count()} cores. {platform.system()}, Python
{platform.python_version()}, {", ".join(versions)}.
{datetime.now(UTC):%-d %B %Y}."""


def head() -> str:
    """Return what was measured, where and when."""
    return f"""\
# Performance

`make bench` measures all of this and writes this page.

{machine()}

"fast" and "reference" are minpack's kernels, "SciPy" is `scipy.optimize.leastsq`.
Solvers that are compared run in turn. Times are CPU times of the process, which others
disturb little, where nothing else is said."""


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":")[1] for line in lines if line.startswith("model name"))
    return " ".join(next(names, platform.machine()).split())


def sections(parts: dict[str, Callable[[], str]]) -> Iterator[str]:
    """Measure the parts, and give each as soon as it is there."""
    yield wrapped(head())
    for title, measure in parts.items():
        yield f"\n## {title}\n\n{wrapped(measure())}"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*PARTS, "scaling"]
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(names))
    chosen = parser.parse_args().parts
    unknown = set(chosen) - set(names)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if "scaling" in chosen or not chosen:
        text = scaling(machine())
        (DOCS / "scaling.md").write_text(text, encoding="utf-8")
        print(text)
    parts = dict(PARTS[part] for part in chosen or PARTS if part in PARTS)
    if not parts:
        return
    if not chosen:
        parts["Own time"] = partial(own_time, DOCS / "own-time.png")
    page = []
    for section in sections(parts):
        print(section, flush=True)
        page.append(section + "\n")
    if not chosen:
        (DOCS / "performance.md").write_text("".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The page on where the own time of a fit goes."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict

from measure.hotspots import profile
from pages.report import table

HEAD = """\
Percent of perf's samples in replayed fits with the fast kernels: by library, then the
functions with most of them. At small m it is fixed costs that count: the calls, an
array for each x, the algebra of order n. At large m and small n it is memory: for each
parameter but the last an array of m is copied, and the factorization reads them all.
At large n it is the products of the columns with each other."""
SIZES = ((10, 3), (100_000, 3), (1000, 30))
ROWS = 12


def hotspots() -> str:
    """Profile a small, a long and a wide fit."""
    if shutil.which("perf") is None:
        return "Needs perf (Debian: `apt-get install linux-perf`)."
    parts = [HEAD]
    for m, n in SIZES:
        try:
            samples = profile("fast", m, n)
        except (OSError, subprocess.CalledProcessError) as error:
            return f"perf did not work here: {error}"
        libraries: defaultdict[str, float] = defaultdict(float)
        for percent, library, _ in samples:
            libraries[library] += percent
        shares = sorted(libraries.items(), key=lambda share: -share[1])
        summary = ", ".join(
            f"{name} {share:.0f}" for name, share in shares if share > 1
        )
        rows = [
            [f"`{symbol}`", library, f"{percent:.1f}"]
            for percent, library, symbol in samples[:ROWS]
            if percent >= 1
        ]
        parts.append(f"### {m:,} × {n}\n\n{summary}.")
        parts.append(table(["function", "library", "%"], rows))
    return "\n\n".join(parts)

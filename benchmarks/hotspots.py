"""Where the own time of a fit goes, sampled by Linux's perf.

    python benchmarks/hotspots.py SOLVER M N

replays a fit until it is stopped, for a profiler to look at.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from cases import SOLVERS, spectrum_fit
from own_time import Replay
from report import table

HEAD = """\
Percent of perf's samples in replayed fits with the fast kernels: by library, then the
functions with most of them. At small m it is fixed costs that count: the calls, an
array for each x, the algebra of order n. At large m and small n it is memory: for each
parameter but the last an array of m is copied, and the factorization reads them all.
At large n it is the products of the columns with each other."""
SIZES = ((10, 3), (100_000, 3), (1000, 30))
SECONDS = 3
ROWS = 12
LIBRARIES = {
    "_minpack": "minpack",
    "_multiarray": "NumPy",
    "python": "Python",
    "libc.": "C library",
    "libm.": "C library",
    "kernel": "kernel",
}


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


def profile(name: str, m: int, n: int) -> list[tuple[float, str, str]]:
    """Return percent, library and function, those with most samples first."""
    # Dask leaves settings of malloc behind that make it return memory at every chance.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    worker = subprocess.Popen(
        [sys.executable, str(Path(__file__)), name, str(m), str(n)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "perf.data")
            record = ["perf", "record", "-e", "cpu-clock", "-F", "2000", "-o", data]
            sleep = ["--", "sleep", str(SECONDS)]
            subprocess.run(
                [*record, "-p", str(worker.pid), *sleep],
                check=True,
                capture_output=True,
            )
            report = ["perf", "report", "--no-children", "--stdio", "-g", "none"]
            fields = ["--fields", "overhead,dso,sym", "--field-separator", "\t"]
            text = subprocess.run(
                [*report, *fields, "-i", data],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
    finally:
        worker.kill()
        worker.wait()
    samples = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            percent, library, symbol = line.split("\t")[:3]
            found = (title for part, title in LIBRARIES.items() if part in library)
            samples.append(
                (
                    float(percent.strip().rstrip("%")),
                    next(found, library.strip()),
                    symbol.split("]", 1)[-1].strip(),
                )
            )
    return samples


if __name__ == "__main__":
    replay = Replay(SOLVERS[sys.argv[1]], spectrum_fit(*map(int, sys.argv[2:])))
    print("ready", flush=True)
    gc.disable()
    while True:
        replay.seconds(100)

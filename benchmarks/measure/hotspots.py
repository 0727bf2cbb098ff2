"""Where the own time of a fit goes, sampled by Linux's perf.

    python -m measure.hotspots SOLVER M N

in benchmarks/ replays a fit until it is stopped, for a profiler to look at.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure.cases import SOLVERS, spectrum_fit
from measure.own_time import Replay

SECONDS = 3
LIBRARIES = {
    "_minpack": "minpack",
    "_multiarray": "NumPy",
    "python": "Python",
    "libc.": "C library",
    "libm.": "C library",
    "kernel": "kernel",
}


def profile(name: str, m: int, n: int) -> list[tuple[float, str, str]]:
    """Return percent, library and function, those with most samples first."""
    # Dask leaves settings of malloc behind that make it return memory at every chance.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    worker = subprocess.Popen(
        [sys.executable, "-m", "measure.hotspots", name, str(m), str(n)],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).resolve().parents[1],
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

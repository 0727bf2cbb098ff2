"""What minpack costs besides time: its import, its wheel and its memory.

    python -m measure.footprint SOLVER M N

in benchmarks/ prints the peak memory of one fit, in doubles.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from measure.cases import SOLVERS, Array

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = {
    "numpy": "import numpy",
    "numpy and minpack": "import numpy, minpack",
    "numpy and scipy.optimize": "import numpy, scipy.optimize",
}
ROUNDS = 25
MEMORY_SIZES = ((1_000_000, 3), (100_000, 10))


def run(*command: str, path: list[str] | None = None) -> str:
    """Run a command and return what it prints; `path` is where Python imports from."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment.get('PATH', '')}"
    if path is not None:
        environment["PYTHONPATH"] = ":".join(path)
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment, cwd="/"
    ).stdout


class Footprint(NamedTuple):
    """Bytes, and the seconds that Python with each import takes, one a round."""

    wheel: int
    installed: int
    imports: dict[str, list[float]]


def footprint() -> Footprint:
    """Build a wheel, measure it, and import it from where it is installed."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        offline = ["--no-deps", "--no-build-isolation"]
        run(*pip, "wheel", *offline, "--wheel-dir", folder, str(ROOT))
        wheel = next(Path(folder).glob("*.whl"))
        target = Path(folder, "installed")
        run(*pip, "install", "--no-deps", "--target", str(target), str(wheel))
        files = [path for path in target.rglob("*") if path.suffix != ".pyc"]
        installed = sum(path.stat().st_size for path in files if path.is_file())
        return Footprint(wheel.stat().st_size, installed, import_seconds(target))


def import_seconds(target: Path) -> dict[str, list[float]]:
    """Time Python with each import, in turn; without `site`, where editable installs
    have their hooks."""
    path = [str(target), *(entry for entry in sys.path if "packages" in entry)]
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(ROUNDS + 1):
        for name, statement in IMPORTS.items():
            began = children_seconds()
            run(sys.executable, "-S", "-c", statement, path=path)
            times[name].append(children_seconds() - began)
    return {name: found[1:] for name, found in times.items()}


def children_seconds() -> float:
    """Return the CPU time of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peaks() -> dict[tuple[int, int], dict[str, float]]:
    """Return the peak memory of a fit of each size by each solver, in doubles."""
    here = [str(Path(__file__).resolve().parents[1])]
    module = [sys.executable, "-m", "measure.footprint"]
    return {
        (m, n): {
            name: float(run(*module, name, str(m), str(n), path=here))
            for name in SOLVERS
        }
        for m, n in MEMORY_SIZES
    }


def peak_doubles(name: str, m: int, n: int) -> float:
    """Return by how much one fit raises the peak memory of this process."""
    t = np.linspace(-1, 1, m)
    y = np.abs(t)

    def residuals(x: Array) -> Array:
        fvec = np.full_like(t, x[0])
        for coefficient in x[1:]:
            fvec *= t
            fvec += coefficient
        fvec -= y
        return fvec

    SOLVERS[name](lambda x: x - 1, np.zeros(2))  # whatever is imported or cached
    before = peak_bytes()
    SOLVERS[name](residuals, np.ones(n))
    return (peak_bytes() - before) / 8


def peak_bytes() -> int:
    """Return the peak of this process's memory; where Linux says it, of this program's
    alone: ru_maxrss begins with that of the program that has started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    print(peak_doubles(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

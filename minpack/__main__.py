"""``python -m minpack``: what a report of a bug needs, and a test of the bits.

The exit status is 0 where the fits of the test have the bits that they have everywhere.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

import minpack
import minpack._minpack as _minpack

_Vector = NDArray[np.float64]

# By the reference kernels, and by the fast ones of any instruction set
_EXPECTED = {
    "reference": "7a88241a584d83cd",
    "fast": "507f82807536ae48",
}


def _peaks(p: _Vector, t: _Vector) -> _Vector:
    """Sum Lorentzian peaks: nothing but sums, products and quotients round alike."""
    total = np.zeros_like(t)
    for height, place, width in p.reshape(-1, 3):
        u = (t - place) / width
        total += height / (1 + u * u)
    return total


def _bits(kernels: str) -> str:
    """Hash all that comes of some fits: few rows, many, and many columns."""
    digest = hashlib.sha256()
    for m, peaks in ((20, 1), (300, 3), (5000, 2)):
        i = np.arange(m)
        t = (i + 0.5) * peaks / m
        noise = 0.02 * ((i * 7919 % 101) / 101 - 0.5)
        truth = np.array([[2, j + 0.5, 0.2] for j in range(peaks)]).ravel()
        x, _, info, _, ier = minpack.leastsq(
            lambda p, t, y: _peaks(p, t) - y,
            truth * 1.1,
            (t, _peaks(truth, t) + noise),
            full_output=True,
            kernels=kernels,
        )
        triangle = info["fjac"].T[np.triu_indices(x.size)]
        for numbers in (x, info["fvec"], triangle, info["qtf"]):
            digest.update(numbers.astype("<f8").tobytes())
        digest.update(f"{info['ipvt'].tolist()} {info['nfev']} {ier}".encode())
    return digest.hexdigest()[:16]


def _version(package: str) -> str:
    """Find the version of a package without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _lock() -> str:
    if sys.version_info < (3, 13) or sys._is_gil_enabled():
        return "with the global lock"
    return "free-threaded, without the global lock"


def _self_test() -> bool:
    """Compare the bits by each kernel set, and print what was found."""
    began = time.perf_counter()
    names = ["reference", *(f"fast:{name}" for name in _minpack.instruction_sets())]
    same = True
    for name in names:
        expected, found = _EXPECTED[name.partition(":")[0]], _bits(name)
        same = same and found == expected
        verdict = "as expected" if found == expected else f"WRONG: not {expected}"
        print(f"  {name:15} {found} {verdict}")
    print(f"  {time.perf_counter() - began:.2f} s")
    return same


def main() -> int:
    """Print the report; return the exit status."""
    facts = {
        "minpack": f"{minpack.__version__}, {_minpack.__file__}",
        "Python": f"{platform.python_implementation()} {sys.version}, {_lock()}",
        "NumPy": np.__version__,
        "SciPy": _version("scipy"),
        "Platform": f"{platform.platform()}, {platform.machine()}",
        "Compilers": _minpack.COMPILERS,
        "Kernels built": _minpack.KERNELS_BUILT,
        "Kernels chosen": _minpack.instruction_sets()[-1],
    }
    for name, value in facts.items():
        print(f"{name + ':':15} {value}")
    print("Bits of fits:")
    return 0 if _self_test() else 1


if __name__ == "__main__":
    sys.exit(main())

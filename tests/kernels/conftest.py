"""The kernels compiled from their sources, with nothing around them."""

from __future__ import annotations

import ctypes
import itertools
import shutil
from pathlib import Path

import pytest

from commands import CC, FC, LIBRARY, run
from kernels.calling import REFERENCE, Kernels
from kernels.fitting import INSTRUCTION_SETS

FORTRAN = ("lm/types.f90", "rows/reference/enorm.f90", "rows/reference/qrfac.f90")
KERNELS = (
    "rows/table.c",
    "rows/in_order.c",
    "rows/norms.c",
    "rows/blocks.c",
    "rows/normal_equations.c",
    "rows/reflections.c",
    "rows/abreast_kernels.c",
    "lm/abreast_steps.c",
)
AROUND = (
    LIBRARY / "rows/rows.c",
    LIBRARY / "rows/factors.c",
    LIBRARY / "rows/leaves.c",
    LIBRARY / "rows/pieces.c",
    LIBRARY / "rows/orient.c",
    LIBRARY / "rows/dispatch.c",
    Path(__file__).with_name("alone.c"),
)


@pytest.fixture(scope="session")
def kernel_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The kernels as a shared library."""
    if not (shutil.which(CC) and shutil.which(FC)):
        pytest.skip("no C or no Fortran compiler")
    folder = tmp_path_factory.mktemp("kernels")
    shared = folder / "kernels.so"
    flags = ("-ffp-contract=off", "-fPIC")
    levels = {"baseline": []}
    define = []
    if len(INSTRUCTION_SETS) > 1:
        levels["v3"] = ["-march=x86-64-v3"]
        levels["v4"] = ["-march=x86-64-v4", "-mprefer-vector-width=512"]
        define = ["-DMINPACK_X86_64_LEVELS"]
    objects = []
    for (name, march), source in itertools.product(levels.items(), KERNELS):
        if (name, source) == ("v4", "rows/in_order.c"):
            continue  # v4 has the kernels of v3
        in_order = ["-DIN_ORDER_SET=v3"] if name == "v4" else []
        objects.append(folder / f"{name}-{Path(source).stem}.o")
        run(CC, "-std=c11", "-O3", *flags, *march, *in_order,
            f"-DINSTRUCTION_SET={name}", "-c", LIBRARY / source,
            "-o", objects[-1])  # fmt: skip
    for source in AROUND:
        objects.append(folder / f"{source.stem}.o")
        run(CC, "-std=c11", "-O2", *flags, *define, "-I", LIBRARY, "-c", source,
            "-o", objects[-1])  # fmt: skip
    fortran = [LIBRARY / name for name in FORTRAN]
    run(FC, "-O2", "-std=f2018", *flags, "-J", folder, "-shared", *fortran, *objects,
        "-o", shared)  # fmt: skip
    return ctypes.CDLL(str(shared))


@pytest.fixture(scope="session")
def fast_sets(kernel_library: ctypes.CDLL) -> dict[str, Kernels]:
    """The fast kernels, by instruction set."""
    return {name: Kernels(kernel_library, name) for name in INSTRUCTION_SETS}


@pytest.fixture(scope="session")
def fast(fast_sets: dict[str, Kernels]) -> Kernels:
    """The best that this processor has."""
    return fast_sets[INSTRUCTION_SETS[-1]]


@pytest.fixture(scope="session")
def reference(kernel_library: ctypes.CDLL) -> Kernels:
    """MINPACK's."""
    return Kernels(kernel_library, "reference", REFERENCE)

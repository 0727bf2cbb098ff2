"""The kernels compiled from their sources, with nothing around them."""

from __future__ import annotations

import ctypes
import itertools
import shutil

import pytest

from commands import CC, FC, LIBRARY, run
from kernels.calling import Kernels, Table
from kernels.fitting import INSTRUCTION_SETS

FORTRAN = (
    "lm_types.f90",
    "kernels/reference/enorm.f90",
    "kernels/reference/difference.f90",
    "kernels/reference/qrfac.f90",
)
FAST = ("in_order", "norms", "factor", "normal_equations", "reflections")


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
    for (name, march), source in itertools.product(levels.items(), FAST):
        if (name, source) == ("v4", "in_order"):
            continue  # the kernels of v4 go on with those of v3
        objects.append(folder / f"{name}-{source}.o")
        run(CC, "-std=c11", "-O3", *flags, *march, f"-DINSTRUCTION_SET={name}", "-c",
            LIBRARY / f"kernels/fast/{source}.c", "-o", objects[-1])  # fmt: skip
    objects.append(folder / "dispatch.o")
    run(CC, "-std=c11", "-O2", *flags, *define, "-c",
        LIBRARY / "kernels/fast/dispatch.c", "-o", objects[-1])  # fmt: skip
    fortran = [LIBRARY / name for name in FORTRAN]
    run(FC, "-O2", "-std=f2018", *flags, "-J", folder, "-shared", *fortran, *objects,
        "-o", shared)  # fmt: skip
    return ctypes.CDLL(str(shared))


@pytest.fixture(scope="session")
def fast_sets(kernel_library: ctypes.CDLL) -> dict[str, Kernels]:
    """The fast kernels, by instruction set."""
    sets = {}
    for name in INSTRUCTION_SETS:
        table = Table()
        assert kernel_library.lm_fast_kernels(ctypes.byref(table), name.encode()) == 0
        sets[name] = Kernels(kernel_library, table)
    return sets


@pytest.fixture(scope="session")
def fast(fast_sets: dict[str, Kernels]) -> Kernels:
    """The best that this processor has."""
    return fast_sets[INSTRUCTION_SETS[-1]]


@pytest.fixture(scope="session")
def reference(kernel_library: ctypes.CDLL) -> Kernels:
    """MINPACK's."""
    names = ("norm", "difference", "factor")
    functions = [getattr(kernel_library, f"minpack_reference_{name}") for name in names]
    addresses = [ctypes.cast(function, ctypes.c_void_p) for function in functions]
    return Kernels(kernel_library, Table(*addresses, None, 1, 0, 0, None))

"""Programs written for MINPACK relink with our library and print the same.

The programs in classic/ are compiled once and linked twice: with the original's
libminpack.a and with ours, which is built here, alone, as a C or Fortran project would
build it. They print every number to its last bit.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

from commands import CC, FC, LIBRARY, attempt, needs_compilers, run

PROGRAMS = Path(__file__).parent / "classic"
UNUSED = "-Wno-unused-function"  # report.h is for several programs

# MINPACK's least squares
NAMES = ("lmder", "lmder1", "lmdif", "lmdif1", "lmstr", "lmstr1", "chkder", "enorm")
NAMES += ("dpmpar", "fdjac2", "lmpar", "qrfac", "qrsolv", "rwupdt", "covar")
# What a library that allocates nothing, keeps nothing and prints nothing may need.
LIBC = {
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "strcmp",
    "fabs",
    "frexp",
    "ldexp",
    "scalbn",
    "log10",
}
COMPILER = {
    "_GLOBAL_OFFSET_TABLE_",
    "__stack_chk_fail",
    "__cpu_model",
    "__cpu_indicator_init",
}

pytestmark = needs_compilers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classic")


def installed(folder: Path, build: str) -> Path:
    """Where our library is installed after it was built alone."""
    pytest.importorskip("mesonbuild")
    meson = (sys.executable, "-m", "mesonbuild.mesonmain")
    ninja = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    }
    options = {"env": os.environ | ninja, "cwd": folder}
    prefix = folder / build
    where = (f"--prefix={prefix}", "--libdir=lib", f"-Dbuildtype={build}")
    run(*meson, "setup", folder / f"{build}-build", LIBRARY, *where, **options)
    run(*meson, "install", "-C", folder / f"{build}-build", **options)
    return prefix


@pytest.fixture(scope="module")
def prefix(folder: Path) -> Path:
    return installed(folder, "release")


@pytest.fixture(scope="module")
def debug_prefix(folder: Path) -> Path:
    return installed(folder, "debug")


@pytest.fixture(scope="module")
def archive(prefix: Path) -> Path:
    return prefix / "lib" / "libminpack.a"


def compiled_c(name: str, folder: Path) -> Path:
    """A C program, compiled but not linked."""
    program = folder / f"{name}.o"
    source = PROGRAMS / f"{name}.c"
    run(CC, "-std=c11", "-O1", "-I", LIBRARY, "-c", source, "-o", program)
    return program


def compiled_fortran(name: str, folder: Path) -> Path:
    """A Fortran program, compiled but not linked."""
    program = folder / f"{name}_f90.o"
    run(FC, "-O1", "-c", PROGRAMS / f"{name}.f90", "-o", program, cwd=folder)
    return program


def for_minpack_h(name: str, prefix: Path) -> Path:
    """A C program for minpack.h, built without a warning."""
    program, archive = prefix / name, prefix / "lib" / "libminpack.a"
    source = PROGRAMS / f"{name}.c"
    strict = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", UNUSED)
    run(CC, *strict, "-I", prefix / "include", source, archive, "-lm", "-o", program)
    return program


@pytest.fixture(scope="module")
def modern_program(prefix: Path) -> Path:
    return for_minpack_h("modern", prefix)


def printed(linker: str, program: Path, library: Path, *arguments: str) -> str:
    """What the program prints when it is linked with a library."""
    linked = program.with_suffix(".exe")
    run(linker, program, library, "-lm", "-o", linked)
    return run(linked, *arguments)


def fits(text: str) -> dict[str, list[str]]:
    """The lines of each fit, by its title."""
    blocks = [block.splitlines() for block in re.split(r"\n(?! )", text.rstrip())]
    return {title: [line.strip() for line in lines] for title, *lines in blocks}


def comparable(title: str, lines: list[str]) -> list[str]:
    """What a fit that was stopped has in common with the original.

    Stopped in a difference, the original leaves x moved by the step of that
    difference; ours is the last accepted point. Stopped at its first call, it has
    the residuals in fvec already.
    """
    if title.startswith("lmdif") and "stopped at a derivative" in lines:
        lines = [line for line in lines if not re.match(r"(look at )?x ", line)]
    elif title.endswith("at call 1"):
        lines = [line for line in lines if not re.match(r"(look at )?fvec ", line)]
    return lines


# A C program, and how many blocks it prints
C_PROGRAMS = {
    "classic": 60 + 26 + 16,
    "lmstr": 8 * (6 + 5 + 4) + 9,
    "parts": 14 * 6 * 2 + 13 * 81 + 3 + 4 * 6 + 4 * 28,
}


@pytest.mark.parametrize("name", C_PROGRAMS)
def test_a_c_program_prints_the_same(
    name: str, folder: Path, archive: Path, original_archive: Path
) -> None:
    program = compiled_c(name, folder)
    ours, theirs = (printed(CC, program, a) for a in (archive, original_archive))
    assert len(re.split(r"\n(?! )", theirs.rstrip())) == C_PROGRAMS[name]
    assert ours == theirs


@pytest.mark.parametrize("name", ["classic", "lmstr"])
def test_a_c_program_that_stops_its_fits_prints_the_same(
    name: str, folder: Path, archive: Path, original_archive: Path
) -> None:
    program = compiled_c(name, folder)
    ours, theirs = (
        fits(printed(CC, program, a, "stop")) for a in (archive, original_archive)
    )
    assert list(ours) == list(theirs)
    for title in theirs:
        assert comparable(title, ours[title]) == comparable(title, theirs[title]), title
    infos = {int(re.search(r"info (\S+)", "".join(f))[1]) for f in ours.values()}
    assert {-1, -2, -10, -20} < infos


@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("classic", "look at fjac"),
        ("classic", "info, calls -17 17"),
        ("driver", "lmstr1: exit and final norm  1  1.75358"),
        ("driver", "errors" + 11 * " 1.000"),
    ],
)
def test_a_fortran_program_prints_the_same(
    name: str, shows: str, folder: Path, archive: Path, original_archive: Path
) -> None:
    program = compiled_fortran(name, folder)
    ours, theirs = (printed(FC, program, a) for a in (archive, original_archive))
    assert shows in theirs
    assert ours == theirs


def test_a_driver_with_its_rows_in_blocks_prints_the_same(prefix: Path) -> None:
    """examples/blocks.c prints what SciPy's curve_fit finds of the same data."""
    program = prefix / "blocks"
    source = PROGRAMS.parents[1] / "examples" / "blocks.c"
    strict = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Werror")
    archive = prefix / "lib" / "libminpack.a"
    run(CC, *strict, "-I", prefix / "include", source, archive, "-lm", "-o", program)

    def decay(t: Any, a: float, b: float, c: float) -> Any:
        return a * np.exp(-b * t) + c

    i = np.arange(1_000_000)
    y = decay(4 * i / i.size, 2.5, 1.3, 0.5) + 0.1 * np.sin(7.0 * i)
    popt, pcov = curve_fit(decay, 4 * i / i.size, y, [1.0, 1.0, 1.0])
    found = re.findall(r"x\[\d\] = (\S+) \+- (\S+)", run(program))
    np.testing.assert_allclose(np.array(found, float)[:, 0], popt, atol=2e-6)
    np.testing.assert_allclose(
        np.array(found, float)[:, 1], np.sqrt(np.diag(pcov)), atol=1e-6
    )


def test_a_program_with_fits_abreast_prints_the_bits_of_each_alone(
    prefix: Path,
) -> None:
    """Poor starts, bounds, weights, NaN and squares out of range are among them."""
    program = for_minpack_h("abreast", prefix)
    lines = run(program, "40").splitlines()
    assert len(lines) in {60, 120, 180}  # of each instruction set
    assert all(": 40 of 40 have the same bits" in line for line in lines)
    converged = [int(re.search(r"(\d+) have converged", line)[1]) for line in lines]
    assert 30 < np.mean(converged) < 40


@pytest.mark.parametrize("way", ["user_data", "run", "stepper"])
def test_minpack_h_offers_the_same_fits_in_four_ways(
    modern_program: Path, way: str
) -> None:
    classic, other = (
        fits(run(modern_program, "classic")),
        fits(run(modern_program, way)),
    )
    assert list(other) == list(classic)
    assert len(classic) == 2 * 2 * 3 * 7
    for title in classic:
        assert other[title] == classic[title], title


@pytest.mark.parametrize(
    ("diagonal", "tol", "rank"),
    [
        ([3.0], 0.0, 1),
        ([4.0, 3.0, 2.0], 0.0, 3),
        ([-4.0, 3.0, -2.0, 1.0], 0.1, 4),
        ([4.0, 3.0, 2.0, 1.0], 0.5, 2),
        ([4.0, 3.0, 0.0, 1.0], 0.0, 2),
        ([0.0, 0.0], 0.0, 0),
    ],
)
@pytest.mark.parametrize("more", [0, 3])
def test_covar_prints_the_inverse_over_the_independent_columns(
    diagonal: list[float], tol: float, rank: int, more: int, prefix: Path
) -> None:
    n = len(diagonal)
    rng = np.random.default_rng(n)
    r = np.triu(rng.uniform(-1, 1, (n, n)), 1) + np.diag(diagonal)
    ipvt = rng.permutation(n)
    stored = np.vstack([r + np.tril(np.full((n, n), 77.0), -1), np.full((more, n), 77)])
    numbers = (n, n + more, tol, *(ipvt + 1), *stored.T.ravel())
    text = run(for_minpack_h("covar", prefix), input=" ".join(map(str, numbers)))
    found = np.array([float.fromhex(word) for word in text.split()[1:]])
    found = found.reshape(n, n + more).T

    expected, kept = np.zeros((n, n)), ipvt[:rank]
    expected[np.ix_(kept, kept)] = np.linalg.inv(r[:rank, :rank].T @ r[:rank, :rank])
    np.testing.assert_allclose(found[:n], expected, rtol=1e-12, atol=1e-14)
    assert (found[:n] == found[:n].T).all()
    assert (found[n:] == 77).all()


def test_the_ends_of_the_interface_prints_clear_answers(prefix: Path) -> None:
    """Sizes that overflow, and lm_finish where there are no factors."""
    lines = run(for_minpack_h("edges", prefix)).splitlines()
    assert [line.strip() for line in lines] == [
        "lmdif1 with lwa 10: info 0",
        "lmder1 with lwa 10: info 0",
        "lmdif1 with lwa 2147483647: info 0",
        "lmder1 with lwa 2147483647: info 0",
        "to the end: status 0, info 3, R in fjac",
        "stopped at the start: status -7, info -7, fjac as it was",
        "stopped in a difference: status -7, info -7, fjac as it was",
        "too few residuals: status 0, info 0, fjac as it was",
    ]


def test_minpack_h_is_a_cpp_header_too(folder: Path, prefix: Path) -> None:
    cxx = os.environ.get("CXX", "c++")
    if not shutil.which(cxx):
        pytest.skip("no C++ compiler")
    source = folder / "header.cpp"
    source.write_text('#include "minpack.h"\nint main() { return LM_DONE; }\n')
    strict = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only")
    run(cxx, *strict, "-I", prefix / "include", source)


ARRAYS = ("x", "x_trial", "diag", "r", "qtf", "acnorm", "step", "work", "work_lmpar")
WRONG = {
    **{name: f"{name} is NULL" for name in (*ARRAYS, "ipvt", "norm")},
    "lower": "there is upper, and lower is NULL",
    "upper": "there is lower, and upper is NULL",
    "active": "there are bounds, and active is NULL",
    "work_bounds": "there are bounds, and work_bounds is NULL",
    "stage": "stage is none: call lm_start first",
    "n": "n is less than 1",
    "ldr": "ldr is less than n",
    "outside": "x is not within its bounds",
    "fnorm": "fnorm is negative",
    "fnorm_trial": "fnorm_trial is negative",
    "negative-acnorm": "acnorm is negative",
    "twice": "ipvt is no permutation of 1 to n",
    "from-0": "ipvt is no permutation of 1 to n",
}


def test_the_debug_build_names_what_a_driver_has_left_wrong(debug_prefix: Path) -> None:
    program = for_minpack_h("assertions", debug_prefix)
    for what, said in WRONG.items():
        done = attempt(program, what)
        assert done.returncode == -signal.SIGABRT, what
        assert done.stderr == f"lm_step: {said}\n"


@pytest.mark.parametrize(
    "command", ["assertions", "assertions bad-input", "modern stepper", "edges"]
)
def test_the_debug_build_prints_the_same(
    command: str, prefix: Path, debug_prefix: Path
) -> None:
    name, *arguments = command.split()
    ours, debug = (
        run(for_minpack_h(name, where), *arguments) for where in (prefix, debug_prefix)
    )
    assert "info" in ours
    assert ours == debug


def symbols(archive: Path) -> list[tuple[str, str]]:
    """The symbols of an archive and their sections; a symbol that it needs has none."""
    nm = shutil.which("nm") or pytest.skip("no nm")
    rows = [line.split("|") for line in run(nm, "--format=sysv", archive).splitlines()]
    found = [(row[0].strip(), row[-1].strip()) for row in rows if len(row) == 7]
    return [("" if section == "*UND*" else section, name) for name, section in found]


linux = pytest.mark.skipif(sys.platform != "linux", reason="knows ELF sections only")


@linux
def test_the_library_has_all_names_of_minpacks_least_squares(archive: Path) -> None:
    has = {name for section, name in symbols(archive) if section.startswith(".text")}
    assert len(NAMES) == 15
    assert {f"{name}_" for name in NAMES} <= has


@linux
def test_the_library_needs_no_fortran_runtime_and_allocates_nothing(
    archive: Path,
) -> None:
    needed, has = (
        {name for section, name in symbols(archive) if bool(section) == defined}
        for defined in (False, True)
    )
    assert {"lmdif_", "lm_step"} <= has
    assert needed - has <= LIBC | COMPILER


@linux
def test_the_library_has_no_data_that_could_change(archive: Path) -> None:
    # gfortran describes every derived type by two constants that it puts here.
    constant = re.compile(r"__\w+_MOD___(def_init|vtab)_\w+")
    changeable = re.compile(r"\*COM\*|\.t?(data|bss)(?!\.rel\.ro)")
    assert [
        name
        for section, name in symbols(archive)
        if changeable.match(section) and not constant.fullmatch(name)
    ] == []


@linux
def test_the_library_needs_no_executable_stack(archive: Path) -> None:
    readelf = shutil.which("readelf") or pytest.skip("no readelf")
    stack = re.findall(r"\.note\.GNU-stack.*\n.*", run(readelf, "--sections", archive))
    assert stack
    assert not [section for section in stack if " X " in section]

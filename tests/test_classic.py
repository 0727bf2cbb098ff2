"""Programs written for MINPACK relink with our library and print the same.

The programs in classic/ are compiled once and linked twice: with the original's
libminpack.a and with ours, which is built here, alone, as a C or Fortran project would
build it. They print every number to its last bit.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from commands import CC, FC, LIBRARY, needs_compilers, run

PROGRAMS = Path(__file__).parent / "classic"
UNUSED = "-Wno-unused-function"  # report.h is for several programs

# What a library that allocates nothing, keeps nothing and prints nothing may need.
LIBC = {"memcmp", "memcpy", "memmove", "memset", "strcmp", "sqrt", "fabs", "log10", "pow"}
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


@pytest.fixture(scope="module")
def prefix(folder: Path) -> Path:
    """Where our library is installed after it was built alone."""
    pytest.importorskip("mesonbuild")
    meson = (sys.executable, "-m", "mesonbuild.mesonmain")
    ninja = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    }
    options = {"env": os.environ | ninja, "cwd": folder}
    where = (f"--prefix={folder / 'installed'}", "--libdir=lib")
    run(*meson, "setup", folder / "build", LIBRARY, *where, **options)
    run(*meson, "install", "-C", folder / "build", **options)
    return folder / "installed"


@pytest.fixture(scope="module")
def archive(prefix: Path) -> Path:
    return prefix / "lib" / "libminpack.a"


@pytest.fixture(scope="module")
def c_program(folder: Path) -> Path:
    """The C program, compiled but not linked."""
    run(CC, "-std=c11", "-O1", "-c", PROGRAMS / "classic.c", "-o", folder / "classic.o")
    return folder / "classic.o"


@pytest.fixture(scope="module")
def fortran_program(folder: Path) -> Path:
    """The Fortran program, compiled but not linked."""
    compiled = folder / "classic_f90.o"
    run(FC, "-O1", "-c", PROGRAMS / "classic.f90", "-o", compiled, cwd=folder)
    return compiled


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


def test_a_c_program_prints_the_same(
    c_program: Path, archive: Path, original_archive: Path
) -> None:
    ours, theirs = (printed(CC, c_program, a) for a in (archive, original_archive))
    assert len(fits(theirs)) == 60 + 26 + 16
    assert ours == theirs


def test_a_c_program_that_stops_its_fits_prints_the_same(
    c_program: Path, archive: Path, original_archive: Path
) -> None:
    ours, theirs = (
        fits(printed(CC, c_program, a, "stop")) for a in (archive, original_archive)
    )
    assert list(ours) == list(theirs)
    for title in theirs:
        assert comparable(title, ours[title]) == comparable(title, theirs[title]), title
    infos = {int(re.search(r"info (\S+)", "".join(f))[1]) for f in ours.values()}
    assert {-1, -2, -10, -20} < infos


def test_a_fortran_program_prints_the_same(
    fortran_program: Path, archive: Path, original_archive: Path
) -> None:
    ours, theirs = (
        printed(FC, fortran_program, a) for a in (archive, original_archive)
    )
    assert "look at fjac" in theirs
    assert "info, calls -17 17" in theirs
    assert ours == theirs


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


def symbols(archive: Path) -> list[tuple[str, str]]:
    """The symbols of an archive and their sections; a symbol that it needs has none."""
    nm = shutil.which("nm") or pytest.skip("no nm")
    rows = [line.split("|") for line in run(nm, "--format=sysv", archive).splitlines()]
    found = [(row[0].strip(), row[-1].strip()) for row in rows if len(row) == 7]
    return [("" if section == "*UND*" else section, name) for name, section in found]


linux = pytest.mark.skipif(sys.platform != "linux", reason="knows ELF sections only")


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

"""The build says what it builds, and `make` what it does, in few words."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from pathlib import Path

import pytest

from commands import CC, FC, LIBRARY, ROOT, attempt, needs_compilers, refused, run

MINGW = "x86_64-w64-mingw32-gcc"
TOO_OLD = "import sys; sys.version_info = (3, 10, 13, 'final', 0); "


def script(path: Path, *lines: str) -> Path:
    """Write a shell script."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


# --- Which kernels there are --------------------------------------------------------


def kernels(folder: Path, cc: str | Path, *options: str | Path) -> str:
    """What Meson's summary says of the fast kernels, built with that compiler."""
    pytest.importorskip("mesonbuild")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = run(
        sys.executable, "-m", "mesonbuild.mesonmain", "setup", folder / "build",
        LIBRARY, *options, env=os.environ | {"CC": str(cc), "PATH": path},
    )  # fmt: skip
    return printed.partition("Fast kernels: ")[2].splitlines()[0]


@needs_compilers
@pytest.mark.skipif(platform.machine() != "x86_64", reason="not x86-64")
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_gcc_and_clang_build_the_kernels_of_all_instruction_sets(cc, tmp_path):
    if not shutil.which(cc):
        pytest.skip(f"no {cc} here")
    assert kernels(tmp_path, cc) == "baseline, x86-64-v3, x86-64-v4"


@needs_compilers
@pytest.mark.skipif(platform.machine() != "x86_64", reason="not x86-64")
def test_a_compiler_without_the_instructions_builds_the_baseline_and_says_so(tmp_path):
    refuses = 'case "$*" in *avx512*) exit 1; esac'
    cc = script(tmp_path / "cc", refuses, f'exec {CC} "$@"')
    said = kernels(tmp_path, cc)
    assert said.startswith("baseline (x86-64-v3 and v4: the C compiler does not know")
    assert "-mavx512f" in said


@needs_compilers
def test_another_processor_has_the_baseline_and_the_build_says_so(tmp_path):
    machine = tmp_path / "cross.ini"
    machine.write_text(
        f"""
        [binaries]
        c = '{CC}'
        fortran = '{FC}'
        ar = 'ar'
        [host_machine]
        system = 'linux'
        cpu_family = 'riscv64'
        cpu = 'riscv64'
        endian = 'little'
    """.replace("        ", "")
    )
    said = kernels(tmp_path, CC, "--cross-file", machine)
    assert said == "baseline (x86-64-v3 and v4: not on riscv64)"


# --- The clock ----------------------------------------------------------------------


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """A program that prints the seconds of src/_minpack/clock.h."""
    source = tmp_path / "clock.c"
    source.write_text("""
        #include <stdio.h>
        #include "clock.h"
        int main(void)
        {
            printf("%.9f", seconds());
            return 0;
        }
    """)
    return source


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other clocks")
@pytest.mark.skipif(not shutil.which(CC), reason="no C compiler")
def test_the_clock_of_the_glue_is_one_that_nobody_sets(clock, tmp_path):
    program = tmp_path / "clock"
    run(CC, "-D_GNU_SOURCE", f"-I{ROOT / 'src/_minpack'}", clock, "-o", program)
    before = time.monotonic()
    assert before <= float(run(program)) <= time.monotonic()


@pytest.mark.skipif(not shutil.which(MINGW), reason="no MinGW here")
@pytest.mark.parametrize("runtime", ["msvcrt", "ucrt"])
def test_the_clock_of_the_glue_compiles_for_windows(runtime, clock, tmp_path):
    flags = ["-std=c11", "-Wall", "-Werror", f"-I{ROOT / 'src/_minpack'}"]
    flags += ["-D_UCRT"] if runtime == "ucrt" else []
    run(MINGW, *flags, "-c", clock, "-o", tmp_path / "clock.o")


# --- make ---------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `make` reads, and a Python that installs nothing."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    script(tmp_path / "tools/install-original.sh")
    (tmp_path / "Python.h").touch()
    script(
        tmp_path / "python3",
        f'case "$1" in -) exec {sys.executable} "$@" ;; -c) echo {tmp_path}; esac',
        'case "$2" in venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; esac',
        'case "$*" in *"${FAILING:-nothing}"*) echo "no such thing" >&2; exit 1; esac',
    )
    return tmp_path


def make(project: Path, target: str, **variables: str):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    variables |= {"CC": "true", "FC": "true"}  # compilers are there
    python = f"PYTHON={project / 'python3'}"
    return attempt("make", target, python, cwd=project, env=kept | variables)


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="no make here")


@needs_make
@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_says_in_three_lines_what_it_does(target, project):
    done = make(project, target)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Installing what the build needs into .venv.",
        "Compiling minpack: about half a minute.",
        f"Installing what make {target} needs into .venv.",
    ]
    again = make(project, target)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@needs_make
@pytest.mark.parametrize("step", ["--group build", "--editable", "--group test"])
def test_make_shows_the_error_of_a_step_that_fails(step, project):
    done = make(project, "test", FAILING=step)
    assert done.returncode != 0
    assert "no such thing" in done.stderr


@needs_make
def test_make_refuses_an_old_python_before_it_installs_anything(project):
    old = f'exec {sys.executable} -c "{TOO_OLD}exec(sys.stdin.read())" "$2"'
    python = script(project / "python3", old)
    done = make(project, "demo")
    said, *rest = done.stderr.splitlines()
    assert said.startswith(
        f"minpack needs Python 3.11 or newer; {python} is Python 3.10"
    )
    assert [line[:6] for line in rest] == ["make: "]
    assert done.stdout == ""
    assert not (project / ".venv").exists()


def test_an_install_by_an_old_python_is_refused_in_one_line():
    said = refused(
        sys.executable, "-c", TOO_OLD + "import build_backend", cwd=ROOT / "tools"
    )
    (line,) = said.splitlines()
    assert line.startswith("minpack needs Python 3.11 or newer; ")
    assert line.endswith(" is Python 3.10.13.")

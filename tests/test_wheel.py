"""The sdist builds a wheel, which holds what it should and works where nothing is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FIT = """
import sys
import minpack
assert "scipy" not in sys.modules
x, ier = minpack.leastsq(lambda x: [x[0] - 3, x[0] * x[1] - 6, 0], [1, 1])
print(x.round(6).tolist(), ier in (1, 2, 3, 4), minpack.__file__)
"""


def run(*command: object, **options: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True, text=True, check=False, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built in isolation from an sdist of the last commit."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("an sdist is made of a git checkout")
    folder = tmp_path_factory.mktemp("wheel")
    build = "import mesonpy, sys; print(mesonpy.build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", build, folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    run(*pip, "--wheel-dir", folder, sdist)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    suffix = re.escape(sysconfig.get_config_var("EXT_SUFFIX"))
    allowed = re.compile(
        rf"minpack/(\w+\.py|py\.typed|_minpack\.pyi|_minpack{suffix})"
        r"|minpack-[\w.]+\.dist-info/(METADATA|RECORD|WHEEL|licenses/LICENSE)"
    )
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        texts = "".join(
            archive.read(n).decode() for n in names if n.endswith("METADATA")
        )
    assert [name for name in names if not allowed.fullmatch(name)] == []
    assert {f"minpack/{p.name}" for p in ROOT.glob("minpack/*.py")} <= set(names)
    needs = re.findall(r"^Requires-Dist: (.*)", texts, re.MULTILINE)
    assert [need for need in needs if "extra ==" not in need] == ["numpy>=2.0"]


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 200_000


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd here")
def test_the_extension_needs_the_c_library_alone(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if "_minpack." in n and "pyi" not in n)
        extension = archive.extract(name, tmp_path)
    lines = run("ldd", extension).splitlines()
    needed = {Path(line.split()[0]).name.split(".so")[0] for line in lines}
    system = {"linux-vdso", "libc", "libm", "libpthread"}
    assert {name for name in needed if not name.startswith("ld-")} <= system


def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    installed = run(python, "-m", "pip", "list", "--format", "freeze").lower()
    names = {line.split("==")[0] for line in installed.split()}
    assert names <= {"minpack", "numpy", "pip", "setuptools", "wheel"}
    printed = run(python, "-I", "-c", FIT, cwd=tmp_path)
    assert printed.startswith("[3.0, 2.0] True ")
    assert str(environment) in printed

"""What is packed and installed: the sdist, the wheel, and the README's lines.

The sdist is one of the last commit.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import minpack
from commands import ROOT, refused, run

FIT = """
import sys
import minpack
assert "scipy" not in sys.modules
x, ier = minpack.leastsq(lambda x: [x[0] - 3, x[0] * x[1] - 6, 0], [1, 1])
print(x.round(6).tolist(), ier in (1, 2, 3, 4), minpack.__file__)
"""


def failing_import(python: Path, folder: Path) -> str:
    """What importing minpack in that folder says, without a chain of tracebacks."""
    said = refused(python, "-c", "import minpack", cwd=folder)
    assert said.count("Traceback") == 1
    return said[said.index("\nImportError: ") + 1 :]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("an sdist is made of a git checkout")
    folder = tmp_path_factory.mktemp("sdist")
    build = "import mesonpy, sys; print(mesonpy.build_sdist(sys.argv[1]))"
    run(sys.executable, "-c", build, folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built with the tools that are here."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", folder, sdist)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def extension(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The extension module in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if "_minpack." in n and "pyi" not in n)
        return archive.extract(name, tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="module")
def sources(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked


@pytest.fixture(scope="module")
def environment(sources: Path) -> Path:
    """What the README's lines make, one after the other in one shell."""
    text = (sources / "README.md").read_text()
    block = re.search(r"## Install\n\n```console\n(.*?)```", text, re.DOTALL)[1]
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    printed = run(
        "sh", "-e", "-c", "\n".join(lines), cwd=sources, env=os.environ | {"PATH": path}
    )
    assert printed.splitlines()[-1] == minpack.__version__
    return sources / ".venv"


@pytest.fixture(scope="module")
def python(environment: Path) -> Path:
    """The Python that the README's lines install for."""
    return environment / "bin" / "python"


def test_the_sdist_holds_the_sources_and_nothing_else(sdist):
    allowed = re.compile(
        r"LICENSE|Makefile|PKG-INFO|meson\.build|pyproject\.toml|\w+\.(md|cff)"
        r"|\.gitignore|\.clang-format|\.ci/run|\.pre-commit-config\.yaml"
        r"|\.github(/\w+)*\.(md|yml)|conda/recipe\.yaml"
        r"|(minpack|src|tests|examples|benchmarks|docs|tools)(/\w[\w-]*)+"
        r"\.(py|pyi|typed|c|cc|h|f90|build|sh|md|rst|png|svg|dat|css|js|mjs)"
    )
    with tarfile.open(sdist) as archive:
        paths = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    assert {path for path in paths if not allowed.fullmatch(path)} == set()
    assert {"meson.build", "src/_minpack/fit.c", "tools/build_backend.py"} <= paths


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    suffix = re.escape(sysconfig.get_config_var("EXT_SUFFIX"))
    allowed = re.compile(
        rf"minpack/((_traced/)?\w+\.py|py\.typed|_minpack\.pyi|_minpack{suffix})"
        r"|minpack-[\w.]+\.dist-info/(METADATA|RECORD|WHEEL|licenses/LICENSE)"
    )
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        texts = "".join(
            archive.read(n).decode() for n in names if n.endswith("METADATA")
        )
    assert [name for name in names if not allowed.fullmatch(name)] == []
    sources = [*ROOT.glob("minpack/*.py"), *ROOT.glob("minpack/_traced/*.py")]
    assert {str(source.relative_to(ROOT)) for source in sources} <= set(names)
    needs = re.findall(r"^Requires-Dist: (.*)", texts, re.MULTILINE)
    assert [need for need in needs if "extra ==" not in need] == ["numpy>=2.0"]


def test_the_version_is_the_same_in_every_place_that_has_one(wheel):
    versions = {
        name: re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)[1]
        for name, pattern in {
            "meson.build": r"version: '(.*)'",
            "CHANGELOG.md": r"^## (\S+)",
            "CITATION.cff": r"^version: (.*)",
            "conda/recipe.yaml": r"^  version: \"(.*)\"",
        }.items()
    }
    assert {wheel.name.split("-")[1], *versions.values()} == {minpack.__version__}


def test_what_pypi_shows_leads_to_files_of_this_version(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        text = archive.read(name).decode()
    source = re.search(r"^Project-URL: Source, (.*)", text, re.MULTILINE)[1]
    targets = re.findall(r"(!?)\[[^\]]*\]\(([^)]*)\)", text)
    assert len(targets) > 5
    for picture, target in targets:
        if target.startswith(source):
            start = f"{source}/{'raw' if picture else 'blob'}/v{minpack.__version__}/"
            assert (ROOT / target.removeprefix(start)).is_file(), target
        else:
            assert re.match(r"https://|#", target), target


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 400_000


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd here")
def test_the_extension_needs_the_c_library_alone(extension):
    lines = run("ldd", extension).splitlines()
    needed = {Path(line.split()[0]).name.split(".so")[0] for line in lines}
    system = {"linux-vdso", "libc", "libm", "libpthread"}
    assert {name for name in needed if not name.startswith("ld-")} <= system


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="newer")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump here")
def test_the_extension_runs_with_a_c_library_of_2012(extension):
    names = run("objdump", "--dynamic-syms", extension)
    versions = re.findall(r"GLIBC_2\.(\d+)", names)
    assert max(map(int, versions), default=0) <= 17


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems list names otherwise"
)
@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm here")
def test_the_extension_exports_nothing_but_what_python_calls(extension):
    lines = run("nm", "--dynamic", "--defined-only", extension).splitlines()
    assert [line.split()[-1] for line in lines] == ["PyInit__minpack"]


def test_what_the_readme_installs_works_with_numpy_alone(python, environment, tmp_path):
    installed = run(python, "-m", "pip", "list", "--format", "freeze").lower()
    names = {re.split("==| @ ", line)[0] for line in installed.splitlines()}
    assert names <= {"minpack", "numpy", "pip", "setuptools", "wheel"}
    printed = run(python, "-I", "-c", FIT, cwd=tmp_path)
    assert printed.startswith("[3.0, 2.0] True ")
    assert str(environment) in printed


def test_in_the_folder_of_sources_an_import_says_what_to_do(python, sources):
    said = failing_import(python, sources)
    assert said.startswith(
        f"ImportError: the folder {sources / 'minpack'} holds the so"
    )
    assert "`pip install .` and start Python in another folder, or" in said
    assert "editable install" in said


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("_minpack.cpython-39-x86_64-linux-gnu.so", "was built for another Python"),
        ("_minpack.so", "cannot be loaded"),
        ("nothing.so", "cannot be loaded"),
    ],
    ids=["of another Python", "broken", "missing"],
)
def test_an_extension_that_cannot_be_used_is_said_to_be_so(
    name, why, python, environment, tmp_path
):
    (package,) = environment.glob("lib/python*/site-packages/minpack")
    ignored = shutil.ignore_patterns("_minpack.*.so")
    copy = shutil.copytree(package, tmp_path / "minpack", ignore=ignored)
    (copy / name).write_text("This is no extension.")
    said = failing_import(python, tmp_path)
    assert why in said
    assert str(copy) in said
    assert str(python) in said


def test_without_numpy_an_import_says_so(python, sources):
    said = refused(python, "-S", "-c", "import minpack", cwd=sources)
    assert said.splitlines()[-1] == "ModuleNotFoundError: No module named 'numpy'"


def test_an_editable_install_in_isolation_is_refused_with_what_to_do(python, sources):
    said = refused(python, "-m", "pip", "install", "--no-deps", "--editable", sources)
    assert "pip install --no-build-isolation --editable ." in said
    assert "Traceback" not in said

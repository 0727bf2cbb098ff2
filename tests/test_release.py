"""What is written twice for those who release: addresses, versions, interpreters."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from commands import ROOT, run

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    """The texts of this repository."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in run("git", "ls-files", cwd=ROOT).splitlines()]
    kinds = {".md", ".cff", ".py", ".yml", ".yaml", ".toml", ".html"}
    return {p: p.read_text() for p in paths if p.suffix in kinds and p.exists()}


def test_all_addresses_of_the_project_are_those_of_pyproject(texts):
    urls = PROJECT["project"]["urls"]
    ours = re.compile(
        r"https://github\.com/[\w.-]+/minpack\b|https://[\w-]+\.github\.io/minpack/"
    )
    found = {address for text in texts.values() for address in ours.findall(text)}
    assert found == {urls["Source"], urls["Documentation"]}


def test_pre_commit_has_the_tools_and_versions_of_make_lint():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    named = set(re.findall(r"[\w-]+==[\w.]+", text))
    assert named == set(PROJECT["dependency-groups"]["lint"])


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_each_python_that_is_named_is_tested_on_each_system_and_has_wheels(version):
    classifier = f"Programming Language :: Python :: {version}"
    assert classifier in PROJECT["project"]["classifiers"]
    matrices = re.findall(
        r"python: \[(.*)\]", (ROOT / ".github/workflows/tests.yml").read_text()
    )
    assert len(matrices) == 2  # Windows is one of its own
    assert all(f'"{version}"' in matrix for matrix in matrices)
    built = re.fullmatch(r"cp3(.*)\*", PROJECT["tool"]["cibuildwheel"]["build"])[1]
    assert re.fullmatch(built, version.removeprefix("3."))

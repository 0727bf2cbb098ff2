"""The functions of functions.c, compiled here."""

from __future__ import annotations

import ctypes
import shutil
from pathlib import Path

import pytest

from commands import CC, run


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those functions as a shared library."""
    if not shutil.which(CC):
        pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("compiled")
    library = folder / "functions.so"
    source = Path(__file__).with_name("functions.c")
    flags = ["-O1", "-ffp-contract=off", "-shared", "-fPIC"]
    run(CC, *flags, source, "-o", library)
    return library


@pytest.fixture(scope="module")
def functions(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))

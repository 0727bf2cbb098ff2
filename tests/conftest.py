"""The original MINPACK, for the tests that compare with it, and how long to fuzz."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

import original


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fuzz-examples",
        type=int,
        metavar="N",
        help="draw N new examples for each test in test_fuzz.py; by default a few, "
        "always the same",
    )


def pytest_configure(config: pytest.Config) -> None:
    count = config.getoption("--fuzz-examples")
    settings.register_profile(
        "minpack",
        max_examples=count or 500,
        derandomize=count is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("minpack")
    for marker in ("parallel_threads_limit(n)", "fail_slow(seconds)"):
        config.addinivalue_line("markers", f"{marker}: on SciPy's own tests")


def without_original(reason: str) -> NoReturn:
    """Skip; where the original is required, fail."""
    if os.environ.get("MINPACK_REQUIRE_ORIGINAL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def library() -> ctypes.CDLL:
    """The original as a shared library."""
    return original.load() or without_original(
        "no libminpack.so.1 here (Debian and Ubuntu: apt install libminpack1)"
    )


@pytest.fixture(scope="session")
def original_archive() -> Path:
    """The original as a static library."""
    cc = shutil.which(os.environ.get("CC", "cc"))
    if cc:
        command = [cc, "-print-file-name=libminpack.a"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if Path(found.stdout.strip()).is_absolute():
            return Path(found.stdout.strip())
    without_original(
        "no libminpack.a or no C compiler here (Debian and Ubuntu: apt install "
        "minpack-dev gcc)"
    )

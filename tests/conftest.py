"""What tests of several chapters want: the original MINPACK, allocations that fail."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import shlex
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import original
from commands import CC, attempt, run


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
    if shutil.which(CC):
        found = attempt(CC, "-print-file-name=libminpack.a").stdout.strip()
        if Path(found).is_absolute():
            return Path(found)
    without_original(
        "no libminpack.a or no C compiler here (Debian and Ubuntu: apt install "
        "minpack-dev gcc)"
    )


@pytest.fixture(scope="session")
def failing_allocations(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of failing_allocations.c, compiled here."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    built = tmp_path_factory.mktemp("memory") / f"failing_allocations{suffix}"
    include = sysconfig.get_path("include")
    compiler = shlex.split(sysconfig.get_config_var("LDSHARED") or "")
    if not compiler or not shutil.which(compiler[0]):
        pytest.skip("no C compiler here")
    if not Path(include, "Python.h").exists():
        pytest.skip("no Python.h here")
    source = Path(__file__).with_name("failing_allocations.c")
    flags = ["-fPIC", "-O1", f"-I{include}", f"-I{np.get_include()}"]
    run(*compiler, *flags, source, "-o", built)
    spec = importlib.util.spec_from_file_location("failing_allocations", built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def memory(failing_allocations: Any) -> Iterator[Any]:
    """That module, which takes every allocation in the meantime."""
    gc.collect()
    gc.freeze()  # makes the many collections below fast
    failing_allocations.install()
    yield failing_allocations
    failing_allocations.uninstall()
    gc.unfreeze()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes of a Dask cluster."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.worker.daemon": True}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client

"""Commands, and what they say; the compilers among them, and what they work on."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "src/libminpack"  # the sources of the library that builds alone
CC, FC = os.environ.get("CC", "cc"), os.environ.get("FC", "gfortran")

needs_compilers = pytest.mark.skipif(
    not (shutil.which(CC) and shutil.which(FC)), reason="no C or no Fortran compiler"
)


def attempt(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command, which may fail."""
    words = [str(word) for word in command]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=600, **options
    )


def run(*command: Any, **options: Any) -> str:
    """What a command prints."""
    done = attempt(*command, **options)
    assert done.returncode == 0, f"{' '.join(done.args)}\n{done.stdout}{done.stderr}"
    return done.stdout


def refused(*command: Any, **options: Any) -> str:
    """What a command that fails says."""
    done = attempt(*command, **options)
    assert done.returncode != 0, done.stdout
    return done.stderr

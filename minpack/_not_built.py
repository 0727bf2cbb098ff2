"""What to do where the compiled part of minpack is missing or cannot be loaded."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

_SOURCES = """\
the folder {folder} holds the sources of minpack, which are not compiled. Python looks \
here before it looks where packages are installed. Either
- run `pip install .` and start Python in another folder, or
- make an editable install, which works in every folder: CONTRIBUTING.md says how."""
_OTHER_PYTHON = (
    "minpack in {folder} was built for another Python: {file} is there, and {python} "
    "wants _minpack{suffix}. Install minpack with this Python."
)
_NOT_LOADED = (
    "the compiled part of minpack in {folder} cannot be loaded: {error}. Install "
    "minpack again with {python}."
)


def explanation(error: ImportError, folder: Path) -> str:
    """Say why the compiled part of the package in `folder` is not there."""
    files = sorted({*folder.glob("_minpack.*")} - {folder / "_minpack.pyi"})
    text = _NOT_LOADED
    if isinstance(error, ModuleNotFoundError):
        if files:
            text = _OTHER_PYTHON
        elif (folder.parent / "meson.build").exists():
            text = _SOURCES
    return text.format(
        folder=folder,
        error=error,
        file=", ".join(path.name for path in files),
        python=sys.executable,
        suffix=EXTENSION_SUFFIXES[0],
    )

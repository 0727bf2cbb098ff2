"""Commands, and what they say."""

from __future__ import annotations

import subprocess
from typing import Any


def attempt(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command, which may fail."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def run(*command: Any, **options: Any) -> str:
    """What a command prints."""
    done = attempt(*command, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(*command: Any, **options: Any) -> str:
    """What a command that fails says."""
    done = attempt(*command, **options)
    assert done.returncode != 0, done.stdout
    return done.stderr

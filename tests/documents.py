"""The code in the documents, and what it prints and draws.

``python tests/documents.py docs/PAGE.md ...`` runs the code of pages in their folder,
where their pictures are drawn anew, and says where it prints something else.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<said>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


class Ran(NamedTuple):
    """A block of code that ran, the text that its page says, and what it printed."""

    code: str
    said: str
    printed: str


def run_blocks(page: Path, names: dict[str, Any]) -> Iterator[Ran]:
    """Run the code of a page from top to bottom, among `names`.

    Blocks that mention a package which a block of the page imports and which is not
    here are left out.
    """
    missing: set[str] = set()
    for block in BLOCK.finditer(page.read_text()):
        code, said = block["code"], block["said"] or ""
        imported = re.findall(r"^ *(?:import|from) (\w+)", code, re.MULTILINE)
        missing |= {package for package in imported if not find_spec(package)}
        if any(re.search(rf"\b{package}\b", code) for package in missing):
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, page.name, "exec"), names)
        yield Ran(code, said, out.getvalue())


def main() -> None:
    for page in map(Path, sys.argv[1:]):
        with contextlib.chdir(page.parent):
            for ran in run_blocks(Path(page.name), {}):
                if ran.printed != ran.said:
                    print(f"{page} says\n{ran.said}and prints\n{ran.printed}")


if __name__ == "__main__":
    main()

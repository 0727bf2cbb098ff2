"""Check that every link of a built site to itself leads somewhere: page and anchor.

python tools/check_links.py build/docs/html
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, and the links, pictures and scripts that it names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what the tag names."""
        for name, value in attrs:
            if value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.targets.append(value)


def pages_of(site: Path) -> list[Path]:
    """Return the pages of a site, without the theme's templates."""
    paths = sorted(site.rglob("*.html"))
    return [path for path in paths if path.parent != site / "_static"]


def dead_links(site: Path) -> list[str]:
    """Return a line for each link within the site that leads nowhere."""
    pages = {path: Page(path) for path in pages_of(site)}
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = path.parent / unquote(parts.path) if parts.path else path
            file = (file / "index.html" if file.is_dir() else file).resolve()
            anchor = unquote(parts.fragment)
            known = pages[file].anchors if file in pages else set()
            if not file.exists() or (file in pages and anchor and anchor not in known):
                dead.append(f"{path.relative_to(site)}: {target}")
    return dead


def main() -> None:
    """Print the dead links, and how many pages there are."""
    site = Path(sys.argv[1]).resolve()
    dead = dead_links(site)
    print(*dead, sep="\n", end="\n" if dead else "")
    pages = len(pages_of(site))
    print(f"{pages} pages, {len(dead)} dead links within them")
    sys.exit(bool(dead) or not pages)


if __name__ == "__main__":
    main()

"""Tables and figures as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, all columns but the first aligned to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (cells[0], rule, *cells[1:]):
        first, *others = zip(row, widths, strict=True)
        padded = [first[0].ljust(first[1])]
        padded += [cell.rjust(width) for cell, width in others]
        lines.append("| " + " | ".join(padded) + " |")
    return "\n".join(lines)


def short(value: float) -> str:
    """Return three digits, and all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def spread(values: Sequence[float]) -> str:
    """Return the median, and the quartiles in parentheses."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def verdict(value: float, target: float) -> str:
    """Return whether a figure reaches its target."""
    return f"{target:g} {'met' if value >= target else 'missed'}"


def at_most(value: float, target: float) -> str:
    """Return whether a figure stays below its target."""
    return f"{target:g} at most, {'met' if value <= target else 'missed'}"


def wrapped(text: str) -> str:
    """Return Markdown with its paragraphs and items broken into lines anew."""
    blocks = []
    for block in text.split("\n\n"):
        if not block.startswith(("|", "#", "!", "```")):
            items = (" ".join(item.split()) for item in re.split("\n(?=- )", block))
            block = "\n".join(
                textwrap.fill(
                    item,
                    88,
                    subsequent_indent="  " if item.startswith("- ") else "",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
                for item in items
            )
        blocks.append(block)
    return "\n\n".join(blocks)

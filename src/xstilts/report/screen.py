"""Printing for people: as wide as the terminal, and as wide as needed in a pipe or a file."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from xstilts.plain import coloured

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from xstilts.report.blocks import Sheet

_NO_LIMIT = 100_000


def show(*parts: Any) -> None:
    """Print lines of text, tables and trees on stdout, one below the other.

    Args:
        parts: text, which is never wrapped or read as markup, or whatever rich draws.

    Raises:
        BrokenPipeError: if nobody reads any more.
    """
    from rich.console import Console

    on_terminal = sys.stdout.isatty()
    fits = on_terminal or "COLUMNS" in os.environ
    console = Console(width=None if fits else _NO_LIMIT, markup=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, str))
    # Not console.print: it would end the process by itself where a pipe is closed.
    lines = coloured(captured.get()).splitlines(keepends=True)
    sys.stdout.write("".join(lines) if on_terminal else "".join(map(_trimmed, lines)))


def grid(*headers: str) -> Table:
    """An empty table without vertical lines.

    Args:
        headers: of the columns; with ">" in front it is right-justified, and with "~" it gives
            way where the terminal is too narrow.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        justify: Literal["left", "right"] = "right" if header.startswith(">") else "left"
        table.add_column(header.lstrip(">~"), justify=justify, no_wrap=not header.startswith("~"))
    return table


def drawn(sheet: Sheet) -> Table:
    """A report's table."""
    headers = [
        name if place in sheet.words else f">{name}" for place, name in enumerate(sheet.header)
    ]
    table = grid(*headers)
    for row in sheet.rows:
        table.add_row(*(c.text if c.half is None else f"{c.text} ±{c.half:.1f}" for c in row))
    return table


def cut(text: str) -> Text:
    """Text on one line, its end cut off where there is no room."""
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def _trimmed(line: str) -> str:
    return line.rstrip() + "\n"

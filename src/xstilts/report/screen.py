"""Printing for people: as wide as the terminal, and as wide as needed in a pipe or a file."""

from __future__ import annotations

import os
import sys
from copy import copy
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from xstilts.plain import coloured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from xstilts.report.blocks import Sheet

_NO_LIMIT = 100_000
_GAP = 2  # between columns
_WORD = 20  # longer ones may be broken


def show(*parts: Any) -> None:
    """Print lines of text, tables and trees on stdout, one below the other.

    Where a table is too wide, its text and headers fold; numbers are never cut. Where that is not
    enough, its columns are spread over several tables, each with the first ones, which say what a
    row is.

    Args:
        parts: text, which is never wrapped or read as markup, or whatever rich draws.

    Raises:
        BrokenPipeError: if nobody reads any more.
    """
    from rich.console import Console
    from rich.table import Table

    on_terminal = sys.stdout.isatty()
    fits = on_terminal or "COLUMNS" in os.environ
    console = Console(width=None if fits else _NO_LIMIT, markup=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            for one in _fitted(part, console) if isinstance(part, Table) else (part,):
                console.print(one, soft_wrap=isinstance(one, str), crop=False)
    # Not console.print: it would end the process by itself where a pipe is closed.
    lines = coloured(captured.get()).splitlines(keepends=True)
    sys.stdout.write("".join(lines) if on_terminal else "".join(map(_trimmed, lines)))


def grid(*headers: str) -> Table:
    """An empty table without vertical lines.

    Args:
        headers: of the columns; with ">" in front they hold numbers, which are right-justified
            and never folded.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for header in headers:
        justify: Literal["left", "right"] = "right" if header.startswith(">") else "left"
        table.add_column(header.lstrip(">"), justify=justify, overflow="fold")
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


def show_sheets(sheets: Iterable[Sheet]) -> None:
    """Print tables of a report, each with its title above and its notes below."""
    for sheet in sheets:
        show(sheet.title, drawn(sheet), *sheet.notes, "")


def cut(text: str) -> Text:
    """Text on one line, its end cut off where there is no room."""
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def indented(text: str) -> Padding:
    """Text that stands a little to the right, on all of its lines."""
    from rich.padding import Padding

    return Padding(text, (0, 0, 0, 2), expand=False)


def _fitted(table: Table, console: Console) -> Iterator[Table | str]:
    """A table in as few parts as fit side by side, with empty lines between them."""
    from rich.measure import measure_renderables

    free = console.options.update(width=_NO_LIMIT)
    columns, least, most = table.columns, [], []
    for column in columns:
        head = measure_renderables(console, free, [column.header])
        cells = measure_renderables(console, free, list(column.cells))
        folded = min(max(head.minimum, cells.minimum), _WORD)
        if any(getattr(cell, "no_wrap", False) for cell in column.cells):  # see `cut`
            folded = 0
        least.append(max(folded, cells.maximum) if column.justify == "right" else folded)
        most.append(max(head.maximum, cells.maximum))
    first = 1 + len(list(takewhile(lambda column: column.justify == "left", columns[1:])))
    blocks = [list(range(first))]
    for place in range(first, len(columns)):
        if len(blocks[-1]) > first and _total(least, [*blocks[-1], place]) > console.width:
            blocks.append(list(range(first)))
        blocks[-1].append(place)
    for number, places in enumerate(blocks):
        yield from [""] * bool(number)
        yield _part(table, places, least, most, console.width)


def _total(widths: Sequence[int], places: Sequence[int]) -> int:
    return sum(widths[place] for place in places) + _GAP * (len(places) - 1)


def _part(
    table: Table, places: Sequence[int], least: Sequence[int], most: Sequence[int], room: int
) -> Table:
    """Some columns of a table: what may be cut gives way until they fit, then the widest fold."""
    widths = list(most)
    while _total(widths, places) > room:
        loose = [place for place in places if widths[place] > least[place]]
        if not loose:
            break
        widths[max(loose, key=lambda place: (least[place] == 0, widths[place]))] -= 1
    part = copy(table)
    part.columns = [
        replace(table.columns[place], width=widths[place], _index=number)
        for number, place in enumerate(places)
    ]
    part.width = _total(widths, places)
    return part


def _trimmed(line: str) -> str:
    return line.rstrip() + "\n"

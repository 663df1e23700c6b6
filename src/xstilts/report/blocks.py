"""What a report is made of: sections, and in them tables, charts and words.

A section says what is shown, never how: `page.html.j2` draws the page from it, `formats` takes its
tables to LaTeX and Markdown. All text in it is escaped there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Cell:
    """One cell. Numbers in points.

    Attributes:
        text: what it says.
        half: half the width of its 95 % interval; None where it has none.
        value: what to sort by; None sorts by the text.
        shade: -1 (a loss) to 1 (a gain); 0 is plain.
        sure: whether the interval leaves out 0.
        hover: n, seeds and interval, in words.
        run: the anchor of the run it comes from.
        mark: of a footnote.
        address: of a web page that it leads to.
    """

    text: str
    half: float | None = None
    value: float | None = None
    shade: float = 0.0
    sure: bool = False
    hover: str = ""
    run: str = ""
    mark: str = ""
    address: str = ""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        name: its label in LaTeX; of several alike, the later ones are numbered.
        title: in words.
        header: of the columns; the first names the rows.
        rows: of cells, as many as there are columns.
        notes: below it.
        words: columns whose cells are text.
        style: ``matrix`` has coloured cells, ``prose`` long text, ``list`` is neither.
        headed: whether the page shows the title; a section or fold may have said it.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    words: tuple[int, ...] = (0,)
    style: Literal["matrix", "prose", "list"] = "list"
    headed: bool = True

    def if_told(self, column: str) -> Sheet:
        """Itself, without the column of this name where that says the same in every row."""
        place = self.header.index(column)
        if len({row[place].text for row in self.rows}) > 1:
            return self
        return replace(
            self,
            header=(*self.header[:place], *self.header[place + 1 :]),
            rows=tuple((*row[:place], *row[place + 1 :]) for row in self.rows),
            words=tuple(word - (word > place) for word in self.words if word != place),
        )


@dataclass(frozen=True)
class Chart:
    """One Vega-Lite chart.

    Attributes:
        name: once in a report.
        draw: the module altair -> the chart. Called for pages only: tables do without altair.
        title: above it.
        notes: below it.
    """

    name: str
    draw: Callable[[Any], Any]
    title: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """A paragraph below what it is about, in small type."""

    text: str


@dataclass(frozen=True)
class Fold:
    """What is shown when asked for.

    Attributes:
        summary: what to ask for.
        blocks: inside.
        anchor: to lead to; "" if nothing does.
    """

    summary: str
    blocks: tuple[Block, ...]
    anchor: str = ""


@dataclass(frozen=True)
class Part:
    """What no other block can say: a macro of `blocks.html.j2`.

    Attributes:
        macro: its name.
        shows: its argument.
        data: JSON values for the page's program, under the macro's name.
        sheet: the same as a table, for formats that have only tables.
    """

    macro: str
    shows: Any = None
    data: Mapping[str, Any] | None = None
    sheet: Sheet | None = None


Block = Sheet | Chart | Text | Fold | Part


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        name: its anchor.
        label: in the list of sections.
        title: above it.
        lead: what is to be seen, in a sentence or two.
        blocks: in it; none: the section is left out.
    """

    name: str
    label: str
    title: str
    lead: str = ""
    blocks: tuple[Block, ...] = field(default=())

    def each(self) -> Iterator[Block]:
        """Every block, those in folds too."""
        yield from _each(self.blocks)

    def sheets(self) -> Iterator[Sheet]:
        """Every table with something in it."""
        for block in self.each():
            sheet = block.sheet if isinstance(block, Part) else block
            if isinstance(sheet, Sheet) and sheet.rows:
                yield sheet


def _each(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from _each(block.blocks)

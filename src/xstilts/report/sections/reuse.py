"""What it takes to make the study again, and whom to cite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.report import licences
from xstilts.report.blocks import Cell, Fold, Part, Section, Sheet
from xstilts.tasks.citations import bibtex

if TYPE_CHECKING:
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings


def section(findings: Findings) -> Section:
    """Commands, licences, BibTeX."""
    blocks: list[Block] = []
    if findings.commands:
        blocks.append(Part("lines_of_code", "\n".join(findings.commands)))
    known = licences.licences(findings.tasks.values(), findings.sources)
    names: dict[tuple[str, str], list[str]] = {}
    for name, licence, url in known:
        names.setdefault((licence, url), []).append(name)
    rows = tuple(
        (Cell(", ".join(mine)), Cell(licence), Cell(url, address=url))
        for (licence, url), mine in names.items()
    )
    header = ("data", "licence", "described at")
    words, title = (0, 1, 2), "Data and their licences"
    blocks.append(Sheet("licences", title, header, rows, (), words, style="prose", headed=False))
    blocks.append(Fold("BibTeX", (Part("lines_of_code", bibtex(findings.tasks)),)))
    label = "Commands and citations"
    return Section("reuse", label, "Commands, licences, citations", blocks=tuple(blocks))

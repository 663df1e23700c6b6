"""What a study took, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts import durations
from xstilts.report.blocks import Cell, Section, Sheet, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.report.findings import Findings

LEAD = "Spent: as timed. To come: what is left, at the pace of what is finished."


def section(findings: Findings) -> Section:
    """By kind of step."""
    rows = tuple(_rows(findings))
    header = ("step", "finished", "left", "spent", "to come")
    sheet = Sheet("cost", "Cost", header, rows, headed=False)
    return Section("cost", "Cost", "Cost", LEAD, (sheet, Text(_forecast(findings))) if rows else ())


def _forecast(findings: Findings) -> str:
    """What was predicted before anything ran, and what it was."""
    made, spent = findings.forecast, sum(one.seconds for one in findings.costs)
    if made is None:
        return (
            "No forecast of the whole was made before the run; xstilts plan --forecast makes one."
        )
    predicted = f"Forecast before the run: {made}. As timed: {durations.said(spent)}"
    if any(one.left for one in findings.costs):
        return f"{predicted} so far."
    return f"{predicted}, {100 * (spent / max(made.seconds, 1e-9) - 1):+.0f} %."


def _rows(findings: Findings) -> Iterator[tuple[Cell, ...]]:
    for one in findings.costs:
        later = "not known" if one.seconds_left is None else durations.said(one.seconds_left)
        yield (
            Cell(one.kind),
            *(Cell(f"{number:,}", value=number) for number in (one.finished, one.left)),
            Cell(durations.said(one.seconds), value=one.seconds),
            Cell(later if one.left else "–", value=one.seconds_left),
        )

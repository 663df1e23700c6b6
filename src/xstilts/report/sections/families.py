"""Gains by family and by script, and by how much text the encoder had seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts import languages
from xstilts.report.blocks import Cell, Section, Sheet
from xstilts.report.cells import gain_cell, notes

if TYPE_CHECKING:
    from xstilts.report.findings import Findings


def section(findings: Findings) -> Section:
    """A table each."""
    tables = [
        _over(findings, model, over)
        for model in findings.outcomes.models
        for over in ("family", "script")
    ]
    return Section(
        "families", "Families", "Families and scripts", blocks=tuple(t for t in tables if t.rows)
    )


def _over(findings: Findings, model: str, over: str) -> Sheet:
    """Intermediates in rows; families or scripts, and the slope by pretraining text, in columns."""
    mine = [g for g in findings.all if g.model == model and g.over == over]
    slopes = {
        g.intermediate: g
        for g in findings.all
        if (g.model, g.over) == (model, "tenfold pretraining text")
    }
    members: dict[str, list[str]] = {}
    for code in dict.fromkeys(c for one in findings.outcomes for c in one.languages):
        members.setdefault(str(getattr(languages.get(code), over)), []).append(code)
    by = {(g.intermediate, g.name): g for g in mine}
    names = [name for name in members if any(name == g.name for g in mine)]
    with_slope = over == "family" and bool(slopes)
    rows = []
    for before in findings.gains.intermediates:
        gains = [by.get((before, name)) for name in names]
        gains += [slopes.get(before)] * with_slope
        if any(gains):
            cells = (Cell("") if g is None else gain_cell(g.estimate) for g in gains)
            rows.append((Cell(before), *cells))
    header = ("intermediate", *names, *["tenfold pretraining text"] * with_slope)
    title = findings.titled(f"Gains by {over}, in points", model)
    below = [f"{name}: {' '.join(members[name])}" for name in names]
    if with_slope:
        below.append("tenfold pretraining text: slope on log10 of XLM-R's tokens of the language")
    every = (*notes(mine), "; ".join(below))
    return Sheet(over, title, header, tuple(rows), every, style="matrix")

"""Every language on every target, one condition at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.report.blocks import Part, Section
from xstilts.report.cells import FULL_SHADE_POINTS
from xstilts.report.heat import heat

if TYPE_CHECKING:
    from xstilts.report.findings import Findings

LEAD = "Every language on every target. Sort by a column; a cell shows its seeds, items and steps."


def section(findings: Findings) -> Section:
    """The heat map, which begins with the best intermediate."""
    mapped = heat(findings, findings.runs)
    shows = {**mapped, "first": _first(findings, mapped), "full": FULL_SHADE_POINTS}
    return Section("languages", "Languages", "Languages", LEAD, (Part("heat", data=shows),))


def _first(findings: Findings, mapped: dict[str, Any]) -> int:
    tops = [findings.means(model)[:1] for model in findings.outcomes.models]
    best = {(gain.model, gain.intermediate) for top in tops for gain in top}
    for number, one in enumerate(mapped["conditions"]):
        if one["kind"] == "gain" and (one["model"], one["name"]) in best:
            return number
    return 0

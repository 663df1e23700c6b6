"""Every language on every target, one condition at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.report.blocks import Part, Section
from xstilts.report.cells import FULL_SHADE_POINTS, MARKS
from xstilts.report.heat import UNDECLARED, heat

if TYPE_CHECKING:
    from xstilts.report.findings import Findings

LEAD = "Every language on every target. Sort by a column; a cell shows its seeds, items and steps."
WHY = {
    MARKS["same data"]: "an intermediate task of the study holds rows that it is trained on",
    MARKS["repeat"]: "its baseline has an intermediate task of the study already",
    UNDECLARED: "it is not among the targets that the study declares",
}


def section(findings: Findings) -> Section:
    """The heat map, which begins with the best intermediate."""
    mapped = heat(findings, findings.runs)
    shows = {**mapped, "first": _first(findings, mapped), "full": FULL_SHADE_POINTS}
    lead, blocks = _lead(mapped), (Part("heat", data=shows),)
    return Section("languages", "Languages", "Languages", lead, blocks)


def _lead(mapped: dict[str, Any]) -> str:
    """What is seen, and what the means leave out."""
    signs = {sign for one in mapped["conditions"] for sign in one["marks"]}
    why = "; ".join(f"{sign}: {reason}" for sign, reason in WHY.items() if sign in signs)
    if not why:
        return LEAD
    return (
        f"{LEAD} A language's mean leaves out the targets that have a mark at their column, as "
        f"mean gains do; where there are no others, it is over these and has their mark ({why})."
    )


def _first(findings: Findings, mapped: dict[str, Any]) -> int:
    tops = [findings.means(model)[:1] for model in findings.models]
    best = {(gain.model, gain.intermediate) for top in tops for gain in top}
    for number, one in enumerate(mapped["conditions"]):
        if one["kind"] == "gain" and (one["model"], one["name"]) in best:
            return number
    return 0

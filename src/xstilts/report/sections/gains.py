"""What training on an intermediate task first brings over none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.analysis.gains import SAME_DATA
from xstilts.report.blocks import Cell, Chart, Part, Section, Sheet, Text
from xstilts.report.cells import MARKS, detectable, gain_cell, hover, notes, p_text, shown
from xstilts.report.charts import COLOURS, GREY, inline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.analysis.best import Best
    from xstilts.analysis.gains import Gain
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings

NO_SELECTION = (
    "Best per target by english_dev is not there: the recipe keeps the last step and scores no "
    "English selection rows to choose by."
)
LEAD = (
    "What training on an intermediate task first brings over none: paired differences, same seeds, "
    "same test items."
)


def section(findings: Findings) -> Section:
    """Mean gains, every target's, controls, and the best path for every target."""
    blocks: list[Block] = []
    if rows := _means(findings):
        blocks.append(Chart("means", partial(_draw_means, rows)))
    for model in findings.models:
        tables = (
            *(_matrix(findings, model), _controls(findings, model)),
            _equivalence(findings, model),
        )
        blocks += [sheet for sheet in tables if sheet.rows]
    if blocks:
        blocks += [Part("best", _best(one)) for one in findings.best]
        if not any(one.protocol == "english_dev" for one in findings.best):
            blocks.append(Text(NO_SELECTION))
    return Section("gains", "Gains", "Gains", LEAD, tuple(blocks))


# --- mean gains ---------------------------------------------------------------------------------


def _means(findings: Findings) -> list[dict[str, Any]]:
    """Mean gains with their intervals, the largest first."""
    several = len(findings.models) > 1
    rows: list[dict[str, Any]] = [
        {
            "what": f"{g.intermediate} ({g.model})" if several else g.intermediate,
            "value": 100 * g.estimate.value,
            "low": 100 * g.estimate.low,
            "high": 100 * g.estimate.high,
            "side": (g.estimate.low > 0) - (g.estimate.high < 0),
            "about": hover(g.estimate),
        }
        for model in findings.models
        for g in findings.means(model)
    ]
    return sorted(rows, key=lambda row: -row["value"])


def _draw_means(rows: list[dict[str, Any]], alt: Any) -> Any:
    names = [row["what"] for row in rows]
    base = alt.Chart(inline(alt, rows)).encode(
        y=alt.Y("what:N", sort=names, title=None, axis=alt.Axis(labelLimit=260)),
        tooltip=[alt.Tooltip("what:N", title="after"), alt.Tooltip("about:N", title="gain")],
    )
    sides = alt.Scale(domain=[1, 0, -1], range=[COLOURS[0], GREY, COLOURS[1]])
    colour = alt.Color("side:N", scale=sides, legend=None)
    zero = alt.Chart(inline(alt, [{"x": 0}])).mark_rule(color=GREY, strokeDash=[2, 3])
    line = base.mark_rule(strokeWidth=2.5, strokeCap="round", opacity=0.55).encode(
        x=alt.X("low:Q", title="mean gain over the baseline, points"), x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=85, opacity=1).encode(x="value:Q", color=colour)
    return alt.layer(zero.encode(x="x:Q"), line, point).properties(
        width="container", height=26 * len(names)
    )


# --- tables -------------------------------------------------------------------------------------


def _matrix(findings: Findings, model: str) -> Sheet:
    """Intermediates in rows; the means and every target in columns."""
    mine = [g for g in findings.all if g.model == model and g.versus == "baseline"]
    by = {(g.intermediate, g.over, g.name): g for g in mine}
    targets = list(dict.fromkeys(g.name for g in mine if g.over == "target"))
    befores = findings.gains.intermediates
    others = [
        what
        for what in ("mean without retrieval", SAME_DATA)
        if not all(_same_mean(by, before, what) for before in befores)
    ]
    over = [(what, "") for what in ("mean", *others)]
    columns = [*over, *(("target", name) for name in targets)]
    rows = []
    for before in befores:
        cells = []
        for what, name in columns:
            gain = by.get((before, what, name))
            one = findings.gains.outcome(model, name, before) if name else None
            run = findings.runs[one.model, one.path, one.target].anchor if one else ""
            cells.append(
                Cell("")
                if gain is None
                else gain_cell(gain.estimate, run=run, mark=MARKS.get(gain.flag, ""))
            )
        if any(cell.text for cell in cells):
            rows.append((Cell(before), *cells))
    header = ("intermediate", *(name or what for what, name in columns))
    title = findings.titled("Gains over the baseline, in points", model)
    below = (*notes(mine), *detectable(mine))
    return Sheet("gains", title, header, tuple(rows), below, style="matrix")


def _same_mean(by: Mapping[tuple[str, str, str], Gain], before: str, what: str) -> bool:
    one, two = by.get((before, "mean", "")), by.get((before, what, ""))
    return two is None or (one is not None and one.targets == two.targets)


def _controls(findings: Findings, model: str) -> Sheet:
    """Every intermediate's mean against the baseline, its controls and what is simpler than it."""
    mine = [g for g in findings.all if g.model == model and g.over == "mean"]
    versus = list(dict.fromkeys(g.versus for g in mine))
    tested = [v for v in versus if any(g.versus == v and g.p is not None for g in mine)]
    header, rows = ["intermediate"], []
    for v in versus:
        header += [v.replace("_", " "), *["p"] * (v in tested)]
    for before in findings.gains.intermediates:
        by = {g.versus: g for g in mine if g.intermediate == before}
        cells = []
        for v in versus:
            cells.append(gain_cell(by[v].estimate) if v in by else Cell(""))
            if v in tested:
                p = by[v].p if v in by else None
                cells.append(Cell(p_text(p), value=p))
        if by:
            rows.append((Cell(before), *cells))
    below = notes(mine)
    if tested:
        below += ("p: two-sided, by Holm within its declared family",)
    title = findings.titled("Mean gains against the baseline and against controls", model)
    if len(versus) < 2 and not tested:
        rows = []  # the other table has it all
    return Sheet("controls", title, tuple(header), tuple(rows), below, style="matrix")


def _equivalence(findings: Findings, model: str) -> Sheet:
    """Where the study declared how much is as good as nothing."""
    mine = [g for g in findings.all if g.model == model and g.margin is not None]
    columns = list(dict.fromkeys((g.name or "mean", g.margin) for g in mine))
    by = {(g.intermediate, g.name or "mean"): g for g in mine}
    rows = []
    for before in findings.gains.intermediates:
        gains = [by.get((before, name)) for name, _ in columns]
        if any(gains):
            cells = (c for gain in gains for c in _within(gain))
            rows.append((Cell(before), *cells))
    header = ["intermediate"]
    for name, margin in columns:
        header += [f"{name}, within {margin:g}", "p"]
    title = findings.titled("As good as none, within the study's margins", model)
    note = "p: two one-sided tests, by Holm over all of these; below 0.05: within the margin"
    return Sheet("equivalence", title, tuple(header), tuple(rows), (note,), style="matrix")


def _within(gain: Gain | None) -> tuple[Cell, Cell]:
    if gain is None:
        return Cell(""), Cell("")
    return gain_cell(gain.estimate), Cell(p_text(gain.equivalence_p), value=gain.equivalence_p)


def _best(one: Best) -> dict[str, str]:
    found = one.estimate
    low, high = shown(100 * found.low), shown(100 * found.high)
    return {
        "protocol": one.protocol,
        "interval": f"{shown(100 * found.value)} [{low}, {high}]",
        "warning": "" if one.zero_shot else "not strictly zero-shot: chosen on the split it scores",
        "choice": ", ".join(
            f"{target}: {before or 'none'}" for target, before in one.choice.items()
        ),
    }

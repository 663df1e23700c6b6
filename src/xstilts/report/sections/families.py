"""Gains by family and by script, and by how much text the encoder had seen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts import languages
from xstilts.report.blocks import Cell, Chart, Section, Sheet
from xstilts.report.cells import gain_cell, hover, notes
from xstilts.report.charts import COLOURS, GREY, inline

if TYPE_CHECKING:
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings


LEAD = (
    "Gains where languages are related or written alike: a language's mean over its targets, then "
    "the mean over languages."
)
SLOPE = "tenfold pretraining text"


def section(findings: Findings) -> Section:
    """A table each, and the best intermediate's gain per language over its text."""
    tables = (
        _over(findings, model, over) for model in findings.models for over in ("family", "script")
    )
    blocks: list[Block] = [table for table in tables if table.rows]
    if (rows := _sizes(findings)) and blocks:
        title = f"Gain after {rows[0]['after']} by language, over XLM-R's pretraining text"
        blocks.append(Chart("sizes", partial(_draw_sizes, rows), title, _notes(findings, rows)))
    return Section("families", "Families", "Families and scripts", LEAD, tuple(blocks))


def _sizes(findings: Findings) -> list[dict[str, Any]]:
    """Languages of known size, after the intermediate that gains most."""
    tops = [top for model in findings.models for top in findings.means(model)[:1]]
    if not tops:
        return []
    best = max(tops, key=lambda gain: gain.estimate.value)
    rows: list[dict[str, Any]] = []
    for gain in findings.all:
        if (gain.model, gain.intermediate, gain.over) != (
            best.model,
            best.intermediate,
            "language",
        ):
            continue
        row, found = languages.get(gain.name), gain.estimate
        if row.xlmr_tokens_m:
            value, low, high = (100 * number for number in (found.value, found.low, found.high))
            about = {"model": gain.model, "after": gain.intermediate, "about": hover(found)}
            rows.append(
                {**about, "language": row.name, "kind": row.family, "code": row.code}
                | {"tokens": row.xlmr_tokens_m * 1e6, "value": value, "low": low, "high": high}
            )
    return rows if len(rows) > 2 else []


def _draw_sizes(rows: list[dict[str, Any]], alt: Any) -> Any:
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    colours = [COLOURS[n] if n < len(COLOURS) else GREY for n in range(len(kinds))]
    legend = alt.Legend(title=None, orient="top", columns=6, labelLimit=200, symbolOpacity=1)
    billions = "replace(datum.label, 'G', 'B')"  # SI has giga
    axis = alt.Axis(format="~s", labelExpr=billions, tickCount=5, grid=False)
    base = alt.Chart(inline(alt, rows)).encode(
        x=alt.X("tokens:Q", scale=alt.Scale(type="log", padding=20), title="tokens", axis=axis),
        tooltip=["language:N", "kind:N", alt.Tooltip("about:N", title="gain")],
    )
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=legend)
    value = alt.Y("value:Q", title="gain, points")
    zero = alt.Chart(inline(alt, [{"y": 0}])).mark_rule(color=GREY, strokeDash=[2, 3])
    line = base.mark_rule(strokeWidth=1.5, opacity=0.35)
    names = base.mark_text(align="left", dx=7, fontSize=11.5)
    return alt.layer(
        zero.encode(y=alt.Y("y:Q", title=None)),
        line.encode(y=alt.Y("low:Q", title=None), y2="high:Q", color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(y=value, color=colour),
        names.encode(y=value, text="code:N", color=colour),
    ).properties(width="container", height=280)


def _notes(findings: Findings, rows: list[dict[str, Any]]) -> tuple[str, ...]:
    slopes = [
        gain_cell(g.estimate)
        for g in findings.all
        if (g.over, g.model, g.intermediate) == (SLOPE, rows[0]["model"], rows[0]["after"])
    ]
    said = [f"tenfold text changes the gain by {one.text} ±{one.half:.1f} points" for one in slopes]
    return (*said[:1], "tokens: of XLM-R's corpus; other encoders have seen other amounts")


def _over(findings: Findings, model: str, over: str) -> Sheet:
    """Intermediates in rows; families or scripts, and the slope by pretraining text, in columns."""
    mine = [g for g in findings.all if g.model == model and g.over == over]
    slopes = {g.intermediate: g for g in findings.all if (g.model, g.over) == (model, SLOPE)}
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
    header = ("intermediate", *names, *[SLOPE] * with_slope)
    title = findings.titled(f"Gains by {over}, in points", model)
    below = [f"{name}: {' '.join(members[name])}" for name in names]
    if with_slope:
        below.append("tenfold pretraining text: slope on log10 of XLM-R's tokens of the language")
    every = (*notes(mine), "; ".join(below))
    return Sheet(over, title, header, tuple(rows), every, style="matrix")

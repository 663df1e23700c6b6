"""How outcomes change with the rows of the intermediate task."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.report.blocks import Cell, Chart, Section, Sheet
from xstilts.report.cells import gain_cell
from xstilts.report.charts import COLOURS, inline, panels

if TYPE_CHECKING:
    from xstilts.analysis.scaling import Curve
    from xstilts.report.findings import Findings

LEAD = (
    "How outcomes change with the rows of the intermediate task. A line is the form that AICc "
    "prefers."
)


def section(findings: Findings) -> Section:
    """Curves, and what data in other languages are worth."""
    if not findings.curves:
        return Section("scaling", "Scaling", "Scaling")
    chart = Chart("scaling", partial(_draw, findings.curves))
    others = _exchanges(findings)
    blocks = (chart, others) if others.rows else (chart,)
    return Section("scaling", "Scaling", "Scaling", LEAD, blocks)


def _exchanges(findings: Findings) -> Sheet:
    """What rows in other languages are worth in English ones."""
    rows = []
    for one in findings.exchanges:
        about = f"{one.task} in {', '.join(one.languages)}, {one.made}"
        gains = (one.at_equal_rows, one.at_equal_compute)
        rows.append(
            (
                *(Cell(about), Cell(one.scored), Cell(f"{one.rows:,}", value=one.rows)),
                Cell(one.english.text, value=one.english.rows),
                *(Cell("") if gain is None else gain_cell(gain) for gain in gains),
            )
        )
    header = (
        *("rows in other languages", "scored in languages", "rows", "worth English rows"),
        *("minus as many English rows", "minus as many tokens of them"),
    )
    notes = (
        "zero-shot: neither English nor trained in; trained in: not zero-shot",
        "worth: where the English curve, straight between its sizes, reaches the same mean",
        "> and <: not within the sizes that were run",
    )
    title = "What rows in other languages are worth"
    return Sheet("exchanges", title, header, tuple(rows), notes, (0, 1), "matrix")


def _draw(curves: tuple[Curve, ...], alt: Any) -> Any:
    colour = alt.Color(
        "after:N",
        scale=alt.Scale(range=list(COLOURS)),
        legend=alt.Legend(title=None, orient="top", labelLimit=320),
    )
    sizes = sorted({size for curve in curves for size in curve.points})
    axis = alt.Axis(values=sizes, format="~s", grid=False, labelOverlap=True)
    scale = alt.Scale(type="log", nice=False, padding=14)
    x = alt.X("rows:Q", scale=scale, title=None, axis=axis)
    y = alt.Y(
        "value:Q", title=None, scale=alt.Scale(zero=False, nice=5), axis=alt.Axis(tickCount=5)
    )
    tooltip = ["after:N", "rows:Q", alt.Tooltip("about:N", title="value")]
    several = len({curve.arm for curve in curves}) > 1
    made = []
    for outcome in dict.fromkeys(curve.outcome for curve in curves):
        mine = [curve for curve in curves if curve.outcome == outcome]
        rows = [row for curve in mine for row in _points(curve, several)]
        points = alt.Chart(inline(alt, rows)).encode(x=x, color=colour, tooltip=tooltip)
        intervals = points.mark_rule(opacity=0.5, strokeWidth=2)
        layers = [
            intervals.encode(y=alt.Y("low:Q", title=None), y2="high:Q"),
            points.mark_point(filled=True, size=50, opacity=1).encode(y=y),
        ]
        if line := [row for curve in mine for row in _line(curve, several)]:
            fitted = alt.Chart(inline(alt, line)).mark_line(strokeWidth=1.5, opacity=0.8)
            layers.insert(0, fitted.encode(x=x, y=y, color=colour, detail="after:N"))
        made.append(alt.layer(*layers).properties(title=outcome, width=270, height=170))
    return panels(alt, made, columns=3)


def _points(curve: Curve, several: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for size, one in curve.points.items():
        value, low, high = (100 * number for number in (one.value, one.low, one.high))
        said = f"{value:.1f} ({low:.1f} to {high:.1f})"
        if one.collapsed:
            seeds = ", ".join(map(str, one.collapsed))
            said += f"; holds runs that did not learn (seeds {seeds}), the line does not"
        interval = {"value": value, "low": low, "high": high, "about": said}
        found.append({"after": _name(curve, several), "rows": size, **interval})
    return found


def _line(curve: Curve, several: bool) -> list[dict[str, Any]]:
    if curve.fit is None:
        return []
    low, high = min(curve.points), max(curve.points)
    ats = [low * (high / low) ** (part / 24) for part in range(25)]
    name = _name(curve, several)
    return [{"after": name, "rows": at, "value": 100 * curve.fit.at(at)} for at in ats]


def _name(curve: Curve, several: bool) -> str:
    return f"{curve.task}, {curve.arm}" if several else curve.task

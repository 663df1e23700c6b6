"""How what an intermediate task brings changes with the size of the model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.analysis.ladder import FEWEST_SIZES, LADDER, SCALES, millions
from xstilts.report.blocks import Cell, Chart, Section, Sheet
from xstilts.report.charts import COLOURS, inline, panels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.ladder import Ladder, Scale, Trend
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings

LEAD = (
    "The gain over the parameters used. The same gains in points, as a share of the baseline's "
    "errors, and on the logit scale: near a ceiling points diminish by themselves."
)
UNITS: dict[Scale, tuple[float, int, str]] = {
    "points": (100, 1, "points"),
    "error reduction": (100, 1, "% of the errors"),
    "logit": (1, 2, "logits"),
}
NOTES = (
    (
        "± is half of a 95 % interval over training runs and items of these checkpoints; bold: it "
        "leaves out 0"
    ),
    (
        "diminishes, grows: the slope differs from 0 at 5 %; constant: it is within the margin at "
        "5 % (two one-sided tests), the gains lie on a line and scores are above chance; tests by "
        "Holm over rows of a kind"
    ),
)


def section(findings: Findings) -> Section:
    """The gains over sizes, their slopes, and what may be said of them."""
    blocks: list[Block] = []
    for number, one in enumerate(findings.ladders):
        if one.trends:
            blocks.append(Chart(f"ladder-{number}", partial(_draw, one), one.name))
        blocks += sheets(one, f"ladder-{number}")
    return Section(LADDER, "Model size", "Model size", LEAD if blocks else "", tuple(blocks))


def sheets(one: Ladder, name: str) -> list[Sheet]:
    """The slopes and the sizes of a ladder."""
    return [sheet for sheet in (_slopes(one, name), _sizes(one, name)) if sheet.rows]


def _slopes(one: Ladder, name: str) -> Sheet:
    by: dict[tuple[str, str, str], dict[Scale, Trend]] = {}
    for trend in one.trends:
        by.setdefault((trend.intermediate, trend.over, trend.name), {})[trend.scale] = trend
    rows = [tuple(_row(place, mine)) for place, mine in by.items()]
    header = ["after", "on", "smallest", "largest"]
    for scale, (_, _, unit) in UNITS.items():
        header += [f"{unit} a doubling", f"in {scale}"]
    margins = {trend.margin for trend in one.trends if trend.scale == "points"}
    notes = [one.seen, *NOTES, *_margin(margins)]
    if one.count < FEWEST_SIZES:
        notes.append(f"{one.count} sizes: no verdict from fewer than {FEWEST_SIZES}")
    elif any(trend.indicative for trend in one.trends):
        notes.append("indicative: fewer than three seeds")
    title = f"{one.name}: how the gain changes with size"
    words = (0, 1, 5, 7, 9)
    return Sheet(f"{name}-slopes", title, tuple(header), tuple(rows), tuple(notes), words, "matrix")


def _margin(margins: set[float | None]) -> Iterator[str]:
    for margin in margins:
        if margin is None:
            yield 'the study declares no margin ("doubling@0.3"): nothing is called constant'
        else:
            yield (
                f"margin: {100 * margin:g} points a doubling; on the other scales what that is at "
                "the mean baseline"
            )


def _row(place: tuple[str, str, str], trends: dict[Scale, Trend]) -> Iterator[Cell]:
    before, over, what = place
    yield Cell(before)
    yield Cell({"mean": f"mean of {len(trends['points'].targets)} targets"}.get(over, what))
    for gain in (trends["points"].gains[0], trends["points"].gains[-1]):
        yield _cell(gain, "points")
    for scale in SCALES:
        trend = trends[scale]
        indicative = "indicative: " if trend.indicative and trend.p is not None else ""
        yield _cell(trend.slope, scale)
        yield Cell(f"{indicative}{trend.verdict}{_but(trend)}")


def _but(trend: Trend) -> str:
    """What keeps a trend from being constant."""
    if trend.verdict == "too few sizes":
        return ""
    buts = ["not on a line"] * trend.bent + ["scores at chance"] * trend.at_chance
    return f" ({', '.join(buts)})" if buts else ""


def _cell(found: Estimate, scale: Scale) -> Cell:
    times, digits, unit = UNITS[scale]
    value, half = times * found.value, times * (found.high - found.low) / 2
    low, high = times * found.low, times * found.high
    value = value if round(value, digits) else 0.0  # and not -0.0
    about = f"{value:+.{digits}f} {unit}, 95 % interval {low:+.{digits}f} to {high:+.{digits}f}"
    about += f"\n{found.seeds} seeds; covers {found.covers}"
    sure = not found.low <= 0 <= found.high
    text = f"{value:+.{digits}f}{'!' if found.collapsed else ''}"
    if digits == 1:
        return Cell(text, half=half, value=value, sure=sure, hover=about)
    return Cell(f"{text} ±{half:.{digits}f}", value=value, sure=sure, hover=about)


def _sizes(one: Ladder, name: str) -> Sheet:
    rows = []
    for size in one.sizes:
        rate = "the recipe's" if size.learning_rate is None else f"{size.learning_rate:g}"
        tried = ", ".join(f"{r:g}: {100 * score:.1f}" for r, score in size.tried.items())
        edge = "; at the edge of what was tried" if size.at_the_edge else ""
        parameters = Cell(millions(size.parameters), value=float(size.parameters))
        rows.append((Cell(size.model), parameters, Cell(rate + edge), Cell(tried)))
    rows += [(Cell(model), Cell(""), Cell(why), Cell("")) for model, why in one.missing.items()]
    header = ("model", "parameters used", "learning rate", "English selection score at each rate")
    notes = (
        "parameters used: the encoder with its embeddings; from text to text the whole model",
        (
            "a learning rate is chosen for each size on English selection rows, the baseline and "
            "what comes after intermediate tasks counting half each; all sizes try the same ones; "
            "other sections of a report show each size at its chosen rate alone"
        ),
    )
    return Sheet(f"{name}-sizes", f"{one.name}: sizes", header, tuple(rows), notes, (0, 2, 3))


def _draw(one: Ladder, alt: Any) -> Any:
    colour = alt.Color(
        "after:N",
        scale=alt.Scale(range=list(COLOURS)),
        legend=alt.Legend(title=None, orient="top", labelLimit=320),
    )
    places = [size.parameters for size in one.sizes]
    axis = alt.Axis(values=places, format=".3~s", grid=False, labelOverlap=True)
    x = alt.X(
        "parameters:Q",
        scale=alt.Scale(type="log", base=2, nice=False, padding=14),
        title=None,
        axis=axis,
    )
    made = []
    for scale, (_, _, unit) in UNITS.items():
        mine = [trend for trend in one.trends if (trend.over, trend.scale) == ("mean", scale)]
        y = alt.Y("value:Q", title=None, scale=alt.Scale(nice=5), axis=alt.Axis(tickCount=5))
        tooltip = ["after:N", "model:N", "parameters:Q", alt.Tooltip("about:N", title="gain")]
        rows = [row for trend in mine for row in _points(one, trend, scale)]
        points = alt.Chart(inline(alt, rows)).encode(x=x, color=colour, tooltip=tooltip)
        lines = alt.Chart(inline(alt, rows)).mark_line(strokeWidth=1.5, opacity=0.8)
        zero = alt.Chart(inline(alt, [{"value": 0}])).mark_rule(opacity=0.35)
        layers = (
            zero.encode(y=y),
            lines.encode(x=x, y=alt.Y("line:Q", title=None), color=colour),
            points.mark_rule(opacity=0.5, strokeWidth=2).encode(
                y=alt.Y("low:Q", title=None), y2="high:Q"
            ),
            points.mark_point(filled=True, size=50, opacity=1).encode(y=y),
        )
        made.append(alt.layer(*layers).properties(title=f"gain, {unit}", width=270, height=190))
    return panels(alt, made, columns=3)


def _points(one: Ladder, trend: Trend, scale: Scale) -> list[dict[str, Any]]:
    """The gains of a trend with their intervals, and the line through them."""
    import numpy as np

    times, digits, _ = UNITS[scale]
    places = np.log2([size.parameters for size in one.sizes])
    line = np.mean([g.value for g in trend.gains]) + trend.slope.value * (places - places.mean())
    rows = []
    for size, gain, fitted in zip(one.sizes, trend.gains, line, strict=True):
        value, low, high = (times * number for number in (gain.value, gain.low, gain.high))
        said = f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
        about = {"after": trend.intermediate, "model": size.model, "about": said}
        numbers = {"value": value, "low": low, "high": high, "line": times * float(fitted)}
        rows.append({**about, **numbers, "parameters": size.parameters})
    return rows


def sentences(ladders_: Sequence[Ladder]) -> Iterator[str]:
    """What is said of the means, one intermediate after the other."""
    for one in ladders_:
        for trend in one.trends:
            if (trend.over, trend.scale) == ("mean", "points"):
                yield _sentence(one, trend)


def _sentence(one: Ladder, trend: Trend) -> str:
    first, last = (100 * gain.value for gain in (trend.gains[0], trend.gains[-1]))
    slope = trend.slope
    changes = (
        f"{100 * slope.value:+.1f} points a doubling "
        f"[{100 * slope.low:+.1f}, {100 * slope.high:+.1f}]"
    )
    others = [
        f"{other.verdict} in {other.scale}"
        for other in one.trends
        if (other.intermediate, other.over) == (trend.intermediate, "mean")
        and other.scale != "points"
        and other.verdict != trend.verdict
    ]
    said = "; ".join([f"{trend.verdict} in points{_but(trend)}", *others])
    if trend.indicative and trend.p is not None:
        said += "; indicative, as there are fewer than three seeds"
    return (
        f"{trend.intermediate}: the gain goes from {first:+.1f} to {last:+.1f} points, {changes}: "
        f"{said}. Seen: {one.seen}."
    )

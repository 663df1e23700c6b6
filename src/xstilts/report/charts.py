"""The charts of a report as Vega-Lite, made with altair. Numbers in points.

Text, grid and background follow the page, which is light or dark; only marks are coloured here, in
colours that can be told apart on both and by colour-blind readers (Okabe and Ito 2008, darkened).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError
from xstilts.report.sheets import hover

if TYPE_CHECKING:
    from xstilts.report.findings import Findings

BASELINE = "no intermediate"
COLOURS = ("#0b78b8", "#d9772b", "#2a9d78", "#b5619b", "#c9a227", "#5a6fd6", "#d1495b", "#3aa5c2")
GREY = "#8b919c"
MOST_PANELS = 16


def charts(findings: Findings) -> dict[str, dict[str, Any]]:
    """Name -> Vega-Lite specification; only those that have something to show.

    Raises:
        UserError: if altair is not installed.
    """
    try:
        import altair as alt
    except ImportError:
        raise UserError(
            "the HTML report draws with altair, which is not installed: "
            "pip install 'xstilts[report]' (--format markdown needs nothing more)"
        ) from None
    alt.data_transformers.disable_max_rows()
    found = {
        "means": _means(alt, findings),
        "slopes": _slopes(alt, findings),
        "scaling": _scaling(alt, findings),
        "layers": _layers(alt, findings),
    }
    return {name: chart.to_dict() for name, chart in found.items() if chart is not None}


def _data(alt: Any, rows: list[dict[str, Any]]) -> Any:
    return alt.InlineData(values=rows)


def _panels(alt: Any, made: list[Any], columns: int) -> Any:
    """Charts side by side, their frames aligned; the page says how many find room."""
    return alt.concat(*made, columns=columns, bounds="flush", spacing={"row": 66, "column": 46})


def _means(alt: Any, findings: Findings) -> Any:
    """Mean gains with their intervals, the largest above."""
    models = findings.outcomes.models
    rows: list[dict[str, Any]] = [
        {
            "what": g.intermediate if len(models) == 1 else f"{g.intermediate} ({g.model})",
            "value": 100 * g.estimate.value,
            "low": 100 * g.estimate.low,
            "high": 100 * g.estimate.high,
            "side": (g.estimate.low > 0) - (g.estimate.high < 0),
            "about": hover(g.estimate),
        }
        for model in models
        for g in findings.means(model)
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: -row["value"])
    names = [row["what"] for row in rows]
    base = alt.Chart(_data(alt, rows)).encode(
        y=alt.Y("what:N", sort=names, title=None, axis=alt.Axis(labelLimit=260)),
        tooltip=[alt.Tooltip("what:N", title="after"), alt.Tooltip("about:N", title="gain")],
    )
    sides = alt.Scale(domain=[1, 0, -1], range=[COLOURS[0], GREY, COLOURS[1]])
    colour = alt.Color("side:N", scale=sides, legend=None)
    zero = (
        alt.Chart(_data(alt, [{"x": 0}])).mark_rule(color=GREY, strokeDash=[2, 3]).encode(x="x:Q")
    )
    line = base.mark_rule(strokeWidth=2.5, strokeCap="round", opacity=0.55).encode(
        x=alt.X("low:Q", title="mean gain over the baseline, points"), x2="high:Q", color=colour
    )
    point = base.mark_point(filled=True, size=85, opacity=1).encode(x="value:Q", color=colour)
    return alt.layer(zero, line, point).properties(width="container", height=26 * len(names))


def _slopes(alt: Any, findings: Findings) -> Any:
    """English, and the mean over all other languages, on every target: what transfer loses."""
    rows, panels, before_all = [], {}, {}
    for model in findings.outcomes.models[:1]:
        for target in findings.gains.targets:
            for before in ("", *findings.gains.intermediates):
                one = findings.gains.outcome(model, target, before)
                others = [c for c in one.languages if c != "en"] if one else []
                if one is None or one.languages[0] != "en" or not others:
                    continue
                english, rest = (
                    100 * float(one.over(codes).values[:, 0].mean()) for codes in (["en"], others)
                )
                panels[target] = before_all[before or BASELINE] = True
                for place, value in (("English", english), ("others", rest)):
                    gap = (
                        f"{english:.1f} in English, {rest:.1f} in others, gap {english - rest:.1f}"
                    )
                    rows.append(
                        {
                            "target": target,
                            "after": before or BASELINE,
                            "where": place,
                            "score": value,
                            "about": gap,
                        }
                    )
    names = list(before_all)
    if not rows or len(panels) > MOST_PANELS:
        return None
    x = alt.X("where:N", title=None, axis=alt.Axis(labelAngle=0), scale=alt.Scale(padding=0.3))
    y = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    tooltip = ["after:N", alt.Tooltip("about:N", title="score")]
    made = [
        alt.Chart(_data(alt, [row for row in rows if row["target"] == target]))
        .mark_line(point=alt.OverlayMarkDef(size=34), strokeWidth=1.8)
        .encode(x=x, y=y, tooltip=tooltip, **_by_condition(alt, names))
        .properties(title=target, width=190, height=170)
        for target in panels
    ]
    return _panels(alt, made, columns=4)


def _by_condition(alt: Any, names: list[str]) -> dict[str, Any]:
    """Colour by condition, the baseline grey and dashed; the legend picks conditions out."""
    others = [name for name in names if name != BASELINE]
    domain = [*[BASELINE] * (BASELINE in names), *others]
    colours = [
        *[GREY] * (BASELINE in names),
        *(COLOURS[n % len(COLOURS)] for n in range(len(others))),
    ]
    dashes = [
        [4, 3] if name == BASELINE or others.index(name) >= len(COLOURS) else [1, 0]
        for name in domain
    ]
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="horizontal",
        columns=6,
        labelLimit=260,
        symbolType="stroke",
    )
    return {
        "color": alt.Color("after:N", scale=alt.Scale(domain=domain, range=colours), legend=legend),
        "strokeDash": alt.StrokeDash(
            "after:N", scale=alt.Scale(domain=domain, range=dashes), legend=legend
        ),
    }


def _scaling(alt: Any, findings: Findings) -> Any:
    """Every outcome over the sizes of the intermediate data, and the curve that fits best."""
    rows: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    for curve in findings.curves:
        name = (
            curve.task
            if len({c.arm for c in findings.curves}) == 1
            else f"{curve.task}, {curve.arm}"
        )
        about = {"outcome": curve.outcome, "after": name}
        for size, found in curve.points.items():
            interval = {"low": 100 * found.low, "high": 100 * found.high}
            said = f"{100 * found.value:.1f} ({interval['low']:.1f} to {interval['high']:.1f})"
            rows.append(
                {**about, "rows": size, "value": 100 * found.value, **interval, "about": said}
            )
        if curve.fit is not None:
            ends = min(curve.points), max(curve.points)
            for part in range(25):
                at = ends[0] * (ends[1] / ends[0]) ** (part / 24)
                fits.append(
                    {**about, "rows": at, "value": 100 * curve.fit.at(at), "form": curve.fit.form}
                )
    if not rows:
        return None
    colour = alt.Color(
        "after:N", scale=alt.Scale(range=list(COLOURS)), legend=alt.Legend(title=None, orient="top")
    )
    sizes = sorted({row["rows"] for row in rows})
    axis = alt.Axis(values=sizes, format="~s", grid=False, labelOverlap=True)
    scale = alt.Scale(type="log", nice=False, padding=14)
    x = alt.X("rows:Q", scale=scale, title=None, axis=axis)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    tooltip = ["after:N", "rows:Q", alt.Tooltip("about:N", title="value")]
    outcomes = list(dict.fromkeys(row["outcome"] for row in rows))
    panels = []
    for outcome in outcomes:
        here = [row for row in rows if row["outcome"] == outcome]
        line = [row for row in fits if row["outcome"] == outcome]
        points = alt.Chart(_data(alt, here)).encode(x=x, color=colour, tooltip=tooltip)
        layers = [
            points.mark_rule(opacity=0.5, strokeWidth=2).encode(
                y=alt.Y("low:Q", title=None), y2="high:Q"
            ),
            points.mark_point(filled=True, size=50, opacity=1).encode(y=y),
        ]
        if line:
            fitted = alt.Chart(_data(alt, line)).mark_line(strokeWidth=1.5, opacity=0.8)
            layers.insert(0, fitted.encode(x=x, y=y, color=colour, detail="after:N"))
        panels.append(alt.layer(*layers).properties(title=outcome, width=270, height=170))
    return _panels(alt, panels, columns=3)


def _layers(alt: Any, findings: Findings) -> Any:
    """Retrieval by layer: the mean over languages and seeds."""
    sums: dict[tuple[str, str, int], list[float]] = {}
    for row in findings.rows:
        task = findings.tasks.get(row["target"])
        if row.get("part", "evaluate") != "evaluate":
            continue  # BUCC's development set
        if row["layer"] is not None and task and row["metric"] in task.main_metrics:
            sums.setdefault((row["target"], row["path"], row["layer"]), []).append(row["value"])
    targets = list(dict.fromkeys(target for target, _, _ in sums))
    layers = {layer for _, _, layer in sums}
    if len(layers) < 2:
        return None
    befores = {
        findings.gains.outcome(model, target, before).path: before or BASELINE  # type: ignore[union-attr]
        for model in findings.outcomes.models[:1]
        for target in targets
        for before in ("", *findings.gains.intermediates)
        if findings.gains.outcome(model, target, before) is not None
    }
    rows: list[dict[str, Any]] = [
        {"target": target, "after": befores[path], "layer": layer, "score": 100 * sum(v) / len(v)}
        for (target, path, layer), v in sums.items()
        if path in befores
    ]
    names = list(dict.fromkeys(row["after"] for row in rows))
    x = alt.X("layer:O", title=None, axis=alt.Axis(labelAngle=0))
    y = alt.Y("score:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    made = [
        alt.Chart(_data(alt, [row for row in rows if row["target"] == target]))
        .mark_line(point=alt.OverlayMarkDef(size=26), strokeWidth=1.8)
        .encode(
            x=x,
            y=y,
            tooltip=["after:N", "layer:O", alt.Tooltip("score:Q", format=".1f")],
            **_by_condition(alt, names),
        )
        .properties(title=target, width=420, height=190)
        for target in targets
    ]
    return _panels(alt, made, columns=2)

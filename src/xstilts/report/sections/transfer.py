"""From English to the other languages, and through the layers."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.report.blocks import Chart, Section
from xstilts.report.charts import BASELINE, by_condition, inline, panels

if TYPE_CHECKING:
    from xstilts.report.findings import Findings

MOST_PANELS = 16
LEAD = (
    "The score in English, and the mean over all other languages: the flatter, the less is lost on "
    "the way."
)


def section(findings: Findings) -> Section:
    """Slopes, and retrieval by layer."""
    slopes, layers = _slopes(findings), _layers(findings)
    blocks = []
    if slopes:
        blocks.append(Chart("slopes", partial(_draw_slopes, slopes)))
    if layers:
        title = "Retrieval by layer (0: the embeddings)"
        blocks.append(Chart("layers", partial(_draw_layers, layers), title))
    lead = LEAD if slopes else ""
    return Section("transfer", "Transfer", "Transfer from English", lead, tuple(blocks))


def _slopes(findings: Findings) -> list[dict[str, Any]]:
    rows = []
    for model in findings.models[:1]:
        for target in findings.gains.targets:
            for before in ("", *findings.gains.intermediates):
                one = findings.gains.outcome(model, target, before)
                others = [c for c in one.languages if c != "en"] if one else []
                if one is None or one.languages[0] != "en" or not others:
                    continue
                english, rest = (
                    100 * float(one.over(codes).values[:, 0].mean()) for codes in (["en"], others)
                )
                gap = f"{english:.1f} in English, {rest:.1f} in others, gap {english - rest:.1f}"
                about = {"target": target, "after": before or BASELINE, "about": gap}
                rows.append({**about, "where": "English", "score": english})
                rows.append({**about, "where": "others", "score": rest})
    return rows if len({row["target"] for row in rows}) <= MOST_PANELS else []


def _draw_slopes(rows: list[dict[str, Any]], alt: Any) -> Any:
    x = alt.X("where:N", title=None, axis=alt.Axis(labelAngle=0), scale=alt.Scale(padding=0.3))
    y = alt.Y(
        "score:Q", title=None, scale=alt.Scale(zero=False, nice=5), axis=alt.Axis(tickCount=5)
    )
    tooltip = ["after:N", alt.Tooltip("about:N", title="score")]
    names = list(dict.fromkeys(row["after"] for row in rows))
    made = [
        alt.Chart(inline(alt, [row for row in rows if row["target"] == target]))
        .mark_line(point=alt.OverlayMarkDef(size=34), strokeWidth=1.8)
        .encode(x=x, y=y, tooltip=tooltip, **by_condition(alt, names))
        .properties(title=target, width=190, height=170)
        for target in dict.fromkeys(row["target"] for row in rows)
    ]
    return panels(alt, made, columns=4)


def _layers(findings: Findings) -> list[dict[str, Any]]:
    """Retrieval by layer: the mean over languages and seeds, where all of them were scored.

    BUCC is mined at the official layer and at the one that its tuning rows chose, which differs
    from language to language: no curve through means of other languages at each layer.
    """
    sums: dict[tuple[str, str, int], list[float]] = {}
    for row in findings.rows:
        task = findings.tasks.get(row["target"])
        if row.get("part", "evaluate") != "evaluate" or row["model"] not in findings.models[:1]:
            continue  # BUCC's development set; models of other depths
        if row["layer"] is not None and task and row["metric"] in task.main_metrics:
            sums.setdefault((row["target"], row["path"], row["layer"]), []).append(row["value"])
    most = {
        (target, path): max(len(v) for key, v in sums.items() if key[:2] == (target, path))
        for target, path, _ in sums
    }
    sums = {key: v for key, v in sums.items() if len(v) == most[key[:2]]}
    layers = Counter(target for target, _ in {(target, layer) for target, _, layer in sums})
    sums = {key: v for key, v in sums.items() if layers[key[0]] > 1}
    befores = {
        one.path: before or BASELINE
        for model in findings.models[:1]
        for target in dict.fromkeys(target for target, _, _ in sums)
        for before in ("", *findings.gains.intermediates)
        if (one := findings.gains.outcome(model, target, before)) is not None
    }
    return [
        {"target": target, "after": befores[path], "layer": layer, "score": 100 * sum(v) / len(v)}
        for (target, path, layer), v in sums.items()
        if path in befores
    ]


def _draw_layers(rows: list[dict[str, Any]], alt: Any) -> Any:
    names = list(dict.fromkeys(row["after"] for row in rows))
    x = alt.X("layer:O", title=None, axis=alt.Axis(labelAngle=0))
    y = alt.Y(
        "score:Q", title=None, scale=alt.Scale(zero=False, nice=5), axis=alt.Axis(tickCount=5)
    )
    tooltip = ["after:N", "layer:O", alt.Tooltip("score:Q", format=".1f")]
    made = [
        alt.Chart(inline(alt, [row for row in rows if row["target"] == target]))
        .mark_line(point=alt.OverlayMarkDef(size=26), strokeWidth=1.8)
        .encode(x=x, y=y, tooltip=tooltip, **by_condition(alt, names))
        .properties(title=target, width=420, height=190)
        for target in dict.fromkeys(row["target"] for row in rows)
    ]
    return panels(alt, made, columns=2)

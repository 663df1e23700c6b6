"""Draw a study's gains, intermediate tasks x targets, as README.md and docs/results.md show them.

xstilts gains STUDY --json | python scripts/gains_picture.py OUT.svg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

LOSS, NOTHING, GAIN = "#c2641c", "#f7f7f5", "#0b78b8"
SURE, UNSURE = "#1c1c1a", "#5b616b"
NAMED = 3  # tasks of a mixture, the most that are written out


def cells(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a cell: the gain over the baseline in points, and what is written into it."""
    found = []
    for one in answer["gains"]:
        if one["versus"] != "baseline" or one["over"] != "target":
            continue
        value, low, high = (100 * one[name] for name in ("gain", "low", "high"))
        marks = " s" * (one["flag"] == "same data") + " !" * bool(one["collapsed"])
        found.append(
            {
                "after": _short(one["intermediate"]),
                "target": one["name"],
                "gain": value,
                "text": f"{round(value, 1) + 0.0:+.1f}{marks}",
                "half": f"±{(high - low) / 2:.1f}",
                "sure": low > 0 or high < 0,
            }
        )
    return found


def _short(path: str) -> str:
    """A long mixture by how many tasks it has: the text beside the picture names them."""
    tasks = len(path.split(" + "))
    return path if tasks <= NAMED else f"mixture of {tasks}"


def picture(rows: list[dict[str, Any]]) -> alt.LayerChart:
    """The matrix; a gain whose interval holds 0 is written in grey."""
    most = max(abs(row["gain"]) for row in rows)
    names = list(dict.fromkeys(row["after"] for row in rows))
    targets = list(dict.fromkeys(row["target"] for row in rows))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("target:N", sort=targets, title=None, axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("after:N", sort=names, title=None, axis=alt.Axis(labelLimit=300)),
    )
    colour = alt.Color(
        "gain:Q",
        scale=alt.Scale(domain=[-most, 0, most], range=[LOSS, NOTHING, GAIN], interpolate="rgb"),
        legend=None,
    )
    ink = alt.condition("datum.sure", alt.value(SURE), alt.value(UNSURE))
    number = base.mark_text(dy=-6, fontSize=13, fontWeight="bold").encode(text="text:N", color=ink)
    half = base.mark_text(dy=10, fontSize=10).encode(text="half:N", color=ink)
    boxes = base.mark_rect(stroke="white", strokeWidth=3, opacity=0.6).encode(color=colour)
    return alt.layer(boxes, number, half).properties(
        width=84 * len(targets), height=42 * len(names)
    )


def main() -> None:
    """Read the answer, write the picture."""
    chart = picture(cells(json.load(sys.stdin)))
    look = {
        "background": "white",
        # To the left more: the fonts of browsers are wider than the one that is measured with.
        "padding": {"left": 28, "right": 12, "top": 12, "bottom": 12},
        "view": {"stroke": None},
        "axis": {"domain": False, "ticks": False, "labelFontSize": 12, "labelPadding": 8},
        "font": "Helvetica, Arial, sans-serif",
    }
    svg = vl_convert.vegalite_to_svg(chart.to_dict() | {"config": look})
    Path(sys.argv[1]).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()

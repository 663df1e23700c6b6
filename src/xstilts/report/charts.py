"""What the charts of a report have in common. They are Vega-Lite, made with altair.

Text, grid and background follow the page, which is light or dark; only marks are coloured here, in
colours that can be told apart on both and by colour-blind readers (Okabe and Ito 2008, darkened).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xstilts.report.blocks import Chart

BASELINE = "no intermediate"
COLOURS = ("#0b78b8", "#d9772b", "#2a9d78", "#b5619b", "#c9a227", "#5a6fd6", "#d1495b", "#3aa5c2")
GREY = "#8b919c"


def drawn(charts: Iterable[Chart]) -> dict[str, dict[str, Any]]:
    """Name -> Vega-Lite specification.

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
    return {chart.name: chart.draw(alt).to_dict() for chart in charts}


def inline(alt: Any, rows: list[dict[str, Any]]) -> Any:
    """Rows as data that stand in the chart itself."""
    return alt.InlineData(values=rows)


def panels(alt: Any, made: list[Any], columns: int) -> Any:
    """Charts side by side, their frames aligned; the page says how many find room."""
    return alt.concat(*made, columns=columns, bounds="flush", spacing={"row": 66, "column": 46})


def by_condition(alt: Any, names: list[str]) -> dict[str, Any]:
    """Colour by the field ``after``, the baseline grey and dashed; the legend lists all names."""
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

"""What the order of intermediate tasks changes, and what sequences keep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts import counting
from xstilts.analysis import retention, sequences
from xstilts.analysis.estimate import estimate
from xstilts.report.blocks import Cell, Chart, Section, Sheet, Text
from xstilts.report.cells import gain_cell, p_text, shown
from xstilts.report.charts import COLOURS, inline, panels
from xstilts.study import ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.analysis.retention import Retained
    from xstilts.analysis.sequences import Group, Sequences
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings

LEAD = (
    "Mean scores over targets of every order of the same tasks. The best order is picked on half "
    "of the seeds and judged on the others: on the same ones it would look better than it is."
)


def section(findings: Findings) -> Section:
    """Scores of orders, components of variance, the best order, ends, and what is kept."""
    empty = Section("order", "Order", "Order of tasks")
    if ORDER not in findings.outcomes.analyses:
        return empty
    found = sequences.analyse(findings.gains)
    blocks: list[Block] = [
        Chart(f"order-{number}", partial(_draw, findings, model, groups))
        for number, model in enumerate(findings.outcomes.models)
        if (groups := sequences.groups(findings.gains, model))
    ]
    held: Sequence[Retained] = ()
    saved = None
    if findings.plan is not None and findings.store is not None:
        held = retention.retained(findings.plan, findings.store)
        saved = counting.saving(findings.plan, findings.store)
    blocks += [*sheets(found, held), *([Text(str(saved))] if saved else [])]
    return Section("order", "Order", "Order of tasks", LEAD, tuple(blocks)) if blocks else empty


def sheets(found: Sequences, held: Sequence[Retained]) -> list[Sheet]:
    """Components of variance, the best order, ends, what is kept: those with something in them."""
    every = (_variances(found), _best(found), _edges(found), _kept(held))
    return [one.if_told("model") for one in every if one.rows]


def _variances(found: Sequences) -> Sheet:
    rows = []
    for one in found.variances:
        for part in one.parts:
            told = part.df > 0
            interval = f"{100 * part.low**0.5:.2f} to {100 * part.high**0.5:.2f}" if told else ""
            deviation = Cell(f"{100 * part.deviation:.2f}" if told else "not told apart")
            about = f"{one.orders} orders of {one.size} in {one.sets} sets, {one.seeds} seeds"
            rows.append(
                (
                    Cell(part.name),
                    Cell(one.model),
                    Cell(about),
                    deviation,
                    Cell(interval),
                    Cell(str(part.df)),
                )
            )
    header = ("source", "model", "of", "deviation", "95 % interval", "df")
    title = "Standard deviations of a run's mean score, in points"
    return Sheet("order-variance", title, header, tuple(rows), words=(0, 1, 2))


def _best(found: Sequences) -> Sheet:
    rows = []
    for one in found.best:
        held_out = Cell("one seed") if one.estimate is None else gain_cell(one.estimate)
        words = (one.group, one.model, one.target or "mean", one.versus)
        cursed = Cell(shown(100 * one.cursed), value=100 * one.cursed)
        p = Cell(p_text(one.p), value=one.p)
        rows.append((*map(Cell, words), held_out, p, cursed, Cell(one.order)))
    header = (
        "set",
        "model",
        "target",
        "versus",
        "held out",
        "p",
        "same seeds",
        "best on all seeds",
    )
    notes = (
        "held out: picked on half of the seeds, judged on the other",
        "± is half of a 95 % interval; p by Holm over all rows",
    )
    return Sheet(
        "order-best", "The best order, in points", header, tuple(rows), notes, (0, 1, 2, 3, 7)
    )


def _edges(found: Sequences) -> Sheet:
    rows = []
    for one in found.edges:
        words = (one.task, one.model, one.place)
        rows.append((*map(Cell, words), gain_cell(one.estimate), Cell(p_text(one.p), value=one.p)))
    header = ("task", "model", "place", "difference", "p")
    title = "A task first or last, minus the mean of its sets' orders, in points"
    notes = ("± is half of a 95 % interval; p by Holm over all rows",)
    return Sheet("order-ends", title, header, tuple(rows), notes, (0, 1, 2))


def _kept(held: Sequence[Retained]) -> Sheet:
    rows = []
    for one in held:
        scale, digits = (1, 2) if one.is_loss else (100, 1)
        half = "" if one.half is None else f" ± {scale * one.half:.{digits}f}"
        change = f"{scale * one.change:+.{digits}f}{half}" if one.since else ""
        name = f"{one.task} (loss in nats)" if one.is_loss else one.task
        value = f"{scale * one.value:.{digits}f}"
        counts = (str(one.sequences), str(one.seeds))
        words = (name, one.model, str(one.since), value, change, *counts)
        rows.append(tuple(map(Cell, words)))
    header = ("of", "model", "stages since", "value", "change", "beginnings", "seeds")
    title = (
        "What is kept as stages follow, on English selection rows in points and raw text in nats"
    )
    return Sheet("order-kept", title, header, tuple(rows), words=(0, 1))


def _draw(findings: Findings, model: str, groups: list[Group], alt: Any) -> Any:
    made = []
    for group in groups:
        kinds = {"order": group.orders, "one stage": (group.together,), "one task": group.singles}
        befores = [(kind, one) for kind, mine in kinds.items() for one in mine if one]
        draws = sequences.values(findings.gains, model, [one for _, one in befores])
        rows: list[dict[str, Any]] = []
        for (kind, before), one in zip(befores, draws, strict=False):
            found = estimate(one)
            low, high = 100 * found.low, 100 * found.high
            value = 100 * found.value
            rows.append({"after": before, "kind": kind, "value": value, "low": low, "high": high})
        legend = alt.Legend(title=None, orient="top")
        colour = alt.Color("kind:N", scale=alt.Scale(range=list(COLOURS)), legend=legend)
        ranked = [row["after"] for row in sorted(rows, key=lambda row: -row["value"])]
        x = partial(alt.X, title="mean score", scale=alt.Scale(zero=False))
        points = alt.Chart(inline(alt, rows)).encode(
            y=alt.Y("after:N", title=None, sort=ranked), color=colour
        )
        layers = (
            points.mark_rule(opacity=0.5, strokeWidth=2).encode(x=x("low:Q"), x2="high:Q"),
            points.mark_point(filled=True, size=60, opacity=1).encode(x=x("value:Q")),
        )
        made.append(alt.layer(*layers).properties(title=group.name, width=420))
    return panels(alt, made, columns=1)

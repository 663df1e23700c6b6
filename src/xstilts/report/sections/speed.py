"""Inference: two checkpoints compared, the suite's wall time, and quality against latency."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from xstilts.analysis import frontier, speed
from xstilts.report.blocks import Cell, Chart, Fold, Section, Sheet, Text
from xstilts.report.cells import gain_cell, shade, shown
from xstilts.report.charts import COLOURS, GREY, inline, panels
from xstilts.scenario import FIRST
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.analysis.frontier import Point
    from xstilts.analysis.latency import Ratio
    from xstilts.analysis.speed import Evaluated, Measurement
    from xstilts.report.findings import Findings

LEAD = (
    "Two checkpoints answer the same queries in turn, in one process of its own; the first one "
    "twice, which shows what the machine adds. Equal is within 2 %, by TOST at 5 %."
)
MS = 1000


def section(findings: Findings) -> Section:
    """What a study measured of inference."""
    plan, store = findings.plan, findings.store
    empty = Section("speed", "Speed", "Speed of inference")
    if plan is None or store is None or not (plan.measured or plan.frontier):
        return empty
    known = {task.name for task in Catalogue()}
    catalogue = Catalogue([t for name, t in findings.tasks.items() if name not in known])
    points = frontier.frontier(plan, store, catalogue)
    measured = speed.measurements(plan, store)
    blocks: list[Any] = []
    if measured:
        blocks.append(comparisons(measured))
    if any(one.relative_time is not None for one in points[1:]):
        notes = ("lines join what no other way beats in both; hollow: the machine was too noisy",)
        draw = partial(_draw, tuple(points))
        blocks.append(Chart("frontier", draw, "Quality against latency", notes))
    if points:
        blocks += [ways(points), Fold("Change by language", (losses(points),))]
    if evaluated := speed.suite(plan, store):
        blocks.append(walls(evaluated))
    if measured:
        machines = dict.fromkeys(f"{m.hardware} ({m.threads} threads)" for m in measured)
        blocks += [Fold("By language", (languages(measured),)), Text("; ".join(machines))]
    if not blocks:
        return empty
    return Section("speed", "Speed", "Speed of inference", LEAD, tuple(blocks))


def comparisons(measured: Sequence[Measurement]) -> Sheet:
    """Every measurement with its answer."""
    header = (
        *("target", "scenario", "A", "B", "p50 ms", "p90 ms", "p99 ms"),
        *("examples/s", "memory MB", "A again, %", "B, %", "answer"),
    )
    rows = tuple(_comparison(one) for one in measured)
    note = (
        "latency, throughput and memory are of A; % is how much longer A again, and B, take, with "
        "half of the 90 % interval; memory is what A takes when it answers its 32 longest rows"
    )
    title = "A baseline and an intermediate-trained checkpoint"
    return Sheet("speed", title, header, rows, (note,), (0, 1, 2, 3, len(header) - 1), "prose")


def _comparison(one: Measurement) -> tuple[Cell, ...]:
    about = one.measured
    whole = next((t for t in one.timings if (t.side, t.language) == (FIRST, "")), None)
    if whole is None:  # a rate is all that the server scenario finds
        rates = ", ".join(f"{side} {rate:.1f}" for side, rate in one.queries_per_s.items())
        numbers = [Cell("")] * 4
        answer = f"queries/s within the bound: {rates}"
    else:
        numbers = [_number(MS * p.value) for p in whole.percentiles]
        numbers.append(_number(whole.examples_per_s))
        answer = one.verdict
    return (
        *(Cell(text) for text in (about.target, about.scenario, about.path, about.against)),
        *numbers,
        _number(one.memory_bytes[FIRST] / 1e6) if FIRST in one.memory_bytes else Cell(""),
        ratio_cell(one.same),
        ratio_cell(one.other),
        Cell(answer),
    )


def _number(value: float) -> Cell:
    text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return Cell(text, value=value)


def ratio_cell(found: Ratio | None) -> Cell:
    """How much longer in percent, with half of its interval."""
    if found is None:
        return Cell("")
    low, value, high = (100 * (end - 1) for end in (found.low, found.value, found.high))
    return Cell(
        shown(value),
        half=(high - low) / 2,
        value=value,
        sure=not low <= 0 <= high,
        hover=f"{found.pairs:,} pairs, 90 % interval {shown(low)} to {shown(high)} %; TOST p "
        f"{found.p:.2g}",
    )


def ways(points: Sequence[Point]) -> Sheet:
    """Every way to answer with its score, time and memory."""
    header = (
        "target",
        "answers by",
        "score",
        "change",
        "time, %",
        "memory, %",
        "frontier",
        "noise",
    )
    rows = tuple(
        (
            Cell(one.variant.target),
            Cell(one.variant.serve),
            Cell(f"{100 * one.score:.1f}", value=100 * one.score),
            Cell("") if one.loss is None else gain_cell(one.loss),
            ratio_cell(one.time),
            Cell("") if one.memory is None else _number(100 * one.memory),
            Cell("yes" if one.efficient else ""),
            Cell("" if one.quiet else "machine too noisy"),
        )
        for one in points
    )
    note = (
        "score: mean over languages; change: against the first way, paired by item; time: how much "
        "longer a query takes; memory: of the first way's"
    )
    title = "Quality and latency of ways to answer"
    return Sheet("frontier", title, header, rows, (note,), (0, 1, 6, 7))


def losses(points: Sequence[Point]) -> Sheet:
    """What every way changes in every language."""
    codes = list(dict.fromkeys(code for one in points for code in one.by_language))
    rows = tuple(
        (
            Cell(f"{one.variant.target}, {one.variant.serve}"),
            *(_change(one.by_language.get(code)) for code in codes),
        )
        for one in points
        if one.loss is not None
    )
    title = "Change of the score by language, in points"
    return Sheet("frontier-languages", title, ("answers by", *codes), rows, style="matrix")


def _change(value: float | None) -> Cell:
    if value is None:
        return Cell("")
    points = 100 * value
    return Cell(shown(points), value=points, shade=shade(points))


def walls(evaluated: Sequence[Evaluated]) -> Sheet:
    """The wall time of the evaluation by target and path."""
    targets = list(dict.fromkeys(one.target for one in evaluated))
    rows = []
    for one in evaluated:
        slowest = max(one.by_language, key=lambda code: one.by_language[code])
        rows.append(
            (
                Cell(one.target),
                Cell(one.path),
                *(Cell(f"{n:,}", value=n) for n in (len(one.by_language), one.examples)),
                *map(_number, (one.seconds, one.examples_per_s)),
                _number(one.tokens / one.seconds),
                Cell(f"{slowest} {one.by_language[slowest]:.1f} s"),
            )
        )
    header = ("target", "path", "languages", "examples", "seconds", "examples/s", "tokens/s")
    total = sum(one.seconds for one in evaluated)
    note = (
        f"as predict steps recorded it, {len(targets)} targets, {total:,.0f} s together; they ran "
        "one after the other, so differences between paths are also the machine's"
    )
    title = "Wall time of the evaluation"
    sheet = (*header, "slowest language")
    return Sheet("wall-time", title, sheet, tuple(rows), (note,), (0, 1, 7))


def languages(measured: Sequence[Measurement]) -> Sheet:
    """Latency and throughput by language."""
    header = (
        *("measured", "side", "language", "queries", "p50 ms", "p90 ms", "p99 ms", "ms/example"),
        *("ms/token", "tokens/example", "characters/token", "examples/s", "tokens/s"),
        *("characters/s", "tokenise ms", "forward ms", "post ms"),
    )
    rows = tuple(row for one in measured for row in _languages(one))
    return Sheet("speed-languages", "Measured by language", header, rows, words=(0, 1, 2))


def _languages(one: Measurement) -> Iterator[tuple[Cell, ...]]:
    name = f"{one.measured.target}, {one.measured.scenario}"
    for timing in one.timings:
        yield (
            *map(Cell, (name, timing.side, timing.language or "all")),
            Cell(f"{timing.queries:,}", value=timing.queries),
            *(
                Cell(
                    _number(MS * p.value).text,
                    value=MS * p.value,
                    hover="95 % interval "
                    + " to ".join(
                        "not known" if end is None else f"{MS * end:.2f}" for end in (p.low, p.high)
                    ),
                )
                for p in timing.percentiles
            ),
            _number(timing.ms_per_example),
            Cell(f"{timing.ms_per_token:.4f}", value=timing.ms_per_token),
            _number(timing.tokens_per_example),
            _number(timing.characters_per_token),
            *map(_number, (timing.examples_per_s, timing.tokens_per_s, timing.characters_per_s)),
            *map(_number, (timing.tokenise_ms, timing.forward_ms, timing.post_ms)),
        )


def _draw(points: tuple[Point, ...], alt: Any) -> Any:
    made = []
    for target in dict.fromkeys(one.variant.target for one in points):
        mine = [p for p in points if p.variant.target == target and p.relative_time is not None]
        rows = _labelled([_place(one) for one in sorted(mine, key=lambda p: p.relative_time or 0)])
        scale = alt.Scale(zero=False, padding=30)
        what = "time of a query, % of the first way's"
        x = alt.X("time:Q", title=what, scale=scale)
        y = alt.Y("score:Q", title="score", scale=scale)
        base = alt.Chart(inline(alt, rows))
        front = alt.Chart(inline(alt, [row for row in rows if row["efficient"]]))
        colour = alt.condition("datum.efficient", alt.value(COLOURS[0]), alt.value(GREY))
        inside = alt.condition("datum.quiet", alt.value(1), alt.value(0))
        fill = alt.condition("datum.efficient", alt.value(COLOURS[0]), alt.value(GREY))
        tooltip = ["way:N", *(alt.Tooltip(f"{n}:Q", format=".1f") for n in ("time", "score"))]
        labels = [
            alt.Chart(inline(alt, [row for row in rows if row["row"] == number]))
            .mark_text(align="left", dx=7, dy=-9 - 12 * number, color=GREY, fontSize=11)
            .encode(x=x, y=y, text="way:N")
            for number in dict.fromkeys(row["row"] for row in rows)
        ]
        made.append(
            alt.layer(
                front.mark_line(color=COLOURS[0], strokeWidth=1.5, opacity=0.6).encode(x=x, y=y),
                base.mark_rule(opacity=0.5, strokeWidth=2).encode(
                    x=alt.X("low:Q", title=what, scale=scale), x2="high:Q", y=y, color=colour
                ),
                base.mark_point(size=70).encode(
                    x=x, y=y, stroke=colour, fill=fill, fillOpacity=inside, tooltip=tooltip
                ),
                *labels,
            ).properties(title=target, width=520, height=300)
        )
    return panels(alt, made, columns=2)


def _place(one: Point) -> dict[str, Any]:
    low, high = (one.time.low, one.time.high) if one.time else (1.0, 1.0)
    return {
        "way": one.variant.serve,
        "time": 100 * (one.relative_time or 0.0),
        "low": 100 * low,
        "high": 100 * high,
        "score": 100 * one.score,
        "quiet": one.quiet,
        "efficient": one.efficient,
    }


def _labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of time, with the ``row`` of their label: those of near points stack."""
    if not rows:
        return []
    wide, high = (
        max(row[key] for row in rows) - min(row[key] for row in rows) or 1.0
        for key in ("time", "score")
    )
    for number, row in enumerate(rows):
        near = {
            other["row"]
            for other in rows[:number]
            if row["time"] - other["time"] < 0.3 * wide
            and abs(row["score"] - other["score"]) < 0.1 * high
        }
        row["row"] = next(free for free in range(len(rows)) if free not in near)
    return rows

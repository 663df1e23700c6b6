"""A study's tables as data, the same for page, LaTeX and Markdown. Numbers in points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xstilts import languages
from xstilts.tasks import published

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from xstilts.analysis.estimate import Estimate
    from xstilts.analysis.gains import Gain
    from xstilts.report.findings import Findings
    from xstilts.report.runs import Run

FULL_SHADE_POINTS = 6.0  # differences of so many points and more have the strongest colour
MARKS = {"repeat": "r", "same data": "s"}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        half: half the width of its 95 % interval, in points; None where it has none.
        value: what to sort by; None sorts by the text.
        shade: -1 (a loss) to 1 (a gain); 0 is plain.
        sure: whether the interval leaves out 0.
        hover: n, seeds and interval, in words.
        run: the anchor of the run it comes from.
        mark: of a footnote.
    """

    text: str
    half: float | None = None
    value: float | None = None
    shade: float = 0.0
    sure: bool = False
    hover: str = ""
    run: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        name: as part of a file name.
        title: in words.
        header: of the columns; the first names the rows.
        rows: of cells, as many as there are columns.
        notes: below it.
        words: columns whose cells are text.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    words: tuple[int, ...] = (0,)


def sheets(findings: Findings, runs: Mapping[tuple[str, str, str], Run]) -> Iterator[Sheet]:
    """Every table of a study that has something in it."""
    for model in findings.outcomes.models:
        every = [
            _matrix(findings, model, runs),
            _controls(findings, model),
            _over(findings, model, "family"),
            _over(findings, model, "script"),
        ]
        yield from (sheet for sheet in every if sheet.rows)
    yield _claims(findings)
    others = _published(findings)
    if others.rows:
        yield others


def shown(points: float) -> str:
    """A difference in points, with its sign; nothing has none."""
    text = f"{points:+.1f}"
    return text if float(text) else "0.0"


def gain_cell(found: Estimate, *, run: str = "", mark: str = "") -> Cell:
    """A difference as a cell."""
    points, half = 100 * found.value, 100 * (found.high - found.low) / 2
    return Cell(
        text=shown(points) + "!" * bool(found.collapsed),
        half=half,
        value=points,
        shade=max(-1.0, min(1.0, points / FULL_SHADE_POINTS)),
        sure=not found.low <= 0 <= found.high,
        hover=hover(found),
        run=run,
        mark=mark,
    )


def hover(found: Estimate) -> str:
    """n, seeds and interval in words."""
    low, high = 100 * found.low, 100 * found.high
    seeds = f"{found.seeds} seed{'s' if found.seeds != 1 else ''}" if found.seeds else "no training"
    lines = [
        f"{shown(100 * found.value)} points, 95 % interval {shown(low)} to {shown(high)}",
        f"{seeds}, {found.groups:,} groups of items or more; covers {found.covers}",
    ]
    if found.collapsed:
        lines.append(f"runs that did not learn: seeds {', '.join(map(str, found.collapsed))}")
    return "\n".join(lines)


def _named(findings: Findings, model: str) -> str:
    return f" ({model})" if len(findings.outcomes.models) > 1 else ""


def _matrix(findings: Findings, model: str, runs: Mapping[tuple[str, str, str], Run]) -> Sheet:
    """Intermediates in rows; the means and every target in columns."""
    mine = [g for g in findings.all if g.model == model and g.versus == "baseline"]
    by = {(g.intermediate, g.over, g.name): g for g in mine}
    targets = list(dict.fromkeys(g.name for g in mine if g.over == "target"))
    over = [("mean", ""), ("mean without retrieval", "")]
    if all(_same_mean(by, b) for b in findings.gains.intermediates):
        over.pop()
    columns = [*over, *(("target", name) for name in targets)]
    rows = []
    for before in findings.gains.intermediates:
        cells = []
        for what, name in columns:
            gain = by.get((before, what, name))
            one = findings.gains.outcome(model, name, before) if name else None
            run = runs[one.model, one.path, one.target].anchor if one else ""
            cells.append(
                Cell("")
                if gain is None
                else gain_cell(gain.estimate, run=run, mark=MARKS.get(gain.flag, ""))
            )
        if any(cell.text for cell in cells):
            rows.append((Cell(before), *cells))
    header = ("intermediate", *(name or what for what, name in columns))
    title = f"Gains over the baseline, in points{_named(findings, model)}"
    return Sheet("gains", title, header, tuple(rows), _notes(mine))


def _same_mean(by: Mapping[tuple[str, str, str], Gain], before: str) -> bool:
    one, two = (by.get((before, what, "")) for what in ("mean", "mean without retrieval"))
    return one is None or two is None or one.targets == two.targets


def _notes(gains: Sequence[Gain]) -> tuple[str, ...]:
    covers = " or ".join(dict.fromkeys(g.estimate.covers for g in gains))
    found = [f"± is half of a 95 % interval, which covers {covers}; bold: it leaves out 0"] * bool(
        gains
    )
    flags = {g.flag for g in gains}
    if "repeat" in flags:
        found.append("r: repeats the target's own training data; not in means")
    if "same data" in flags:
        found.append("s: holds the target's training data among others; not in means")
    if any(g.estimate.collapsed for g in gains):
        found.append("!: holds runs that did not learn; tests are made without their seeds")
    return tuple(found)


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
                cells.append(Cell(_p(p), value=p))
        if by:
            rows.append((Cell(before), *cells))
    notes = _notes(mine)
    if tested:
        notes += ("p: two-sided, by Holm within its declared family",)
    title = f"Mean gains against the baseline and against controls{_named(findings, model)}"
    few = len(versus) < 2 and not tested
    return Sheet("controls", title, tuple(header), () if few else tuple(rows), notes)


def _p(p: float | None) -> str:
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _over(findings: Findings, model: str, over: str) -> Sheet:
    """Intermediates in rows; families or scripts, and the slope by pretraining text, in columns."""
    mine = [g for g in findings.all if g.model == model and g.over == over]
    slopes = {
        g.intermediate: g
        for g in findings.all
        if (g.model, g.over) == (model, "tenfold pretraining text")
    }
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
    header = ("intermediate", *names, *["tenfold pretraining text"] * with_slope)
    title = f"Gains by {over}, in points{_named(findings, model)}"
    notes = [f"{name}: {' '.join(members[name])}" for name in names]
    if with_slope:
        notes.append("tenfold pretraining text: slope on log10 of XLM-R's tokens of the language")
    return Sheet(over, title, header, tuple(rows), (*_notes(mine), "; ".join(notes)))


def _claims(findings: Findings) -> Sheet:
    several = len(findings.outcomes.models) > 1
    rows = []
    for verdict in findings.verdicts:
        found, claim = verdict.finding.estimate, verdict.claim
        ours = Cell("") if found is None else gain_cell(found)
        claimed = (
            Cell("")
            if claim.expected is None
            else Cell(shown(claim.expected), value=claim.expected)
        )
        model = [Cell(verdict.model)] * several
        words = [Cell(text) for text in (verdict.direction, verdict.size, verdict.finding.detail)]
        about = Cell(f"{claim.source}; {claim.status}")
        rows.append((Cell(claim.text), *model, claimed, ours, *words, about))
    header = ("claim", *["model"] * several, "published", "here")
    header += ("direction", "size", "in detail", "source and its status")
    different = dict.fromkeys(d for v in findings.verdicts for d in v.differences)
    notes = [f"different conditions: {'; '.join(different)}"] * bool(different)
    first = 1 + several
    text = (*range(first), *range(first + 2, len(header)))
    return Sheet("claims", "Published claims", header, tuple(rows), tuple(notes), text)


def _published(findings: Findings) -> Sheet:
    """Means over languages that others published, and those of this study, on its targets."""
    metrics = {
        name: findings.tasks[name].main_metrics
        for name in findings.gains.targets
        if name in findings.tasks
    }
    found: dict[tuple[str, str, str], dict[str, dict[str, float]]] = {}
    for one in published.numbers():
        wanted = one.metric in metrics.get(one.target, ())
        if wanted and (one.language, one.kind) == ("mean", "score"):
            place = (one.system, one.setting, f"{one.source}; {one.split}")
            found.setdefault(place, {}).setdefault(one.target, {})[one.metric] = one.value
    targets = [name for name in metrics if any(name in scores for scores in found.values())]

    def cells(scores: Mapping[str, float | None]) -> Iterable[Cell]:
        values = (scores.get(name) for name in targets)
        return (Cell("") if v is None else Cell(f"{v:.1f}", value=v) for v in values)

    rows = []
    for model in findings.outcomes.models if targets else ():
        top = findings.means(model)[:1]
        for before in ("", *(gain.intermediate for gain in top)):
            ours = {name: _mean_score(findings, model, name, before) for name in targets}
            about = (
                Cell(f"{model}, {before or 'no intermediate'}"),
                Cell("zero-shot"),
                Cell("here"),
            )
            rows.append((*about, *cells(ours)))
    for place, by_target in found.items():
        whole = {
            name: sum(scores.values()) / len(scores)
            for name, scores in by_target.items()
            if len(scores) == len(metrics[name])
        }
        rows.append((*map(Cell, place), *cells(whole)))
    header = ("system", "setting", "source", *targets)
    notes = (
        "means over languages in percent; question answering is the mean of F1 and exact match",
        "others' models, data and splits are others than here: to be read beside, not against",
    )
    title = "Scores that others published"
    return Sheet("published", title, header, tuple(rows), notes, (0, 1, 2))


def _mean_score(findings: Findings, model: str, target: str, before: str) -> float | None:
    one = findings.gains.outcome(model, target, before)
    return None if one is None else 100 * float(one.over().values[:, 0].mean())

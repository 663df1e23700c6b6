"""What others claimed and published, beside what this study says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.report.blocks import Cell, Fold, Part, Section, Sheet, Text
from xstilts.report.cells import gain_cell, shown
from xstilts.report.charts import BASELINE
from xstilts.tasks import published

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xstilts.analysis.verdicts import Verdict
    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings

ABOUT = (
    "The claims that come with xstilts are those of Phang et al. 2020 (arXiv 2005.13013, second "
    "version). Numbers marked unverified were handed down with the project and could not be "
    "checked against the full text."
)
LEAD = (
    f"What was claimed, and what this study says of it: of the direction, and of the size. {ABOUT}"
)
PUBLISHED = "Scores that others published"


def section(findings: Findings) -> Section:
    """Verdicts, those that could not be made, and others' scores."""
    judged = [one for one in findings.verdicts if _judged(one)]
    unjudged = [one for one in findings.verdicts if not _judged(one)]
    differences = dict.fromkeys(d for one in findings.verdicts for d in one.differences)
    # As a table, all stand together.
    blocks: list[Block] = [Part("claims", [_claim(one) for one in judged], sheet=_claims(findings))]
    if unjudged:
        summary = f"{len(unjudged)} claims that this study cannot judge"
        blocks.append(Fold(summary, (Part("claims", [_claim(one) for one in unjudged]),)))
    if differences:
        blocks.append(Text(f"Different conditions: {'; '.join(differences)}."))
    others = _published(findings)
    if others.rows:
        blocks.append(Fold(PUBLISHED, (others,)))
    return Section("claims", "Claims", "Published claims", LEAD, tuple(blocks))


def _judged(one: Verdict) -> bool:
    return one.direction not in ("not run", "not testable")


def _about(one: Verdict) -> str:
    """Who says so, and how far that was checked."""
    return "; ".join(part for part in (one.claim.source, one.claim.status) if part)


def _claim(one: Verdict) -> dict[str, str]:
    found, expected = one.finding.estimate, one.claim.expected
    cell = None if found is None else gain_cell(found)
    return {
        "text": one.claim.text,
        "about": _about(one),
        "published": "" if expected is None else shown(expected),
        "here": "" if cell is None else cell.text,
        "half": "" if cell is None or cell.half is None else f"{cell.half:.1f}",
        "hover": "" if cell is None else cell.hover,
        "direction": one.direction,
        "size": one.size,
        "detail": one.finding.detail,
    }


def _claims(findings: Findings) -> Sheet:
    several = len(findings.models) > 1
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
        rows.append((Cell(claim.text), *model, claimed, ours, *words, Cell(_about(verdict))))
    header = ("claim", *["model"] * several, "published", "here")
    header += ("direction", "size", "in detail", "source and its status")
    different = dict.fromkeys(d for v in findings.verdicts for d in v.differences)
    notes = [
        ABOUT.rstrip("."),
        *[f"different conditions: {'; '.join(different)}"] * bool(different),
    ]
    first = 1 + several
    text = (*range(first), *range(first + 2, len(header)))
    return Sheet("claims", "Published claims", header, tuple(rows), tuple(notes), text, "prose")


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
    for model in findings.models if targets else ():
        top = findings.means(model)[:1]
        for before in ("", *(gain.intermediate for gain in top)):
            ours = {name: _mean_score(findings, model, name, before) for name in targets}
            about = (
                Cell(f"{model}, {before or BASELINE}"),
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
    words, title = (0, 1, 2), PUBLISHED
    return Sheet("published", title, header, tuple(rows), notes, words, headed=False)


def _mean_score(findings: Findings, model: str, target: str, before: str) -> float | None:
    one = findings.gains.outcome(model, target, before)
    return None if one is None else 100 * float(one.over().values[:, 0].mean())

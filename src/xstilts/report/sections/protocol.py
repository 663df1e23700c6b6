"""How the numbers came about, and where each of them lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.report.blocks import Cell, Fold, Part, Section, Sheet, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.report.blocks import Block
    from xstilts.report.findings import Findings
    from xstilts.report.runs import Run

MEANS = (
    "Means are unweighted: over targets, each over its languages. Seeds and groups of items are "
    "both samples; a seed covers a whole path. Intervals are t intervals at 95 %."
)
STEPS = (
    "Weights by seed: the id of the stage that predicted, or the fingerprint of the pretrained "
    "model. xstilts export hub ID makes a folder of a stage."
)


def section(findings: Findings) -> Section:
    """Targets, settings, what was not run, and the steps behind every number."""
    blocks: list[Block] = [_targets(findings), Text(MEANS)]
    if findings.setting:
        blocks.append(Part("setting", findings.setting))
    for title, lines in (("Not run", findings.outcomes.absent), ("To know", findings.notes)):
        if lines:
            blocks.append(Part("lines", {"title": title, "lines": lines}))
    steps = [_run(one) for one in findings.runs.values()]
    blocks.append(
        Fold("Steps: where every number lies", (Part("steps", steps), Text(STEPS)), "steps")
    )
    return Section("protocol", "Protocol", "Protocol and provenance", blocks=tuple(blocks))


def _targets(findings: Findings) -> Sheet:
    header = (
        *("target", "score", "split", "trained on", "languages", "items that go together"),
        "the benchmark's own protocol",
    )
    rows, words = tuple(_rows(findings)), (0, 1, 2, 3, 5, 6)
    title = "Protocol of every target"
    return Sheet("protocol", title, header, rows, (), words, style="prose", headed=False)


def _rows(findings: Findings) -> Iterator[tuple[Cell, ...]]:
    for name in dict.fromkeys(one.target for one in findings.outcomes):
        mine = [one for one in findings.outcomes if one.target == name]
        task = findings.tasks.get(name)
        trained = dict.fromkeys(one.trained_on or "no training" for one in mine)
        languages = max(len(one.languages) for one in mine)
        yield (
            Cell(name),
            Cell(" and ".join(task.main_metrics).replace("_", " ") if task else ""),
            Cell(", ".join(dict.fromkeys(one.split for one in mine))),
            Cell(", ".join(trained)),
            Cell(f"{languages}", value=languages),
            Cell(task.grouped_by if task else ""),
            Cell(task.protocol if task else ""),
        )


def _run(run: Run) -> dict[str, Any]:
    one = run.outcome
    return {
        "anchor": run.anchor,
        "path": one.path,
        "target": one.target,
        "model": one.model,
        "seeds": ", ".join(map(str, one.seeds or ())) or "none",
        "score": f"{100 * float(one.over().values[:, 0].mean()):.1f}",
        "weights": run.weights,
    }

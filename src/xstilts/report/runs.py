"""Where a cell's numbers lie: the steps of every model, path and target."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.analysis.outcomes import Outcome
    from xstilts.report.findings import Findings


@dataclass(frozen=True)
class Run:
    """One model, path and target in all its seeds.

    Attributes:
        anchor: its place in the page.
        outcome: its scores.
        weights: seed -> id of the stage, or fingerprint of the pretrained model, that predicted.
        scores: language -> ids of the score steps, in the order of the seeds.
        n: language -> units scored.
    """

    anchor: str
    outcome: Outcome
    weights: Mapping[str, str]
    scores: Mapping[str, tuple[str, ...]]
    n: Mapping[str, int]


def runs(findings: Findings) -> dict[tuple[str, str, str], Run]:
    """Every run by (model, path, target), in the order of the study."""
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in findings.rows:
        if row["main"]:
            rows[row["model"], row["path"], row["target"]].append(row)
    found = {}
    for number, one in enumerate(findings.outcomes):
        place = (one.model, one.path, one.target)
        scores: dict[str, dict[str, None]] = defaultdict(dict)
        for row in rows[place]:
            scores[row["language"]][row["score_id"]] = None
        found[place] = Run(
            anchor=f"run-{number + 1}",
            outcome=one,
            weights={_seed(row["seed"]): row["weights_id"] for row in rows[place]},
            scores={code: tuple(ids) for code, ids in scores.items()},
            n={row["language"]: row["n"] for row in rows[place]},
        )
    return found


def _seed(seed: int | None) -> str:
    return "none" if seed is None else str(seed)

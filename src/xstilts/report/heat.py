"""Every language of every target: what the page's heat map shows, as JSON. Numbers in points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import languages
from xstilts.analysis.estimate import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.outcomes import Outcome
    from xstilts.report.findings import Findings
    from xstilts.report.runs import Run


def heat(findings: Findings, runs: Mapping[tuple[str, str, str], Run]) -> dict[str, Any]:
    """Conditions, each with a cell a language and target.

    Returns:
        ``languages``: code, name, family and script, by family; ``targets``; ``conditions``: model,
        name, ``kind`` (gain or score), ``runs`` (a number a target, or None), ``base`` (likewise,
        of the baseline), and ``cells``, a list a target of ``[value, low, high]`` a language, or
        None; ``runs``: what each number stands for.
    """
    outcomes = findings.outcomes
    codes = dict.fromkeys(code for one in outcomes for code in one.languages)
    rows = sorted(
        (languages.get(code) for code in codes), key=lambda row: (row.family, row.branch, row.name)
    )
    order = [row.code for row in rows]
    targets = list(dict.fromkeys(one.target for one in outcomes))
    numbers = {place: number for number, place in enumerate(runs)}

    def number(one: Outcome | None) -> int | None:
        return None if one is None else numbers[one.model, one.path, one.target]

    conditions = []
    for model in outcomes.models:
        for kind in ("gain", "score"):
            befores = findings.gains.intermediates
            for before in befores if kind == "gain" else ("", *befores):
                mine = [findings.gains.outcome(model, target, before) for target in targets]
                base = [findings.gains.outcome(model, target, "") for target in targets]
                pairs = zip(mine, base if kind == "gain" else [None] * len(base), strict=True)
                cells = [_cells(one, other, order, kind) for one, other in pairs]
                if any(cell for column in cells for cell in column):
                    conditions.append(
                        {
                            "model": model,
                            "name": before or "no intermediate",
                            "kind": kind,
                            "runs": [number(one) for one in mine],
                            "base": [number(one) for one in base] if kind == "gain" else [],
                            "cells": cells,
                        }
                    )
    return {
        "languages": [[row.code, row.name, row.family, row.script] for row in rows],
        "targets": targets,
        "conditions": conditions,
        "runs": [_run(run) for run in runs.values()],
    }


def _cells(
    one: Outcome | None, other: Outcome | None, order: list[str], kind: str
) -> list[list[float] | None]:
    if one is None or (kind == "gain" and other is None):
        return [None] * len(order)
    return [_cell(one, other, code) for code in order]


def _cell(one: Outcome, other: Outcome | None, code: str) -> list[float] | None:
    if code not in one.languages or (other is not None and code not in other.languages):
        return None
    draws: Draws = one.over([code]) if other is None else one.over([code]) - other.over([code])
    if not len(draws.values):  # no seed has both
        return None
    found = estimate(draws)
    return [round(100 * number, 2) for number in (found.value, found.low, found.high)]


def _run(run: Run) -> dict[str, Any]:
    one = run.outcome
    values = np.round(100 * one.values[:, :, 0], 2)
    return {
        "anchor": run.anchor,
        "model": one.model,
        "path": one.path,
        "target": one.target,
        "seeds": list(one.seeds or ()),
        "groups": one.groups,
        "n": [run.n.get(code) for code in one.languages],
        "languages": list(one.languages),
        "values": values.T.tolist(),
        "weights": list(run.weights.values()),
        "scores": [list(run.scores.get(code, ())) for code in one.languages],
    }

"""Every language of every target: what the page's heat map shows, as JSON. Numbers in points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import languages
from xstilts.analysis import routes
from xstilts.analysis.draws import common_seeds, mean
from xstilts.analysis.estimate import estimate
from xstilts.report.cells import MARKS
from xstilts.report.charts import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.outcomes import Outcome
    from xstilts.report.findings import Findings
    from xstilts.report.runs import Run

UNDECLARED = "o"  # a target that the study does not declare among its own


def heat(findings: Findings, runs: Mapping[tuple[str, str, str], Run]) -> dict[str, Any]:
    """Conditions, each with a cell a language and target.

    Returns:
        ``languages``: code, name, family and script, by family; ``targets``; ``conditions``: model,
        name, ``kind`` (gain or score), ``runs`` (a number a target, or None), ``base`` (likewise,
        of the baseline), ``marks`` (of the targets that means leave out; "" for the others),
        ``cells``, a list a target of ``[value, low, high]`` a language, or None, and ``means``,
        ``[value, marks]`` a language, or None; ``runs``: what each number stands for.
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
    for model in findings.models:
        for kind in ("gain", "score"):
            befores = findings.gains.intermediates
            for before in befores if kind == "gain" else ("", *befores):
                mine = [findings.gains.outcome(model, target, before) for target in targets]
                base = [findings.gains.outcome(model, target, "") for target in targets]
                pairs = zip(mine, base if kind == "gain" else [None] * len(base), strict=True)
                draws = [_draws(one, other, order, kind) for one, other in pairs]
                marks = [_mark(findings, one) for one in mine]
                if any(cell for column in draws for cell in column):
                    conditions.append(
                        {
                            "model": model,
                            "name": before or BASELINE,
                            "kind": kind,
                            "runs": [number(one) for one in mine],
                            "base": [number(one) for one in base] if kind == "gain" else [],
                            "marks": marks,
                            "cells": [[_cell(one) for one in column] for column in draws],
                            "means": [_mean(row, marks) for row in zip(*draws, strict=True)],
                        }
                    )
    return {
        "languages": [[row.code, row.name, row.family, row.script] for row in rows],
        "targets": targets,
        "conditions": conditions,
        "runs": [_run(run) for run in runs.values()],
    }


def _mark(findings: Findings, one: Outcome | None) -> str:
    """What marks a target that means leave out: for its own intermediate task, or for another."""
    if one is None:
        return ""
    if one.target not in findings.gains.targets:
        return UNDECLARED
    if findings.gains.counts(one):
        return ""
    others = (other for other in findings.outcomes if other.target == one.target)
    flags = (flag for each in (one, *others) if (flag := routes.flag(each)))
    return MARKS[next(flags)]


def _draws(
    one: Outcome | None, other: Outcome | None, order: list[str], kind: str
) -> list[Draws | None]:
    """A language each; None where there is none, or no seed has both sides."""

    def draws(code: str) -> Draws | None:
        if one is None or code not in one.languages:
            return None
        if kind == "score":
            return one.over([code])
        if other is None or code not in other.languages:
            return None
        found = one.over([code]) - other.over([code])
        return found if len(found.values) else None

    return [draws(code) for code in order]


def _cell(draws: Draws | None) -> list[float] | None:
    if draws is None:
        return None
    found = estimate(draws)
    return [round(100 * number, 2) for number in (found.value, found.low, found.high)]


def _mean(row: Sequence[Draws | None], marks: Sequence[str]) -> tuple[float, str] | None:
    """The mean of a language over its targets: as in all gains, without those that are marked.

    With its mark where there are no others; None where no seed has every target.
    """
    have = [(draws, each) for draws, each in zip(row, marks, strict=True) if draws is not None]
    found = [one for one in have if not one[1]] or have
    every = [draws for draws, _ in found]
    if not every or common_seeds(every) == ():
        return None
    signs = "".join(dict.fromkeys(each for _, each in found))
    return round(100 * float(mean(every).values[:, 0].mean()), 2), signs


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

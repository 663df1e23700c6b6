"""Table2 as one plan that shares its stages, against a run of its own for every path and target.

    python benchmarks/shared_plan.py

The naive grid trains every path of every seed by itself, from the pretrained encoder. ``table2``
counts the optimiser steps of the whole study, from row counts; a row counts as one step's unit, so
questions of long contexts, which are several, are reckoned low on both sides. ``grid`` runs a part
of it with few steps, both ways, each in one warm process.
"""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sides import Clock, Round, Row, Settings, Side, rows

import xstilts
from xstilts import counting, models, plan, recipes, study
from xstilts.model.memory import keep_freed_memory
from xstilts.sources import Sources
from xstilts.store import Store
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from xstilts.plan import Plan

STUDY = "table2-microworld"
INTERMEDIATE = ("none", "mnli", "csqa", "ccg")
TARGETS = ("xnli", "udpos", "xcopa", "tatoeba")
PART: dict[str, Any] = {
    "source": "microworld",
    "seeds": (1,),
    "recipe": "mini",
    "options": {"max_steps": 30, "max_eval_rows": 20},
}


def table2(settings: Settings) -> list[Row]:
    """Work that is left out, as a ratio."""
    del settings
    file = study.file_of(STUDY)
    assert file is not None
    declared = study.load(file)
    recipe = recipes.get(declared.recipe)
    found = plan.build(declared, recipe, [models.find(declared.models[0])], Catalogue(), Sources())
    with tempfile.TemporaryDirectory() as place:
        store = Store(Path(place))
        stages = [step for step in found.steps.values() if step.kind == "train"]
        shared = counting.total_steps(stages, store)
        naive = sum(
            counting.optimiser_steps(found.steps[stage], store)[0]
            for chain in runs(found)
            for stage in chain
        )
    return [
        Row(
            work=f"{STUDY}, {len(found.cells):,} scores",
            against=f"a run of its own for each of {len(runs(found)):,} (path, target, seed)",
            unit="studies/optimiser step",
            ours=[1 / shared],
            theirs=[1 / naive],
            note=f"{shared:,} optimiser steps instead of {naive:,}, {len(stages):,} stages",
        )
    ]


def shared(settings: Settings) -> Callable[[], Round]:
    """One plan of all."""
    del settings
    keep_freed_memory()

    def job() -> Round:
        clock = Clock()
        with tempfile.TemporaryDirectory() as store:
            xstilts.run(store=store, intermediate=INTERMEDIATE, targets=TARGETS, **PART)
        return clock.round(1)

    return job


def naive(settings: Settings) -> Callable[[], Round]:
    """A run of its own for each intermediate task and target."""
    del settings
    keep_freed_memory()

    def job() -> Round:
        clock = Clock()
        for first, target in product(INTERMEDIATE, TARGETS):
            with tempfile.TemporaryDirectory() as store:
                xstilts.run(store=store, intermediate=(first,), targets=(target,), **PART)
        return clock.round(1)

    return job


def grid(settings: Settings) -> list[Row]:
    """A part of table2, in seconds."""
    count = len(INTERMEDIATE) * len(TARGETS)
    return rows(
        settings,
        f"a part of table2-microworld, {count} paths, 30 steps a stage",
        "studies/s",
        Side("one plan", shared),
        [(f"{count} runs of their own", Side("each by itself", naive), (None, None, None))],
    )


def runs(found: Plan) -> list[tuple[str, ...]]:
    """The stages of every path, target and seed."""
    chains = {}
    for cell in found.cells:
        predict = found.steps[found.steps[cell.score].parent]
        stages = found.lineage(predict.parent)
        chains[cell.path, cell.target, cell.seed] = tuple(stage.id for stage in stages)
    return list(chains.values())


ROWS = {"table2": table2, "grid": grid}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

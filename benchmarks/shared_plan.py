"""Training runs and optimiser steps of table2: the shared plan against one run a cell.

    python benchmarks/shared_plan.py

The naive grid trains every path of every seed by itself, from the pretrained encoder. Optimiser
steps are reckoned from published row counts; a row counts as one step's unit, so questions of long
contexts, which are several, are reckoned low on both sides.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sides import Row, Settings

from xstilts import counting, models, plan, recipes, study
from xstilts.sources import Sources
from xstilts.store import Store
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from xstilts.plan import Plan

STUDY = "table2-microworld"


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


def runs(found: Plan) -> list[tuple[str, ...]]:
    """The stages of every path, target and seed."""
    chains = {}
    for cell in found.cells:
        predict = found.steps[found.steps[cell.score].parent]
        chains[cell.path, cell.target, cell.seed] = counting.lineage(found, predict.parent)
    return list(chains.values())


ROWS = {"table2": table2}

if __name__ == "__main__":
    from everything import main

    main(ROWS)

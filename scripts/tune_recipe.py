"""Choose a recipe's learning rate on English selection rows, the same budget for every path.

    python scripts/tune_recipe.py ENCODER_FOLDER RATE...

Every rate trains ``udpos``, ``taxinli`` and ``taxinli > udpos`` on the mirror (300 steps a stage,
seed 1) and prints the English selection score after the last step of each stage.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from xstilts import models, plan, recipes, study
from xstilts.model.memory import keep_freed_memory
from xstilts.sources import Sources
from xstilts.steps import train
from xstilts.steps.desk import Desk
from xstilts.tasks import Catalogue

PATHS = ("udpos", "taxinli > udpos")
STEPS = 300


class Forget:
    """Keeps no resume point."""

    def save(self, *_: object) -> None:
        """Nothing is kept."""

    def load(self) -> None:
        """Nothing was kept."""


def main() -> None:
    """Train every stage once a rate and print a line each."""
    keep_freed_memory()
    model = models.find(sys.argv[1])
    catalogue, sources = Catalogue(), Sources.from_environment()
    desk = Desk(catalogue=catalogue, sources=sources)
    declared = study.Study(
        name="tune",
        paths=PATHS,
        source="mirror",
        recipe="mini",
        options=study.Options(max_steps=STEPS),
    )
    for rate in map(float, sys.argv[2:]):
        recipe = replace(recipes.MINI, learning_rate=rate, select_every=STEPS, precision="bf16")
        found = plan.build(declared, recipe, [model], catalogue, sources)
        folders = {model.fingerprint: model.location}
        for step in (s for s in found.steps.values() if s.kind == "train"):
            out = Path(tempfile.mkdtemp())
            parent = (folders[step.inputs["parent"]], None)
            result = train.train(step.inputs, parent, out, Forget(), desk)
            folders[step.id] = out
            print(
                f"rate {rate:g}  {step.label:28} selection {result['selected']['score']:.4f}"
                f"  {result['tokens'] / result['seconds']:.0f} tokens/s",
                flush=True,
            )


main()

"""How many optimiser steps sequences take, and how many they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts.tasks import counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xstilts.plan import Plan, Step
    from xstilts.store import Store


@dataclass(frozen=True)
class Saving:
    """Optimiser steps of the intermediate stages of all sequences.

    Attributes:
        sequences: how many there are, of two stages or more, seeds apart.
        alone: if every sequence trained all of its stages.
        shared: with equal beginnings trained once.
        exact: whether every stage was counted; else some are reckoned from rows.
    """

    sequences: int
    alone: int
    shared: int
    exact: bool

    def __str__(self) -> str:
        if not self.alone:
            return f"{self.sequences} sequences, of tasks whose rows nobody has counted yet"
        share = 100 * (1 - self.shared / self.alone)
        about = "" if self.exact else "about "
        return (
            f"{self.sequences} sequences: {about}{self.shared:,} optimiser steps before the "
            f"targets, {self.alone:,} if none shared its beginning: {share:.0f} % saved"
        )


def saving(plan: Plan, store: Store) -> Saving | None:
    """What shared beginnings save; None without sequences."""
    chains = sequences(plan)
    if not chains:
        return None
    ids = {one for chain in chains for one in chain}
    found = {one: optimiser_steps(plan.steps[one], store) for one in ids}
    alone = sum(found[one][0] for chain in chains for one in chain)
    exact = all(is_exact for _, is_exact in found.values())
    return Saving(len(chains), alone, sum(steps for steps, _ in found.values()), exact)


def sequences(plan: Plan) -> list[tuple[str, ...]]:
    """The intermediate stages of every sequence of two or more, as ids, each sequence once."""
    found: dict[tuple[str, ...], None] = {}
    for cell in plan.cells:
        predict = plan.steps[plan.steps[cell.score].parent]
        chain = tuple(stage.id for stage in plan.lineage(predict.parent))
        if predict.inputs.get("head") is not None:  # the last stage is the target's
            chain = chain[:-1]
        if len(chain) > 1:
            found[chain] = None
    return list(found)


def optimiser_steps(step: Step, store: Store) -> tuple[int, bool]:
    """The optimiser steps of a stage, and whether they were counted.

    A finished stage says how many it took. Else they follow from the rows and the recipe; a
    long row may be several units (windows of a context, pieces of a sentence), so there are then at
    least so many.
    """
    if store.has(step.id):
        result = store.record(step.id)["result"]
        if "planned_steps" in result:
            return int(result["planned_steps"]), True
    items = step.inputs["items"]
    own = [_own(item, step.inputs) for item in items]
    shares = [item["share"] or 0.0 for item in items]
    free = sum(n for n, item in zip(own, items, strict=True) if item["share"] is None)
    total = round(free / (1 - sum(shares))) if free else sum(own)
    return min(total, step.inputs["max_steps"] or total), False


def _own(item: Mapping[str, Any], inputs: Mapping[str, Any]) -> int:
    if "steps_of" in item:
        return _own(item["steps_of"], inputs)
    rows = _rows(item, inputs["source"])
    cap = inputs["options"]["cap"]
    if cap and len(inputs["items"]) > 1:
        rows = min(rows, cap)
    return int(item["epochs"]) * math.ceil(rows / item["batch"])


def _rows(item: Mapping[str, Any], source: str) -> int:
    have = counts.rows(item["task"], source, "train")
    there = sum(have.get(code, 0) for code in item["languages"])
    return min(item["rows"] or there, there or item["rows"] or 0)


def total_steps(steps: Iterable[Step], store: Store) -> int:
    """The optimiser steps of all train steps among these."""
    return sum(optimiser_steps(step, store)[0] for step in steps if step.kind == "train")


def clocks(steps: Iterable[Step], store: Store) -> dict[str, float]:
    """What finished steps took, in seconds, by the name of what was done `together`.

    A clock runs from the start of what is done together, so that its last step says what all of it
    took. What was not timed, as imported steps were not, is left out.
    """
    found: dict[str, float] = {}
    for step in steps:
        if store.has(step.id):
            took = store.record(step.id)["provenance"].get("seconds")
            if took is not None:
                name = step.together
                found[name] = max(found.get(name, 0.0), float(took))
    return found

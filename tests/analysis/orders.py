"""Studies of orders with known effects: made up, so that answers are known."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np

from xstilts.analysis.outcomes import Outcome, Outcomes

TASKS = ("a", "b", "c", "d")
MODEL = "m"


def study(
    effect=lambda _path: 0.0,
    *,
    size=3,
    tasks=TASKS,
    seeds=4,
    targets=("udpos", "xnli"),
    seed_sd=0.0,
    run_sd=0.0,
    item_sd=0.0,
    number=0,
    more=("a", "b", "c", "d"),
) -> Outcomes:
    """All orders of all sets of a size, their mixtures and the single tasks, before targets.

    ``effect`` is of a path's stages as a tuple of tasks, in the unit of the scores.
    """
    rng = np.random.default_rng(number)
    trained = {"xnli": "mnli", "xquad": "squad_v1", "mlqa": "squad_v1"}
    befores = [one for group in combinations(tasks, size) for one in permutations(group)]
    befores += [(" + ".join(group),) for group in combinations(tasks, size)]
    befores += [(one,) for one in more] + [()]
    by_seed = rng.normal(0, seed_sd, seeds) if seed_sd else np.zeros(seeds)
    found = []
    for target in targets:
        items = rng.normal(0, item_sd, 100) if item_sd else np.zeros(100)
        for before in befores:
            level = 0.5 + effect(before) + by_seed + rng.normal(0, run_sd or 1e-12, seeds)
            values = level[:, None, None] + np.concatenate([[0], items])[None, None]
            path = " > ".join((*before, target))
            own = trained.get(target, target)
            found.append(
                Outcome(MODEL, path, target, own, "test", tuple(range(seeds)), ("en",), values, 50)
            )
    return Outcomes(found, targets=tuple(targets), analyses=("order",))

"""What sequences keep: scores of earlier tasks and masked-LM loss, stage after stage.

Changes are against the moment right after the task was learnt (Lopez-Paz and Ranzato 2017: backward
transfer), and of the loss against the pretrained encoder. A seed's value is the mean over all
sequences; the interval is that over seeds, of the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xstilts.forgetting import Kept
    from xstilts.plan import Plan
    from xstilts.store import Store


@dataclass(frozen=True)
class Retained:
    """How one thing changes as stages follow.

    Attributes:
        task: an earlier stage's task, or raw text.
        since: stages trained after it was learnt; of raw text, after pretraining.
        value: mean score in [0, 1]; of raw text the mean loss of a hidden token in nats.
        change: of the value since it was learnt; 0 for ``since`` = 0 (raw text: pretrained).
        half: half the width of the change's 95 % interval over seeds; None with one seed.
        sequences: different beginnings that are in it.
        seeds: how many.
        is_loss: whether less is better: of raw text.
    """

    model: str
    task: str
    since: int
    value: float
    change: float
    half: float | None
    sequences: int
    seeds: int
    is_loss: bool


def retained(plan: Plan, store: Store) -> list[Retained]:
    """All that is finished of what a plan keeps track of."""
    by_place: dict[tuple[str, str, int], list[tuple[Kept, float]]] = defaultdict(list)
    numbers = {
        one: number for one in plan.kept.values() if (number := _number(one, store)) is not None
    }
    for one, number in _over_languages(numbers):
        by_place[one.model, one.task, len(one.stages) - one.head].append((one, number))
    found = []
    for (model, task, since), mine in sorted(by_place.items()):
        starts = {_learnt(one): number for one, number in by_place[model, task, 0]}
        changes: dict[int | None, list[float]] = defaultdict(list)
        for one, number in mine:
            if (start := starts.get(_learnt(one))) is not None:
                changes[one.seed].append(number - start)
        if not changes:
            continue
        by_seed = np.array([np.mean(each) for each in changes.values()])
        found.append(
            Retained(
                model=model,
                task=task,
                since=since,
                value=float(np.mean([number for _, number in mine])),
                change=float(by_seed.mean()),
                half=_half(by_seed),
                sequences=len({one.stages for one, _ in mine}),
                seeds=len(by_seed),
                is_loss=not mine[0][0].head,
            )
        )
    return found


def _number(one: Kept, store: Store) -> float | None:
    """The score, or the loss; None where it is still to come."""
    if not store.has(one.score):
        return None
    mains = [row["value"] for row in store.record(one.score)["result"] if row["main"]]
    value = float(np.mean(mains))
    return value if one.head else -log(max(value, 1e-300))


def _over_languages(numbers: dict[Kept, float]) -> Iterable[tuple[Kept, float]]:
    """The mean over languages of every look."""
    looks: dict[tuple[object, ...], list[tuple[Kept, float]]] = defaultdict(list)
    for one, number in numbers.items():
        looks[one.model, one.stages, one.seed, one.task, one.head].append((one, number))
    for mine in looks.values():
        yield mine[0][0], float(np.mean([number for _, number in mine]))


def _learnt(one: Kept) -> tuple[object, ...]:
    """When it was learnt: after which stages, in which seed; the encoder is the same in all."""
    return (one.stages[: one.head], one.seed if one.head else None)


def _half(values: np.ndarray) -> float | None:
    from scipy import stats

    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)

"""Which learning rate counts for each size of a ladder: chosen on English selection rows alone.

Every size is tried at the same rates, with the same paths and seeds, so that none is tuned more
than another. One rate is taken for a size's baseline and intermediates alike; both have an equal
say in it, so that the choice favours neither side of the gain.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from xstilts.analysis import routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xstilts.analysis.outcomes import Outcomes
    from xstilts.ladders import Rung


@dataclass(frozen=True)
class Size:
    """One size of a ladder, at the learning rate that counts.

    Attributes:
        model: the pretrained model.
        name: what outcomes call it.
        parameters: that are used.
        learning_rate: the chosen one; None: the recipe's, there was no choice.
        tried: learning rate -> its score on English selection rows.
    """

    model: str
    name: str
    parameters: int
    learning_rate: float | None
    tried: Mapping[float, float]

    @property
    def at_the_edge(self) -> bool:
        """Whether the chosen rate is the least or the greatest that was tried."""
        return len(self.tried) > 1 and self.learning_rate in (min(self.tried), max(self.tried))


def chosen(outcomes: Outcomes, ladder: str) -> tuple[tuple[Size, ...], dict[str, str]]:
    """The sizes of a ladder that have scores, the smallest first; and the others -> why not.

    Args:
        outcomes: of the study.
        ladder: its name.
    """
    by_model: dict[str, list[Rung]] = defaultdict(list)
    for rung in outcomes.rungs:
        if rung.ladder == ladder:
            by_model[rung.model].append(rung)
    finished = set(outcomes.models)
    sizes: list[Size] = []
    missing: dict[str, str] = {}
    for model, rungs in by_model.items():
        left = [rung.name for rung in rungs if rung.name not in finished]
        parameters = rungs[0].parameters
        if left:
            missing[model] = f"not finished: {', '.join(left)}"
        elif parameters is None:
            missing[model] = "its parameters are not known"
        elif len(rungs) == 1:
            only = rungs[0]
            sizes.append(Size(model, only.name, parameters, only.learning_rate, {}))
        else:
            scores = {rung: dict(_selected(outcomes, rung.name)) for rung in rungs}
            if not all(scores.values()) or len({frozenset(one) for one in scores.values()}) > 1:
                missing[model] = "its learning rates have not been tried on the same runs yet"
                continue
            tried = {rung: _score(one) for rung, one in scores.items()}
            best = max(tried, key=lambda rung: tried[rung])
            by_rate = {rung.learning_rate or 0.0: score for rung, score in tried.items()}
            sizes.append(Size(model, best.name, parameters, best.learning_rate, by_rate))
    return tuple(sorted(sizes, key=lambda size: size.parameters)), missing


def counted(outcomes: Outcomes) -> Outcomes:
    """The outcomes that count: of a model tried at several rates, those of the chosen one alone.

    Of a model where no choice can be made yet, all are left.
    """
    if not any(rung.learning_rate is not None for rung in outcomes.rungs):
        return outcomes
    ladders = dict.fromkeys(rung.ladder for rung in outcomes.rungs)
    best = {size.model: size.name for name in ladders for size in chosen(outcomes, name)[0]}
    others = {rung.name for rung in outcomes.rungs if best.get(rung.model, rung.name) != rung.name}
    return replace(
        outcomes,
        all=[one for one in outcomes if one.model not in others],
        perturbed=[one for one in outcomes.perturbed if one.model not in others],
    )


def _selected(outcomes: Outcomes, name: str) -> Iterator[tuple[tuple[str, str, int], float]]:
    """What every run scored on the English selection rows of its last stage."""
    for one in outcomes:
        if one.model == name and one.selected and one.seeds:
            before = routes.route(one, one.baseline).before
            if routes.is_control(before):
                continue
            for seed, score in zip(one.seeds, one.selected, strict=True):
                yield (one.target, before, seed), score


def _score(selected: Mapping[tuple[str, str, int], float]) -> float:
    """The baseline's runs and the others', each side's mean counting half."""
    sides = defaultdict(list)
    for (_, before, _), score in selected.items():
        sides[bool(before)].append(score)
    return float(np.mean([np.mean(side) for side in sides.values()]))

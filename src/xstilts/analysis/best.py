"""The best intermediate task for every target, chosen by a named protocol.

``english_dev``: by the English selection rows of the target's own training; a retrieval target has
none and takes the path that is best on the other targets' rows. Strictly zero-shot.
``official_dev``: by all languages of the split that is scored. Not strictly zero-shot, and
optimistic: the same items choose and score.

The interval holds the choice as it is: it does not cover that other runs might choose otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.draws import common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xstilts.analysis.gains import Gains

Protocol = Literal["english_dev", "official_dev"]
PROTOCOLS: tuple[Protocol, ...] = ("english_dev", "official_dev")


@dataclass(frozen=True)
class Best:
    """The outcome of a protocol.

    Attributes:
        choice: target -> intermediate; "" where the baseline is best.
        estimate: of the mean gain over the targets.
        zero_shot: whether only English had a say.
    """

    model: str
    protocol: Protocol
    choice: Mapping[str, str]
    estimate: Estimate
    zero_shot: bool


def best(gains: Gains, model: str, protocol: Protocol) -> Best | None:
    """The best path for every target; None where the protocol has nothing to choose by."""
    befores = ("", *gains.intermediates)
    if protocol == "english_dev":
        best_of = _by_english(gains, model, befores)
    else:
        best_of = {t: _highest(_scored(gains, model, t, befores)) for t in gains.targets}
    choice = {target: before for target, before in best_of.items() if before is not None}
    draws = {target: gains.difference(model, target, before) for target, before in choice.items()}
    have = {target: one for target, one in draws.items() if one is not None}
    if not have or common_seeds(list(have.values())) == ():
        return None
    fell = {seed for t in have for seed in gains.collapsed(model, [t], "", choice[t])}
    found = estimate(mean(list(have.values())), tuple(sorted(fell)))
    chosen = {target: before for target, before in choice.items() if target in have}
    return Best(model, protocol, chosen, found, protocol == "english_dev")


def _by_english(gains: Gains, model: str, befores: tuple[str, ...]) -> dict[str, str | None]:
    selected: dict[str, dict[str, float]] = {}
    for target in gains.targets:
        outcomes = {before: gains.outcome(model, target, before) for before in befores}
        selected[target] = {
            before: float(np.mean(one.selected))
            for before, one in outcomes.items()
            if one is not None and one.selected
        }
    with_rows = [scores for scores in selected.values() if scores]
    everywhere = [b for b in befores if with_rows and all(b in scores for scores in with_rows)]
    others = {before: sum(scores[before] for scores in with_rows) for before in everywhere}
    return {target: _highest(scores or others) for target, scores in selected.items()}


def _scored(gains: Gains, model: str, target: str, befores: tuple[str, ...]) -> dict[str, float]:
    outcomes = {before: gains.outcome(model, target, before) for before in befores}
    return {
        before: float(one.over().values[:, 0].mean())
        for before, one in outcomes.items()
        if one is not None
    }


def _highest(scores: Mapping[str, float]) -> str | None:
    return max(scores, key=lambda before: scores[before]) if scores else None

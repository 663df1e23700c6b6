"""The best intermediate task for every target, chosen by a named protocol.

``english_dev``: by the English selection rows of the target's own training; a retrieval target has
none and takes the path that is best on the other targets' rows. Strictly zero-shot.
``official_dev``: by all languages of the split that is scored. Not strictly zero-shot, and
optimistic: the same items choose and score.

The interval holds the choice as it is: it does not cover that other runs might choose otherwise,
and runs that are lucky on one split are so on others. What is tested is chosen by some seeds and
judged on others; of ``official_dev`` the items are still the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from xstilts.analysis.draws import common_seeds, mean
from xstilts.analysis.estimate import Estimate, estimate
from xstilts.analysis.held_out import FEWEST_SEEDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from xstilts.analysis.draws import Draws
    from xstilts.analysis.gains import Gains
    from xstilts.analysis.outcomes import Outcome

Protocol = Literal["english_dev", "official_dev"]
PROTOCOLS: tuple[Protocol, ...] = ("english_dev", "official_dev")


@dataclass(frozen=True)
class Best:
    """The outcome of a protocol.

    Attributes:
        choice: target -> intermediate; "" where the baseline is best.
        estimate: of the mean gain over the targets, of the runs that chose.
        held_out: the same chosen by the first half of the seeds and judged on the others, so that
            lucky runs are no merit; what may be tested. None with fewer than four seeds.
        zero_shot: whether only English had a say.
    """

    model: str
    protocol: Protocol
    choice: Mapping[str, str]
    estimate: Estimate
    held_out: Estimate | None
    zero_shot: bool


def best(gains: Gains, model: str, protocol: Protocol) -> Best | None:
    """The best path for every target; None where the protocol has nothing to choose by."""
    whole = _chosen(gains, model, protocol, None, None)
    if whole is None:
        return None
    found, choice = whole
    mine = (one for one in gains.outcomes if one.model == model)
    seeds = sorted({seed for one in mine for seed in one.seeds or ()})
    judged = None
    if len(seeds) >= FEWEST_SEEDS:
        half = (len(seeds) + 1) // 2
        judged = _chosen(gains, model, protocol, seeds[:half], seeds[half:])
    held_out = judged[0] if judged and judged[0].seeds > 1 else None
    return Best(model, protocol, choice, found, held_out, protocol == "english_dev")


def _chosen(
    gains: Gains,
    model: str,
    protocol: Protocol,
    choosing: Sequence[int] | None,
    judging: Sequence[int] | None,
) -> tuple[Estimate, dict[str, str]] | None:
    """The mean gain of what some seeds choose, in others; all of them where they are None."""
    befores = ("", *gains.intermediates)
    if protocol == "english_dev":
        best_of = _by_english(gains, model, befores, choosing)
    else:
        best_of = {t: _highest(_scored(gains, model, t, befores, choosing)) for t in gains.targets}
    choice = {target: before for target, before in best_of.items() if before is not None}
    have: dict[str, Draws] = {}
    for target, before in choice.items():
        draws = gains.difference(model, target, before)
        if draws is not None and judging is not None:
            draws = draws.without(set(draws.seeds or ()) - set(judging))
        if draws is not None and len(draws.values):
            have[target] = draws
    if not have or common_seeds(list(have.values())) == ():
        return None
    fell = {seed for t in have for seed in gains.collapsed(model, [t], "", choice[t])}
    kept = fell if judging is None else fell & set(judging)
    found = estimate(mean(list(have.values())), tuple(sorted(kept)))
    return found, {target: before for target, before in choice.items() if target in have}


def _by_english(
    gains: Gains, model: str, befores: tuple[str, ...], seeds: Sequence[int] | None
) -> dict[str, str | None]:
    selected: dict[str, dict[str, float]] = {}
    for target in gains.targets:
        outcomes = _counted(gains, model, target, befores)
        if not outcomes:
            continue
        selected[target] = {
            before: float(np.mean(scores))
            for before, one in outcomes.items()
            if one.selected and (scores := _of(one.selected, one, seeds))
        }
    with_rows = [scores for scores in selected.values() if scores]
    everywhere = [b for b in befores if with_rows and all(b in scores for scores in with_rows)]
    others = {before: sum(scores[before] for scores in with_rows) for before in everywhere}
    return {target: _highest(scores or others) for target, scores in selected.items()}


def _scored(
    gains: Gains,
    model: str,
    target: str,
    befores: tuple[str, ...],
    seeds: Sequence[int] | None,
) -> dict[str, float]:
    return {
        before: float(np.mean(scores))
        for before, one in _counted(gains, model, target, befores).items()
        if (scores := _of(one.over().values[:, 0], one, seeds))
    }


def _counted(gains: Gains, model: str, target: str, befores: tuple[str, ...]) -> dict[str, Outcome]:
    """What may be chosen: what counts in means, as the mean of the best is one too."""
    outcomes = {before: gains.outcome(model, target, before) for before in befores}
    return {b: one for b, one in outcomes.items() if one is not None and gains.counts(one)}


def _of(values: Iterable[float], one: Outcome, seeds: Sequence[int] | None) -> list[float]:
    """The values of these seeds; of what was never trained, the one there is."""
    if one.seeds is None or seeds is None:
        return list(values)
    return [value for seed, value in zip(one.seeds, values, strict=True) if seed in seeds]


def _highest(scores: Mapping[str, float]) -> str | None:
    return max(scores, key=lambda before: scores[before]) if scores else None

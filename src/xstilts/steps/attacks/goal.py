"""The goal of an attack: the right answer is no longer the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def margin(row: Mapping[str, Any], labels: Sequence[str]) -> float:
    """The right answer's score minus the best other one's: what an attack makes small.

    Args:
        row: a prediction row with ``gold`` and ``scores``.
        labels: of the task; none in multiple choice, where gold is a number.
    """
    gold = labels.index(row["gold"]) if isinstance(row["gold"], str) else int(row["gold"])
    scores = row["scores"]
    return float(scores[gold] - max(s for place, s in enumerate(scores) if place != gold))


def reached(left: float) -> bool:
    """Whether an example with that margin is answered wrongly."""
    return left < 0

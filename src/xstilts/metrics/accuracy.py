"""Share of right answers: of whole examples, and of the tags of token sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def right_answers(gold: str | int, prediction: str | int) -> tuple[float, float]:
    """Counts of one classified example: ``(right, 1)``. Labels, or the numbers of choices."""
    assert isinstance(gold, str) == isinstance(prediction, str), (gold, prediction)
    return float(gold == prediction), 1.0


def positives(gold: str, prediction: str) -> tuple[float, float, float]:
    """Counts of one pair in the class "1": ``(found, predicted, gold)``."""
    return float(gold == prediction == "1"), float(prediction == "1"), float(gold == "1")


def right_tags(gold: Sequence[str], prediction: Sequence[str]) -> tuple[float, float]:
    """Counts of one tagged sentence: ``(right tags, tags)``. Both sequences: [n_tokens]."""
    assert len(gold) == len(prediction), (len(gold), len(prediction))
    right = sum(tag == predicted for tag, predicted in zip(gold, prediction, strict=True))
    return float(right), float(len(gold))

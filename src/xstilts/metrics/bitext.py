"""Mined sentence pairs: from scored candidates, through a threshold, to F1 (BUCC 2018).

The order of the official scripts (LASER's, as XTREME runs them): sort the candidates, take the
threshold that is best on a gold standard, extract what reaches it, and compare sets of pairs. A
threshold tuned on the gold standard that it is scored on is an upper bound; a test set is scored at
the threshold of the development set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

Pair = tuple[str, str]  # the ids of a sentence and of its translation


class Candidate(NamedTuple):
    """A mined pair and its margin score."""

    source: str
    target: str
    score: float

    @property
    def pair(self) -> Pair:
        """The two ids."""
        return self.source, self.target


def best_threshold(candidates: Iterable[Candidate], gold: Collection[Pair]) -> float:
    """The score from which on extraction has the best F1.

    It lies midway between the last candidate that is taken and the next one, as in the official
    script; of cuts that are equally good the one that takes least counts. Where the best cut takes
    all candidates, which the script does not survive, it is the last one's score; where no
    candidate is right, 0.

    Args:
        candidates: in any order; of equal scores the earlier one is taken first, and a pair that
            was mined twice has the higher one.
        gold: the right pairs.
    """
    right, once = set(gold), dict[Pair, Candidate]()
    for one in sorted(candidates, key=lambda one: -one.score):
        once.setdefault(one.pair, one)
    ranked = list(once.values())
    threshold, best, found = 0.0, 0.0, 0
    for taken, one in enumerate(ranked, start=1):
        found += one.pair in right
        if not found:
            continue
        # Not 2 * found / (taken + gold): the script's roundings decide between cuts that tie.
        precision, recall = found / taken, found / len(right)
        f1 = 2 * precision * recall / (precision + recall)
        if f1 > best:
            following = ranked[taken].score if taken < len(ranked) else one.score
            best, threshold = f1, (one.score + following) / 2
    return threshold


def extract(candidates: Iterable[Candidate], threshold: float) -> list[Pair]:
    """The pairs whose score reaches the threshold, each once, in their order."""
    return list(dict.fromkeys(one.pair for one in candidates if one.score >= threshold))


def units(gold: Iterable[Pair], extracted: Iterable[Pair]) -> list[dict[str, list[str]]]:
    """One unit a source sentence that stands in either: its right and its extracted partners."""
    found: dict[str, dict[str, list[str]]] = {}
    for side, pairs in (("gold", gold), ("prediction", extracted)):
        for source, target in pairs:
            found.setdefault(source, {"gold": [], "prediction": []})[side].append(target)
    return list(found.values())


def pair_counts(gold: Sequence[str], prediction: Sequence[str]) -> tuple[float, float, float]:
    """Counts of one source sentence: ``(pairs found, pairs extracted, gold pairs)``, as sets."""
    right, extracted = set(gold), set(prediction)
    return float(len(right & extracted)), float(len(extracted)), float(len(right))

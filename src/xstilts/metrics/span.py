"""Answer spans, scored as the official SQuAD scripts score them.

Both scripts lower-case an answer, delete punctuation, replace articles by spaces and split what
is left into tokens, in this order: "the-end" becomes "theend" and keeps its article. The SQuAD
rules are English and ASCII; XTREME applies them unchanged to XQuAD and TyDiQA in every language,
so that a Thai or Chinese answer is often one token, right or wrong as a whole.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Unit: TypeAlias = Mapping[str, Any]

Tokens: TypeAlias = "list[str]"
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Normaliser:
    """How a script turns an answer into the tokens that it compares.

    Patterns are those of ``re``, in which a combining mark is no word character: the scripts use
    it, and its word boundaries fall elsewhere than those of ``regex``.
    """

    is_punctuation: Callable[[str], bool]
    articles: re.Pattern[str]
    token: re.Pattern[str]

    def tokens(self, answer: str) -> Tokens:
        """The answer's tokens; none if nothing but punctuation and articles was there."""
        kept = "".join(char for char in answer.lower() if not self.is_punctuation(char))
        return self.token.findall(self.articles.sub(" ", kept))


SQUAD = Normaliser(frozenset(string.punctuation).__contains__, re.compile(r"\b(a|an|the)\b"), WORD)


def same(gold: Tokens, prediction: Tokens) -> float:
    """1 for equal tokens, else 0."""
    return float(gold == prediction)


def overlap(gold: Tokens, prediction: Tokens) -> float:
    """F1 of the two bags of tokens; 0 if either is empty, even if both are (SQuAD v1.1)."""
    shared = (Counter(gold) & Counter(prediction)).total()
    return 2 * shared / (len(gold) + len(prediction)) if shared else 0.0


def overlap_or_silence(gold: Tokens, prediction: Tokens) -> float:
    """F1 of the two bags of tokens; if either is empty, 1 if both are, else 0 (SQuAD v2.0)."""
    return overlap(gold, prediction) if gold and prediction else same(gold, prediction)


def best_answer(
    agreement: Callable[[Tokens, Tokens], float],
    normaliser: Normaliser,
    gold: Sequence[str],
    prediction: str | None,
) -> tuple[float, float]:
    """Counts of one answerable question: ``(best agreement with any gold answer, 1)``.

    A question without a prediction (None) scores 0, as in the scripts; an empty prediction may be
    right, where nothing but punctuation and articles is asked for ("A").

    Raises:
        UserError: if there is no gold answer: SQuAD v1.1 and MLQA have no unanswerable questions.
    """
    if not gold:
        raise UserError(
            "a question without gold answers has no SQuAD v1.1 or MLQA score; "
            "use squad_v2_f1 and squad_v2_exact_match"
        )
    if prediction is None:
        return 0.0, 1.0
    predicted = normaliser.tokens(prediction)
    return max(agreement(normaliser.tokens(answer), predicted) for answer in gold), 1.0


def squad_f1(gold: Sequence[str], prediction: str | None) -> tuple[float, float]:
    """Counts of one question under SQuAD v1.1 F1; an empty prediction scores 0."""
    return best_answer(overlap, SQUAD, gold, prediction)


def squad_exact_match(gold: Sequence[str], prediction: str | None) -> tuple[float, float]:
    """Counts of one question under SQuAD v1.1 exact match."""
    return best_answer(same, SQUAD, gold, prediction)


def squad_v2_f1(gold: Sequence[str], prediction: str | None) -> tuple[float, float]:
    """Counts of one question under SQuAD v2.0 F1; no gold answers: unanswerable."""
    return best_answer(overlap_or_silence, SQUAD, answers_or_silence(gold), prediction)


def squad_v2_exact_match(gold: Sequence[str], prediction: str | None) -> tuple[float, float]:
    """Counts of one question under SQuAD v2.0 exact match; no gold answers: unanswerable."""
    return best_answer(same, SQUAD, answers_or_silence(gold), prediction)


def best_null_threshold(units: Sequence[Unit], counts: Callable[..., tuple[float, ...]]) -> float:
    """The no-answer odds above which silence scores best (evaluate-v2.0.py).

    Thresholds are tried from the lowest odds up: whoever is not above one answers. So a question
    without answers loses its point once it is answered, and one with answers gains what its answer
    is worth. The first of equally good thresholds counts; 0 if nothing beats silence everywhere.

    Args:
        units: with ``gold``, ``answer`` (the best one, even where the prediction is silence) and
            ``null_odds`` (the no-answer score minus the answer's).
        counts: ``squad_v2_f1`` or ``squad_v2_exact_match``; each has a threshold of its own.
    """
    credit = best = float(sum(not unit["gold"] for unit in units))
    threshold = 0.0
    for unit in sorted(units, key=lambda one: one["null_odds"]):
        if unit["gold"]:
            credit += counts(unit["gold"], unit["answer"])[0]
        else:
            credit -= bool(unit["answer"])
        if credit > best:
            best, threshold = credit, unit["null_odds"]
    return threshold


def silenced(units: Iterable[Unit], threshold: float) -> list[dict[str, Any]]:
    """The units, predicting silence where the no-answer odds are above the threshold.

    Silence is wrong wherever there are answers, even one without tokens, as in the script: there it
    is no prediction at all.
    """
    return [
        {**unit, "prediction": unit["answer"]}
        if unit["null_odds"] <= threshold
        else {**unit, "prediction": None if unit["gold"] else ""}
        for unit in units
    ]


def answers_or_silence(gold: Sequence[str]) -> list[str]:
    """The answers that have tokens; else the empty answer (the SQuAD v2.0 script's rule)."""
    return [answer for answer in gold if SQUAD.tokens(answer)] or [""]

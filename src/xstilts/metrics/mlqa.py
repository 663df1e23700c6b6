"""Answer spans, scored as the official MLQA script scores them: by rules of their language.

As in SQuAD, punctuation goes before articles, and the best gold answer counts. Unlike there,
punctuation is all of Unicode's, articles are the language's own, and Chinese is compared
character by character (Lewis et al. 2020, ``mlqa_evaluation_v1.py``).
"""

from __future__ import annotations

import re
import string
import unicodedata
from typing import TYPE_CHECKING

from xstilts.errors import UserError, suggest
from xstilts.metrics.span import WORD, Normaliser, best_answer, overlap, same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_ARTICLES = re.compile(r"(?!)")  # matches nowhere
HAN_OR_WORD = re.compile(r"[\u4e00-\u9fa5]|[^\s\u4e00-\u9fa5]+")


def is_punctuation(char: str) -> bool:
    """Unicode's punctuation, and ASCII's symbols ($ + < = > ^ ` | ~) with it."""
    return char in string.punctuation or unicodedata.category(char).startswith("P")


def words(articles: str) -> re.Pattern[str]:
    """A pattern for any of the articles as a whole word."""
    return re.compile(rf"\b({'|'.join(articles.split())})\b")


NORMALISERS: Mapping[str, Normaliser] = {
    # The script's pattern for Arabic has a second alternative, which cannot match: "ال" goes
    # wherever it stands, inside words too, and leaves a space there.
    "ar": Normaliser(is_punctuation, re.compile("ال"), WORD),
    "de": Normaliser(
        is_punctuation,
        words("ein eine einen einem eines einer der die das den dem des"),
        WORD,
    ),
    "en": Normaliser(is_punctuation, words("a an the"), WORD),
    "es": Normaliser(is_punctuation, words("un una unos unas el la los las"), WORD),
    "hi": Normaliser(is_punctuation, NO_ARTICLES, WORD),
    "vi": Normaliser(is_punctuation, words("của là cái chiếc những"), WORD),
    "zh": Normaliser(is_punctuation, NO_ARTICLES, HAN_OR_WORD),
}


def normaliser_of(language: str) -> Normaliser:
    """The rules for a language.

    Raises:
        UserError: if MLQA has none for it.
    """
    if language not in NORMALISERS:
        raise UserError(
            f'metrics mlqa_f1, mlqa_exact_match: no rules for language "{language}";'
            f"{suggest(language, NORMALISERS)}; squad_f1 takes any language"
        )
    return NORMALISERS[language]


def mlqa_f1(gold: Sequence[str], prediction: str | None, language: str) -> tuple[float, float]:
    """Counts of one question under MLQA F1; an empty prediction scores 0."""
    return best_answer(overlap, normaliser_of(language), gold, prediction)


def mlqa_exact_match(
    gold: Sequence[str], prediction: str | None, language: str
) -> tuple[float, float]:
    """Counts of one question under MLQA exact match."""
    return best_answer(same, normaliser_of(language), gold, prediction)

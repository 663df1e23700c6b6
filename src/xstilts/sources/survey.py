"""What the rows of a split are like: how many, which labels, how long, how many pieces a word has.

Lengths are in a tokenizer's pieces, of all texts of an example together: of a choice the prompt and
its longest answer, of translations the longer one. Where a script writes no spaces, pieces are
counted a character, not a word.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from xstilts import languages
from xstilts.formats.encoded import token_ids
from xstilts.formats.examples import Bitext, Choice, Pair, Question, Tagged, texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenizers import Tokenizer

    from xstilts.formats.examples import Example

QUANTILES = (0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Survey:
    """The rows of one split in one language.

    Attributes:
        rows: how many.
        labels: label -> how many; empty where there are none. Of tags, words.
        lengths: pieces at each of ``QUANTILES``.
        pieces_per_word: pieces for each word, or for each character where ``unspaced``.
        unspaced: whether the script writes no spaces between words.
    """

    rows: int
    labels: Mapping[str, int]
    lengths: tuple[int, ...]
    pieces_per_word: float
    unspaced: bool


def survey(examples: Sequence[Example], code: str, tokenizer: Tokenizer) -> Survey:
    """What a language's examples are like.

    Args:
        examples: at least one.
        code: of their language.
        tokenizer: without truncation.
    """
    labels: Counter[str] = Counter()
    read: list[tuple[int, str]] = []  # with the number of the example
    for number, one in enumerate(examples):
        labels.update(_labels(one))
        read += [(number, text) for text in _texts(one)]
    pieces = [len(ids) for ids in token_ids(tokenizer, [text for _, text in read])]
    lengths = np.zeros(len(examples), np.int64)
    for (number, _), count in zip(read, pieces, strict=True):
        longest = isinstance(examples[number], Bitext)
        lengths[number] = max(lengths[number], count) if longest else lengths[number] + count
    unspaced = not languages.get(code).spaced
    units = sum(
        sum(not character.isspace() for character in text) if unspaced else len(text.split())
        for _, text in read
    )
    quantiles = np.quantile(lengths, QUANTILES, method="higher")
    return Survey(
        len(examples),
        dict(sorted(labels.items())),
        tuple(map(int, quantiles)),
        sum(pieces) / max(units, 1),
        unspaced,
    )


def _labels(one: Example) -> tuple[str, ...]:
    match one:
        case Pair(label=label):
            return (label,)
        case Choice(label=place):
            return (str(place),)
        case Tagged(tags=tags):
            return tags
        case Question(answers=answers):
            return ("answered",) if answers else ("no answer",)
        case _:
            return ()


def _texts(one: Example) -> tuple[str, ...]:
    return (one.prompt, max(one.choices, key=len)) if isinstance(one, Choice) else texts(one)

"""A sentence of another text at the end of a context, to mislead.

It shares words with the question but holds no answer to it: the idea of AddSent (Jia and Liang
2017), with found sentences instead of made ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import regex

from xstilts import languages
from xstilts.identity import stream_seed
from xstilts.perturb.clusters import letters, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.formats.examples import Question

_END = ".!?。！？।॥؟۔។။"
# From where a text or a sentence begins; a full stop between digits ends none.
_SENTENCE = regex.compile(
    rf"(?<=^|\n|[{_END}]\s+|[。！？])\S(?:[^{_END}]|(?<=\d)\.(?=\d)){{15,300}}[{_END}](?!\d)"
)
_CANDIDATES = 20  # sentences drawn for a question; the one closest to it is taken


def added(
    questions: Sequence[Question], severity: float, seed: int, language: str
) -> Iterator[Question]:
    """The questions, a share of them with a distracting sentence after their context.

    Args:
        questions: all of one language; their contexts are where sentences come from.
        severity: the share of the questions.
        seed: of the draws.
        language: the code of the language.
    """
    pool = [
        (one.group, match[0])
        for one in {one.context: one for one in questions}.values()
        for match in _SENTENCE.finditer(one.context)
    ]
    spaced = languages.get(language).spaced
    for one in questions:
        # By its text. What there is to draw from are the contexts of the rows that are evaluated.
        stream = np.random.default_rng(
            stream_seed("perturb", "distractor", seed, one.context, one.question)
        )
        sentence = _sentence(one, pool, stream, spaced) if stream.random() < severity else ""
        space = "" if one.context[-1:].isspace() else " "
        yield replace(one, context=one.context + space + sentence) if sentence else one


def _sentence(
    one: Question, pool: Sequence[tuple[str, str]], stream: np.random.Generator, spaced: bool
) -> str:
    """Of some sentences without an answer, the one with most words of the question; "" if none."""
    asked = _words(one.question, spaced)
    best, score = "", -1
    for place in stream.integers(len(pool), size=_CANDIDATES) if pool else ():
        group, sentence = pool[place]
        shared = len(asked & _words(sentence, spaced))
        answered = any(answer.casefold() in sentence.casefold() for answer in one.answers)
        if group != one.group and sentence not in one.context and not answered and shared > score:
            best, score = sentence, shared
    return best


def _words(text: str, spaced: bool) -> set[str]:
    """Its words, or its letters where nothing parts words."""
    return {text[a:b].casefold() for a, b in (words(text) if spaced else letters(text))}

"""Control conditions: the same rows without what the task teaches.

``shuffled``: inputs keep their text, labels are exchanged among rows. ``text``: no labels at all,
only the rows' text for masked language modelling.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from xstilts.formats.examples import Choice, Line, Pair, Query, Question, Tagged, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.formats.examples import Example


def shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    """The examples with their labels exchanged; the distribution of labels stays.

    Tags are exchanged over all words of all sentences. A question takes from another whether it has
    an answer and its number of characters; the place is random in its own context, at a word.

    Args:
        examples: all of one format.
        seed: of the permutation.
    """
    stream = np.random.default_rng(seed)
    order = stream.permutation(len(examples))
    tagged = [one for one in examples if isinstance(one, Tagged)]
    if tagged:
        tags = [tag for one in tagged for tag in one.tags]
        drawn = iter(stream.permutation(len(tags)))
        return [replace(one, tags=tuple(tags[next(drawn)] for _ in one.words)) for one in tagged]
    return [
        _relabelled(one, examples[other], stream)
        for one, other in zip(examples, order, strict=True)
    ]


def _relabelled(one: Example, other: Example, stream: np.random.Generator) -> Example:
    match one, other:
        case Pair(), Pair():
            return replace(one, label=other.label)
        case Choice(), Choice():
            return replace(one, label=other.label % len(one.choices))
        case Question(), Question():
            return _moved(one, other, stream)
        case Query(), Query():
            return replace(one, answer=other.answer)
        case _:
            return one  # raw text and translations have no labels


def _moved(one: Question, other: Question, stream: np.random.Generator) -> Question:
    """With an answer where the other question has one, and as long, anywhere in its own context."""
    if not other.answers:
        return replace(one, answers=(), starts=())
    length = min(len(other.answers[0]), len(one.context))
    places = [
        place
        for place in range(len(one.context) - length + 1)
        if place == 0 or one.context[place - 1].isspace()
    ]
    start = places[int(stream.integers(len(places)))]
    return replace(one, answers=(one.context[start : start + length],), starts=(start,))


def lines(examples: Sequence[Example]) -> list[Line]:
    """The text of the examples as lines for masked language modelling, each text once."""
    seen: dict[str, Line] = {}
    for one in examples:
        for text in _texts(one):
            seen.setdefault(text, Line(str(len(seen)), one.group, text))
    return list(seen.values())


def _texts(one: Example) -> tuple[str, ...]:
    match one:
        case Question():
            return (one.context, one.question)
        case Query():
            return (one.text, *one.answer)
        case _:
            return texts(one)

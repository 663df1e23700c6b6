"""Rows of every format, from meanings. One file a family of tasks.

A family is a function from a world, the number of the item and a language to the rows of that item:
all draws come first and are the same in every language. An id that begins with "crossed" is of the
share that surface cues cannot solve: the same words make rows with every label.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from xstilts.microworld.rows import (
    belongings,
    choices,
    inference,
    paraphrase,
    questions,
    sentences,
    tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xstilts.microworld.world import World

Family: TypeAlias = "Callable[[World, int, str], list[dict[str, Any]]]"

FAMILIES: Mapping[str, Family] = {
    "inference": inference.rows,
    "paraphrase": paraphrase.rows,
    "effect": choices.effect,
    "effect_of_three": partial(choices.effect, count=3),
    "cause": choices.cause,
    "person": choices.person,
    "belongings": belongings.rows,
    "parts_of_speech": tags.parts_of_speech,
    "entities": tags.entities,
    "supertags": tags.supertags,
    "answers": questions.answers,
    "answers_or_none": questions.answers_or_none,
    "bitext": sentences.bitext,
    "text": sentences.text,
}

"""Rows without the strings that languages share: names, digits, Latin letters in other scripts.

Transfer that rests on meaning survives it. Every name becomes an invented one of the language's own
script, the same wherever it stands in the language and another one in every other language, so that
who is who can still be told. Inflected names lose their case, except in Turkish, where it is apart.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from xstilts import languages
from xstilts.formats.examples import (
    Bitext,
    Candidate,
    Choice,
    Line,
    Pair,
    Query,
    Question,
    Tagged,
)
from xstilts.identity import stream_seed
from xstilts.microworld import concepts
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say

if TYPE_CHECKING:
    from xstilts.formats.examples import Example

SYLLABLES = {
    "Latn": "ba bu da du fe fo ga gu ke ko lo me pu ti vo zu",
    "Cyrl": "ба бу да ду фе фо га гу ке ко ло ме пу ти во зу",
    "Deva": "बा बू डा डू फे फो गा गू टे को लो मे पू टी वो ज़ू",
    "Arab": "با بو دا دو فا فو غا غو كا كو لو ما تو تي وا زو",
    "Hans": "巴 布 达 杜 菲 福 加 古 科 洛 梅 普 提 沃 祖 库",
    "Jpan": "バ ブ ダ ド フェ フォ ガ グ ケ コ ロ メ プ ティ ヴォ ズ",
}


def masked(example: Example, language: str) -> Example:
    """The example with its names, digits and, in other scripts, Latin letters masked.

    Args:
        example: of any format; answers move with their context, tags stay.
        language: one of the world's.
    """
    mask = _Mask(language)
    match example:
        case Pair():
            second = None if example.text_b is None else mask.text(example.text_b)
            return replace(example, text_a=mask.text(example.text_a), text_b=second)
        case Choice():
            choices = tuple(map(mask.text, example.choices))
            return replace(example, prompt=mask.text(example.prompt), choices=choices)
        case Tagged():
            return replace(example, words=tuple(map(mask.text, example.words)))
        case Question():
            return mask.question(example)
        case Bitext() | Query() | Line():
            return replace(example, text=mask.text(example.text))
        case Candidate():
            return replace(example, texts=tuple(map(mask.text, example.texts)))


class _Mask:
    def __init__(self, language: str) -> None:
        self.language = language
        self.pattern, self.names = _names(language)

    def text(self, text: str) -> str:
        return self.pattern.sub(self._replaced, text)

    def question(self, example: Question) -> Question:
        """What stands before an answer says where it begins in the masked context."""
        starts = tuple(len(self.text(example.context[:start])) for start in example.starts)
        return replace(
            example,
            context=self.text(example.context),
            question=self.text(example.question),
            answers=tuple(map(self.text, example.answers)),
            starts=starts,
        )

    def _replaced(self, match: re.Match[str]) -> str:
        found = match[0]
        if found.isdigit():
            return "0"
        name, apostrophe, suffix = found.partition("'")
        invented = self.names.get(name) or _invented(self.language, name)
        return invented + apostrophe + suffix


@cache
def _names(language: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """What to replace, and every form of every name with the name that it becomes."""
    names: dict[str, str] = {}
    man = Thing("man")
    for concept in concepts.of("name", "city", "organisation"):
        if concepts.get(concept).kind == "name":
            name = Thing(concept)
            events = [Event("see", name), Event("see", man, name), Event("help", man, name)]
        else:
            events = [Event("work", man, place=concept)]
        for event in events:
            for word in say(language, event):
                if word.entity != "O":
                    form = word.text.partition("'")[0]
                    names[form] = _invented(language, concept + form * (event.place != ""))
    forms = "|".join(re.escape(form) for form in sorted(names, key=len, reverse=True))
    whole = rf"(?<!\w)(?:{forms})(?:'\w+)?(?!\w)"
    forms = whole if languages.get(language).spaced else f"(?:{forms})"
    latin = "" if languages.get(language).script == "Latn" else "|[A-Za-z]+"
    return re.compile(rf"{forms}|\d+{latin}"), names


def _invented(language: str, name: str) -> str:
    """A name of three syllables that stands for this one in this language alone."""
    syllables = SYLLABLES[languages.get(language).script].split()
    stream = Random(stream_seed("microworld mask", language, name))  # noqa: S311
    return "".join(stream.choices(syllables, k=3)).capitalize()

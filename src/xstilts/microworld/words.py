"""Words of a sentence, with what is known of each, and how they become text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from xstilts import languages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes:
        text: as it is written.
        tag: its part of speech, one of the 17 of Universal Dependencies.
        entity: ``B-PER``, ``I-LOC`` and so on, or ``O``.
        role: the part of the event that it names; "" for case markers and everything else.
        glued: no space before it.
    """

    text: str
    tag: str
    entity: str = "O"
    role: str = ""
    glued: bool = False


@cache
def parse(cell: str) -> tuple[Word, ...]:
    """The words of a lexicon's cell, written as ``New/PROPN/B-LOC York/PROPN/I-LOC``."""
    return tuple(map(_word, cell.split()))


def _word(part: str) -> Word:
    text, tag, *entity = part.split("/")
    return Word(text, tag, entity[0] if entity else "O")


def punctuation(mark: str) -> Word:
    """A mark that stands close to the word before it."""
    return Word(mark, "PUNCT", glued=True)


def with_role(words: Iterable[Word], role: str) -> list[Word]:
    """The words as that part of the event."""
    return [Word(word.text, word.tag, word.entity, role, word.glued) for word in words]


def text(words: Sequence[Word], language: str) -> str:
    """The sentence as people write it."""
    return spanned(words, language, "")[0]


def spanned(words: Sequence[Word], language: str, role: str) -> tuple[str, int, int]:
    """The sentence as text, and from where to where the words of a role stand in it."""
    written, start, end = "", -1, -1
    for number, word in enumerate(words):
        if number and not word.glued and languages.get(language).spaced:
            written += " "
        if role and word.role == role:
            start = len(written) if start < 0 else start
            end = len(written) + len(word.text)
        written += word.text
    return written, start, end


def paragraph(sentences: Iterable[str], language: str) -> str:
    """Sentences one after the other."""
    return (" " if languages.get(language).spaced else "").join(sentences)

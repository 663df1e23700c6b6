"""Where letters, words and runs of letters stand in a text, in grapheme clusters (UAX #29).

A cluster is what a reader calls one character: a letter with its marks, a Devanagari conjunct, a
Hangul syllable. Everything here returns ranges ``(start, end)`` of code points, in order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import regex

Range: TypeAlias = tuple[int, int]


# The second part: some vowel signs of Burmese are clusters by themselves in Unicode. The third: it
# parts what the virama of Gurmukhi joins.
_LETTER = regex.compile(r"(?=\p{L})\X(?:(?=\p{M})\X|(?<=\u0a4d)(?=\p{L})\X)*")
# Without these a letter is one code point: marks, format characters, prefixed letters, the vowel
# signs of Thai and Lao that Unicode calls letters, and the jamo that join to syllables.
_JOINING = regex.compile(
    r"[\p{M}\p{Cf}\p{GCB=Prepend}\p{GCB=SpacingMark}\p{GCB=Extend}\p{GCB=L}\p{GCB=V}\p{GCB=T}]"
)
_WORD = regex.compile(r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}\u200c\u200d]|['’](?=\p{L}))*")


@lru_cache(maxsize=256)
def letters(text: str) -> tuple[Range, ...]:
    """Every cluster that begins with a letter."""
    if _JOINING.search(text):
        return tuple(match.span() for match in _LETTER.finditer(text))
    return tuple((i, i + 1) for i, character in enumerate(text) if character.isalpha())


@lru_cache(maxsize=256)
def runs(text: str) -> tuple[tuple[Range, ...], ...]:
    """The letters in groups that stand side by side: words, or phrases in Thai and Chinese."""
    found: list[list[Range]] = []
    end = -1
    for letter in letters(text):
        if letter[0] == end:
            found[-1].append(letter)
        else:
            found.append([letter])
        end = letter[1]
    return tuple(map(tuple, found))


def words(text: str) -> list[Range]:
    """Every word or number, an apostrophe inside it included."""
    return [match.span() for match in _WORD.finditer(text)]

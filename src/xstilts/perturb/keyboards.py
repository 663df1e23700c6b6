"""What a finger hits instead: the neighbouring keys of the layout that a language is typed on.

``layouts.csv`` holds the layouts, one row of keys a line, "." for a key without a letter or mark on
that level; where a row names no shifted keys they are the capitals. ``keyboards.csv`` says which
layout a script or a language is typed on. A letter is replaced by a letter and a mark by a mark, so
that a cluster stays a cluster.
"""

from __future__ import annotations

import csv
import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import regex

from xstilts import languages

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where a row begins, in key widths from the left edge: the staggered rows of a desk keyboard.
_ROW = {"number": (0, 0.0), "top": (1, 1.5), "home": (2, 1.75), "bottom": (3, 2.25)}
_REACH = 0.75  # how far keys of the next row may be, in key widths
_BRAHMIC = regex.compile(r"[\p{Deva}\p{Beng}\p{Gujr}\p{Guru}\p{Taml}\p{Telu}\p{Mlym}]")
_VOWELS = regex.compile(r"LETTER (?:[AEIOU]|VOCALIC|SHORT|CANDRA)")
_THAI_VOWELS = frozenset("ะาๅเแโใไฤฦฯๆ")  # letters that take no mark
_LIKE_MARKS = "\u0e33\u0eb3"  # am of Thai and Lao: letters that stand only after another

_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SYLLABLES = (0xAC00, 0xD7A3)


def layout(language: str) -> str:
    """The layout that a language is typed on; "" where none is known here."""
    table = _chosen()
    return table.get(language, table.get(languages.get(language).script, ""))


@cache
def slips(cluster: str, language: str) -> tuple[str, ...]:
    """What the cluster becomes when one of its keys is missed by one, in order of the cluster."""
    name = layout(language)
    near = neighbours(name) if name else {}
    if len(cluster) == 1 and _SYLLABLES[0] <= ord(cluster) <= _SYLLABLES[1]:
        return tuple(_syllables(cluster, near))
    # Beside another mark a wrong one may be impossible: two vowel signs on one letter.
    fixed = "M" if sum(_kind(character) == "M" for character in cluster) > 1 else ""
    return tuple(
        cluster[:i] + other + cluster[i + 1 :]
        for i, character in enumerate(cluster)
        if _kind(character) != fixed
        for other in near.get(character, ())
    )


def _syllables(syllable: str, near: dict[str, tuple[str, ...]]) -> Iterator[str]:
    rest, final = divmod(ord(syllable) - _SYLLABLES[0], len(_FINALS))
    initial, medial = divmod(rest, len(_MEDIALS))
    parts = (initial, medial, final)
    for place, jamo in enumerate((_INITIALS, _MEDIALS, _FINALS)):
        for other in near.get(jamo[parts[place]], ()):
            if other in jamo:
                new = [*parts]
                new[place] = jamo.index(other)
                code = (new[0] * len(_MEDIALS) + new[1]) * len(_FINALS) + new[2]
                yield chr(_SYLLABLES[0] + code)


@cache
def neighbours(name: str) -> dict[str, tuple[str, ...]]:
    """Letter or mark -> those of its kind on the keys around it, on the same level."""
    found: dict[str, tuple[str, ...]] = {}
    for level in _levels(name):
        for key, (row, x) in level.items():
            around = tuple(
                other
                for other, (other_row, other_x) in level.items()
                if other != key
                and _kind(other) == _kind(key)
                # the next key of the row, or one of the rows above and below
                and abs(other_x - x) <= (1 if other_row == row else _REACH)
                and abs(other_row - row) <= 1
            )
            found[key] = around
    return found


def _levels(name: str) -> tuple[dict[str, tuple[int, float]], ...]:
    """The two levels of a layout: letter or mark -> its row, and its place in key widths."""
    plain: dict[str, tuple[int, float]] = {}
    shifted: dict[str, tuple[int, float]] = {}
    for line in _rows():
        if line["layout"] != name:
            continue
        row, left = _ROW[line["row"]]
        keys = line["keys"].split(" ")
        others = line["shifted"].split(" ") if line["shifted"] else [*map(_capital, keys)]
        for level, characters in ((plain, keys), (shifted, others)):
            places = ((c, (row, left + i)) for i, c in enumerate(characters))
            level.update((c, place) for c, place in places if c != ".")
    return plain, shifted


def _capital(key: str) -> str:
    capital = key.upper()
    return capital if capital != key and len(capital) == 1 else "."


@cache
def _kind(character: str) -> str:
    """``M`` mark, ``V`` a vowel that takes no vowel sign, or jamo vowel, ``L`` any other letter."""
    if unicodedata.category(character)[0] == "M" or character in _LIKE_MARKS:
        return "M"
    if character in _THAI_VOWELS:
        return "V"
    if _BRAHMIC.match(character) and _VOWELS.search(unicodedata.name(character, "")):
        return "V"
    return "V" if character in _MEDIALS else "L"


@cache
def _rows() -> list[dict[str, str]]:
    return _table("layouts.csv")


@cache
def _chosen() -> dict[str, str]:
    return {row["written_in"]: row["layout"] for row in _table("keyboards.csv")}


def _table(name: str) -> list[dict[str, str]]:
    text = files("xstilts.perturb").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))

"""Perturbations of letters: slips of a key, and letters that look or sound like others."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import regex

from xstilts.perturb import keyboards
from xstilts.perturb.base import Perturbation, by_letter
from xstilts.perturb.clusters import letters, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.perturb.clusters import Range

_VIRAMA = 9  # the combining class of the sign that joins two consonants
_OWN_LETTERS = frozenset("йЙїЇўЎќЌѓЃ")  # their mark makes another letter, which nobody leaves off
_DOTTED_I = frozenset({"tr", "az"})
_LOOK_ALIKES = regex.compile(  # alphabets that most fonts have; no phonetic or medieval letters
    r"(?V1)[\p{Latn}\p{Cyrl}\p{Grek}\p{Armn}--[\u0250-\u02af\u1d00-\u1dbf\ua720-\uab6f]]"
)
_KANA = dict(zip("ずづじぢをズヅジヂヲ", "づずぢじおヅズヂジオ", strict=True))
_LEVEL_1 = range(0xB0, 0xD8)  # the lead bytes of GB 2312's 3,755 common characters


def _pairs(text: str, _language: str) -> list[Range]:
    """Neighbouring letters, two by two; of every other word from its second letter on."""
    found = []
    for number, run in enumerate(runs(text)):
        for i in range(number % 2 if len(run) > 2 else 0, len(run) - 1, 2):
            (a, b), (_, c) = run[i], run[i + 1]
            if text[a:b] != text[b:c]:
                found.append((a, c))
    return found


def _swapped(text: str, site: Range, _language: str) -> Sequence[str]:
    a, c = site
    b = next(start for start, _ in letters(text) if start > a)
    return (text[b:c] + text[a:b],)


def _all_but_first(text: str, _language: str) -> list[Range]:
    return [letter for run in runs(text) for letter in run[1:]]


def _nothing(_text: str, _site: Range, _language: str) -> Sequence[str]:
    return ("",)


def _all(text: str, _language: str) -> Sequence[Range]:
    return letters(text)


def _with_another(text: str, site: Range, _language: str) -> Sequence[str]:
    letter = text[slice(*site)]
    return tuple(letter + other for other in _alphabet(text))


@lru_cache(maxsize=64)
def _alphabet(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text[a:b] for a, b in letters(text)))


def _twice(text: str, site: Range, _language: str) -> Sequence[str]:
    return (2 * text[slice(*site)],)


_ARABIC = regex.compile(r"\p{Arabic}")
_ALEFS = {"أ": "ا", "إ": "ا"}
_ARABIC_ALEFS = {"آ": "ا"}  # a letter of its own in Persian and Urdu
_OF_ARABIC = frozenset({"ar", "arz"})


@cache
def _unmarked(letter: str, language: str) -> tuple[str, ...]:
    """The letter without its marks; the sign that joins consonants stays."""
    if letter in _OWN_LETTERS:
        return ()
    if _ARABIC.match(letter):  # the hamza of other letters than alef is no mark that is left off
        alef = _ALEFS | _ARABIC_ALEFS if language in _OF_ARABIC else _ALEFS
        bare = "".join(alef.get(c, c) for c in letter if unicodedata.category(c)[0] != "M")
        return (bare,) if bare != letter else ()
    parts = unicodedata.normalize("NFD", letter)
    kept = "".join(
        c for c in parts if unicodedata.category(c)[0] != "M" or unicodedata.combining(c) == _VIRAMA
    )
    return (unicodedata.normalize("NFC", kept),) if kept != parts else ()


@cache
def _other_case(letter: str, language: str) -> tuple[str, ...]:
    if language in _DOTTED_I and letter in "iıİI":
        return ("iİıI"["İiIı".index(letter)],)
    other = letter.swapcase()
    # Not where one letter becomes two (ß, SS), or would not come back (the final sigma).
    return (other,) if other != letter and other.swapcase() == letter else ()


@cache
def _look_alikes(letter: str, _language: str) -> tuple[str, ...]:
    """Letters of another script that look the same, by Unicode's table of confusables."""
    from confusable_homoglyphs.confusables import confusables_data

    def fits(other: str) -> bool:
        return (
            len(other) == 1
            and unicodedata.category(other) == unicodedata.category(letter)
            and _script(other) not in (None, _script(letter))
            # what normalisation takes back would be no noise
            and unicodedata.normalize("NFKC", other) == other
        )

    if _script(letter) is None:
        return ()
    others = (entry["c"] for entry in confusables_data.get(letter, ()))
    return tuple(sorted(other for other in others if fits(other)))


def _script(character: str) -> str | None:
    if len(character) != 1 or not _LOOK_ALIKES.match(character):
        return None
    return unicodedata.name(character, "").partition(" ")[0] or None


def _other_kana(letter: str, _language: str) -> tuple[str, ...]:
    return (_KANA[letter],) if letter in _KANA else ()


@cache
def _homophones(letter: str, _language: str) -> tuple[str, ...]:
    alike = _readings().get(_reading(letter), ())
    return tuple(other for other in alike if other != letter) if letter in alike else ()


@cache
def _readings() -> dict[str, tuple[str, ...]]:
    """Pinyin without tone -> the common characters whose first reading it is."""
    found: dict[str, list[str]] = {}
    for lead in _LEVEL_1:
        for trail in range(0xA1, 0xFF):
            character = bytes((lead, trail)).decode("gb2312", "ignore")
            if character:
                found.setdefault(_reading(character), []).append(character)
    return {reading: tuple(characters) for reading, characters in found.items()}


@cache
def _reading(character: str) -> str:
    from pypinyin import lazy_pinyin

    return lazy_pinyin(character)[0]


LETTERS = (
    by_letter("keyboard", "a neighbouring key is hit", keyboards.slips),
    Perturbation("swap", "two neighbouring letters change places", _pairs, _swapped),
    Perturbation("drop", "a letter is left out, never a word's first", _all_but_first, _nothing),
    Perturbation("insert", "another letter of the text comes after a letter", _all, _with_another),
    Perturbation("repeat", "a letter is written twice", _all, _twice),
    by_letter("marks", "a letter loses its diacritics or vowel signs", _unmarked),
    by_letter("case", "capital and small letter are exchanged", _other_case),
    by_letter(
        "homoglyphs",
        "a letter of another script that looks the same",
        _look_alikes,
        module="confusable_homoglyphs",
    ),
    by_letter("kana", "a kana that is read the same", _other_kana),
    by_letter("homophones", "a character that is read the same", _homophones, module="pypinyin"),
)

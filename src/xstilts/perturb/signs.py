"""Perturbations of what stands between and beside letters: digits, punctuation, spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

from xstilts import languages
from xstilts.perturb.base import Perturbation
from xstilts.perturb.clusters import runs, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xstilts.perturb.clusters import Range

_ZERO = {  # the digit 0 by language or script; nine more follow it
    "fa": "۰",
    "ps": "۰",
    "ur": "۰",
    "Arab": "٠",
    "Beng": "০",
    "Deva": "०",
    "Gujr": "૦",
    "Guru": "੦",
    "Khmr": "០",
    "Knda": "೦",
    "Laoo": "໐",
    "Mlym": "൦",
    "Mymr": "၀",
    "Orya": "୦",
    "Taml": "௦",
    "Telu": "౦",
    "Thai": "๐",
}
_NUMBER = regex.compile(r"\p{Nd}+")
_MARK = regex.compile(
    r"""(?V1)[\p{Terminal_Punctuation}\p{Ps}\p{Pe}\p{Pi}\p{Pf}"--[.,:’]]
    | [.,:](?![\p{N}\p{L}])""",  # none of the marks inside numbers, words and abbreviations
    regex.VERBOSE,
)
_SPACE = regex.compile(r"(?<=\S) +(?=\S)")
_INVISIBLE = ("\u200b", "\u2060", "\ufeff")  # zero-width space, word joiner, byte order mark
_LEFT, _RIGHT, _ISOLATE, _POP = "\u200e", "\u200f", "\u2068", "\u2069"


def _zero(language: str) -> int:
    """The code point of the native zero; 0 where there are no native digits."""
    script = languages.get(language).script
    return ord(_ZERO.get(language, _ZERO.get(script, "\0")))


def _numbers(text: str, language: str) -> list[Range]:
    return [match.span() for match in _NUMBER.finditer(text)] if _zero(language) else []


def _other_digits(text: str, site: Range, language: str) -> Sequence[str]:
    number, zero = text[slice(*site)], _zero(language)
    ascii_ = number.isascii()
    return ("".join(chr(zero + int(d)) if ascii_ else str(int(d)) for d in number),)


def _marks(text: str, _language: str) -> list[Range]:
    return [match.span() for match in _MARK.finditer(text)]


def _gone_or_twice(text: str, site: Range, _language: str) -> Sequence[str]:
    return ("", 2 * text[slice(*site)])


def _spaces(text: str, language: str) -> list[Range]:
    """The spaces between words; where there are none, the places between letters."""
    if not languages.get(language).spaced:
        return _gaps(text, language)
    return [match.span() for match in _SPACE.finditer(text)]


def _gaps(text: str, _language: str) -> list[Range]:
    return [(start, start) for run in runs(text) for start, _ in run[1:]]


def _joined_or_split(_text: str, site: Range, _language: str) -> Sequence[str]:
    return (" ",) if site[0] == site[1] else ("",)


def _invisible(_text: str, _site: Range, _language: str) -> Sequence[str]:
    return _INVISIBLE


def _words(text: str, _language: str) -> list[Range]:
    return words(text)


def _directed(text: str, site: Range, _language: str) -> Sequence[str]:
    word = text[slice(*site)]
    return (_RIGHT + word, _LEFT + word, _ISOLATE + word + _POP)


SIGNS = (
    Perturbation("digits", "native digits for ASCII ones, or back", _numbers, _other_digits),
    Perturbation("punctuation", "a mark is left out or doubled", _marks, _gone_or_twice),
    Perturbation(
        "whitespace",
        "a space is lost; in scripts without spaces, one appears",
        _spaces,
        _joined_or_split,
    ),
    Perturbation("zero_width", "an invisible character between two letters", _gaps, _invisible),
    Perturbation("bidi", "invisible direction marks at a word", _words, _directed),
)

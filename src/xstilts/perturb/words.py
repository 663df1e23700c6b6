"""Perturbations of whole words."""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import regex

from xstilts import languages
from xstilts.perturb.base import Perturbation
from xstilts.perturb.clusters import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xstilts.perturb.clusters import Range

_SPACES = regex.compile(r"\s*")
_NOT_LATIN = regex.compile(r"(?!\p{Latn})\p{L}")


def _droppable(text: str, _language: str) -> list[Range]:
    """Every word but the first, with the space after it."""
    found = []
    for start, end in words(text)[1:]:
        space = _SPACES.match(text, end)
        found.append((start, space.end() if space else end))
    return found


def _nothing(_text: str, _site: Range, _language: str) -> Sequence[str]:
    return ("",)


def _couples(text: str, _language: str) -> list[Range]:
    """Two words with nothing but space between them; a word is in one couple at most."""
    found: list[Range] = []
    known = words(text)
    for (a, b), (c, d) in pairwise(known):
        if text[b:c].isspace() and text[a:b] != text[c:d] and (not found or found[-1][1] <= a):
            found.append((a, d))
    return found


def _turned(text: str, site: Range, _language: str) -> Sequence[str]:
    couple = text[slice(*site)]
    (_, b), (c, _) = words(couple)
    return (couple[c:] + couple[b:c] + couple[:b],)


def _foreign(text: str, _language: str) -> list[Range]:
    return [(a, b) for a, b in words(text) if _NOT_LATIN.search(text, a, b)]


def _romanised(text: str, site: Range, language: str) -> Sequence[str]:
    return (_in_latin(text[slice(*site)], languages.get(language).iso639_3),)


@lru_cache(maxsize=100_000)
def _in_latin(word: str, iso639_3: str) -> str:
    return str(_romaniser().romanize_string(word, lcode=iso639_3 or None))


@cache
def _romaniser() -> Any:
    from uroman import Uroman

    return Uroman()


WORDS = (
    Perturbation("word_drop", "a word is left out, never the first", _droppable, _nothing),
    Perturbation("shuffle", "two neighbouring words change places", _couples, _turned),
    Perturbation("romanisation", "a word in Latin letters", _foreign, _romanised, module="uroman"),
)


def code_switch(lexicon: Mapping[str, tuple[str, ...]]) -> Perturbation:
    """Words in another language.

    Args:
        lexicon: word, without capitals -> its translations.
    """

    def sites(text: str, _language: str) -> list[Range]:
        return [(a, b) for a, b in words(text) if text[a:b].casefold() in lexicon]

    def options(text: str, site: Range, _language: str) -> Sequence[str]:
        return lexicon[text[slice(*site)].casefold()]

    return Perturbation("code_switch", "a word in another language", sites, options)

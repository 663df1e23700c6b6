"""Bilingual lexicons for code-switching: the user's, the mirror's and microworld's."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import regex

from xstilts import languages
from xstilts.errors import AbsentError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Lexicon: TypeAlias = "Mapping[str, tuple[str, ...]]"  # word without capitals -> translations
Entries: TypeAlias = "Iterable[tuple[str, str]]"

_WIKTIONARY = {"ar": "arb", "hr": "sh", "bs": "sh", "zh": "cmn"}  # how its files call a language
_ASIDE = regex.compile(r"\{[^}]*\}|\([^)]*\)|/[^/]*/|\[[^\]]*\]")
_WORD = regex.compile(r"[\p{L}\p{M}\u200c\u200d'’-]+")
_NOT_FORMS = ("gender", "class", "plural_class", "counter", "classifier")


def find(language: str, mirror: Path | None = None, own: Path | None = None) -> Lexicon:
    """The words of a language and their translations: the user's, or those into English.

    Args:
        language: the code of the language that the text is in.
        mirror: the folder of the datasets' original files, whose ``lexicons`` are looked at.
        own: a file of lines "word<TAB>translation", which is taken alone.

    Raises:
        AbsentError: if there is none for the language.
        UserError: if the user's file is not as it should be.
    """
    if own is not None:
        return _collected(_pairs_of(own))
    entries: list[tuple[str, str]] = []
    if language != "en":
        entries = [*_mirrored(language, mirror), *_microworld(language)]
    lexicon = _collected(entries)
    if not lexicon:
        why = "into which language?" if language == "en" else "none is there"
        raise AbsentError(
            f"code_switch needs a lexicon for {languages.get(language).name}, {why} "
            'give one with --lexicon FILE, lines of "word<TAB>translation"'
        )
    return lexicon


def _collected(entries: Entries) -> dict[str, tuple[str, ...]]:
    """Single words that change; the translations of each in the order they came."""
    found: dict[str, dict[str, None]] = {}
    for word, other in entries:
        key = word.strip().casefold()
        if _WORD.fullmatch(key) and _WORD.fullmatch(other.strip()) and key != other.casefold():
            found.setdefault(key, {})[other.strip()] = None
    return {word: tuple(others) for word, others in found.items()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start + 1} is not UTF-8; save it so") from None


def _pairs_of(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_lines(path), start=1):
        word, tab, other = line.partition("\t")
        if not tab:
            raise UserError(f'{path}, line {number}: "{line:.60}" is not "word<TAB>translation"')
        yield word, other.partition("\t")[0]


def _mirrored(language: str, mirror: Path | None) -> Iterator[tuple[str, str]]:
    folder = (mirror / "lexicons") if mirror else None
    if folder is None or not folder.is_dir():
        return
    gatitos = folder / "gatitos" / f"en_{language}.tsv"
    if gatitos.is_file():
        yield from ((other, word) for word, other in _pairs_of(gatitos))
    name = _WIKTIONARY.get(language, language)
    into, from_ = (
        folder / "wiktionary-dict" / f"{pair}-enwiktionary.txt"
        for pair in (f"{name}-en", f"en-{name}")
    )
    if into.is_file():
        yield from _wiktionary(into)
    elif from_.is_file():
        yield from ((other, word) for word, other in _wiktionary(from_))


def _wiktionary(path: Path) -> Iterator[tuple[str, str]]:
    """Lines "word {part of speech} (gloss) :: translation, translation"."""
    for line in _lines(path):
        head, mark, tail = line.partition("::")
        if mark and not line.startswith("#"):
            word = _ASIDE.sub("", head).strip()
            for other in regex.split("[,;]", _ASIDE.sub("", tail)):
                yield word, other.strip()


def _microworld(language: str) -> Iterator[tuple[str, str]]:
    """The nouns of the small world, in any of their forms."""
    from xstilts.microworld import lexicon

    try:
        own, english = lexicon.load(language), lexicon.load("en")
    except FileNotFoundError:
        return
    for (kind, concept), forms in own.entries.items():
        if kind == "noun":
            for column, form in forms.items():
                if column not in _NOT_FORMS:
                    plural = "plural" if "plural" in column else "singular"
                    yield form, english.get(kind, concept)[plural]

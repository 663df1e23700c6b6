"""The layouts that dictionaries come in: words and phrases with their translations.

A dictionary yields rows like those of parallel text, a mapping of language codes to the sides of
one entry, English first. Entries of several files with the same headword, part of speech and gloss
are one row.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xstilts import languages
from xstilts.corpus.evaluation import lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from xstilts.corpus.read import Row

# Where a file's name is not the ISO 639-1 code of our table.
WIKTIONARY = {"arb": "ar", "cmn": "zh"}
INVERTED = ("es", "fi", "fr", "pt")  # headwords of these languages, explained in English
MOST_WORDS = 3  # of an English explanation that is still a translation

_ASIDE = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")  # {grammar}, [register], (gloss)
_SPOKEN = re.compile(r"/[^/]*/")
_BETWEEN = re.compile(r"[,;](?=(?:[^/]*/[^/]*/)*[^/]*$)")  # not inside /a transcription/
_FORM_OF = re.compile(r"\bof\b")


def dictionaries(mirror: Path) -> Iterator[tuple[str, Iterable[Row]]]:
    """All dictionaries: source, rows."""
    folder = mirror / "lexicons"
    if (wiktionary := folder / "wiktionary-dict").is_dir():
        yield "wiktionary", _concepts(wiktionary)
        yield "wiktionary", _inverted(wiktionary)
    if (gatitos := folder / "gatitos").is_dir():
        yield "gatitos", _gatitos(gatitos)


def _concepts(folder: Path) -> Iterator[Row]:
    """Lines "guide {v} (to serve as a guide) :: dalla /.../, ..." of all files, by headword."""
    rows: dict[str, Row] = {}
    for path in sorted(folder.glob("en-*-enwiktionary.txt")):
        name = path.name.split("-")[1]
        code = WIKTIONARY.get(name, name)
        if code not in languages.in_corpora():
            continue
        for head, tail in _entries(path):
            if (word := _first(tail, prefer_spoken=code == "zh")) and (english := _bare(head)):
                rows.setdefault(head, {"en": english})[code] = word
    yield from rows.values()


def _inverted(folder: Path) -> Iterator[Row]:
    """Lines "bombear {v} :: to pump"; inflected forms and long explanations are left out."""
    for code in INVERTED:
        path = folder / f"{code}-en-enwiktionary.txt"
        if not path.is_file():
            continue
        for head, tail in _entries(path):
            english = _first(tail).removeprefix("to ")
            if _FORM_OF.search(tail) or not 0 < len(english.split()) <= MOST_WORDS:
                continue
            if word := _bare(head):
                yield {"en": english, code: word}


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    for line in lines(path):
        head, mark, tail = line.partition(" :: ")
        if mark and "SEE:" not in head:
            yield head, tail


def _first(tail: str, *, prefer_spoken: bool = False) -> str:
    """The first translation; of Chinese the one with a transcription, which is in short forms."""
    every = _BETWEEN.split(_without_asides(tail))
    spoken = [one for one in every if _SPOKEN.search(one)] if prefer_spoken else []
    return _bare(_SPOKEN.sub("", (spoken or every)[0]))


def _bare(text: str) -> str:
    return " ".join(_SPOKEN.sub("", _without_asides(text)).split())


def _without_asides(text: str) -> str:
    return _ASIDE.sub("", _ASIDE.sub("", text))  # twice: one may stand inside another


def _gatitos(folder: Path) -> Iterator[Row]:
    """Lines "a little<TAB>un poco" of all files, by English side; the first translation counts."""
    rows: dict[str, Row] = {}
    for path in sorted(folder.glob("en_*.tsv")):
        code = path.stem.removeprefix("en_")
        if code not in languages.in_corpora():
            continue
        for line in lines(path):
            english, tab, word = line.partition("\t")
            if tab:
                rows.setdefault(english, {"en": english}).setdefault(code, word.partition("\t")[0])
    yield from rows.values()

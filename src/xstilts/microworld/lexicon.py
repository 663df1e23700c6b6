"""A language's words: ``lexicons/xx.csv``, one row a concept, in sections.

A section starts with its kind and the names of its columns: ``#noun,gender,singular,plural``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TypeAlias

from xstilts.microworld.words import Word, parse

Entry: TypeAlias = dict[str, str]


class Lexicon:
    """The words of one language."""

    def __init__(self, text: str) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}
        kind, columns = "", [""]
        for line in text.splitlines():
            cells = line.split(",")
            if line.startswith("#"):
                kind, columns = cells[0][1:], cells[1:]
                continue
            self.entries[kind, cells[0]] = dict(zip(columns, cells[1:], strict=True))

    def get(self, kind: str, concept: str) -> Entry:
        """The forms of a concept: column -> form."""
        return self.entries[kind, concept]

    def has(self, kind: str, concept: str) -> bool:
        """Whether the section has the concept."""
        return (kind, concept) in self.entries

    def phrase(self, kind: str, concept: str, column: str = "phrase") -> list[Word]:
        """The words of a cell."""
        return list(parse(self.entries[kind, concept][column]))


@cache
def load(language: str) -> Lexicon:
    """The lexicon of a language."""
    path = files("xstilts.microworld").joinpath(f"lexicons/{language}.csv")
    return Lexicon(path.read_text(encoding="utf-8"))

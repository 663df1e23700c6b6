"""How much of a text is in its language's own script."""

from __future__ import annotations

from functools import cache

import regex

from xstilts import languages

# ISO 15924 codes that stand for several Unicode scripts; any other code stands for itself.
_PARTS = {
    "Hang": ("Hang", "Hani"),
    "Hans": ("Hani", "Bopo"),
    "Hant": ("Hani", "Bopo"),
    "Jpan": ("Hira", "Kana", "Hani"),
}


def letters(text: str, code: str) -> tuple[int, int]:
    """How many letters a text has, and how many of them are of the scripts of a language.

    Combining marks are not counted.

    Raises:
        UserError: if the language is not in the table.
    """
    table, own = _table(), _scripts(languages.get(code).script)
    found = text.translate(table)
    return len(found), sum(found.count(table.symbols[script]) for script in own)


def _scripts(code: str) -> tuple[str, ...]:
    return _PARTS.get(code, (code,))


class _Table(dict[int, str | None]):
    """For ``str.translate``: letter -> a symbol for its script, anything else -> nothing."""

    def __init__(self) -> None:
        super().__init__()
        codes = {row.script for row in languages.table().values()}
        scripts = sorted({script for code in codes for script in _scripts(code)})
        self.symbols = {script: chr(ord("A") + i) for i, script in enumerate(scripts)}
        groups = "|".join(rf"(\p{{scx={script}}})" for script in scripts)
        self._letter = regex.compile(rf"(?=\p{{L}})(?:{groups}|.)")

    def __missing__(self, point: int) -> str | None:
        match = self._letter.match(chr(point))
        self[point] = chr(ord("A") + (match.lastindex or 0) - 1) if match else None
        return self[point]


@cache
def _table() -> _Table:
    return _Table()

"""A cleaned corpus on disk.

``text/<code>.txt``, a line a sentence; ``parallel.jsonl``, a segment a row; and, where there are
dictionaries, ``dictionary.jsonl``, an entry a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts import jsontext
from xstilts.corpus import evaluation
from xstilts.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


ROWS = ("parallel.jsonl", "dictionary.jsonl")


def text_files(corpus: Path, languages: Collection[str] = ()) -> list[Path]:
    """The files of running text, of these languages or all; a file's stem is its language."""
    files = sorted((corpus / "text").glob("*.txt"))
    return [path for path in files if not languages or path.stem in languages]


def parallel_rows(corpus: Path, languages: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of ``parallel.jsonl`` as language -> text, of these languages or all; two at least.

    Raises:
        UserError: if a row is none.
    """
    return _rows(corpus / "parallel.jsonl", languages)


def dictionary_rows(corpus: Path, languages: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of ``dictionary.jsonl``, as ``parallel_rows``."""
    return _rows(corpus / "dictionary.jsonl", languages)


def lines(path: Path) -> list[str]:
    """The lines of a file of running text.

    Raises:
        UserError: if it is not UTF-8.
    """
    return list(evaluation.lines(path, "build it again"))


def _rows(path: Path, languages: Collection[str]) -> Iterator[dict[str, str]]:
    if not path.exists():
        return
    for number, line in enumerate(evaluation.lines(path, "build it again"), start=1):
        row = _row(line)
        if row is None:
            raise UserError(f"{path} line {number}: no JSON object of texts: build it again")
        row.pop("source", None)
        if languages:
            row = {code: text for code, text in row.items() if code in languages}
        if len(row) > 1:
            yield row


def _row(line: str) -> dict[str, str] | None:
    try:
        row = jsontext.parse(line)
    except ValueError:
        return None
    texts = isinstance(row, dict) and all(isinstance(text, str) for text in row.values())
    return row if texts else None

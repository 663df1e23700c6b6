"""A cleaned corpus on disk.

``text/<code>.txt``, a line a sentence; ``parallel.jsonl``, a segment a row; and, where there are
dictionaries, ``dictionary.jsonl``, an entry a row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


ROWS = ("parallel.jsonl", "dictionary.jsonl")


def text_files(corpus: Path, languages: Collection[str] = ()) -> list[Path]:
    """The files of running text, of these languages or all; a file's stem is its language."""
    files = sorted((corpus / "text").glob("*.txt"))
    return [path for path in files if not languages or path.stem in languages]


def parallel_rows(corpus: Path, languages: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of ``parallel.jsonl`` as language -> text, of these languages or all; two at least."""
    return _rows(corpus / "parallel.jsonl", languages)


def dictionary_rows(corpus: Path, languages: Collection[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of ``dictionary.jsonl``, as ``parallel_rows``."""
    return _rows(corpus / "dictionary.jsonl", languages)


def _rows(path: Path, languages: Collection[str]) -> Iterator[dict[str, str]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            row.pop("source", None)
            if languages:
                row = {code: text for code, text in row.items() if code in languages}
            if len(row) > 1:
                yield row

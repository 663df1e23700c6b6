"""XQuAD's paragraphs, as hashes: they come from SQuAD's development sets.

XQuAD translates 240 paragraphs of SQuAD v1.1's development set, and v2.0's holds 173 of them. A
model trained or chosen on those would have seen evaluation text; so both leave them out.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xstilts.tasks.base import Row


def without_xquad(row: Row) -> dict[str, Any] | None:
    """The row, or None where its context is one of XQuAD's English paragraphs."""
    return None if paragraph_key(row["context"]) in _keys() else dict(row)


def paragraph_key(text: str) -> str:
    """16 hexadecimal digits of a paragraph's letters and digits, whatever its case and spacing."""
    bare = "".join(character for character in text.casefold() if character.isalnum())
    return hashlib.sha256(bare.encode()).hexdigest()[:16]


@cache
def _keys() -> frozenset[str]:
    text = files("xstilts.tasks").joinpath("xquad_paragraphs.txt").read_text(encoding="ascii")
    return frozenset(text.split())

"""Rows that were read lately: many models are evaluated on the same ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from xstilts.formats.examples import Example

Key: TypeAlias = tuple[str, ...]

MOST_ROWS = 100_000  # in all, about 100 MB; a larger split is read again, and memory stays flat


class Kept:
    """Splits of rows; the one that was asked for longest ago goes first."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._splits: OrderedDict[Key, list[Example]] = OrderedDict()
        self._rows = 0

    def get(self, key: Key, read: Callable[[], list[Example]]) -> list[Example]:
        """The rows of that name, read where they are not here; the list is the caller's own."""
        if key in self._splits:
            self._splits.move_to_end(key)
            return list(self._splits[key])
        found = read()
        if len(found) <= self._most_rows:
            self._splits[key] = found
            self._rows += len(found)
        while self._rows > self._most_rows:
            self._rows -= len(self._splits.popitem(last=False)[1])
        return list(found)

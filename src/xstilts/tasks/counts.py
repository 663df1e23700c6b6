"""How many rows a split has, told without opening it: ``row_counts.csv``.

The mirror's and the microworld's are counted by scripts/count_rows.py, and tests compare them with
what is read; the hub's are those that its datasets publish, as far as they say.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows(task: str, source: str, split: str) -> Mapping[str, int]:
    """Language -> rows, of the languages whose rows were counted; empty where none were."""
    return _table().get((task, source, split), {})


@cache
def _table() -> dict[tuple[str, str, str], dict[str, int]]:
    text = files("xstilts.tasks").joinpath("row_counts.csv").read_text(encoding="utf-8")
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in csv.DictReader(text.splitlines()):
        place = row["task"], row["source"], row["split"]
        found.setdefault(place, {})[row["language"]] = int(row["rows"])
    return found

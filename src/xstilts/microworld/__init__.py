"""The microworld: labelled data in ten real languages by construction, from a small world.

Meanings are drawn (``world``), worded in each language (``grammars``) and made into rows of every
format (``rows``). A row is a function of (``VERSION``, task, family, split, its number, language):
two languages' rows of one number say the same, and the first rows of a larger split are those of a
smaller one. docs/microworld.md says what it is good for, and what no claim may rest on.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

from xstilts.identity import stream_seed
from xstilts.microworld.rows import FAMILIES
from xstilts.microworld.world import World
from xstilts.tasks.microworld import LANGUAGES

if TYPE_CHECKING:
    from xstilts.microworld.meaning import Pool

__all__ = ["LANGUAGES", "VERSION", "content", "rows"]

VERSION = 1  # goes up with every change of what is generated; a golden test says when

MOST_DRAWS = 200


def rows(task: str, family: str, pool: Pool, count: int, language: str) -> list[dict[str, Any]]:
    """Rows of a task, no two items with the same meaning.

    Args:
        task: tasks of one family have rows of their own.
        family: what the rows are, a name in ``rows.FAMILIES``.
        pool: which part of the world they may speak of.
        count: how many rows.
        language: one of ``LANGUAGES``.
    """
    found: list[dict[str, Any]] = []
    for number, (seed, english) in enumerate(_english(task, family, pool, count)):
        found += english if language == "en" else _item(family, pool, seed, number, language)
    return [dict(row) for row in found[:count]]


def _item(family: str, pool: Pool, seed: int, number: int, language: str) -> list[dict[str, Any]]:
    return FAMILIES[family](World(pool, Random(seed)), number, language)  # noqa: S311


@lru_cache(maxsize=4)  # the languages of a task come one after the other
def _english(task: str, family: str, pool: Pool, count: int) -> list[tuple[int, list[Any]]]:
    """The items: the seed of each, and its rows in English, where no two meanings look alike."""
    seen: set[str] = set()
    found: list[tuple[int, list[Any]]] = []
    made = 0
    while made < count:
        for draw in range(MOST_DRAWS):
            seed = stream_seed("microworld", VERSION, task, family, pool, len(found), draw)
            english = _item(family, pool, seed, len(found), "en")
            meaning = repr([{**row, "id": "", "group": ""} for row in english])
            if meaning not in seen:
                break
        else:
            raise AssertionError(f"{task}: the world has no {count} different rows in {pool}")
        seen.add(meaning)
        found.append((seed, english))
        made += len(english)
    return found


def content(task: str, family: str, pool: Pool, count: int, language: str) -> list[Any]:
    """What the rows are a function of, for their fingerprint."""
    return ["microworld", VERSION, task, family, pool, count, language]

"""The rows of a quick look: at most so many of a task and language."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from xstilts.formats.examples import Example
    from xstilts.tasks.base import Task

E = TypeVar("E", bound="Example")


def capped(task: Task, rows: Sequence[E], most: int | None) -> list[E]:
    """The first rows; where rows come article by article, the first of each, then the second.

    The first hundred questions of XQuAD are about three articles, and an interval over three groups
    says little.

    Args:
        task: whose rows they are.
        rows: of one language and split, in their order, which stays.
        most: how many; None: all of them.
    """
    if not task.by_article or most is None or most >= len(rows):
        return list(rows[:most])
    seen: Counter[str] = Counter()
    turns = []
    for place, row in enumerate(rows):
        turns.append((seen[row.group], place))
        seen[row.group] += 1
    return [rows[place] for place in sorted(place for _, place in sorted(turns)[:most])]


def cap_inputs(task: Task, most: int | None) -> dict[str, Any]:
    """What a predict step's inputs say of its cap: ``max_rows``, and how rows are taken."""
    # They were the first rows once.
    spread = {"capped": "by article"} if task.by_article and most else {}
    return {"max_rows": most, **spread}

"""``xstilts tasks --check``: whether the hub has what the tasks declare, and as many rows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from xstilts.errors import UserError
from xstilts.plain import plain
from xstilts.tasks import counts
from xstilts.tasks.base import Hub, Joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.tasks.base import Task


def ask_hub(tasks: list[Task], *, every_language: bool) -> int:
    """Print a line a split; of a task's languages the first one or all are asked for.

    Returns:
        2 if anything is not there or has another number of rows than its dataset published.

    Raises:
        UserError: if the hub does not answer.
    """
    from xstilts.sources import hub

    wrong = 0
    for task in tasks:
        for split, code, place, whole in _places(task, every_language=every_language):
            expected = counts.rows(task.name, "hub", split).get(code) if whole else None
            where = f"{task.name} {split} {code}: {place.repo}"
            try:
                found = hub.published_rows(place, code)
            except hub.UnreachableError:
                raise
            except UserError as error:
                wrong += 1
                sys.stdout.write(f"{where}: {plain(str(error))}\n")
                continue
            odd = None not in (found, expected) and found != expected
            wrong += odd
            told = "there" if found is None else f"{found:,} rows"
            sys.stdout.write(f"{where}: {told}{f', expected {expected:,}' if odd else ''}\n")
    return 2 if wrong else 0


def _places(task: Task, *, every_language: bool) -> Iterator[tuple[str, str, Hub, bool]]:
    """Split, language and place; and whether the split's rows are all of that place."""
    data = task.sources.get("hub")
    if data is None:
        return
    for split in ("train", "select", "evaluate"):
        rows = getattr(data, split)
        codes = (data.languages or task.languages) if split == "evaluate" else ("en",)
        for code in codes if every_language else codes[:1]:
            for part in rows.parts if isinstance(rows, Joined) else (rows,):
                if isinstance(part, Hub):
                    yield split, code, part, part is rows

"""Count the rows of every split of the built-in tasks in a source: ``row_counts.csv``.

    XSTILTS_MIRROR=FOLDER python scripts/count_rows.py mirror microworld > part.csv

A split that is not there is left out. Rows of the hub are counted where they are published, and
written by hand; ``xstilts tasks --check`` compares them with what the hub says.
"""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from xstilts.errors import AbsentError
from xstilts.sources import Sources
from xstilts.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xstilts.tasks.base import Data, Task


def splits(task: Task, data: Data) -> Iterator[tuple[str, str]]:
    """Every split and language that may be there."""
    for code in data.train_languages if data.train else ():
        yield "train", code
    if data.select:
        yield "select", "en"
    for code in (data.languages or task.languages) if data.evaluate else ():
        yield "evaluate", code


def main(names: list[str]) -> None:
    """Write the counts of some sources to stdout."""
    rows, sources = csv.writer(sys.stdout, lineterminator="\n"), Sources.from_environment()
    rows.writerow(["task", "source", "split", "language", "rows"])
    for task in TASKS.values():
        for name in names:
            data = task.sources.get(name)
            for split, code in splits(task, data) if data else ():
                try:
                    found = sources.examples(task, data, split, code)
                except AbsentError:
                    continue
                rows.writerow([task.name, name, split, code, len(found)])


if __name__ == "__main__":
    main(sys.argv[1:])

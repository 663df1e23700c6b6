"""Rows that were read lately are not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.formats.examples import Pair
from xstilts.sources import Sources
from xstilts.sources.kept import Kept
from xstilts.tasks import TASKS

if TYPE_CHECKING:
    from pathlib import Path

    from xstilts.formats.examples import Example


class Shelf:
    """Reads splits of so many rows, and counts how often."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    def get(self, kept: Kept, rows: int) -> list[Example]:
        def read() -> list[Example]:
            self.reads.append(rows)
            return [Pair(str(n), str(n), "a", None, "yes") for n in range(rows)]

        return kept.get((str(rows),), read)


def test_a_split_is_read_once() -> None:
    kept, shelf = Kept(), Shelf()
    first = shelf.get(kept, 3)
    assert shelf.get(kept, 3) == first
    assert shelf.reads == [3]


def test_what_a_caller_does_to_the_list_stays_with_it() -> None:
    kept, shelf = Kept(), Shelf()
    shelf.get(kept, 3).clear()
    shelf.get(kept, 3).clear()
    assert len(shelf.get(kept, 3)) == 3


def test_the_one_that_was_asked_for_longest_ago_goes_first() -> None:
    kept, shelf = Kept(most_rows=10), Shelf()
    for rows in (4, 5, 4, 2, 4, 5):  # 2 does not fit beside 4 and 5; 4 was asked for after 5
        shelf.get(kept, rows)
    assert shelf.reads == [4, 5, 2, 5]


def test_a_split_that_is_too_large_is_not_kept_and_pushes_nothing_out() -> None:
    kept, shelf = Kept(most_rows=10), Shelf()
    for rows in (4, 11, 11, 4):
        shelf.get(kept, rows)
    assert shelf.reads == [4, 11, 11]


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    task = TASKS["tatoeba"]
    data = task.sources["mirror"]
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    for name, text in (("deu", "Hallo.\n"), ("eng", "Hello.\n")):
        (folder / f"tatoeba.deu-eng.{name}").write_text(text)
    sources = Sources(mirror=tmp_path)
    assert len(sources.examples(task, data, "evaluate", "de")) == 1
    for name, text in (("deu", "Hallo.\nJa.\n"), ("eng", "Hello.\nYes.\n")):
        (folder / f"tatoeba.deu-eng.{name}").write_text(text)
    assert len(sources.examples(task, data, "evaluate", "de")) == 2

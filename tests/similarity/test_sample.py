"""Features see English training rows and nothing else."""

from __future__ import annotations

import inspect

import small_tasks
from xstilts.similarity.sample import Sample
from xstilts.sources import Sources
from xstilts.tasks import Catalogue


class Spy(Sources):
    def __init__(self) -> None:
        super().__init__()
        self.opened = []

    def examples(self, task, data, split, language):
        self.opened.append((task.name, split, language))
        return super().examples(task, data, split, language)


def test_no_other_language_and_no_other_split_can_be_asked_for():
    assert list(inspect.signature(Sample.of).parameters) == ["task", "data", "sources", "rows"]


def test_what_is_opened(small):
    task = Catalogue(small_tasks.tasks(small)).get("s_tags")
    spy = Spy()
    found = Sample.of(task, task.sources["files"], spy, 5)
    assert len(found.examples) == 5
    assert spy.opened == [("s_tags", "train", "en")]

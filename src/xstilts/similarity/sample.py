"""The rows that features may see: labelled, English, of the training split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xstilts.formats.examples import Example
    from xstilts.sources import Sources
    from xstilts.tasks.base import Data, Task


@dataclass(frozen=True)
class Sample:
    """The first training rows of a task in English.

    Zero-shot means that no other language, and no row that is evaluated, has a say: there is no
    argument for a language or a split.
    """

    task: Task
    examples: tuple[Example, ...]

    @classmethod
    def of(cls, task: Task, data: Data, sources: Sources, rows: int) -> Sample:
        """Read them.

        Args:
            task, data: which.
            sources: opens its rows.
            rows: at most so many, the first.

        Raises:
            UserError: if the task has no English training rows.
        """
        return cls(task, tuple(sources.examples(task, data, "train", "en")[:rows]))

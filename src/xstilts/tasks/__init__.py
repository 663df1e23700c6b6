"""The catalogue of tasks: one object a task, one file a family."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from xstilts.errors import AbsentError, UserError, suggest
from xstilts.path import CONTROLS
from xstilts.suites import MIXTURES, SUITES
from xstilts.tasks import choice, nli, paraphrase, qa, retrieval, tagging, text
from xstilts.tasks.base import (
    SOURCES,
    Data,
    Files,
    Generated,
    HoldOut,
    Hub,
    Joined,
    Source,
    Task,
)
from xstilts.tasks.microworld import with_microworld

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "RESERVED",
    "SOURCES",
    "TASKS",
    "Catalogue",
    "Data",
    "Files",
    "Generated",
    "HoldOut",
    "Hub",
    "Joined",
    "Source",
    "Task",
    "held",
    "stand_in",
]

_FAMILIES = (nli, paraphrase, choice, tagging, qa, retrieval, text)
TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: with_microworld(task) for family in _FAMILIES for task in family.TASKS}
)


def held(name: str) -> set[str]:
    """A task and those whose rows it has, all or many of them; of a user's own, itself."""
    return {name, *(TASKS[name].contains if name in TASKS else ())}


def stand_in(name: str) -> str:
    """What to say of a task that cannot be had: which one takes its place; "" where none does."""
    found = next((task.name for task in TASKS.values() if task.stands_for == name), "")
    return f'; "{found}" stands in for it' if found else ""


RESERVED: Mapping[str, str] = MappingProxyType(  # what else a name in a path or study may mean
    {"none": "the baseline in study files", "order": "what spells sequences out"}
    | dict.fromkeys(CONTROLS, "a control")
    | dict.fromkeys(SUITES, "a suite")
    | dict.fromkeys(MIXTURES, "a mixture")
)


class Catalogue:
    """The built-in tasks and the user's own, by name."""

    def __init__(self, own: Iterable[Task] = ()) -> None:
        self._tasks = dict(TASKS)
        for task in own:
            if task.name in self._tasks or task.name in RESERVED:
                why = f"the name of {RESERVED.get(task.name, 'another task')}"
                raise UserError(f'task file declares "{task.name}", {why}: choose another name')
            self._tasks[task.name] = task

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def get(self, name: str) -> Task:
        """The task of that name.

        Raises:
            UserError: if there is none.
        """
        if name not in self._tasks:
            hint = suggest(name, self._tasks, "xstilts tasks")
            if Path(f"{name}.yaml").is_file():
                hint = f" give --task {name}.yaml with it"
            raise UserError(f'no task is called "{name}":{hint}')
        return self._tasks[name]

    def data(self, name: str, source: Source) -> Data:
        """Where the task's rows are in that source.

        Raises:
            UserError: if the task does not exist.
            AbsentError: if it is not in that source.
        """
        task = self.get(name)
        if source not in task.sources:
            have = ", ".join(sorted(task.sources))
            if not have:
                raise AbsentError(
                    f'task "{name}" is in no source yet; `xstilts score {name}` scores predictions'
                )
            raise AbsentError(
                f'task "{name}" is not in source "{source}"; it is in: {have}{stand_in(name)}'
            )
        return task.sources[source]

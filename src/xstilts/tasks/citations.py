"""Whom to cite for a result: the entries of ``references.bib`` that belong to its tasks."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ALWAYS = "*"  # the method itself
_TASKS = re.compile(r"^  tasks = \{(.*)\},\n", re.MULTILINE)


def bibtex(tasks: Iterable[str]) -> str:
    """BibTeX entries for the method and for the tasks' data, each once, in the file's order."""
    wanted = {ALWAYS, *tasks}
    return "\n".join(entry for names, entry in _entries() if names & wanted)


@cache
def _entries() -> tuple[tuple[frozenset[str], str], ...]:
    """The tasks and the text of each entry."""
    text = files("xstilts.tasks").joinpath("references.bib").read_text(encoding="utf-8")
    found = []
    for entry in re.findall(r"^@.*?^\}\n", text, re.MULTILINE | re.DOTALL):
        (names,) = _TASKS.findall(entry)
        found.append((frozenset(names.split()), _TASKS.sub("", entry)))
    return tuple(found)

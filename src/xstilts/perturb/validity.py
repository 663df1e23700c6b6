"""Which perturbation fits which script, and what it does to the labels of which task: two tables.

``applicable.csv`` says where a perturbation has something to do, and why; the row of a language
counts before that of its script, and that before "*". ``validity.csv`` says whether a label still
holds after it; of the rows that fit, the last counts.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, cast

from xstilts import languages
from xstilts.errors import UserError

if TYPE_CHECKING:
    from xstilts.tasks import Task

Verdict = Literal["preserving", "possibly changing", "invalid", "not applicable"]


@dataclass(frozen=True)
class Validity:
    """What a perturbation does to the labels of a task in a language, and why it is thought so."""

    verdict: Verdict
    reason: str


def validity(perturbation: str, task: Task, language: str) -> Validity:
    """The verdict on a perturbation of a task in a language.

    Raises:
        UserError: if the language is not in the table of languages.
    """
    applies, reason = applicable(perturbation, language)
    if not applies:
        return Validity("not applicable", reason)
    script = languages.get(language).script
    rows = [
        row
        for row in _table("validity.csv")
        if row["perturbation"] == perturbation
        and {"*", task.name, task.format} & set(row["task"].split())
        and {"*", language, script} & set(row["written_in"].split())
    ]
    return Validity(cast("Verdict", rows[-1]["verdict"]), rows[-1]["reason"])


def applicable(perturbation: str, language: str) -> tuple[bool, str]:
    """Whether the perturbation has something to do in the language's script, and why."""
    for place in (language, languages.get(language).script, "*"):
        for row in _table("applicable.csv"):
            if row["perturbation"] == perturbation and place in row["written_in"].split():
                return row["applies"] == "yes", row["reason"]
    raise AssertionError(f"applicable.csv says nothing of {perturbation} in {language}")


def check(perturbation: str, task: Task, language: str) -> Validity:
    """The verdict, where it lets the perturbation be used.

    Raises:
        UserError: if the perturbation would change labels, or has nothing to do in the script.
    """
    found = validity(perturbation, task, language)
    if found.verdict in ("invalid", "not applicable"):
        row = languages.get(language)
        raise UserError(
            f'perturbation "{perturbation}" is {found.verdict} for {task.name} in {row.name} '
            f'({row.script}): {found.reason}; "xstilts perturb {task.name} --language {language}" '
            "lists those that are valid"
        )
    return found


@cache
def _table(name: str) -> list[dict[str, str]]:
    text = files("xstilts.perturb").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))

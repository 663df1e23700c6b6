"""Predictions of the rows that a threshold or a layer is chosen on, beside those that are scored.

They stand in the same file, so that scores come from predictions alone, and are made once for all
languages that share them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts.formats.examples import Bitext
from xstilts.sources.capped import capped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xstilts.formats.examples import Example
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Data, Task

LAYER_PAIRS = 250  # translations of a language that a layer is chosen on


class Tuning:
    """The tuning rows of one model and one task."""

    def __init__(
        self,
        task: Task,
        data: Data,
        predict: Callable[[list[Example], Mapping[str, Any]], list[dict[str, Any]]],
        desk: Desk,
    ) -> None:
        self.task, self.data, self.predict, self.desk = task, data, predict, desk
        self._made: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def added(self, rows: list[dict[str, Any]], job: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows with those that the job tunes on after them, every one with its ``part``.

        A job that tunes on nothing has its rows back as they are.
        """
        if "tune" not in job:
            return rows
        codes = self.data.tune_languages or (job["language"],)
        if codes not in self._made:
            each = codes if job["tune"] else ()
            self._made[codes] = [row for code in each for row in self._rows(code, job)]
        return [{**row, "part": "evaluate"} for row in rows] + self._made[codes]

    def _rows(self, code: str, job: Mapping[str, Any]) -> list[dict[str, Any]]:
        examples = self.desk.sources.examples(self.task, self.data, "tune", code)
        examples = capped(self.task, examples, job["max_rows"])
        if isinstance(examples[0], Bitext):
            examples = examples[:LAYER_PAIRS]
        named = f"{code}:"
        return [
            {**row, "id": named + row["id"], "part": "tune"} for row in self.predict(examples, job)
        ]

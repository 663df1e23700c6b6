"""What a sequence forgets: after every intermediate stage, how well earlier heads still answer.

A look after stage k scores the task of an earlier stage j by the encoder of stage k under the head
that stage j trained, on English selection rows (evaluation rows where there are none), and masked
language modelling on raw text of all languages. The first is backward transfer as in Lopez-Paz and
Ranzato (2017, Gradient Episodic Memory, section 3); the second is what is lost of the pretraining.
Looks are predict and score steps like others: they share the stages, and are done once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xstilts.errors import AbsentError
from xstilts.sources.capped import cap_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.recipes import Recipe
    from xstilts.resolve import Stage
    from xstilts.sources import Sources, Split
    from xstilts.study import Study
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Task

HEADED = ("classification", "multiple_choice", "tagging", "span")
TEXT_ROWS = 100  # lines a language
MASKED_LM = "masked_lm_likelihood"  # minus its logarithm is the loss of a hidden token


@dataclass(frozen=True)
class Kept:
    """One number of what is kept.

    Attributes:
        model: of the study.
        stages: the intermediate stages so far, as text; empty: the pretrained encoder.
        seed: None for the pretrained encoder.
        task: what is looked at: an earlier stage's task, or raw text.
        head: the number of stages when its head was trained; 0 for raw text.
        language: of the rows.
        score: where the number is found.
    """

    model: str
    stages: tuple[str, ...]
    seed: int | None
    task: str
    head: int
    language: str
    score: str


@dataclass(frozen=True)
class Look:
    """What one number takes: the inputs of its predict step, and the metrics of its score."""

    task: str
    language: str
    inputs: Mapping[str, Any]
    metrics: tuple[str, ...]
    head: int = 0


class Looks:
    """The looks of a study."""

    def __init__(
        self, study: Study, recipe: Recipe, catalogue: Catalogue, sources: Sources
    ) -> None:
        self._study, self._recipe = study, recipe
        self._catalogue, self._sources = catalogue, sources

    def after(self, weights: str, stages: Sequence[tuple[Stage, str]]) -> Iterator[Look]:
        """All looks at one encoder.

        Args:
            weights: of the encoder: the last stage's id, or the pretrained model's fingerprint.
            stages: those before, the last included, with their ids.
        """
        for number, (stage, step_id) in enumerate(stages, start=1):
            for one in stage.items:
                task = self._catalogue.get(one.item.task)
                if one.item.control is None and one.steps_of is None and task.format in HEADED:
                    yield from self.of_task(task, weights, step_id, number)
        yield from self._text(weights)

    def of_task(self, task: Task, weights: str, head_of: str, number: int) -> Iterator[Look]:
        """The look at one task, none where it has no rows for it.

        Args:
            task: what is looked at.
            weights: of the encoder.
            head_of: the stage that trained the head.
            number: of that stage.
        """
        cap = self._recipe.select_units
        splits: tuple[Split, ...] = ("select", "evaluate")
        for split in splits:
            try:
                inputs = self._inputs(task, weights, split, "en", cap)
            except AbsentError:
                continue
            inputs |= {"head": task.name, "head_of": head_of}
            yield Look(task.name, "en", inputs, task.main_metrics, number)
            return

    def _text(self, weights: str) -> Iterator[Look]:
        source = self._study.source
        raw = (t for t in self._catalogue if t.format == "mlm" and source in t.sources)
        for task in raw:
            for language in self._catalogue.data(task.name, source).train_languages:
                try:
                    inputs = self._inputs(task, weights, "train", language, TEXT_ROWS)
                except AbsentError:
                    continue
                yield Look(task.name, language, {**inputs, "head": None}, (MASKED_LM,))

    def _inputs(
        self, task: Task, weights: str, split: Split, language: str, rows: int
    ) -> dict[str, Any]:
        data = self._catalogue.data(task.name, self._study.source)
        recipe, most = self._recipe, self._study.options.max_eval_rows
        return {
            "weights": weights,
            "task": task.name,
            "language": language,
            "source": self._study.source,
            "data": self._sources.fingerprint(task, data, split, language),
            "limits": recipe.limits(task.format),
            "precision": recipe.precision,
            **cap_inputs(task, min(rows, most or rows)),
            "split": split,
        }

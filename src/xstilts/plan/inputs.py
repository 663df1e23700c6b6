"""What the result of a step depends on, as JSON: from these the steps of a plan have their names.

Data stands here as fingerprints of its files, never as rows, and options as a recipe gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xstilts import metrics
from xstilts.errors import AbsentError, UserError
from xstilts.formats import text2text
from xstilts.perturb.declared import declared
from xstilts.perturb.validity import check
from xstilts.sources.capped import cap_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xstilts.path import Item
    from xstilts.recipes import Recipe
    from xstilts.resolve import Stage, StageItem, TargetEvaluation
    from xstilts.sources import Sources, Split
    from xstilts.study import Study
    from xstilts.tasks import Catalogue
    from xstilts.tasks.base import Data, Task


class Inputs:
    """The inputs of a study's steps under one recipe."""

    def __init__(
        self, study: Study, recipe: Recipe, catalogue: Catalogue, sources: Sources
    ) -> None:
        self.study, self.recipe, self.source = study, recipe, study.source
        self.catalogue, self.sources = catalogue, sources

    def train(self, stage: Stage, weights: str, seed: int) -> dict[str, Any]:
        """Of a stage that begins with some weights."""
        options = self.recipe.options()
        if len(stage.items) > 1 and sum(one.item.share is None for one in stage.items) < 2:
            options["cap"] = None  # it is among tasks that share the steps; a share is of steps
        inputs = {
            "parent": weights,
            "seed": seed,
            "source": self.source,
            "items": [self._item(one, stage.target) for one in stage.items],
            "options": options,
            "max_steps": self.study.options.max_steps,
            # Raw text has nothing to select on.
            "selection": (self._selection(stage) or None) if options["select_every"] else None,
        }
        if inputs["selection"] and any(
            self.catalogue.get(one.item.task).by_article for one in stage.items
        ):
            inputs["selected"] = "by article"  # the first rows, once
        if self.study.options.pause:
            inputs["pause"] = self.study.options.pause
        return inputs

    def predict(self, evaluation: TargetEvaluation, language: str, weights: str) -> dict[str, Any]:
        """Of a target's predictions in a language."""
        task = self.catalogue.get(evaluation.task)
        data = self.catalogue.data(task.name, self.source)
        ranked = task.format == "retrieval" and self.recipe.precision != "fp32"
        return {
            "weights": weights,
            "task": task.name,
            "language": language,
            "source": self.source,
            "data": self.sources.fingerprint(task, data, "evaluate", language),
            "head": evaluation.head,
            "limits": self.recipe.limits(task.format),
            "precision": self.recipe.precision,
            # It was the precision's once, on CPUs.
            **({"ranked_in": "fp32"} if ranked else {}),
            **cap_inputs(task, self.study.options.max_eval_rows),
            **({"text2text": True} if self._as_text(task) else {}),
            **self._beside(task, data, language),
        }

    def metrics(self, task: Task) -> tuple[str, ...]:
        """The names of a task's metrics."""
        return task.metrics + (text2text.metrics(task) if self._as_text(task) else ())

    def _item(self, one: StageItem, target: str) -> dict[str, Any]:
        found = self._plain_item(one.item, target)
        if one.steps_of is not None:
            found["steps_of"] = self._plain_item(one.steps_of, "")
        return found

    def _plain_item(self, item: Item, target: str) -> dict[str, Any]:
        task = self.catalogue.get(item.task)
        data = self.catalogue.data(item.task, self.source)
        format_ = "mlm" if item.control == "text" else task.format
        if format_ != "mlm" and self.recipe.text2text and not self._as_text(task):
            raise UserError(
                f"{task.name}: a dual encoder is not trained from text to text: take a recipe "
                "with heads, such as mini"
            )
        return {
            "task": item.task,
            "control": item.control,
            "languages": list(item.languages),
            "rows": item.rows,
            "share": item.share,
            "data": [
                self.sources.fingerprint(task, data, "train", code) for code in item.languages
            ],
            "batch": self.recipe.batch[format_],
            "epochs": self.recipe.target_epochs.get(target, self.recipe.epochs[format_]),
            "max_length": self.recipe.max_length[format_],
            # Of spans the control was another once: whether there is an answer stayed.
            **({"shuffle": 2} if item.control == "shuffled" and task.format == "span" else {}),
            **({"noise": self._training_noise(item, task)} if item.noise else {}),
        }

    def _training_noise(self, item: Item, task: Task) -> dict[str, Any]:
        """The noise of an item's rows: by language what they depend on.

        Raises:
            UserError: if it would change labels, or there is no such perturbation.
        """
        assert item.noise is not None
        found = {}
        for code in item.languages:
            found[code] = declared(item.noise, code, self.sources.mirror)
            check(item.noise.name, task, code)
        return found

    def _selection(self, stage: Stage) -> list[str]:
        """Fingerprints of the English selection rows; raw text has none."""
        found = []
        for one in stage.items:
            task = self.catalogue.get(one.item.task)
            if task.format != "mlm" and one.item.control != "text":
                data = self.catalogue.data(task.name, self.source)
                found.append(self.sources.fingerprint(task, data, "select", "en"))
        return found

    def _as_text(self, task: Task) -> bool:
        """Whether a task's rows are read and written as text."""
        return self.recipe.text2text and text2text.written(task)

    def _beside(self, task: Task, data: Data, language: str) -> dict[str, Any]:
        """Fingerprints of the candidates, and of what thresholds and layers are chosen on.

        ``tune`` is None where those rows are not there: nothing is chosen beforehand then.
        """
        found: dict[str, Any] = {}
        if data.pool is not None:
            codes = data.pool_languages or (language,)
            found["pool"] = [self.sources.fingerprint(task, data, "pool", code) for code in codes]
        silence = task.unanswerable and not self._as_text(task)  # else it is a word like others
        if data.tune is not None or silence:
            splits: tuple[Split, ...] = ("tune", "tune_pool") if data.tune_pool else ("tune",)
            codes = data.tune_languages or (language,)
            try:
                found["tune"] = [
                    self.sources.fingerprint(task, data, split, code)
                    for split in splits
                    for code in codes
                ]
            except AbsentError:
                found["tune"] = None
        return found


def scored(predict: str, language: str, names: Iterable[str]) -> dict[str, Any]:
    """The inputs of a score step.

    Args:
        predict: the predictions.
        language: theirs.
        names: of the metrics.
    """
    versions = {name: metrics.get(name).version for name in names}
    return {"predictions": predict, "language": language, "metrics": versions}

"""Choosing the best step of a stage on English selection rows.

Zero-shot means that no other language has a say: this class opens the English selection split of
the tasks being trained and has no way to open anything else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts import formats, metrics
from xstilts.formats import text2text
from xstilts.sources.capped import capped
from xstilts.steps import forward, stage
from xstilts.steps.desk import no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from xstilts.formats.encoded import Encoded
    from xstilts.formats.examples import Example
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.desk import Desk
    from xstilts.steps.stage import StageTask
    from xstilts.steps.team import Team
    from xstilts.tasks.base import Source, Task


class Selection:
    """Scores a model every so often and remembers the best one.

    Attributes:
        best: what is trained, at the best step so far, on the CPU; empty before the first look.
    """

    def __init__(
        self,
        tasks: Sequence[StageTask],
        source: Source,
        options: Mapping[str, Any],
        tokenizer: LoadedTokenizer,
        desk: Desk,
    ) -> None:
        self.best: dict[str, torch.Tensor] = {}
        # What it evaluates is no progress of the stage.
        self._desk, self._tokenizer = replace(desk, progress=no_progress), tokenizer
        self._as_text = bool(options.get("text2text"))
        self._patience = options["patience"]
        self._step, self._score, self._without_gain = 0, -1.0, 0
        self._data = []
        for one in tasks:
            if one.format in ("mlm", "spans"):
                continue
            task = desk.catalogue.get(one.task.name)
            data = desk.catalogue.data(task.name, source)
            rows = desk.sources.examples(task, data, "select", "en")
            rows = capped(task, rows, options["select_units"])
            limits = stage.limits(one.item, options)
            shown = text2text.of(task, task) if one.format == "text2text" else task
            self._data.append((task, rows, formats.encode(shown, rows, tokenizer.backend, limits)))

    @property
    def encoded(self) -> list[Encoded]:
        """The rows of every task."""
        return [encoded for _, _, encoded in self._data]

    @property
    def out_of_patience(self) -> bool:
        """Whether the last looks brought no gain."""
        return self._without_gain >= self._patience

    def consider(self, step: int, model: Any, team: Team) -> None:
        """Score the model after ``step`` steps, and remember it if it is the best.

        Args:
            step: how many were taken.
            model: whole in the first process; that of the others is not looked at.
            team: all processes come to the same conclusion.
        """
        score = team.told_by_first(lambda: self._mean(model))
        if score > self._score:
            self._step, self._score, self._without_gain = step, score, 0
            if team.first:
                trained = ((n, p) for n, p in model.named_parameters() if p.requires_grad)
                self.best = {name: one.detach().cpu().clone() for name, one in trained}
        else:
            self._without_gain += 1

    def _mean(self, model: Any) -> float:
        """The mean over tasks of each one's main score."""
        scores = []
        for task, rows, encoded in self._data:
            units = self._units(model, task, rows, encoded)
            main = [metrics.score(metrics.get(m), units, "en") for m in task.main_metrics]
            scores.append(sum(main) / len(main))
        return sum(scores) / len(scores)

    def _units(
        self, model: Any, task: Task, rows: list[Example], encoded: Encoded
    ) -> list[dict[str, Any]]:
        """The predictions of a task's rows."""
        if not self._as_text:
            head = model.heads[task.name]
            outputs = forward.head_outputs(model.encoder, head, task.format, encoded, self._desk)
            return list(formats.decode(task, rows, encoded, outputs))
        most = text2text.most_tokens(task, self._tokenizer.backend)
        texts = forward.generated(model.encoder, encoded, self._tokenizer, most, self._desk)
        return list(formats.decode(text2text.of(task, task), rows, encoded, texts))

    def report(self) -> dict[str, Any]:
        """The best step and its score, and how many looks since brought no gain."""
        return {"step": self._step, "score": self._score, "without_gain": self._without_gain}

    def restore(self, report: Mapping[str, Any], best: dict[str, torch.Tensor]) -> None:
        """Go on from a resume point."""
        self._step, self._score = report["step"], report["score"]
        self._without_gain, self.best = report["without_gain"], best

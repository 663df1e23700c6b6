"""A stage's data: what its items train on, and which task each optimiser step takes.

The JSON of an item, as it stands in a training step's inputs:
``{"task", "control", "languages", "rows", "share", "data", "batch", "epochs", "max_length"}``;
items that are trained for as many steps as another one also hold that, as ``"steps_of"``; those
with a noise ``"noise"``, by language what `perturb.declared` says of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.formats import Limits, controls, text2text
from xstilts.identity import stream_seed
from xstilts.perturb.declared import applied
from xstilts.steps import CODE_VERSIONS, encoding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from xstilts.formats.encoded import Encoded
    from xstilts.formats.examples import Example
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.steps.desk import Desk
    from xstilts.tasks.base import Format, Source, Task

NOT_OF_ROWS = ("batch", "epochs", "share", "steps_of")  # keys of an item


@dataclass(frozen=True)
class StageTask:
    """One item of a stage, encoded.

    Attributes:
        task: what it is.
        format: what it is trained as: the task's own; ``mlm`` under the ``text`` control; in an
            encoder-decoder ``text2text``, and ``spans`` for raw text.
        encoded: the training rows.
        item: the item's JSON.
        own_steps: optimiser steps it would take alone.
    """

    task: Task
    format: Format
    encoded: Encoded
    item: Mapping[str, Any]
    own_steps: int


@dataclass(frozen=True)
class Schedule:
    """Which task each optimiser step takes.

    Attributes:
        task: index of the task, int64 ``[steps]``.
        local: how many earlier steps took the same task, int64 ``[steps]``.
    """

    task: NDArray[np.int64]
    local: NDArray[np.int64]

    def __len__(self) -> int:
        """The number of optimiser steps."""
        return len(self.task)


def limits(item: Mapping[str, Any], options: Mapping[str, Any]) -> Limits:
    """The length limits of an item under a recipe's options."""
    return Limits(item["max_length"], options["max_query_length"], options["doc_stride"])


def training_rows(
    item: Mapping[str, Any], source: Source, desk: Desk, seed: int = 0
) -> list[Example]:
    """The rows an item trains on: all languages, the first ``rows`` of them.

    With several languages each gives its share of ``rows``, the first languages one more where
    it does not come out even. Rows with noise are a function of the seed and the row alone.

    Args:
        item: the item's JSON.
        source: where its rows are.
        desk: opens them.
        seed: of the stage, for noise.
    """
    task = desk.catalogue.get(item["task"])
    data = desk.catalogue.data(item["task"], source)
    languages: Sequence[str] = item["languages"]
    found: list[Example] = []
    for place, language in enumerate(languages):
        rows = desk.sources.examples(task, data, "train", language)
        if item["rows"] is not None:
            share, left = divmod(item["rows"], len(languages))
            rows = rows[: share + (place < left)]
        if noise := item.get("noise"):
            mirror = desk.sources.mirror
            drawn = stream_seed(seed, "noise", language)
            rows = applied(task, rows, noise[language], language, drawn, mirror)
        found += rows
    return found


def prepare(
    inputs: Mapping[str, Any], tokenizer: LoadedTokenizer, desk: Desk, seed: int
) -> list[StageTask]:
    """The stage's tasks with their training rows encoded.

    Args:
        inputs: of the training step.
        tokenizer: of the encoder.
        desk: where rows are.
        seed: of the stage, for noise and shuffled labels.
    """
    return [_prepare_item(item, inputs, tokenizer, desk, seed) for item in inputs["items"]]


def _prepare_item(
    item: Mapping[str, Any],
    inputs: Mapping[str, Any],
    tokenizer: LoadedTokenizer,
    desk: Desk,
    seed: int,
) -> StageTask:
    task = desk.catalogue.get(item["task"])
    encoding_task, format_ = task, task.format
    if item["control"] == "text" or format_ == "mlm":
        from xstilts.tasks.text import MLM

        encoding_task, format_ = MLM, "mlm"
    elif inputs["options"].get("text2text"):
        encoding_task, format_ = text2text.of(task, task), "text2text"

    def rows() -> list[Example]:
        found = training_rows(item, inputs["source"], desk, seed)
        if item["control"] == "shuffled":
            found = controls.shuffled(found, stream_seed(seed, "shuffled", task.name))
        return list(controls.lines(found)) if format_ == "mlm" else found

    # All that rows depend on, and, where labels are shuffled or text perturbed, the seed of that.
    named = {name: value for name, value in item.items() if name not in NOT_OF_ROWS}
    named |= {"source": inputs["source"], "code": CODE_VERSIONS["train"]}
    if item["control"] == "shuffled" or "noise" in item:
        named["seed"] = seed
    limit = limits(item, inputs["options"])
    encoded = encoding.encoded(
        desk.encoded, named, encoding_task, rows, tokenizer.backend, limit, desk.note
    )
    if format_ == "mlm" and inputs["options"].get("text2text"):
        format_ = "spans"  # rows are the same, what is hidden of them is not
    if "steps_of" in item:
        other = _prepare_item(item["steps_of"], inputs, tokenizer, desk, seed)
        return StageTask(task, format_, encoded, item, other.own_steps)
    units = len(encoded)
    if cap := inputs["options"]["cap"]:
        units = min(units, cap) if len(inputs["items"]) > 1 else units
    own = item["epochs"] * math.ceil(units / item["batch"])
    return StageTask(task, format_, encoded, item, own)


def schedule(
    tasks: Sequence[StageTask], options: Mapping[str, Any], max_steps: int | None, seed: int
) -> Schedule:
    """Draw the task of every step.

    Items without a share take, together, the steps that they would take alone, and are drawn in
    proportion to (capped units)^(1/temperature) [jiant's ProportionalMultiTaskSampler at
    temperature 1]; items with a share come on top, so that they are that share of all steps.

    Args:
        tasks: of the stage.
        options: the recipe's ``cap`` and ``temperature``.
        max_steps: an upper limit, or None.
        seed: of the stage.
    """
    shares = np.array([t.item["share"] or 0.0 for t in tasks])
    free = np.array([t.item["share"] is None for t in tasks])
    steps = np.array([t.own_steps for t in tasks])
    total = int(steps.sum()) if not free.any() else round(steps[free].sum() / (1 - shares.sum()))
    total = min(total, max_steps or total)
    units = np.array([min(len(t.encoded), options["cap"] or len(t.encoded)) for t in tasks], float)
    weights = np.where(free, units ** (1 / options["temperature"]), 0.0)
    rest = max(1 - shares.sum(), 0.0)
    chances = shares + (rest * weights / weights.sum() if free.any() else 0.0)
    stream = np.random.default_rng(stream_seed(seed, "tasks"))
    drawn = stream.choice(len(tasks), size=total, p=chances / chances.sum())
    local = np.zeros(total, np.int64)
    for index in range(len(tasks)):
        mine = drawn == index
        local[mine] = np.arange(mine.sum())
    return Schedule(drawn.astype(np.int64), local)

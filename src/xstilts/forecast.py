"""What a plan will cost before it is run: steps, seconds, disk and memory; and how right that was.

Rows are counted and tokenised as the run will need them (and are kept for it); how long they take
is measured for some ten seconds on the encoder itself (``steps.calibrate``). A forecast is kept in
the store, named by the steps it is for; a run of exactly those steps says how it came out.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.disk.scratch import tree_bytes
from xstilts.disk.whole import whole
from xstilts.engines.groups import grouped, is_intermediate
from xstilts.errors import UserError
from xstilts.identity import canonical_json, fingerprint
from xstilts.preflight import beside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from xstilts.engines import Bench
    from xstilts.plan import Plan, Step
    from xstilts.steps.calibrate import Pace
    from xstilts.steps.desk import Desk

FOLDER = "forecasts"
SAMPLE = 300  # rows of an evaluation language that are tokenised
PREDICTION_BYTES = 150  # of a row, about
WRITES = 6  # times that a finished step waits for the disk


@dataclass(frozen=True)
class Cost:
    """Of a plan's remaining steps.

    Attributes:
        optimiser_steps: of all stages.
        seconds: of the whole run.
        disk_bytes: that the store grows by.
        memory_bytes: the peak of the process.
    """

    optimiser_steps: int
    seconds: float
    disk_bytes: int
    memory_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.optimiser_steps:,} optimiser steps, {_minutes(self.seconds)}, "
            f"{self.disk_bytes / 2**20:,.0f} MiB of disk, "
            f"{self.memory_bytes / 2**20:,.0f} MiB of memory"
        )


@dataclass(frozen=True)
class _Data:
    """Of a set of sequences: units, tokens and pairs of tokens of a sequence."""

    units: float
    tokens: float
    pairs: float


def predict(plan: Plan, steps: Sequence[Step], bench: Bench) -> Cost:
    """The cost of the remaining steps, on this machine as it is now.

    Raises:
        UserError: if rows or models are not as they should be.
    """
    import torch

    from xstilts.engines.desk import prepared
    from xstilts.model import tokenizer as tokenizers
    from xstilts.steps import calibrate

    desk = prepared(bench)
    (model, *_) = plan.models.values()  # those of a study are mostly of one size
    tokenizer = tokenizers.load(model.location, model.revision)
    stages = [step for step in steps if step.kind == "train"]
    if any(step.inputs["options"].get("text2text") for step in stages):
        raise UserError(
            "--forecast measures an encoder with a head, and the recipe is text to text: "
            "leave it out"
        )
    known: dict[str, tuple[int, _Data, int]] = {}
    for step in stages:
        key = canonical_json(_of_data(step))
        if key not in known:
            known[key] = _stage(step.inputs, tokenizer, desk)
    kinds = max((one[2] for one in known.values()), default=5000)
    options = stages[0].inputs["options"] if stages else {"precision": "fp32"}
    defaults = {"learning_rate": 1e-4, "weight_decay": 0.0, "epsilon": 1e-8}
    pace = calibrate.measure(
        (model.location, model.revision),
        {**defaults, **options},
        torch.device(bench.device),
        kinds=kinds,
        budget=bench.token_budget,
    )
    seconds, taken = pace.load_s, 0
    for step in stages:
        count, data, _ = known[canonical_json(_of_data(step))]
        taken += count
        seconds += pace.load_s + pace.train_s(count, data.tokens, data.pairs)
    rows = 0.0
    seen: dict[str, _Data] = {}  # many paths are evaluated on the same rows
    for group in grouped([step for step in steps if step.kind == "predict"]):
        read: dict[str, _Data] = {}  # candidates that several languages share are read once
        for inputs in _reads(group, desk):
            if (key := canonical_json(_of_rows(inputs))) not in seen:
                seen[key] = _evaluation(inputs, tokenizer, desk)
            read[key] = seen[key]
        rows += sum(one.units for one in read.values())
        tokens = sum(one.tokens for one in read.values())
        pairs = sum(one.pairs for one in read.values())
        batches = tokens / bench.token_budget + 1
        seconds += pace.load_s + pace.read_s(batches, tokens, pairs)
    seconds += (len(steps) - len(stages)) * _write_s(bench.store.root)
    seconds += desk.sources.read_seconds  # it has read here whatever the run will read
    return Cost(taken, seconds, _disk(plan, stages, pace, rows), pace.peak_bytes)


def _of_data(step: Step) -> list[Any]:
    """What says how much data a stage has."""
    inputs = step.inputs
    return [inputs["items"], inputs["max_steps"], inputs["source"], inputs.get("pause")]


def _reads(group: Sequence[Step], desk: Desk) -> Iterator[Mapping[str, Any]]:
    """What some predict steps of one model read: their rows, and those beside them, all of them."""
    for step in group:
        yield step.inputs
        for _, _, split, language in beside(step.inputs, desk.catalogue):
            yield {**step.inputs, "split": split, "language": language, "max_rows": None}


def _of_rows(inputs: Mapping[str, Any]) -> list[Any]:
    """What says which rows a predict step reads."""
    names = ("task", "source", "split", "language", "max_rows", "limits")
    return [inputs.get(name) for name in names]


def _stage(inputs: Mapping[str, Any], tokenizer: Any, desk: Desk) -> tuple[int, _Data, int]:
    """Optimiser steps of a stage, the tokens they see, and how many different ones."""
    from xstilts.steps import stage

    tasks = stage.prepare(inputs, tokenizer, desk, 0)
    schedule = stage.schedule(tasks, inputs["options"], inputs["max_steps"], 0)
    steps = round(len(schedule) * inputs.get("pause", 1.0))
    tokens = pairs = 0.0
    for index, task in enumerate(tasks):
        units = float((schedule.task[:steps] == index).sum() * task.item["batch"])
        lengths = np.asarray(task.encoded.lengths, float)
        tokens += units * lengths.sum() / max(len(task.encoded), 1)
        pairs += units * (lengths**2).sum() / max(len(task.encoded), 1)
    kinds = sum(len(t.encoded.kinds) for t in tasks if t.encoded.kinds is not None)
    return steps, _Data(0, tokens, pairs), kinds


def _evaluation(inputs: Mapping[str, Any], tokenizer: Any, desk: Desk) -> _Data:
    """What a predict step reads; a sample of its rows stands for all."""
    from xstilts import formats

    task = desk.catalogue.get(inputs["task"])
    data = desk.catalogue.data(task.name, inputs["source"])
    split = inputs.get("split", "evaluate")
    rows = desk.sources.examples(task, data, split, inputs["language"])[: inputs["max_rows"]]
    sample = rows[:: max(len(rows) // SAMPLE, 1)]
    found = formats.encode(task, sample, tokenizer.backend, formats.Limits(**inputs["limits"]))
    times = len(rows) / len(sample)
    lengths = found.lengths.astype(float)
    return _Data(len(rows), times * lengths.sum(), times * float((lengths**2).sum()))


def _write_s(root: Path) -> float:
    """Seconds that a finished step takes to be safe on the disk, median of three."""
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    found = []
    with tempfile.TemporaryDirectory(dir=there) as place:
        for number in range(3):
            began = time.perf_counter()
            for write in range(WRITES):
                with open(f"{place}/{number}-{write}", "wb") as file:  # noqa: PTH123
                    file.write(bytes(4096))
                    file.flush()
                    os.fsync(file.fileno())
            found.append(time.perf_counter() - began)
    return sorted(found)[1]


def _disk(plan: Plan, stages: Sequence[Step], pace: Pace, rows: float) -> int:
    """Weights that are kept, and predictions."""
    kept = {
        "all": len(stages),
        "intermediates": sum(is_intermediate(plan, step) for step in stages),
        "none": 0,
    }[plan.keep]
    return int(pace.weight_bytes * kept + PREDICTION_BYTES * rows)


def keep(cost: Cost, steps: Sequence[Step], root: Path) -> None:
    """Keep a forecast until these very steps are run."""
    with whole(_path(steps, root)) as part:
        part.write_text(json.dumps(asdict(cost)))


def kept(steps: Iterable[Step], root: Path) -> Cost | None:
    """The forecast that was made for these very steps; None if none was."""
    path = _path(steps, root)
    try:
        return Cost(**json.loads(path.read_text())) if path.is_file() else None
    except (ValueError, TypeError):  # a file that is damaged predicts nothing
        return None


def _path(steps: Iterable[Step], root: Path) -> Path:
    return root / FOLDER / f"{fingerprint(sorted(step.id for step in steps))}.json"


class Outcome:
    """A run beside the forecast that was made for it, if one was."""

    def __init__(self, steps: Sequence[Step], root: Path) -> None:
        """Begin before the run."""
        self._cost, self._root = kept(steps, root), root
        self._before, self._began = _size(root), time.monotonic()

    def line(self, optimiser_steps: int) -> str:
        """Predicted against actual, once the run has ended; "" where nothing was predicted."""
        cost = self._cost
        if cost is None:
            return ""
        was = replace(
            cost,
            optimiser_steps=optimiser_steps,
            seconds=time.monotonic() - self._began,
            disk_bytes=_size(self._root) - self._before,
            memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
        off = was.seconds / max(cost.seconds, 1e-9) - 1
        return f"predicted: {cost}\nit took:   {was} ({off:+.0%} time)"


def _size(root: Path) -> int:
    """Bytes of all finished steps."""
    return tree_bytes(root / "steps")


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

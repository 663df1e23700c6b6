"""What a plan will cost before it is run: steps, seconds, disk and memory; and how right that was.

Rows are counted and tokenised as the run will need them (and are kept for it); how long they take
is seen from a rehearsal of a few seconds (``rehearsal``). A forecast is kept in the store, named by
the steps it is for; a run of exactly those steps says how it came out.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from xstilts import durations, preflight
from xstilts.disk.scratch import tree_bytes
from xstilts.disk.whole import whole
from xstilts.engines.groups import grouped, is_intermediate
from xstilts.identity import canonical_json, fingerprint
from xstilts.rehearsal import ReadPace, prediction_kind, rehearse, stage_kind
from xstilts.sources.capped import capped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

    from xstilts.engines import Bench, Watcher
    from xstilts.model.tokenizer import LoadedTokenizer
    from xstilts.plan import Plan, Step
    from xstilts.rehearsal import Rehearsal
    from xstilts.steps.desk import Desk

FOLDER = "forecasts"
SAMPLE = 300  # rows of an evaluation language that are tokenised
PREDICTION_BYTES = 150  # of a row, about
PROCESS_S = 5.0  # until a new process has imported torch and opened a model, about


@dataclass(frozen=True)
class Forecast:
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
            f"{self.optimiser_steps:,} optimiser steps, {durations.said(self.seconds)}, "
            f"{self.disk_bytes / 2**20:,.0f} MiB of disk, "
            f"{self.memory_bytes / 2**20:,.0f} MiB of memory"
        )


@dataclass(frozen=True)
class _Data:
    """Of a set of sequences: units and tokens."""

    units: float
    tokens: float


def forecast(plan: Plan, steps: Sequence[Step], bench: Bench, watcher: Watcher) -> Forecast:
    """What the remaining steps will take, on this machine as it is now.

    Args:
        plan: the whole plan.
        steps: those that are to be done.
        bench: where they will be done.
        watcher: told what is under way.

    Raises:
        UserError: if rows or models are not as they should be.
    """
    from xstilts.engines.desk import prepared
    from xstilts.model import tokenizer as tokenizers

    preflight.check(plan, steps, bench)  # what is compared here is not compared again
    desk, loaded = prepared(bench), {}
    for name, model in plan.models.items():
        loaded[name] = tokenizers.load(model.location, model.revision)
    stages = [step for step in steps if step.kind == "train"]
    kinds = {
        step.id: stage_kind(plan, step) for step in plan.steps.values() if step.kind == "train"
    }
    known: dict[str, tuple[int, float]] = {}  # kind of stage -> its optimiser steps, its tokens

    def counted(step: Step) -> tuple[int, float]:
        if (kind := kinds[step.id]) not in known:
            known[kind] = _stage(step.inputs, loaded[plan.root(step)], desk)
        return known[kind]

    pace = rehearse(plan, steps, bench, lambda step: counted(step)[0], watcher)
    seconds = pace.start_s + desk.sources.read_seconds  # whatever the run reads was read here
    taken = 0
    for step in stages:
        its = pace.stages[kinds[step.id]]
        count, tokens = counted(step)
        taken += count
        seconds += its.beside_s + its.token_s * tokens
        if step.inputs["selection"]:
            seconds += its.select_s * math.ceil(count / step.inputs["options"]["select_every"])
    rows, took = _predictions(plan, steps, desk, loaded, pace)
    seconds += took + (len(steps) - len(stages)) * pace.write_s + sum(map(_measured_s, steps))
    sizes = {step.id: pace.stages[kinds[step.id]].weight_bytes for step in stages}
    return Forecast(taken, seconds, _disk(plan, stages, sizes, rows), pace.peak_bytes)


def _predictions(
    plan: Plan,
    steps: Sequence[Step],
    desk: Desk,
    loaded: Mapping[str, LoadedTokenizer],
    pace: Rehearsal,
) -> tuple[float, float]:
    """Rows that are read for predictions, and seconds that these take."""
    rows = seconds = 0.0
    seen: dict[str, _Data] = {}  # many paths are evaluated on the same rows
    for group in grouped([step for step in steps if step.kind == "predict"]):
        read: dict[str, _Data] = {}  # candidates that several languages share are read once
        model = plan.root(group[0])
        for inputs in _reads(group, desk):
            key = canonical_json([model, _of_rows(inputs)])
            if key not in seen:
                seen[key] = _evaluation(inputs, loaded[model].backend, desk)
            read[key] = seen[key]
        units = sum(one.units for one in read.values())
        if attack := group[0].inputs.get("attack"):
            units = min(units, len(group) * attack["rows"])
        usual = ReadPace(pace.token_s, 0.0, pace.open_s)
        its = pace.predictions.get(prediction_kind(plan, group[0]), usual)
        rows += units
        tokens = sum(one.tokens for one in read.values())
        seconds += its.beside_s + its.token_s * tokens + its.row_s * units
    return rows, seconds


def _reads(group: Sequence[Step], desk: Desk) -> Iterator[Mapping[str, Any]]:
    """What some predict steps of one model read: their rows, and those beside them, all of them."""
    for step in group:
        yield step.inputs
        for _, _, split, language in preflight.beside(step.inputs, desk.catalogue):
            yield {**step.inputs, "split": split, "language": language, "max_rows": None}


def _of_rows(inputs: Mapping[str, Any]) -> list[Any]:
    """What says which rows a predict step reads."""
    names = ("task", "source", "split", "language", "max_rows", "limits")
    return [inputs.get(name) for name in names]


def _stage(inputs: Mapping[str, Any], tokenizer: Any, desk: Desk) -> tuple[int, float]:
    """Optimiser steps of a stage, and the tokens that they see."""
    from xstilts.steps import stage

    tasks = stage.prepare(inputs, tokenizer, desk, 0)
    schedule = stage.schedule(tasks, inputs["options"], inputs["max_steps"], 0)
    steps = math.ceil(inputs.get("pause", 1.0) * len(schedule))
    tokens = 0.0
    for index, task in enumerate(tasks):
        units = float((schedule.task[:steps] == index).sum() * task.item["batch"])
        tokens += units * float(task.encoded.lengths.sum()) / max(len(task.encoded), 1)
    return steps, tokens


def _evaluation(inputs: Mapping[str, Any], tokenizer: Tokenizer, desk: Desk) -> _Data:
    """What a predict step reads; a sample of its rows stands for all."""
    from xstilts import formats

    task = desk.catalogue.get(inputs["task"])
    data = desk.catalogue.data(task.name, inputs["source"])
    split = inputs.get("split", "evaluate")
    rows = desk.sources.examples(task, data, split, inputs["language"])
    rows = capped(task, rows, inputs["max_rows"])
    sample = rows[:: max(len(rows) // SAMPLE, 1)]
    found = formats.encode(task, sample, tokenizer, formats.Limits(**inputs["limits"]))
    return _Data(len(rows), len(rows) / len(sample) * float(found.lengths.sum()))


def _measured_s(step: Step) -> float:
    """Seconds of a measurement, at least: those asked for, and a process for each side."""
    if step.kind != "measure":
        return 0.0
    return float(step.inputs["scenario"]["seconds"]) + PROCESS_S * (len(step.inputs["sides"]) + 1)


def _disk(plan: Plan, stages: Sequence[Step], sizes: Mapping[str, int], rows: float) -> int:
    """Weights that are kept, and predictions."""
    kept = {
        "all": lambda _: True,
        "intermediates": lambda step: is_intermediate(plan, step),
        "none": lambda _: False,
    }[plan.keep]
    weights = sum(sizes[step.id] for step in stages if kept(step))
    return int(weights + PREDICTION_BYTES * rows)


def keep(found: Forecast, steps: Sequence[Step], root: Path) -> None:
    """Keep a forecast until these very steps are run."""
    with whole(_path(steps, root)) as part:
        part.write_text(json.dumps(asdict(found)))


def kept(steps: Iterable[Step], root: Path) -> Forecast | None:
    """The forecast that was made for these very steps; None if none was."""
    path = _path(steps, root)
    try:
        return Forecast(**json.loads(path.read_text())) if path.is_file() else None
    except (ValueError, TypeError):  # a file that is damaged predicts nothing
        return None


def _path(steps: Iterable[Step], root: Path) -> Path:
    return root / FOLDER / f"{fingerprint(sorted(step.id for step in steps))}.json"


class Hindsight:
    """A run beside the forecast that was made for it, if one was."""

    def __init__(self, steps: Sequence[Step], root: Path) -> None:
        """Begin before the run."""
        self._forecast, self._root = kept(steps, root), root
        self._before = _size(root) if self._forecast else 0
        self._began = time.monotonic()

    def line(self, optimiser_steps: int) -> str:
        """Predicted against actual, once the run has ended; "" where nothing was predicted."""
        made = self._forecast
        if made is None:
            return ""
        from xstilts.model.memory import peak_bytes

        was = replace(
            made,
            optimiser_steps=optimiser_steps,
            seconds=time.monotonic() - self._began,
            disk_bytes=_size(self._root) - self._before,
            memory_bytes=peak_bytes(),
        )
        off = was.seconds / max(made.seconds, 1e-9) - 1
        return f"predicted: {made}\nit took:   {was} ({off:+.0%} time)"


def _size(root: Path) -> int:
    """Bytes of all finished steps."""
    return tree_bytes(root / "steps")

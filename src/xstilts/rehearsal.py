"""A plan in small: each kind of its work is done for a moment, as the run will do it, and timed.

Stages are of one kind that train on the same data alike, whatever was trained before; predictions,
that answer the same task. A stage is stopped after a few steps, a prediction reads a few rows of a
few languages; everything else, files and checksums included, is the run's own. The store that it is
done in is thrown away.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from xstilts.disk.scratch import scratch
from xstilts.engines import Silent
from xstilts.engines.groups import grouped, title
from xstilts.errors import UserError
from xstilts.identity import canonical_json
from xstilts.plan.graph import Plan, Step
from xstilts.preflight import beside
from xstilts.sources.capped import cap_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xstilts.engines import Bench, Watcher
    from xstilts.engines.worker import Worker
    from xstilts.store import Store

STEPS = 5  # of a stage; the first one warms up and is not counted
ROWS, LANGUAGES = 48, 3  # of a prediction
ATTACKED = 4  # rows


@dataclass(frozen=True)
class StagePace:
    """What a kind of stage takes.

    Attributes:
        token_s: seconds of a token in an optimiser step.
        select_s: of one look at the rows that a step is selected on; 0 where none is.
        beside_s: of all that is no step: opening, writing, checksums.
        weight_bytes: of its folder.
    """

    token_s: float
    select_s: float
    beside_s: float
    weight_bytes: int


@dataclass(frozen=True)
class ReadPace:
    """What a kind of prediction takes.

    Attributes:
        token_s: seconds of a token; 0 where rows were counted instead.
        row_s: of a row, where tokens were not counted.
        beside_s: of opening the model.
    """

    token_s: float
    row_s: float
    beside_s: float


@dataclass
class Rehearsal:
    """What was timed.

    Attributes:
        start_s: once, before anything is done: imports, the first use of everything.
        stages: by `stage_kind`.
        predictions: by `prediction_kind`; those that read rows beside their own have none.
        token_s: of a token that is read, in the mean.
        open_s: of opening a model for predictions, the median.
        write_s: of a step that is no stage, to be checked, scored or written.
        peak_bytes: of this process.
    """

    start_s: float = 0.0
    stages: dict[str, StagePace] = field(default_factory=dict)
    predictions: dict[str, ReadPace] = field(default_factory=dict)
    token_s: float = 0.0
    open_s: float = 0.0
    write_s: float = 0.0
    peak_bytes: int = 0


def stage_kind(plan: Plan, step: Step) -> str:
    """What says how long a stage takes: all it depends on but its seed and what was before it."""
    inputs = {k: v for k, v in step.inputs.items() if k not in ("seed", "parent")}
    return canonical_json([plan.root(step), inputs])


def prediction_kind(plan: Plan, step: Step) -> str:
    """What says how long a row takes that is predicted: model, task, head and way to answer."""
    inputs = step.inputs
    told = {k: inputs.get(k) for k in ("task", "head", "limits", "precision", "serve", "text2text")}
    return canonical_json([plan.root(step), told, inputs.get("attack"), "found_on" in inputs])


def rehearse(
    plan: Plan,
    steps: Sequence[Step],
    bench: Bench,
    count: Callable[[Step], int],
    watcher: Watcher,
) -> Rehearsal:
    """Do each kind of work of these steps once.

    Args:
        plan: the whole plan.
        steps: those that are to be done.
        bench: where they will be done.
        count: optimiser steps of a stage.
        watcher: told what is under way.

    Raises:
        UserError: if a step fails.
    """
    from xstilts.engines.reported import reported
    from xstilts.engines.worker import Worker
    from xstilts.store import Store

    small = _Small(plan, bench, count)
    small.add(steps)
    with scratch(bench.store.root, "rehearsal") as place:  # what a killed one left goes, too
        store = Store(place)
        timer = _Timer(watcher, bench.device)
        with reported(timer, store.root) as told:
            encoded = bench.store.root / "encoded"  # what is tokenised here is kept for the run
            bench = replace(bench, store=store, encoded=encoded, track="", devices=1)
            return _timed(small, Worker(small.plan, bench, told, "rehearsal"), timer, store)


class _Small:
    """The plan that is rehearsed.

    Attributes:
        plan: its steps.
        kinds: their ids -> the kind of stage or prediction that they stand for.
        first: the first stage, done once more beforehand, for whatever happens only once.
    """

    def __init__(self, plan: Plan, bench: Bench, count: Callable[[Step], int]) -> None:
        self._of, self._bench, self._count = plan, bench, count
        self.plan = Plan(models=plan.models)
        self.kinds: dict[str, str] = {}
        self.first = ""
        self._stages: dict[str, str] = {}

    def add(self, steps: Sequence[Step]) -> None:
        """Stand for these steps."""
        for step in steps:
            if step.kind == "train":
                self._stage(step)
        groups = [one for one in grouped([*steps]) if one[0].kind == "predict"]
        groups = [one for one in groups if not self._imported(one[0])]
        plain = [one for one in groups if not self._reads_more(one[0])]
        done: set[str] = set()
        for group in plain or groups[:1]:
            kind = prediction_kind(self._of, group[0])
            if kind not in done and "found_on" not in group[0].inputs:
                done.add(kind)
                self._predictions(group, kind)

    def _reads_more(self, step: Step) -> bool:
        return any(True for _ in beside(step.inputs, self._bench.catalogue))

    def _imported(self, step: Step) -> bool:
        """Whether a head answers that was imported: no stage can stand for its own."""
        return bool(step.parent) and "imported" in self._of.steps[step.parent].inputs

    def _stage(self, step: Step) -> str:
        """The id of the stage that stands for this one."""
        kind = stage_kind(self._of, step)
        if kind not in self._stages:
            share = min(1.0, STEPS / max(self._count(step), 1))
            share *= step.inputs.get("pause", 1.0)
            inputs = {**step.inputs, "parent": self._of.root(step), "pause": share}
            if not self._stages:
                once = Step.of("train", {**inputs, "seed": -1}, "", step.label)
                self.plan.add(once)
                self.first = once.id
            small = Step.of("train", inputs, "", step.label)
            self.plan.add(small)
            self.kinds[small.id] = kind
            self._stages[kind] = small.id
        return self._stages[kind]

    def _predictions(self, group: Sequence[Step], kind: str) -> None:
        """Stand for a group by a few of its languages, and their scores."""
        for step in group[:: max(len(group) // LANGUAGES, 1)][:LANGUAGES]:
            inputs = dict(step.inputs)
            most = inputs["max_rows"]
            inputs |= cap_inputs(self._bench.catalogue.get(inputs["task"]), min(most or ROWS, ROWS))
            parent = ""
            if inputs["head"] is not None and step.parent:
                parent = self._stage(self._of.steps[inputs.pop("head_of", step.parent)])
            inputs["weights"] = parent or self._of.root(step)
            if "attack" in inputs:
                inputs["attack"] = {**inputs["attack"], "rows": ATTACKED}
            small = Step.of("predict", inputs, parent, step.label)
            self.plan.add(small)
            self.kinds[small.id] = kind
            for score in self._of.children(step.id):
                if score.kind == "score":
                    asked = {**score.inputs, "predictions": small.id}
                    self.plan.add(Step.of("score", asked, small.id, score.label))


class _Timer(Silent):
    """A watcher that takes the time of every optimiser step."""

    def __init__(self, watcher: Watcher, device: str) -> None:
        self._watcher, self._device = watcher, device
        self.moments: list[tuple[float, int]] = []  # of each step: when it ended, tokens so far

    def begin(self, label: str, number: int, total: int) -> None:
        """A group begins."""
        self.moments = []
        self._watcher.begin(f"rehearse {label}", number, total)

    def progress(self, done: int, total: int, tokens: int) -> None:
        """A step has ended."""
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.synchronize(self._device)
        self.moments.append((time.perf_counter(), tokens))
        self._watcher.progress(done, total, tokens)

    def failed(self, step: Step, reason: str) -> None:
        """Raise: a run would fail there, too."""
        raise UserError(f"{step.label} cannot be rehearsed: {reason}")


def _timed(small: _Small, worker: Worker, timer: _Timer, store: Store) -> Rehearsal:
    from xstilts.engines import Job
    from xstilts.model.memory import peak_bytes

    found = Rehearsal()
    scored: list[float] = []  # seconds of a score step
    read: list[tuple[str, float, list[dict[str, Any]]]] = []  # kind, seconds, records
    once = 0.0
    groups = grouped([*small.plan.steps.values()])
    for number, group in enumerate(groups, 1):
        ids = tuple(step.id for step in group)
        report = worker.do(Job(title(small.plan, group), ids, number, len(groups)), group)
        first = group[0]
        if first.id == small.first:
            once = report.seconds
        elif first.kind == "train":
            pace = _stage_pace(first, report.seconds, timer.moments, store)
            if not found.stages:
                found.start_s = max(once - report.seconds, 0.0)
            found.stages[small.kinds[first.id]] = pace
        elif first.kind == "score":
            scored.append(report.seconds / len(group))
        else:
            read.append((small.kinds[first.id], report.seconds, [*map(store.record, ids)]))
    found.write_s = statistics.median(scored) if scored else 0.0
    total_s = total_tokens = 0.0
    for kind, seconds, records in read:
        spent, tokens = _spent(records)
        total_s, total_tokens = total_s + spent, total_tokens + tokens
        left = max(seconds - spent - found.write_s * len(records), 0.0)
        rows = sum(one["result"]["rows"] for one in records)
        found.predictions[kind] = (
            ReadPace(spent / tokens, 0.0, left) if tokens else ReadPace(0.0, left / max(rows, 1), 0)
        )
    if total_tokens:
        found.token_s = total_s / total_tokens
        found.open_s = statistics.median(one.beside_s for one in found.predictions.values())
    found.peak_bytes = peak_bytes()
    return found


def _stage_pace(
    step: Step, seconds: float, moments: Sequence[tuple[float, int]], store: Store
) -> StagePace:
    """From when the steps of a stage ended; the last one holds a look at what is selected on."""
    spans = [(end - begun, tokens - before) for (begun, before), (end, tokens) in pairwise(moments)]
    selects = bool(step.inputs["selection"])
    usual = spans[:-1] if selects and len(spans) > 1 else spans
    token_s = statistics.median(one / max(tokens, 1) for one, tokens in usual) if usual else 0.0
    select_s = max(spans[-1][0] - token_s * spans[-1][1], 0.0) if selects and spans else 0.0
    trained = moments[-1][1] * token_s if moments else 0.0
    size = sum(path.stat().st_size for path in store.folder(step.id).rglob("*") if path.is_file())
    return StagePace(token_s, select_s, max(seconds - trained - select_s, 0.0), size)


def _spent(records: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """Seconds that the model took for predictions, and the tokens that it read."""
    parts = ("tokenise_seconds", "forward_seconds", "post_seconds")
    told = [one["provenance"] for one in records]
    return sum(one.get(name, 0.0) for one in told for name in parts), sum(
        one.get("tokens", 0) for one in told
    )

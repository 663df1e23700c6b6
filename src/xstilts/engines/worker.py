"""Carries out one job in this process, whichever engine brought it here."""

from __future__ import annotations

import gc
import platform
import re
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from xstilts._version import __version__
from xstilts.disk.leases import all_stand
from xstilts.engines import Report
from xstilts.engines.desk import settle
from xstilts.engines.groups import is_there, still_needed
from xstilts.errors import UserError
from xstilts.steps.tracking import Tracking
from xstilts.store.records import Corrupt, Evicted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xstilts.disk.leases import Lease
    from xstilts.engines import Bench, Job
    from xstilts.engines.reported import Reported
    from xstilts.plan import Plan, Step
    from xstilts.steps.checkpoint import Weights
    from xstilts.steps.desk import Desk
    from xstilts.store.work import WorkArea

LEAST_BUDGET = 512  # tokens of a micro-batch, where a sequence may be as long
# Where a library asks the device itself, not PyTorch.
_FULL = re.compile("CUDA error: out of memory|CU[A-Z]+_STATUS_ALLOC_FAILED")


class _Lost(Exception):  # noqa: N818
    """Another process took this one for dead and took its step over."""


class Worker:
    """Does jobs, one after the other; it keeps what is worth keeping warm.

    A step is done under its lease. What another process holds is left to it.
    """

    def __init__(self, plan: Plan, bench: Bench, watcher: Reported, engine: str) -> None:
        self._plan, self._bench, self._store = plan, bench, bench.store
        self._watcher, self._engine = watcher, engine
        self._desk = settle(bench, watcher)

    def do(self, job: Job, steps: Sequence[Step]) -> Report:
        """Do what can be done now of a job's steps, and put every finished one into the store."""
        plan, store = self._plan, self._store
        ready = [step for step in steps if self._can_be_read([step])]
        leases: dict[str, Lease] = {}
        with ExitStack() as held:  # released whatever happens, also while they are taken
            for step in ready:
                if (lease := store.lease(step.id)) is not None:
                    held.callback(lease.release)
                    leases[step.id] = lease
            # Another process may have done it, and all that needed it, since it was asked for.
            mine = [s for s in ready if s.id in leases and still_needed(plan, store, s)]
            return self._work(job, mine, [*leases.values()]) if mine else Report(job.number)

    def _work(self, job: Job, group: list[Step], leases: list[Lease]) -> Report:
        def check() -> None:
            if not all_stand(leases):
                raise _Lost

        started = time.monotonic()
        reason, corrupt, ended = "", None, False
        self._watcher.begin(job.label, job.number, job.total)
        self._watcher.check = check
        try:
            self._carry_out_within_memory(group)
        except _Lost:
            self._watcher.note("taken over by another process while this one did not answer")
        except Evicted:
            self._watcher.note("its weights were evicted by another process: they are made again")
        except Corrupt as fault:
            corrupt = fault
        except (UserError, OSError, MemoryError, torch.OutOfMemoryError) as error:
            if self._can_be_read(group):
                reason = str(error)
            else:  # another process evicted it, or found it damaged, while it was read
                self._watcher.note("what it reads is not there any more: it is made again")
        else:
            ended = True
            self._watcher.end(job.label, time.monotonic() - started)
        finally:
            self._watcher.check = lambda: None
        done = [step for step in group if is_there(step, self._store)]
        failed = [step for step in group if reason and step not in done]
        for step in failed:
            self._watcher.failed(step, reason)
        return Report(
            job.number,
            worked=True,
            ended=ended,
            done=tuple(step.id for step in done),
            failures={step.id: reason for step in failed},
            corrupt=corrupt,
            seconds=time.monotonic() - started,
        )

    def _can_be_read(self, group: list[Step]) -> bool:
        """Whether all that steps begin with is still there."""
        parents = (self._plan.steps[one] for step in group for one in step.needs)
        return all(is_there(parent, self._store) for parent in parents)

    def _carry_out_within_memory(self, group: list[Step]) -> None:
        """Carry out; where the device has too little memory, with half as many tokens at a time.

        A stage goes on from its newest resume point.

        Raises:
            UserError: where even the smallest micro-batches do not fit.
        """
        while True:
            try:
                return self._carry_out([step for step in group if not is_there(step, self._store)])
            except RuntimeError as error:
                if not (isinstance(error, torch.OutOfMemoryError) or _FULL.search(str(error))):
                    raise
                now = self._desk.token_budget
                if self._bench.devices > 1:
                    raise
                if now // 2 < LEAST_BUDGET:
                    raise UserError(
                        f"{self._desk.device} has too little memory for {now:,} tokens at a time "
                        "(xstilts plan --gpu-memory GIB shows what fits): take low-rank adapters "
                        "(--recipe NAME:lora), --devices N or a smaller model"
                    ) from error
            # Out here nothing holds on to the tensors of the attempt any more.
            self._desk = replace(self._desk, token_budget=now // 2)
            _give_back_memory()
            self._watcher.note(
                f"{self._desk.device} has too little memory for {now:,} tokens at a time: goes on "
                f"with {now // 2:,}, which changes no result"
            )

    def _carry_out(self, group: list[Step]) -> None:
        if "imported" in group[0].inputs:
            raise UserError(f"{group[0].label} is not in the store any more: import it again")
        match group[0].kind:
            case "train":
                self._train(group[0])
            case "predict":
                self._predict(group)
            case "score":
                for step in group:
                    self._score(step)
            case "probe":
                self._probe(group)
            case "measure":
                self._measure(group[0])

    def _train(self, step: Step) -> None:
        from xstilts.steps import checkpoint, train

        started, store = time.monotonic(), self._bench.store
        area = store.work(step.id)
        with store.writing(step.id) as folder:
            weights = self._weights(step, step.inputs["parent"])
            if self._bench.devices > 1:
                result = self._spread(step, weights, folder, area)
            else:
                desk = replace(self._desk, tracking=self._tracking(step))
                result = train.train(step.inputs, weights, folder, area, desk)
            # Of all attempts of a stage that was interrupted.
            seconds = max(time.monotonic() - started, result["seconds"])
            keep = checkpoint.EVICTABLE
            self._finish(step, folder, result, started, keep, {"seconds": seconds})
        area.clear()
        if self._desk.device != "cpu":
            gc.collect()  # compiled blocks lie in circles, and the next stage wants their place

    def _spread(self, step: Step, weights: Weights, folder: Path, area: WorkArea) -> dict[str, Any]:
        """Run a stage on several devices."""
        from xstilts.engines import spread

        model = self._plan.models.get(self._plan.root(step))
        shape = None if model is None else model.architecture  # it began with what was imported
        kind = spread.layout(self._bench, shape, step.inputs)
        _give_back_memory()  # what predictions had of the first device
        result = spread.train(
            *(step.inputs, weights, folder, area),
            self._bench,
            kind,
            self._watcher,
            self._tracking(step),
        )
        return result | {"layout": kind, "devices": self._bench.devices}

    def _tracking(self, step: Step) -> Tracking | None:
        if not self._bench.track:
            return None
        return Tracking(self._bench.track, self._bench.store.root / "track" / step.id, step.label)

    def _predict(self, group: list[Step]) -> None:
        from xstilts.steps import PREDICTIONS, predict
        from xstilts.steps.attacks import step as attacks

        started, store = time.monotonic(), self._bench.store
        weights = self._weights(group[0], group[0].inputs["weights"])
        jobs = [step.inputs for step in group]
        spent: dict[int, Mapping[str, float]] = {}
        desk = replace(self._desk, spent=spent.__setitem__)
        if "found_on" in jobs[0]:
            worst = [store.open(one["found_on"]).path(PREDICTIONS) for one in jobs]
            made = attacks.transfer(jobs, weights, worst, desk)
        elif "attack" in jobs[0]:
            made = attacks.attack(jobs, weights, desk)
        else:
            made = predict.predict(jobs, weights, desk, self._heads(group[0]))
        for number, rows in made:
            step = group[number]
            with store.writing(step.id) as folder:
                written, took = predict.write(rows, folder), spent.get(number)
                keep = (PREDICTIONS,)  # until a pack leaves them out
                self._finish(step, folder, written, started, evictable=keep, took=took)

    def _heads(self, step: Step) -> Path | None:
        """Where the head lies of a prediction that takes an earlier stage's; None: any other."""
        from xstilts.steps import checkpoint

        head_of = step.inputs.get("head_of")
        return self._store.open(head_of).path(checkpoint.HEADS).parent if head_of else None

    def _score(self, step: Step) -> None:
        from xstilts.steps import PREDICTIONS, score

        started, store = time.monotonic(), self._bench.store
        predictions = store.open(step.parent).path(PREDICTIONS)
        with store.writing(step.id) as folder:
            self._finish(step, folder, score.score(step.inputs, predictions, folder), started)

    def _probe(self, group: list[Step]) -> None:
        from xstilts.steps import probe

        weights = self._weights(group[0], group[0].inputs["weights"])
        jobs = [step.inputs for step in group]
        for number, arrays, seconds in probe.probe(jobs, weights, self._desk):
            step = group[number]
            with self._store.writing(step.id) as folder:
                probe.write(arrays, folder)
                # Its own seconds: loading the encoder is shared by all.
                self._finish(step, folder, {"seconds": seconds}, time.monotonic() - seconds)

    def _measure(self, step: Step) -> None:
        from xstilts.steps import measure

        started, models = time.monotonic(), self._plan.models
        names = [side["weights"] for side in step.inputs["sides"]]
        weights = [
            self._weights(replace(step, parent="" if name in models else name), name)
            for name in names
        ]
        _give_back_memory()  # to the processes that measure
        with self._store.writing(step.id) as folder:
            result = measure.measure(step.inputs, weights, folder, self._desk)
            self._finish(step, folder, result, started)

    def _weights(self, step: Step, weights: str) -> Weights:
        """Where the weights that a step starts from are; a stage's files are verified first."""
        if not step.parent:
            model = self._plan.models[weights]
            return model.location, model.revision
        stage = self._bench.store.open(step.parent)
        paths = [stage.path(name) for name in stage.record["files"]]
        return paths[0].parent, None

    def _finish(
        self,
        step: Step,
        folder: Path,
        result: Any,
        started: float,
        evictable: tuple[str, ...] = (),
        took: Mapping[str, float] | None = None,
    ) -> None:
        record = {
            "kind": step.kind,
            "inputs": dict(step.inputs),
            "provenance": provenance(self._desk, self._engine)
            | {"seconds": time.monotonic() - started}
            | dict(took or {}),
            "result": result,
            "evictable": list(evictable),
        }
        self._bench.store.finish(step.id, folder, record)


def _give_back_memory() -> None:
    """Let others have what nothing here holds on to any more."""
    gc.collect()
    torch.cuda.empty_cache()


@cache
def _versions() -> Mapping[str, str]:
    """Of the libraries that results depend on; a fresh look at the disk takes milliseconds."""
    return {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}


def provenance(desk: Desk, engine: str = "local") -> dict[str, Any]:
    """Where and with what a step was run: it never enters an identity."""
    cuda = desk.device.startswith("cuda")
    return {
        "xstilts": __version__,
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "engine": engine,
        "device": torch.cuda.get_device_name(desk.device) if cuda else "cpu",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "token_budget": desk.token_budget,
        "datasets": dict(desk.sources.commits),
    }

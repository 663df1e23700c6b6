"""The default engine: one warm process, group after group, alone or beside others."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from xstilts._version import __version__
from xstilts.engines import Outcome
from xstilts.engines.desk import settle
from xstilts.engines.groups import grouped, is_intermediate, is_there, remaining, title
from xstilts.engines.reported import reported
from xstilts.errors import UserError
from xstilts.steps.tracking import Tracking
from xstilts.store_step import Corrupt, Evicted

if TYPE_CHECKING:
    from pathlib import Path

    from xstilts.engines import Bench, Watcher
    from xstilts.engines.reported import Reported
    from xstilts.plan import Plan, Step
    from xstilts.steps.desk import Desk
    from xstilts.store import Store
    from xstilts.store_lease import Lease


POLL_SECONDS = 1.0


class LocalEngine:
    """Runs a plan in this process; other processes may run the same one on the same store.

    A step is done under its lease. What another process holds is left to it, and everything else
    done meanwhile. A step whose files turn out to be damaged is redone, once.
    """

    name = "local"

    def run(self, plan: Plan, bench: Bench, watcher: Watcher) -> Outcome:
        """Run what is not finished, parents first; a failed step stops only its descendants."""
        with reported(watcher, bench.store.root) as told:
            return _Run(plan, bench, told).run()


class _Lost(Exception):  # noqa: N818
    """Another process took this one for dead and took its step over."""


class _Run:
    def __init__(self, plan: Plan, bench: Bench, watcher: Reported) -> None:
        self.plan, self.bench, self.store, self.watcher = plan, bench, bench.store, watcher
        self.outcome = Outcome()
        self.worker = _Worker(plan, bench, watcher)
        self.redone: set[str] = set()
        self.number, self.awaited = 0, ""

    def run(self) -> Outcome:
        todo = remaining(self.plan, self.store)
        ours = {step.id for step in todo}
        self.outcome.kept = [step_id for step_id in self.plan.steps if step_id not in ours]
        while todo:
            groups = grouped(todo)
            before, total = self.number, self.number + len(groups)
            worked = [self._group(group, total) for group in groups]
            if not any(worked):
                self.number = before
                self._wait(todo, total)
            bad = {*self.outcome.failures, *self.outcome.skipped}
            todo = [step for step in remaining(self.plan, self.store) if step.id not in bad]
        settled = {*self.outcome.done, *self.outcome.failures, *self.outcome.skipped}
        self.outcome.kept += [one for one in self.plan.steps if one in ours - settled]
        return self.outcome

    def _group(self, group: list[Step], total: int) -> bool:
        """Do what can be done of a group now; returns whether anything was."""
        self.number += 1
        bad = {*self.outcome.failures, *self.outcome.skipped}
        lost = [step for step in group if step.parent in bad]
        self.outcome.skipped += [step.id for step in lost]
        if len(lost) == len(group):
            self.watcher.begin(title(self.plan, group), self.number, total)
            self.watcher.note("not run, as it needs what failed")
            return True
        parents = self.plan.steps
        ready = [
            step
            for step in group
            if step not in lost and (not step.parent or is_there(parents[step.parent], self.store))
        ]
        leases = [lease for step in ready if (lease := self.store.lease(step.id)) is not None]
        try:
            # Another process may have done it, and all that needed it, since we looked last.
            needed = {step.id for step in remaining(self.plan, self.store)}
            held = {lease.name for lease in leases}
            mine = [step for step in ready if step.id in held & needed]
            if mine:
                self._work(mine, leases, total)
                _evict(self.plan, self.store)
        finally:
            for lease in leases:
                lease.release()
        return bool(mine)

    def _work(self, group: list[Step], leases: list[Lease], total: int) -> None:
        def check() -> None:
            if not all(lease.stands() for lease in leases):
                raise _Lost

        label, started = title(self.plan, group), time.monotonic()
        self.watcher.begin(label, self.number, total)
        self.watcher.check = check
        try:
            self.worker.work(group)
        except _Lost:
            self.watcher.note("taken over by another process while this one did not answer")
        except Evicted:
            self.watcher.note("its weights were evicted by another process: they are made again")
        except Corrupt as fault:
            if fault.step_id in self.redone:
                self._fail(group, str(fault))
            else:
                self.redone.add(fault.step_id)
                self.store.discard_damaged(fault.step_id)
                problem = f'file "{fault.name}" of step {fault.step_id} {fault.args[2]}'
                self.watcher.note(f"{problem}: the step is redone")
        except (UserError, OSError, MemoryError, torch.OutOfMemoryError) as error:
            self._fail(group, str(error))
        else:
            self.watcher.end(label, time.monotonic() - started)
        finally:
            self.watcher.check = lambda: None
        done = [step.id for step in group if is_there(step, self.store)]
        self.outcome.done += [one for one in done if one not in self.outcome.failures]

    def _fail(self, group: list[Step], reason: str) -> None:
        for step in group:
            if not is_there(step, self.store):
                self.outcome.failures[step.id] = reason
                self.watcher.failed(step, reason)

    def _wait(self, todo: list[Step], total: int) -> None:
        """All that could be done now is under way elsewhere: wait a moment, and say for what."""
        for step in todo:
            if holder := self.store.holder(step.id):
                place = f"process {holder.pid} on {holder.host}"
                label = f"waiting for {step.label}, under way in {place}"
                if label != self.awaited:
                    self.awaited = label
                    self.watcher.begin(label, self.number + 1, total)
                break
        time.sleep(POLL_SECONDS)


class _Worker:
    """Carries out groups of steps; it keeps what is worth keeping warm."""

    def __init__(self, plan: Plan, bench: Bench, watcher: Watcher) -> None:
        self.plan, self.bench = plan, bench
        self.desk = settle(bench, watcher)

    def work(self, group: list[Step]) -> None:
        """Carry out one group and put every finished step into the store."""
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

    def _train(self, step: Step) -> None:
        from xstilts.steps import checkpoint, train

        started, store = time.monotonic(), self.bench.store
        area = store.work(step.id)
        with store.writing(step.id) as folder:
            weights = self._weights(step, step.inputs["parent"])
            desk = replace(self.desk, tracking=self._tracking(step))
            result = train.train(step.inputs, weights, folder, area, desk)
            self._finish(step, folder, result, started, evictable=checkpoint.EVICTABLE)
        area.clear()

    def _tracking(self, step: Step) -> Tracking | None:
        if not self.bench.track:
            return None
        return Tracking(self.bench.track, self.bench.store.root / "track" / step.id, step.label)

    def _predict(self, group: list[Step]) -> None:
        from xstilts.steps import predict

        started, store = time.monotonic(), self.bench.store
        weights = self._weights(group[0], group[0].inputs["weights"])
        jobs = [step.inputs for step in group]
        for number, rows in predict.predict(jobs, weights, self.desk):
            step = group[number]
            with store.writing(step.id) as folder:
                self._finish(step, folder, predict.write(rows, folder), started)

    def _score(self, step: Step) -> None:
        from xstilts.steps import predict, score

        started, store = time.monotonic(), self.bench.store
        predictions = store.open(step.parent).path(predict.PREDICTIONS)
        with store.writing(step.id) as folder:
            self._finish(step, folder, score.score(step.inputs, predictions, folder), started)

    def _weights(self, step: Step, weights: str) -> tuple[Path | str, str | None]:
        """Where the weights that a step starts from are; a stage's files are verified first."""
        if not step.parent:
            model = self.plan.models[weights]
            return model.location, model.revision
        stage = self.bench.store.open(step.parent)
        paths = [stage.path(name) for name in stage.record["files"]]
        return paths[0].parent, None

    def _finish(
        self, step: Step, folder: Path, result: Any, started: float, evictable: tuple[str, ...] = ()
    ) -> None:
        record = {
            "kind": step.kind,
            "inputs": dict(step.inputs),
            "provenance": provenance(self.desk) | {"seconds": time.monotonic() - started},
            "result": result,
            "evictable": list(evictable),
        }
        self.bench.store.finish(step.id, folder, record)


def provenance(desk: Desk) -> dict[str, Any]:
    """Where and with what a step was run: it never enters an identity."""
    libraries = ("torch", "transformers", "tokenizers", "numpy")
    cuda = desk.device.startswith("cuda")
    return {
        "xstilts": __version__,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
        "engine": LocalEngine.name,
        "device": torch.cuda.get_device_name(desk.device) if cuda else "cpu",
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "token_budget": desk.token_budget,
        "datasets": dict(desk.sources.commits),
    }


def _evict(plan: Plan, store: Store) -> None:
    """Free weights that nothing still needs, as the study's ``keep`` allows."""
    if plan.keep == "all":
        return
    needed = {step.id for step in remaining(plan, store)}
    for step in plan.steps.values():
        if step.kind != "train" or not is_there(step, store):
            continue
        if any(child.id in needed for child in plan.children(step.id)):
            continue
        if plan.keep == "none" or not is_intermediate(plan, step):
            store.evict_weights(step.id)

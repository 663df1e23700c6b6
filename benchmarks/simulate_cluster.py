"""A study of 10,000 steps on 64 workers that take no time of their own: what scheduling costs.

    python benchmarks/simulate_cluster.py [STEPS] [WORKERS]

The plan is a real one over generated rows. The scheduling is the Ray engine's, with a stand-in for
Ray whose workers have a clock of their own: a stage takes 600 s of it, a group of predictions
60, of scores 1. Steps are finished in a real store, with one small file each, and without being
forced to the disk, which is a property of the disk. Printed are planning time, what the scheduler
takes a step beside finishing it, how well the workers are kept busy, and how long the store takes
to be listed; in seconds of the processor, which other work on the machine does not change, and for
the whole in seconds of the clock too. The last line is one JSON document.
"""

from __future__ import annotations

import heapq
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from xstilts import models, recipes
from xstilts import plan as planning
from xstilts.disk import files
from xstilts.engines import Bench, Report
from xstilts.engines.demand import demand
from xstilts.engines.drive import drive
from xstilts.engines.groups import remaining
from xstilts.engines.ray import _Pass
from xstilts.sources import Sources
from xstilts.store import Store, plans
from xstilts.study import Study
from xstilts.tasks import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.engines import Job
    from xstilts.engines.drive import Course

SECONDS = {"train": 600.0, "predict": 60.0, "score": 1.0}
PATHS = ("xnli", "taxinli > xnli", "csqa > xnli", "taxinli > udpos", "csqa > udpos", "udpos")


class Workers:
    """Stands in for Ray: so many workers, each busy until a moment of its own clock."""

    class exceptions:  # noqa: N801
        """As Ray's: none is ever raised."""

        RayTaskError = RayError = KeyboardInterrupt

    def __init__(self, plan: planning.Plan, store: Store, count: int) -> None:
        self.plan, self.store = plan, store
        self.free = [0.0] * count  # when each worker is
        self.now, self.busy, self.finishing = 0.0, 0.0, 0.0
        self.ends: list[tuple[float, int, object]] = []

    def remote(self, **_options: object) -> object:
        """As Ray's decorator: what jobs are sent with."""
        return lambda _function: Task(self)

    class Ref:
        """Of a job that was sent."""

        def __init__(self, job: Job) -> None:
            self.job = job

    def send(self, job: Job) -> Ref:
        """Give a job to the worker that is free first."""
        kind = self.plan.steps[job.ids[0]].kind
        began = max(heapq.heappop(self.free), self.now)
        heapq.heappush(self.free, began + SECONDS[kind])
        self.busy += SECONDS[kind]
        ref = self.Ref(job)
        heapq.heappush(self.ends, (began + SECONDS[kind], job.number, ref))
        return ref

    def wait(self, _refs: object, num_returns: int) -> tuple[list[Ref], list[Ref]]:
        """The job that ends next; the clock goes on to its end."""
        assert num_returns == 1
        self.now, _, ref = heapq.heappop(self.ends)
        return [ref], []

    def get(self, ref: Ref) -> Report:
        """Finish a job's steps."""
        started = time.process_time()
        for one in ref.job.ids:
            step = self.plan.steps[one]
            with self.store.writing(one) as folder:
                (folder / "result.json").write_text("{}")
                self.store.finish(
                    one,
                    folder,
                    {
                        "kind": step.kind,
                        "inputs": dict(step.inputs),
                        "provenance": {"seconds": 0.0},
                        "result": {},
                        "evictable": [],
                    },
                )
        self.finishing += time.process_time() - started
        return Report(ref.job.number, worked=True, ended=True, done=ref.job.ids)


class Task:
    """What `_Pass` sends jobs with."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    def options(self, **_options: object) -> Task:
        """As Ray's."""
        return self

    def remote(self, _errand: object, job: Job) -> Workers.Ref:
        """As Ray's."""
        return self.workers.send(job)


class Nobody:
    """Watches nothing."""

    def begin(self, label: str, number: int, total: int) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


def main(steps: int, workers: int) -> None:
    """Plan, schedule, list."""
    files.os.fsync = lambda _descriptor: None  # type: ignore[attr-defined]
    catalogue, sources = Catalogue(), Sources()
    mini = models.find("mini")

    def plan(seeds: int) -> planning.Plan:
        declared = Study(
            name="s", paths=PATHS, source="microworld", seeds=tuple(range(seeds)), models=("mini",)
        )
        return planning.build(declared, recipes.get("mini"), [mini], catalogue, sources)

    began = time.monotonic()
    seeds = -(-steps // len(plan(1).steps))
    started = time.process_time()
    found = plan(seeds)
    planning_s = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        bench = Bench(store, catalogue, sources)
        machines = Workers(found, store, workers)
        started = time.process_time()
        plans.save(found, store)
        saving_s = time.process_time() - started

        def work(jobs: Sequence[Job], course: Course) -> Iterator[Report]:
            asks = {job.number: demand(found, bench, job) for job in jobs}
            for _, report in _Pass(machines, None, asks).run(jobs, course):
                yield report

        started = time.process_time()
        outcome = drive(found, store, Nobody(), work)
        whole_s = time.process_time() - started
        assert len(outcome.done) == len(found.steps)
        started = time.process_time()
        asked = remaining(found, store)
        again_s = time.process_time() - started
        assert not asked
        started = time.process_time()
        listed = len(list(store.ls()))
        listing_s = time.process_time() - started
    count = len(found.steps)
    overhead_ms = 1e3 * (whole_s - machines.finishing) / count
    result = {
        "steps": count,
        "workers": workers,
        "cores": os.cpu_count(),
        "planning_s": round(planning_s, 2),
        "saving_plan_s": round(saving_s, 2),
        "scheduler_ms_per_step": round(overhead_ms, 3),
        "finishing_ms_per_step": round(1e3 * machines.finishing / count, 3),
        "workers_busy": round(machines.busy / (workers * max(machines.free)), 3),
        "what_remains_s": round(again_s, 2),
        "listing_s": round(listing_s, 2),
        "listed": listed,
        "all_by_the_clock_s": round(time.monotonic() - began, 1),
    }
    for name, value in result.items():
        print(f"{name:24} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:3], *("10000", "64")[len(sys.argv) - 1 :]]))

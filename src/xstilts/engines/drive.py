"""The course of a run, the same in every engine: passes over what remains, until nothing does.

A pass hands the engine the jobs of all that remains, parents first, and takes their reports. Then
what remains is asked anew; so a run sees what other processes finished, evicted or found damaged.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from xstilts.engines import Outcome
from xstilts.engines.groups import evict, is_there, jobs, remaining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from xstilts.engines import Job, Report, Watcher
    from xstilts.plan import Plan, Step
    from xstilts.store import Store
    from xstilts.store.records import Corrupt

POLL_S = 1.0


def drive(
    plan: Plan,
    store: Store,
    watcher: Watcher,
    work: Callable[[Sequence[Job], Course], Iterator[Report]],
    poll_s: float = POLL_S,
) -> Outcome:
    """Run what is not finished of a plan.

    Args:
        plan: all steps.
        store: where they go.
        watcher: told what is not run, and what is waited for.
        work: does the jobs of a pass somewhere, each after those that it needs, and yields every
            report as it comes. Before it begins a job it asks ``Course.viable`` for its steps.
        poll_s: the pause after a pass in which nothing could be done.
    """
    course = Course(plan, store, watcher)
    while todo := course.todo():
        for report in work(todo, course):
            course.take(report)
        if not course.moved:
            course.wait(todo, poll_s)
    return course.close()


class Course:
    """How far a run is.

    Attributes:
        outcome: what was done, kept, failed and skipped so far.
        moved: whether anything came of the pass under way.
    """

    def __init__(self, plan: Plan, store: Store, watcher: Watcher) -> None:
        self._plan, self._store, self._watcher = plan, store, watcher
        self.outcome = Outcome()
        self.moved = False
        self._left = {step.id for step in remaining(plan, store)}
        self._ours = frozenset(self._left)
        self.outcome.kept = [step_id for step_id in plan.steps if step_id not in self._ours]
        self._redone: dict[str, int] = {}  # step -> the pass in which it was found damaged
        self._evicted: set[str] = set()
        self._pass = 0
        self._jobs: dict[int, Job] = {}
        self._number, self._awaited = 0, ""

    def todo(self) -> list[Job]:
        """The jobs of the next pass; empty when the run is over."""
        if self.moved:
            self._number += len(self._jobs)
        if self._jobs:
            self._left = {step.id for step in remaining(self._plan, self._store)}
        self._evict(self._plan.steps.values())  # also what a run that died had no time for
        todo = self._left - self._bad()
        steps = [step for one, step in self._plan.steps.items() if one in todo]
        found = jobs(self._plan, steps, self._number + 1)
        self._pass += 1
        self._jobs, self.moved = {job.number: job for job in found}, False
        return found

    def viable(self, job: Job) -> list[Step]:
        """The steps of a job that can be done: not those below what failed.

        Where none is left, the watcher is told.
        """
        steps, bad = [self._plan.steps[one] for one in job.ids], self._bad()
        lost = [step.id for step in steps if bad.intersection(step.needs)]
        self.outcome.skipped += lost
        if len(lost) == len(steps):
            self.moved = True
            self._watcher.begin(job.label, job.number, job.total)
            self._watcher.note("not run, as it needs what failed")
        return [step for step in steps if step.id not in lost]

    def take(self, report: Report) -> None:
        """Enter a report."""
        self.moved |= report.worked
        self.outcome.done += report.done
        self.outcome.failures |= report.failures
        self._left -= {*report.done}
        self._evicted -= {*report.done}
        if report.corrupt:
            self._damaged(report, report.corrupt)
        read = dict.fromkeys(n for one in report.done for n in self._plan.steps[one].needs)
        self._evict(self._plan.steps[one] for one in read)

    def _bad(self) -> set[str]:
        return {*self.outcome.failures, *self.outcome.skipped}

    def _damaged(self, report: Report, fault: Corrupt) -> None:
        """What was found damaged is redone, once."""
        if self._redone.setdefault(fault.step_id, self._pass) == self._pass:
            if self._store.discard_damaged(fault.step_id):
                self._watcher.note(f"{fault.problem}: the step is redone")
            return
        for one in self._jobs[report.job].ids:
            step = self._plan.steps[one]
            if one not in self._bad() and not is_there(step, self._store):
                self.outcome.failures[one] = str(fault)
                self._watcher.failed(step, str(fault))

    def _evict(self, steps: Iterable[Step]) -> None:
        """Each once: who else makes a stage's weights again needs them."""
        fresh = [step for step in steps if step.id not in self._evicted]
        self._evicted |= evict(self._plan, self._store, fresh, self._left)

    def wait(self, todo: Sequence[Job], seconds: float) -> None:
        """All that could be done now is under way elsewhere: wait a moment, and say for what."""
        for job in todo:
            step = self._plan.steps[job.ids[0]]
            if holder := self._store.holder(step.id):
                place = f"process {holder.pid} on {holder.host}"
                label = f"waiting for {step.label}, under way in {place}"
                if label != self._awaited:
                    self._awaited = label
                    self._watcher.begin(label, job.number, job.total)
                break
        time.sleep(seconds)

    def close(self) -> Outcome:
        """The outcome; what others finished meanwhile counts as kept."""
        found = self.outcome
        settled = {*found.done, *found.failures, *found.skipped}
        rest = self._ours - settled
        found.kept += [one for one in self._plan.steps if one in rest]
        return found

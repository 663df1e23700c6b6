"""The default engine: one warm process, job after job, alone or beside others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xstilts.engines.drive import drive
from xstilts.engines.reported import reported
from xstilts.engines.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.engines import Bench, Job, Outcome, Report, Watcher
    from xstilts.engines.drive import Course
    from xstilts.plan import Plan


class LocalEngine:
    """Runs a plan in this process; other processes may run the same one on the same store.

    What another process holds is left to it, and everything else done meanwhile.
    """

    name = "local"

    def run(self, plan: Plan, bench: Bench, watcher: Watcher) -> Outcome:
        """Run what is not finished, parents first; a failed step stops only its descendants."""
        with reported(watcher, bench.store.root) as told:
            worker = Worker(plan, bench, told, self.name)

            def work(jobs: Sequence[Job], course: Course) -> Iterator[Report]:
                for job in jobs:
                    if steps := course.viable(job):
                        yield worker.do(job, steps)

            return drive(plan, bench.store, told, work)

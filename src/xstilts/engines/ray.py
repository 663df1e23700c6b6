"""Jobs over a Ray cluster: Ray Core schedules them by id, the store holds what they make.

A job is sent when those that it needs are over. Ray sends it again where its worker or machine is
lost; the lease of the lost one ends with it, and what it had finished is in the store.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from xstilts.engines import Report
from xstilts.engines.demand import demand
from xstilts.engines.drive import drive
from xstilts.engines.remote import Errand, check_bench, retell
from xstilts.engines.reported import reported
from xstilts.errors import UserError, first_line
from xstilts.store import plans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xstilts.engines import Bench, Job, Outcome, Watcher
    from xstilts.engines.demand import Demand
    from xstilts.engines.drive import Course
    from xstilts.plan import Plan

MOST_LOSSES = 3  # of workers that one job may have
IN_FLIGHT = 512  # jobs that Ray is given at a time; more would only make it slower
INSTALL = (
    'the engine ray needs the package "ray", which is not installed: pip install "xstilts[ray]"'
)


class RayEngine:
    """Runs a plan on a Ray cluster whose machines see the store under the same path.

    Args:
        address: of the cluster; "": the one that runs on this machine or that ``RAY_ADDRESS``
            names, else one is started here for the time of the run.
    """

    name = "ray"

    def __init__(self, address: str = "") -> None:
        self._address = address

    def run(self, plan: Plan, bench: Bench, watcher: Watcher) -> Outcome:
        """Run what is not finished; a failed step stops only its descendants.

        Raises:
            UserError: if Ray is not installed, the cluster does not answer, or no machine of it
                has what a job asks for.
        """
        check_bench(bench, self.name)
        with _cluster(self._address) as ray, reported(watcher, bench.store.root) as told:
            errand = ray.put(Errand(bench, plans.save(plan, bench.store), self.name))

            def work(jobs: Sequence[Job], course: Course) -> Iterator[Report]:
                needs = {job.number: demand(plan, bench, job) for job in jobs}
                _check_machines(ray, set(needs.values()))
                pass_ = _Pass(ray, errand, needs)
                for job, report in pass_.run(jobs, course):
                    retell(told, plan, job, report)
                    yield report

            return drive(plan, bench.store, told, work)


class _Pass:
    """The jobs of one pass on their way through the cluster."""

    def __init__(self, ray: Any, errand: Any, demands: dict[int, Demand]) -> None:
        self._ray, self._errand, self._demands = ray, errand, demands
        again: dict[str, Any] = {"max_retries": MOST_LOSSES, "retry_exceptions": False}
        self._task = ray.remote(**again)(_do)
        # A process that has used a device holds memory of it, and sees that one for ever.
        self._on_device = ray.remote(max_calls=1, **again)(_do)
        self._sent: dict[Any, Job] = {}

    def run(self, jobs: Sequence[Job], course: Course) -> Iterator[tuple[Job, Report]]:
        order = TopologicalSorter({job.number: job.needs for job in jobs})
        order.prepare()
        by_number = {job.number: job for job in jobs}
        ready: deque[Job] = deque()
        while order.is_active():
            ready.extend(by_number[number] for number in order.get_ready())
            while ready and len(self._sent) < IN_FLIGHT:
                job = ready.popleft()
                if steps := course.viable(job):
                    self._send(replace(job, ids=tuple(step.id for step in steps)))
                else:
                    order.done(job.number)
            if self._sent:
                for job, report in self._arrived():
                    order.done(job.number)
                    yield job, report

    def _send(self, job: Job) -> None:
        asks = self._demands[job.number]
        task = (self._on_device if asks.gpus else self._task).options(
            name=job.label,
            num_cpus=asks.cpus,
            num_gpus=asks.gpus,
            memory=asks.memory_bytes,
        )
        self._sent[task.remote(self._errand, job)] = job

    def _arrived(self) -> Iterator[tuple[Job, Report]]:
        """Wait for at least one report."""
        refs, _ = self._ray.wait(list(self._sent), num_returns=1)
        for ref in refs:
            job = self._sent.pop(ref)
            try:
                report = self._ray.get(ref)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error  # a mistake in the program
            except self._ray.exceptions.RayError as error:
                line = first_line(error)
                reason = f"its worker was lost {MOST_LOSSES + 1} times, the last time: {line:.200}"
                lost = dict.fromkeys(job.ids, reason)
                report = Report(job.number, worked=True, failures=lost)
            yield job, report


def _do(errand: Errand, job: Job) -> Report:
    """The task that Ray runs."""
    return errand.do(job)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Be a client of the cluster for the time of the run.

    Raises:
        UserError: if it cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise UserError(INSTALL) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(
                address=address or None,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (ConnectionError, OSError, ValueError, RuntimeError) as error:
            line = first_line(error)
            where = f'the Ray cluster at "{address}"' if address else "Ray"
            raise UserError(
                f"{where} does not answer ({line:.150}): start it with `ray start --head`, or "
                "leave --address out to run on this machine"
            ) from None
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def _check_machines(ray: Any, demands: set[Demand]) -> None:
    """Refuse a demand that no machine could ever meet: Ray would wait for one for ever.

    Raises:
        UserError: saying what is asked for and what there is.
    """
    machines = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    for asks in demands:
        if not any(_meets(machine, asks) for machine in machines):
            has = "; ".join(
                f"{machine.get('CPU', 0):g} CPUs, {machine.get('GPU', 0):g} GPUs, "
                f"{machine.get('memory', 0) / 2**30:.1f} GiB"
                for machine in machines
            )
            raise UserError(
                f"no machine of the Ray cluster has {asks.cpus} CPUs, {asks.gpus} GPUs and "
                f"{asks.memory_bytes / 2**30:.1f} GiB, which a step asks for; there are: {has}"
            )


def _meets(machine: dict[str, float], asks: Demand) -> bool:
    return (
        machine.get("CPU", 0) >= asks.cpus
        and machine.get("GPU", 0) >= asks.gpus
        and machine.get("memory", 0) >= asks.memory_bytes
    )

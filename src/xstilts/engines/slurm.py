"""Jobs over a Slurm cluster, sent with submitit: arrays whose dependencies are the plan's.

A Slurm job is a stage with all that is evaluated on it, so that a model is loaded where it was
made and nothing waits in the queue for seconds of work. Stages that wait for the same one are an
array. Everything is sent at once: whoever sent it may go away, and the cluster goes on. A job that
is preempted, or out of time, keeps a resume point, queues again and goes on from there.
"""

from __future__ import annotations

import getpass
import math
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xstilts.disk.files import ask_anew
from xstilts.engines import Report
from xstilts.engines.demand import Demand, demand
from xstilts.engines.drive import drive
from xstilts.engines.remote import Errand, check_bench, retell
from xstilts.engines.reported import reported
from xstilts.errors import UserError
from xstilts.store import plans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from xstilts.engines import Bench, Job, Outcome, Watcher
    from xstilts.engines.drive import Course
    from xstilts.plan import Plan

FOLDER = "slurm"  # of the store: what submitit writes, with the output of every job
POLL_S = 2.0  # between looks at what has ended
RETRY_S = 30.0  # after a pass in which nothing could be done
LARGEST_ARRAY = 1000  # MaxArraySize of a Slurm that nobody has configured
MOST_TIMEOUTS = 100  # times that a job may queue again because it is out of time
DAY_MIN = 24 * 60
GRACE_S = 30  # to come to the end of an optimiser step, of the 90 that sbatch is asked for
INSTALL = 'the engine slurm needs a package that is not installed: pip install "xstilts[slurm]"'


class SlurmEngine:
    """Runs a plan on a Slurm cluster whose machines see the store under the same path.

    Args:
        settings: of sbatch, as in ``{"partition": "gpu", "time": "720"}`` (minutes).
        cluster: ``slurm``; or ``local``, submitit's own on this machine, to try things.
    """

    name = "slurm"

    def __init__(self, settings: Mapping[str, str] | None = None, cluster: str = "slurm") -> None:
        self._settings, self._cluster = dict(settings or {}), cluster

    def run(self, plan: Plan, bench: Bench, watcher: Watcher) -> Outcome:
        """Run what is not finished; a failed step stops only its descendants.

        Raises:
            UserError: if submitit is not installed, there is no Slurm, or it refuses a job.
        """
        check_bench(bench, self.name)
        queue = _Queue(bench, self._settings, self._cluster)
        with reported(watcher, bench.store.root) as told:
            errand = Errand(bench, plans.save(plan, bench.store), self.name)

            def work(jobs: Sequence[Job], course: Course) -> Iterator[Report]:
                viable = {job.number: course.viable(job) for job in jobs}
                there = {number for number, steps in viable.items() if steps}
                left = [
                    replace(
                        job,
                        ids=tuple(step.id for step in viable[job.number]),
                        needs=job.needs & there,
                    )
                    for job in jobs
                    if job.number in there
                ]
                by_number = {job.number: job for job in left}
                for report in queue.work(errand, plan, left):
                    retell(told, plan, by_number[report.job], report)
                    yield report

            return drive(plan, bench.store, told, work, RETRY_S)


def bundles(jobs: Sequence[Job], plan: Plan) -> list[list[Job]]:
    """Jobs that go to one machine together: a stage, its predictions, and their scores."""
    found: list[list[Job]] = []
    place: dict[int, int] = {}
    for job in jobs:
        above = {place[need] for need in job.needs}
        if plan.steps[job.ids[0]].kind != "train" and len(above) == 1:
            place[job.number] = above.pop()
            found[place[job.number]].append(job)
        else:
            place[job.number] = len(found)
            found.append([job])
    return found


class _Queue:
    """Slurm's, by way of submitit."""

    def __init__(self, bench: Bench, settings: Mapping[str, str], cluster: str) -> None:
        try:
            import submitit
        except ImportError:
            raise UserError(INSTALL) from None
        self._bench, self._settings, self._cluster = bench, settings, cluster
        self._submitit: Any = submitit
        self._folder = bench.store.root / FOLDER
        try:
            self._executor = submitit.AutoExecutor(
                folder=self._folder,
                cluster=cluster,
                **{f"{cluster}_max_num_timeout": MOST_TIMEOUTS},
            )
        except RuntimeError as error:
            raise UserError(
                f"there is no Slurm here ({error}): log in where sbatch and srun are, or use "
                "--engine local or ray"
            ) from None

    def work(self, errand: Errand, plan: Plan, jobs: Sequence[Job]) -> Iterator[Report]:
        """Send all jobs, and yield what becomes of them."""
        sent: dict[Any, list[Job]] = {}
        number_of = {
            job.number: place for place, bundle in enumerate(bundles(jobs, plan)) for job in bundle
        }
        slurm_id: dict[int, str] = {}
        try:
            for array in self._arrays(jobs, plan):
                places = [number_of[bundle[0].number] for bundle in array]
                needs = {number_of[need] for need in array[0][0].needs}
                after = [slurm_id[place] for place in sorted(needs)]
                asks = self._asks(array[0], plan)
                for place, bundle, job in zip(
                    places, array, self._send(errand, array, asks, after), strict=True
                ):
                    slurm_id[place] = job.job_id
                    sent[job] = bundle
            yield from self._reports(sent)
        except KeyboardInterrupt:
            for job in sent:
                job.cancel(check=False)
            raise

    def _arrays(self, jobs: Sequence[Job], plan: Plan) -> Iterator[list[list[Job]]]:
        """Bundles that wait for the same ones and ask for the same, after those they wait for."""
        alike: dict[Any, list[list[Job]]] = {}
        for bundle in bundles(jobs, plan):
            kind = plan.steps[bundle[0].ids[0]].kind
            same = bundle[0].needs, kind, self._asks(bundle, plan)
            alike.setdefault(same, []).append(bundle)
        for array in alike.values():
            for start in range(0, len(array), LARGEST_ARRAY):
                yield array[start : start + LARGEST_ARRAY]

    def _asks(self, bundle: Sequence[Job], plan: Plan) -> Demand:
        return _largest([demand(plan, self._bench, job) for job in bundle])

    def _send(
        self, errand: Errand, array: list[list[Job]], asks: Demand, after: list[str]
    ) -> list[Any]:
        extra = {name: value for name, value in self._settings.items() if name != "time"}
        if after:
            extra["dependency"] = "afterany:" + ":".join(after)
        settings: dict[str, Any] = {
            "name": "xstilts",
            "timeout_min": int(self._settings.get("time", DAY_MIN)),
            "cpus_per_task": asks.cpus,
            "mem_gb": math.ceil(asks.memory_bytes / 2**30),
            "slurm_additional_parameters": extra,
            "slurm_array_parallelism": len(array),
            # Since 22.05 srun does not take it from sbatch, and binds to one core.
            "slurm_srun_args": [f"--cpus-per-task={asks.cpus}"],
        }
        if asks.gpus:
            settings["gpus_per_node"] = asks.gpus
        self._executor.update_parameters(**settings)
        try:
            sent: list[Any] = self._executor.map_array(Bundle(errand), array)
        except self._submitit.core.utils.FailedJobError as error:
            line = str(error).strip().splitlines()[-1]
            raise UserError(f"Slurm refuses a job ({line:.200}): see --slurm KEY=VALUE") from None
        global _seen  # noqa: PLW0603 (one queue a process)
        _seen = _NEVER  # what was seen of the queue is older than these jobs
        return sent

    def _reports(self, sent: dict[Any, list[Job]]) -> Iterator[Report]:
        missing: set[Any] = set()  # in the queue no more, and no result was seen yet
        while sent:
            ended = [job for job in sent if job.paths.result_pickle.exists() or job in missing]
            for job in ended:
                yield from self._results(job, sent.pop(job))
            missing = {job for job in sent if self._gone(job)} if sent else set()
            if not ended and sent:
                time.sleep(POLL_S)
            if not ended and missing:  # network file systems show results later
                time.sleep(POLL_S)
                for folder in {job.paths.folder for job in missing}:
                    ask_anew(folder)

    def _gone(self, job: Any) -> bool:
        if self._cluster != "slurm":
            return job.done()
        queued = _queued()
        return queued is not None and job.job_id not in queued

    def _results(self, job: Any, bundle: list[Job]) -> Iterator[Report]:
        if job.paths.result_pickle.exists():  # else submitit would wait for it, maybe for ever
            yield from job.result()  # which raises a mistake in the program
            return
        store = self._bench.store
        for one in bundle:
            if lost := [step for step in one.ids if not store.sound(step)]:
                log = job.paths.stderr
                reason = f"Slurm job {job.job_id} ended without a result: {log} may say why"
                yield Report(one.number, worked=True, failures=dict.fromkeys(lost, reason))
                return


def _largest(asks: list[Demand]) -> Demand:
    return Demand(*(max(values) for values in zip(*asks, strict=True)))


_NEVER: tuple[float, frozenset[str] | None] = (float("-inf"), None)
_seen = _NEVER


def _queued() -> frozenset[str] | None:
    """The ids of this person's jobs that Slurm has not done with; asked anew now and then.

    None as long as it has not answered.
    """
    global _seen  # noqa: PLW0603 (one queue a process)
    when, ids = _seen
    if time.monotonic() - when > POLL_S:
        options = ("--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}")
        done = subprocess.run(  # noqa: S603
            ["squeue", *options],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:  # else the controller is away for a moment
            ids = frozenset(done.stdout.split())
        _seen = time.monotonic(), ids
    return ids


class Bundle:
    """What a Slurm job runs; submitit calls ``checkpoint`` when it has to leave its machine."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand

    def __call__(self, bundle: list[Job]) -> list[Report]:
        """Do jobs, one after the other."""
        with _leaving() as leave:
            return [self._errand.do(job, leave.check) for job in bundle]

    def checkpoint(self, bundle: list[Job]) -> Any:
        """What to run when the job comes back: the same, as the store knows how far it was."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, bundle)


class _Leave(KeyboardInterrupt):
    """Slurm wants the machine back."""


class _Leaving:
    """Waits for the end of the optimiser step under way, when Slurm wants the machine back."""

    def __init__(self, submitits: Any) -> None:
        self.asked = self.cancelled = False
        self._submitits = submitits

    def ask(self, number: int, _frame: object) -> None:
        if number == signal.SIGALRM:  # no step came to its end: go as it is
            if self.cancelled:
                raise _Leave
            self.go()
        # Slurm terminates what somebody cancelled: that is not to come back.
        self.cancelled = self.cancelled or (number == signal.SIGTERM != _signal())
        self.asked = True
        signal.alarm(GRACE_S)

    def check(self) -> None:
        if self.asked:
            raise _Leave

    def go(self) -> None:
        """Have submitit queue the job again; the process ends here."""
        signal.alarm(0)
        self._submitits(_signal(), None)


def _signal() -> signal.Signals:
    """What Slurm is asked to send, as submitit has it."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


@contextmanager
def _leaving() -> Iterator[_Leaving]:
    """Take submitit's place at its signal, and give way to it when there is a resume point."""
    leaving = _Leaving(signal.getsignal(_signal()))
    before = {
        one: signal.signal(one, leaving.ask) for one in (_signal(), signal.SIGTERM, signal.SIGALRM)
    }
    try:
        yield leaving
    except _Leave:
        if not leaving.cancelled:
            leaving.go()
        raise
    finally:
        signal.alarm(0)
        for one, handler in before.items():
            signal.signal(one, handler)

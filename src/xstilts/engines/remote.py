"""A job in a process of its own, on any machine that sees the store, and its report at home."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from xstilts.disk.files import make_folder
from xstilts.engines import Report
from xstilts.engines.reported import reported
from xstilts.errors import UserError
from xstilts.plain import plain
from xstilts.store import plans

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from xstilts.engines import Bench, Job, Watcher
    from xstilts.plan import Plan, Step

LOGS = "logs"
POLL_S = 1.0


@dataclass(frozen=True)
class Errand:
    """What a worker elsewhere is sent with: settings and the name of a plan, no rows, no weights.

    Attributes:
        bench: where work is done.
        plan: its id in the store (`store.plans`).
        engine: by whom it is sent.
    """

    bench: Bench
    plan: str
    engine: str

    def do(self, job: Job, check: Callable[[], object] = lambda: None) -> Report:
        """Do a job in this process, tell its log and the store's status how far it is.

        Args:
            job: of the plan.
            check: called as the work progresses; what it raises stops the work.
        """
        from xstilts.engines.worker import Worker

        plan = plans.load(self.bench.store.root, self.plan)
        steps = [plan.steps[one] for one in job.ids]
        heard = Heard(self.bench.store.root / LOGS / f"{job.ids[0]}.log", check)
        store = self.bench.store

        def pause() -> None:
            check()
            time.sleep(POLL_S)

        with reported(heard, store.root) as told:
            worker = Worker(plan, self.bench, told, self.engine)
            while True:
                try:
                    report = worker.do(job, steps)
                except UserError as error:  # a full disk, before a step was begun
                    failures = dict.fromkeys(job.ids, str(error))
                    report = Report(job.number, worked=True, failures=failures)
                # Sent again, as its machine was lost: the lost one's lease may still stand.
                awaited = [] if report.worked else [one for one in job.ids if store.holder(one)]
                if not awaited or not all(store.outlived(one, pause) for one in awaited):
                    return replace(report, notes=tuple(heard.notes))


class Heard:
    """A watcher that keeps a log of a step, and the notes for whoever sent the worker.

    Attributes:
        notes: what there was to know.
    """

    def __init__(self, log: Path, check: Callable[[], object]) -> None:
        self.notes: list[str] = []
        self._log, self._check = log, check

    def _say(self, text: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with suppress(OSError):  # a full disk fails the step that needs it, and not the whole run
            make_folder(self._log.parent)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{now} {os.uname().nodename} {os.getpid()} {plain(text)}\n")

    def begin(self, label: str, number: int, total: int) -> None:
        """A job begins."""
        self._say(f"[{number}/{total}] {label}")

    def progress(self, done: int, total: int, tokens: int) -> None:
        """How far it is: the store's status says so, not the log."""
        del done, total, tokens
        self._check()

    def note(self, text: str) -> None:
        """Something to know."""
        self.notes.append(text)
        self._say(text)

    def end(self, label: str, seconds: float) -> None:
        """It is finished."""
        self._say(f"{label}: done in {seconds:.1f} s")

    def failed(self, step: Step, reason: str) -> None:
        """A step failed."""
        self._say(f"failed: {step.label} ({step.id}): {' '.join(reason.split())}")


def retell(watcher: Watcher, plan: Plan, job: Job, report: Report) -> None:
    """Tell the watcher at home what a worker elsewhere did."""
    if not report.worked:
        return
    watcher.begin(job.label, job.number, job.total)
    for note in report.notes:
        watcher.note(note)
    for one, reason in report.failures.items():
        watcher.failed(plan.steps[one], reason)
    if report.ended:
        watcher.end(job.label, report.seconds)


def check_bench(bench: Bench, engine: str) -> None:
    """Refuse what only this process could do.

    Raises:
        UserError: if a device is named by its number.
    """
    if ":" in bench.device:
        raise UserError(
            f"--device {bench.device}: with --engine {engine} the cluster gives out devices: "
            "use --device cuda"
        )

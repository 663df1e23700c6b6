"""What is sent elsewhere: a job that is sent again, and a disk that is full there."""

from __future__ import annotations

import os

import small_tasks
from engines.test_local import plan_of
from xstilts.disk import owners
from xstilts.engines import remote
from xstilts.engines.groups import jobs
from xstilts.engines.remote import Errand
from xstilts.errors import UserError
from xstilts.store import Store, plans

ELSEWHERE = "0123456789ab-77-5"  # the mark of a process on another machine


def errand(small, plan, folder):
    bench = small_tasks.bench(small, folder)
    return Errand(bench, plans.save(plan, bench.store), "ray"), jobs(plan, [*plan.steps.values()])


def test_a_job_that_is_sent_again_outlives_the_lease_of_its_lost_machine(
    small, tiny, tmp_path, monkeypatch
):
    plan = plan_of(small, tiny, "s_xnli")
    sent, (first, *_) = errand(small, plan, tmp_path)
    lost = tmp_path / "leases" / f"{first.ids[0]}.{ELSEWHERE}.0"
    lost.parent.mkdir(exist_ok=True)
    lost.write_text("far")

    def later(_seconds):
        os.utime(lost, (0, 0))  # silent for longer than anyone alive
        monkeypatch.setattr(owners, "LIMIT_SECONDS", 1.0)

    monkeypatch.setattr(owners, "silent_seconds", lambda _file: float(lost.stat().st_mtime == 0))
    monkeypatch.setattr(remote.time, "sleep", later)
    assert sent.do(first).done == first.ids


def test_what_a_living_machine_does_is_left_to_it(small, tiny, tmp_path, monkeypatch):
    plan = plan_of(small, tiny, "s_xnli")
    sent, (first, *_) = errand(small, plan, tmp_path)
    held = tmp_path / "leases" / f"{first.ids[0]}.{ELSEWHERE}.0"
    held.parent.mkdir(exist_ok=True)
    held.write_text("far")
    monkeypatch.setattr(
        remote.time, "sleep", lambda _s: os.utime(held, (1, held.stat().st_mtime - 9))
    )
    assert not sent.do(first).worked


def test_a_disk_that_is_full_before_a_step_begins_is_a_failure_of_the_job(
    small, tiny, tmp_path, monkeypatch
):
    plan = plan_of(small, tiny, "s_xnli")
    sent, (first, *_) = errand(small, plan, tmp_path)

    def full(_self, _step):
        raise UserError("store: No space left on device")

    monkeypatch.setattr(Store, "lease", full)
    assert sent.do(first).failures == {first.ids[0]: "store: No space left on device"}

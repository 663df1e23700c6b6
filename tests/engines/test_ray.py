"""The Ray engine: on a cluster of three raylets, one of which is killed; and what it refuses."""

from __future__ import annotations

import builtins
import dataclasses
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

import small_tasks
from engines.test_local import Watch
from xstilts.engines import Job, ray
from xstilts.engines.demand import LIBRARIES_BYTES, Demand, demand
from xstilts.engines.groups import jobs
from xstilts.engines.ray import RayEngine
from xstilts.errors import UserError
from xstilts.footprint import STATE_BYTES

HARNESS = Path(__file__).parent.parent / "ray_harness.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_survives_the_death_of_a_machine(small, tiny, tmp_path, record_property):
    command = [sys.executable, str(HARNESS), str(small), str(tiny), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=-1, stderr=-1, text=True, cwd=tmp_path, start_new_session=True
    ) as harness:
        try:
            out, err = harness.communicate()
        finally:
            with suppress(ProcessLookupError):  # whatever became of it, nothing is left behind
                os.killpg(harness.pid, signal.SIGKILL)
    assert harness.returncode == 0, err
    found = json.loads(out.splitlines()[-1])
    assert found["raylets"] == 3
    assert found["finished_before"] >= 1
    assert found["kept"]  # and not done again
    assert found["done"] == found["steps"]
    assert (found["failures"], found["missing"], found["damage"]) == ({}, [], [])
    assert found["engines"] == ["ray"]
    assert found["same_scores"]
    assert found["flips"][0] == 0
    assert found["flips"][1] > 30
    assert found["leases"] == 0
    assert found["logs"] > 0
    record_property(
        "seen",
        f"Ray: {found['raylets']} raylets, that of {found['killed']['node'][:8]} killed with "
        f"{found['finished_before']} of {found['steps']} steps finished: all done, "
        f"{found['flips'][0]} of {found['flips'][1]} answers differ from the local engine's",
    )


def test_steps_ask_for_what_their_kind_needs(small, tiny, tmp_path):
    plan = small_tasks.plan(small, tiny, "s_xnli")
    train, predict, score = jobs(plan, list(plan.steps.values()))
    bench = small_tasks.bench(small, tmp_path, threads=3, device="cuda", devices=4)
    assert [demand(plan, bench, one)[:2] for one in (train, predict, score)] == [
        (12, 4),
        (3, 1),
        (1, 0),
    ]
    on_cpu = small_tasks.bench(small, tmp_path, threads=3)
    asks = demand(plan, on_cpu, train)
    assert asks[:2] == (3, 0)
    parameters = 250 * 32 + 515 * 32  # and more, in the layers
    several = demand(plan, dataclasses.replace(on_cpu, devices=2), train)
    assert several.memory_bytes == 2 * asks.memory_bytes  # each process has all of it
    assert asks.memory_bytes > demand(plan, on_cpu, predict).memory_bytes + 8 * parameters
    assert STATE_BYTES == 16
    # On a GPU a resume point is put together in the machine's memory: weights and two moments.
    whole = next(iter(plan.models.values())).architecture.encoder_parameters
    one, four = (
        demand(plan, dataclasses.replace(bench, devices=number), train).memory_bytes
        for number in (1, 4)
    )
    assert one > LIBRARIES_BYTES + 16 * whole
    # Of several processes each loads the weights; the first alone keeps, and puts shards together.
    assert four - one == 3 * LIBRARIES_BYTES + (3 + 1) * 4 * whole


class Cluster:
    """Stands in for Ray where only its machines are asked about."""

    def __init__(self, *machines):
        self.machines = machines

    def nodes(self):
        return [{"Alive": True, "Resources": one} for one in self.machines]


def test_a_demand_that_no_machine_meets_is_refused_at_once():
    small_machine = {"CPU": 4.0, "memory": 8 * 2**30}
    with pytest.raises(UserError, match=r"has 8 CPUs, 1 GPUs and 1\.0 GiB.* there are: 4 CPUs"):
        ray._check_machines(Cluster(small_machine), {Demand(8, 1, 2**30)})
    large = {"CPU": 64.0, "GPU": 8.0, "memory": 500 * 2**30}
    ray._check_machines(Cluster(small_machine, large), {Demand(8, 1, 2**30)})


def test_without_the_package_the_line_to_install_it_is_said(small, tiny, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "ray":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    plan = small_tasks.plan(small, tiny, "s_xnli")
    with pytest.raises(UserError, match=r'pip install "xstilts\[ray\]"'):
        RayEngine().run(plan, small_tasks.bench(small, tmp_path), Watch())


def test_a_device_by_number_is_the_clusters_business(small, tiny, tmp_path):
    plan = small_tasks.plan(small, tiny, "s_xnli")
    bench = small_tasks.bench(small, tmp_path, device="cuda:1")
    with pytest.raises(UserError, match=r"--device cuda:1: with --engine ray .* --device cuda$"):
        RayEngine().run(plan, bench, Watch())


class LostError(Exception):
    """What Ray raises where a worker is lost too often."""


class Lossy:
    """Stands in for Ray: every worker is lost."""

    class exceptions:  # noqa: N801
        """As Ray's."""

        class RayTaskError(Exception):
            """A mistake in the program."""

        RayError = LostError

    def __init__(self):
        self.options_seen = []

    def remote(self, **options):
        calls = {"max_calls": options.pop("max_calls")} if "max_calls" in options else {}
        assert options == {"max_retries": 3, "retry_exceptions": False}
        return lambda _function: SimpleNamespace(options=partial(self.options, calls))

    def options(self, calls, **options):
        self.options_seen.append({**options, **calls})
        outer = self

        class Task:
            def remote(self, _errand, job):
                return outer, job.number

        return Task()

    def wait(self, refs, num_returns):
        return refs[:num_returns], refs[num_returns:]

    def get(self, _ref):
        raise LostError("the machine burnt\nand more")


class Everything:
    """A course on which every step is viable."""

    def viable(self, job):
        return [type("S", (), {"id": one}) for one in job.ids]


def test_a_worker_lost_too_often_is_a_failure_of_its_steps():
    lossy = Lossy()
    first, second = Job("a", ("x",), 1, 2), Job("b", ("y", "z"), 2, 2, frozenset({1}))
    asks = {1: Demand(2, 1, 100), 2: Demand(1, 0, 50)}
    reports = [
        report for _, report in ray._Pass(lossy, None, asks).run([first, second], Everything())
    ]
    reason = "its worker was lost 4 times, the last time: the machine burnt"
    assert [one.failures for one in reports] == [{"x": reason}, {"y": reason, "z": reason}]
    # Whose process held a device is used once.
    on_device = {"name": "a", "num_cpus": 2, "num_gpus": 1, "memory": 100, "max_calls": 1}
    on_cpu = {"name": "b", "num_cpus": 1, "num_gpus": 0, "memory": 50}
    assert lossy.options_seen == [on_device, on_cpu]

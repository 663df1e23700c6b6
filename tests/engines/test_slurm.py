"""The Slurm engine: what goes together, a study on submitit's local executor and a real Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import slurm_cluster
import small_tasks
from engines import same
from engines.test_local import Watch
from xstilts.engines import slurm
from xstilts.engines.demand import Demand
from xstilts.engines.groups import jobs
from xstilts.engines.local import LocalEngine
from xstilts.engines.slurm import SlurmEngine, bundles
from xstilts.errors import UserError
from xstilts.study import Options

PATHS = ("s_nli > s_tags", "s_nli > s_xnli")


def plan_of(small, tiny, *paths, epochs=2):
    return small_tasks.plan(
        small,
        tiny,
        *paths,
        recipe=small_tasks.recipe(epochs=epochs),
        options=Options(max_eval_rows=6),
    )


def test_a_stage_goes_with_all_that_is_evaluated_on_it(small, tiny):
    plan = plan_of(small, tiny, *PATHS, "s_nli | s_tatoeba", "s_tatoeba")
    todo = jobs(plan, list(plan.steps.values()))
    found = bundles(todo, plan)
    kinds = [[plan.steps[job.ids[0]].kind for job in bundle] for bundle in found]
    assert kinds == [
        ["train", "predict", "score"],  # s_nli, and Tatoeba with it as it is
        ["train", "predict", "score"],  # > s_tags
        ["train", "predict", "score"],  # > s_nli for s_xnli
        ["predict", "score"],  # Tatoeba without training
    ]
    first = found[0][0].number
    assert [bundle[0].needs for bundle in found] == [set(), {first}, {first}, set()]
    assert sorted(job.number for bundle in found for job in bundle) == [job.number for job in todo]


def test_without_slurm_the_way_out_is_said(small, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    bench = small_tasks.bench(small, tmp_path / "store")
    with pytest.raises(UserError, match=r"there is no Slurm here .*--engine local or ray"):
        SlurmEngine().run(plan_of(small, tiny, "s_xnli"), bench, Watch())


class Queued:
    """A Slurm job that ends without a result: out of memory, or its machine burnt."""

    job_id = "7_3"

    def __init__(self, folder):
        files = {"result_pickle": folder / "none", "stderr": folder / "7_3.err"}
        self.paths = type("P", (), files | {"folder": folder})

    def result(self):
        raise AssertionError("submitit would wait for ever")


def test_a_job_without_a_result_is_a_failure_of_what_it_did_not_finish(
    small, tiny, tmp_path, monkeypatch
):
    plan = plan_of(small, tiny, "s_xnli")
    bench = small_tasks.bench(small, tmp_path / "store")
    queue = slurm._Queue(bench, {}, "local")
    monkeypatch.setattr(queue, "_gone", lambda _job: True)
    monkeypatch.setattr(slurm, "POLL_S", 0.0)
    (bundle,) = bundles(jobs(plan, list(plan.steps.values())), plan)
    (report,) = queue._reports({Queued(tmp_path): bundle})
    reason = f"Slurm job 7_3 ended without a result: {tmp_path}/7_3.err may say why"
    assert report.failures == {bundle[0].ids[0]: reason}

    monkeypatch.setattr(bench.store.__class__, "sound", lambda _self, one: one in bundle[0].ids)
    (report,) = queue._reports({Queued(tmp_path): bundle})
    assert report.failures == dict.fromkeys(bundle[1].ids, reason)


def test_what_waits_for_the_same_and_asks_for_the_same_is_an_array(small, tiny, tmp_path):
    plan = plan_of(small, tiny, *PATHS, "s_squad > s_xquad", "s_tatoeba")
    queue = slurm._Queue(small_tasks.bench(small, tmp_path / "store"), {}, "local")
    todo = jobs(plan, list(plan.steps.values()))
    arrays = list(queue._arrays(todo, plan))
    labels = [[bundle[0].label.partition(" (")[0] for bundle in array] for array in arrays]
    assert labels == [
        ["train s_nli", "train s_squad"],
        ["train s_nli > s_tags", "train s_nli > s_nli"],
        ["train s_squad > s_squad"],
        ["predict s_tatoeba in 2 languages"],
    ]


def test_what_asks_for_more_is_an_array_of_its_own(small, tiny, tmp_path, monkeypatch):
    """As the stages of a larger model, which would die of the smaller one's memory."""

    def asks(_plan, _bench, job):
        return Demand(1, 0, 100 if "s_squad" in job.label else 10)

    monkeypatch.setattr(slurm, "demand", asks)
    plan = plan_of(small, tiny, "s_nli > s_tags", "s_squad > s_xquad")
    queue = slurm._Queue(small_tasks.bench(small, tmp_path / "store"), {}, "local")
    arrays = list(queue._arrays(jobs(plan, list(plan.steps.values())), plan))
    asked = [{queue._asks(bundle, plan).memory_bytes for bundle in array} for array in arrays]
    assert sorted(map(sorted, asked)) == [[10], [10], [100], [100]]


def study(small, tiny, folder, engine, leave):
    """Run a study, and have one of its stages leave its machine; what became of it."""
    plan = plan_of(small, tiny, *PATHS, epochs=100)
    quick = {"checkpoint_seconds": 0.5}
    local = small_tasks.bench(small, folder / "local", **quick)
    LocalEngine().run(plan, local, Watch())
    bench = small_tasks.bench(small, folder / "cluster", **quick)
    store, left = bench.store, []
    stage = next(step.id for step in plan.steps.values() if step.kind == "train")

    def watch():
        while not left:
            time.sleep(0.02)
            if (store.root / "work" / stage).exists() and (holder := store.holder(stage)):
                with suppress(ProcessLookupError, FileNotFoundError):  # it has just ended
                    leave(holder.pid)
                    left.append(holder.pid)

    threading.Thread(target=watch, daemon=True).start()
    told = Watch()
    outcome = engine.run(plan, bench, told)
    assert outcome.failures == {}
    assert set(outcome.done) == set(plan.steps)
    assert store.verify() == []
    assert same.flips(plan, store, local.store) == (0, 36)
    assert same.scores(plan, store) == same.scores(plan, local.store)
    assert {store.record(one)["provenance"]["engine"] for one in plan.steps} == {"slurm"}
    log = (store.root / "logs" / f"{stage}.log").read_text()
    assert log.count(f"] {plan.steps[stage].label}") == 2  # it was begun on two machines
    assert "resumed at step" in log
    assert log.rstrip().endswith(" s")
    assert list((store.root / "leases").iterdir()) == []
    return store


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_with_submitits_local_executor(small, tiny, tmp_path):
    study(
        *(small, tiny, tmp_path, SlurmEngine(cluster="local")),
        leave=lambda pid: os.kill(pid, signal.SIGUSR2),
    )


def variables(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    text = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(one.split("=", 1) for one in text.split("\0") if "=" in one)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_study_on_a_real_slurm(small, tiny, tmp_path, record_property):
    """Three slurmd on this machine. `make test-all` installs the packages where it may."""
    if missing := slurm_cluster.missing():
        asked = os.environ.get("XSTILTS_SLURM") == "required"
        (pytest.fail if asked else pytest.skip)(
            f"no {missing[0]}: apt-get install {slurm_cluster.PACKAGES}"
        )
    seen: dict[str, str] = {}

    def leave(pid: int) -> None:
        """As Slurm does where PreemptParameters=send_user_signal: the job's own signal."""
        job = variables(pid)
        seen["left"] = job["SLURMD_NODENAME"]
        number = job.get("SLURM_ARRAY_JOB_ID")
        name = f"{number}_{job['SLURM_ARRAY_TASK_ID']}" if number else job["SLURM_JOB_ID"]
        seen["job"] = name
        subprocess.run(["scancel", name, "--signal", "USR2"], check=True)

    with slurm_cluster.cluster(nodes=3) as nodes:
        store = study(small, tiny, tmp_path, SlurmEngine({"partition": "main"}), leave)
    names = [file.name for file in (store.root / "slurm").glob("*_log.out")]
    ids = sorted({name.removesuffix("_log.out").rpartition("_")[0] for name in names})
    assert len(nodes) == 3
    assert len(ids) == 3
    record_property(
        "seen",
        f"Slurm: {len(nodes)} nodes ({' '.join(nodes)}), jobs {' '.join(ids)}; "
        f"{seen['job']} left {seen['left']} and went on from its resume point",
    )

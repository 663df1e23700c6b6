"""`xstilts status`: what another process is doing, from the file that it keeps."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest

import small_tasks
from xstilts.disk import owners
from xstilts.engines.local import LocalEngine
from xstilts.engines.reported import reported
from xstilts.plan import Step
from xstilts.report.watch import Lines
from xstilts.store import Store, statuses
from xstilts.store.statuses import read
from xstilts.study import Options

STEP = Step("a" * 20, "train", {}, "", "train mnli (seed 1)")


@pytest.fixture
def root(tmp_path):
    return tmp_path


def test_a_run_tells_and_leaves_nothing(cli, small, tiny, root):
    """Looked at from inside, while the second of two training steps is told."""
    plan = small_tasks.plan(small, tiny, "s_xnli", options=Options(max_steps=2))
    seen = []

    class Looks(Lines):
        def progress(self, done, total, tokens):
            if self._label.startswith("[1/3] train") and done == 2:
                seen.append(cli("status", "--store", root).out)

    LocalEngine().run(plan, small_tasks.bench(small, root), Looks())
    first, second = seen[0].splitlines()
    assert first == (
        f"process {os.getpid()} on {os.uname().nodename}: running, "
        "[1/3] train s_nli (seed 1), for s_xnli"
    )
    assert second.startswith("  ")
    assert second.endswith(" s ago")
    assert cli("status", "--store", root).out == "nothing is under way\n"
    assert list((root / "status").iterdir()) == []


def test_pace_and_time_left_count_from_the_first_that_is_told(root, monkeypatch):
    """10 of 100 steps at second 0; 20 and 4,000 more tokens at second 5: 800/s, 40 s left."""
    clock = iter([0.0, 5.0])
    fake = SimpleNamespace(monotonic=lambda: next(clock), time=lambda: 0.0)
    monkeypatch.setattr("xstilts.engines.reported.time", fake)
    with reported(Lines(), root) as told:
        told.begin("train", 1, 1)
        told.progress(10, 100, 1000)
        told.progress(20, 100, 5000)
        about = told.about
        assert (about["done"], about["of"]) == (20, 100)
        assert (about["tokens_per_second"], about["seconds_left"]) == (800.0, 40.0)


def test_failures_stay_until_the_next_run(cli, root):
    with reported(Lines(), root) as told:
        told.begin("train mnli", 1, 2)
        told.failed(STEP, "the loss is \x1b[2J no number")
        assert "running, [1/2] train mnli" in cli("status", "--store", root).out
    out = cli("status", "--store", root).out
    assert ": ended\n" in out
    assert r"failed: train mnli (seed 1): the loss is \x1b[2J no number" in out
    (file,) = (root / "status").iterdir()
    dead = file.with_name(file.name.replace(str(os.getpid()), "4194305"))  # above the most there is
    file.rename(dead)
    assert "failed: train mnli" in cli("status", "--store", root).out
    with reported(Lines(), root):
        assert not dead.exists()


def test_a_process_that_was_killed_is_called_dead(cli, root):
    pid = os.fork()
    if not pid:
        try:
            with reported(Lines(), root) as told:
                told.begin("train mnli", 1, 2)
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)  # and never a second pytest
    os.waitpid(pid, 0)
    out = cli("status", "--store", root).out
    assert f"process {pid} on" in out
    assert "died in train mnli; the same command goes on from there" in out
    Store(root).gc()
    assert cli("status", "--store", root).out == "nothing is under way\n"


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"host": 1}', '{"state": {}, "host": 2}'])
def test_files_that_say_nothing(cli, root, text):
    folder = root / "status"
    folder.mkdir()
    (folder / f"{owners.mark()}.json").write_text(text)
    assert cli("status", "--store", root).code == 0
    (folder / "other.json").write_text(json.dumps({"host": "x", "state": "running"}))
    assert all(one.host != "x" for one in read(root))


def test_the_file_is_written_at_most_once_a_second(root, monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr(statuses, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(statuses, "failpoint", written.append)
    with reported(Lines(), root) as told:
        told.begin("train", 1, 1)
        (file,) = (root / "status").iterdir()
        assert len(written) == 1
        for now[0], total in ((0.5, 1), (0.999, 1), (1.0, 2), (1.5, 2), (2.5, 3)):
            for done in range(1, 10):
                told.progress(done, 1000, done)
            assert len(written) == total
        told.begin("predict", 1, 1)  # what is new is told at once
        assert json.loads(file.read_text())["label"] == "predict"


def test_no_store(cli, tmp_path):
    ran = cli("status", "--store", tmp_path / "none")
    assert (ran.code, ran.err.count("\n")) == (2, 1)

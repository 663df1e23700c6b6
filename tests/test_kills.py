"""A study that is killed again and again ends as if nothing had happened: see ``kill_harness``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("kill_harness.py")


def harness(small, tiny, folder, *options):
    command = [sys.executable, str(HARNESS), str(small), str(tiny), str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def unharmed(found):
    """Every round ended as the run in peace did, and nothing was done twice or left behind."""
    for one in found["rounds"]:
        assert one["unfinished"] == []
        assert one["differences"] == []
        assert one["faults"] == []
        assert one["strays"] == []
        assert one["repeats"] == []
        assert one["steps"] >= one["planned_steps"] > 30


def test_kills_change_nothing_and_a_resume_that_forgets_is_caught(small, tiny, tmp_path):
    # The first four die where we want them to, two while training and two in writes. One test, so
    # that workers in parallel run the harness once.
    ways = ["step:7", "failpoint:work.rename:2", "step:11", "failpoint:finish.renamed:1"]
    options = ("--kills", "12", "--bugs", "--ways", *ways)
    found = harness(small, tiny, tmp_path / "kills", *options)
    unharmed(found)
    assert found["kills"]["training"] >= 2
    assert found["kills"]["write"] >= 2
    assert sum(found["kills"].values()) >= 12
    assert sum(one["resumed"] for one in found["rounds"]) >= 1
    # The comparison that found nothing finds it when resuming forgets the optimiser's moments, or
    # at which step it was.
    assert list(found["bugs"]) == ["moments", "step"]
    for broken in found["bugs"].values():
        assert broken["unfinished"] == []
        assert broken["steps"] > broken["planned_steps"]  # it was killed while training
        assert any("model.safetensors" in name for name in broken["differences"])


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a minute on free cores, ten on busy ones
def test_many_kills_of_forked_and_of_cold_processes(small, tiny, tmp_path):
    found = harness(small, tiny, tmp_path / "kills", "--kills", "40", "--cold", "4", "--seed", "2")
    unharmed(found)
    kills = found["kills"]
    assert kills["cold"] == 4
    assert sum(kills.values()) - kills["cold"] >= 40
    assert kills["training"] >= 5
    assert kills["write"] >= 3
    assert sum(one["resumed"] for one in found["rounds"]) >= 3


@pytest.mark.slow
def test_a_process_that_starts_when_all_is_done_ends_without_a_word(small, tiny, tmp_path):
    # The first child dies when the last of 15 steps is in its place; the cold one has nothing to
    # log, and must not be waited for. It is what a kill at the very end of a child leaves.
    ways = ["failpoint:finish.renamed:15", "cold:60"]
    found = harness(small, tiny, tmp_path / "kills", "--kills", "1", "--ways", *ways)
    unharmed(found)
    assert found["kills"] == {"write": 1}
    assert len(found["rounds"]) == 1

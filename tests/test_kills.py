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
    ways = ["step:7", "failpoint:work.rename:2", "termstep:6", "failpoint:finish.renamed:1:term"]
    options = ("--kills", "12", "--bugs", "--ways", *ways)
    found = harness(small, tiny, tmp_path / "kills", *options)
    unharmed(found)
    assert found["kills"]["training"] >= 2
    assert found["kills"]["write"] >= 2
    assert found["kills"]["term"] >= 2
    assert sum(found["places"].values()) >= 12
    assert sum(one["resumed"] for one in found["rounds"]) >= 1
    # The comparison that found nothing finds it when resuming forgets the optimiser's moments, or
    # at which step it was.
    assert list(found["bugs"]) == ["moments", "step"]
    for broken in found["bugs"].values():
        assert broken["unfinished"] == []
        assert broken["steps"] > broken["planned_steps"]  # it was killed while training
        assert any("model.safetensors" in name for name in broken["differences"])


@pytest.mark.slow
@pytest.mark.timeout(3000)  # for busy machines; what it takes by itself is asserted below
def test_a_hundred_kills_change_nothing(small, tiny, tmp_path):
    """Most of forked children, some of cold ones; SIGKILL and SIGTERM, counted by place."""
    options = ("--kills", "100", "--training", "80", "--writes", "10", "--cold", "4", "--seed", "2")
    found = harness(small, tiny, tmp_path / "kills", *options)
    unharmed(found)
    kills, places = found["kills"], found["places"]
    sys.stderr.write(f"{kills}, {found['cpu_seconds']:.0f} s: {places}\n")
    assert kills["training"] >= 80
    assert kills["write"] >= 10
    assert kills["cold"] == 4
    assert kills["term"] >= 20
    assert kills["training"] + kills["write"] + kills["elsewhere"] == sum(places.values()) >= 104
    assert sum(place.startswith("write: ") for place in places) >= 8  # kinds of write
    assert sum(one["resumed"] for one in found["rounds"]) >= 10
    assert found["cpu_seconds"] < 360


@pytest.mark.slow
def test_a_process_that_starts_when_all_is_done_ends_without_a_word(small, tiny, tmp_path):
    # The first child dies when the last of 15 steps is in its place; the cold one has nothing to
    # log, and must not be waited for. It is what a kill at the very end of a child leaves.
    ways = ["failpoint:finish.renamed:15", "cold:60"]
    found = harness(small, tiny, tmp_path / "kills", "--kills", "1", "--ways", *ways)
    unharmed(found)
    assert found["places"] == {"write: finish.renamed": 1}
    assert len(found["rounds"]) == 1

"""Several processes work on one study in one store; see ``kill_harness``."""

from __future__ import annotations

import signal

from test_kills import harness


def unharmed(found):
    for empty in ("unfinished", "differences", "faults", "strays", "repeats"):
        assert found[empty] == []


def test_three_processes_share_a_study_and_do_no_step_twice(small, tiny, tmp_path):
    found = harness(small, tiny, tmp_path, "--together", "never", "never", "never")
    unharmed(found)
    assert found["ended"] == [0, 0, 0]
    assert found["steps"] == found["steps_in_peace"]
    began = [label for label in found["begun"] if not label.startswith("waiting")]
    trained = [label for label in began if label.startswith("train")]
    assert len(trained) == len(set(trained)) == 3


def test_what_a_killed_process_held_is_taken_over(small, tiny, tmp_path):
    """The first to have trained nine steps dies; the others resume its stage."""
    ways = ("step:9", "step:9", "never")
    found = harness(small, tiny, tmp_path, "--together", *ways)
    unharmed(found)
    assert found["ended"][2] == 0
    assert -signal.SIGKILL in found["ended"][:2]
    assert found["resumed"] >= 1

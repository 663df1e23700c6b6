"""``xstilts bench`` and ``xstilts speed``, with times that are made up."""

from __future__ import annotations

import json

import pytest

from analysis import measured
from xstilts.steps import measure

QUICK = ("--source", "mirror", "--queries", 4, "--seconds", 0.01, "--max-eval-rows", 3)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.setattr(measure, "_isolated", measured.isolated_process)


def test_a_checkpoint_is_measured_on_a_tasks_rows(cli, at_mirror, tiny, tmp_path):
    store = ("--store", tmp_path / "store")
    ran = cli("bench", tiny, "--on", "tatoeba", *QUICK, *store, "--scenario", "singlestream")
    assert ran.code == 0, ran.err
    assert "machine quiet enough: the same checkpoint twice is equal within 2.0 %" in ran.out
    document = json.loads(
        cli(
            *("bench", tiny, "--against", tiny, "--on", "tatoeba", *QUICK, *store),
            *("--scenario", "offline", "--json"),
        ).out
    )
    (one,) = document["measurements"]
    assert one["verdict"].startswith(("as fast", "machine quiet"))
    assert one["threads"] == 1


def test_a_path_is_trained_and_measured_and_shown_again(cli, at_mirror, tiny, tmp_path):
    about = ("csqa | tatoeba", "--model", tiny, "--max-steps", 1, *QUICK[:2], *QUICK[-2:])
    about += ("--store", tmp_path / "store")
    ran = cli("bench", *about, *QUICK[2:6], "--scenario", "singlestream")
    assert ran.code == 0, ran.err
    assert "Wall time of the evaluation" in ran.out
    assert "csqa | tatoeba" in ran.out
    again = cli("speed", *about)  # not a study that measures: what predictions took is there
    assert again.code == 0
    assert "Wall time of the evaluation" in again.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mini",), '"mini" is a checkpoint: --on TASK says whose rows it is to answer'),
        (("mini", "--against", "xnli"), "give two paths or two checkpoints"),
        (("xnli", "--serve", "torch+int8"), "torch answers in fp32 or bf16, not int8"),
        (("xnli", "--scenario", "multistream"), "--scenario multistream"),
        (("mini", "--on", "taxinli"), '"taxinli" has no rows to evaluate on in source mirror'),
        (("mini", "--on", "xnli", "--variant", "int8"), "--variant is scored along a path"),
    ],
)
def test_mistakes_are_said_in_one_line(cli, at_mirror, tmp_path, arguments, message):
    ran = cli("bench", *arguments, *QUICK, "--store", tmp_path / "store")
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1

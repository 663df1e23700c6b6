"""`xstilts import`, and a run of what was imported."""

from __future__ import annotations

import json

import pytest

from cli import little_mirror
from xstilts.store import Store

QUICK = ("--max-steps", 1, "--max-eval-rows", 2, "--threads", 1)


@pytest.fixture
def at(tmp_path, tiny):
    return ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")


def test_predictions_are_scored_beside_our_own(cli, at_mirror, at, tmp_path):
    """The answers are the gold labels but for one: 1 - 1/n right."""
    lines = (at_mirror / "xnli/test-sw.tsv").read_text().splitlines()
    gold = [line.split("\t")[2] for line in lines]
    assert len(gold) == little_mirror.TEST_ROWS
    file = tmp_path / "answers.txt"
    file.write_text("\n".join(["I do not know", *gold[1:]]) + "\n")
    about = ("--as", "llm", "--task", "xnli", "--language", "sw", "--source", "mirror")
    ran = cli("import", "predictions", file, *about, "--store", tmp_path / "store")
    assert ran.code == 0, ran.err
    step = ran.out.strip()
    assert "1 predictions are no label of xnli and count as wrong" in ran.err
    command = ("run", "imported(llm) | xnli", "taxinli | xnli:sw", *at, *QUICK)
    scores = json.loads(cli(*command, "--json").out)["scores"]
    assert [row["path"] for row in scores] == ["imported(llm) | xnli", "taxinli | xnli:sw"]
    given = scores[0]
    assert given["value"] == pytest.approx(1 - 1 / len(gold))
    assert (given["language"], given["n"], given["predict_id"]) == ("sw", len(gold), step)
    shown = cli(*command)
    assert shown.code == 0
    assert "imported(llm) | xnli" in shown.out


def test_a_checkpoint_is_a_stage(cli, at_mirror, at, tiny, tmp_path):
    ran = cli("import", "checkpoint", tiny, "--as", "mine", "--store", tmp_path / "store")
    assert ran.code == 0, ran.err
    assert Store(tmp_path / "store").record(ran.out.strip())["kind"] == "train"
    shown = cli("run", "imported(mine) > xnli", *at, *QUICK, "--json")
    assert shown.code == 0, shown.err
    assert {row["trained_on"] for row in json.loads(shown.out)["scores"]} == {"taxinli"}
    plan = cli("plan", "imported(mine) > xnli", *at, *QUICK[:4])
    assert plan.code == 0
    assert "train imported(mine)" in plan.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("checkpoint", ".", "--as", "Mine"), '--as "Mine" is no name for a path'),
        (("checkpoint", ".", "--as", "m", "--seed", "-1"), "--seed -1: allowed"),
        (("checkpoint", ".", "--as", "m", "--head", "xnly"), 'did you mean "xnli"'),
        (("predictions", "x", "--as", "m", "--task", "xnli", "--language", "qq"), '"qq"'),
        (
            *[("predictions", "x", "--as", "m", "--task", "xnli", "--language", "sw",
               "--source", "mirror")],
            "cannot read x",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(cli, at_mirror, tmp_path, arguments, why):
    ran = cli("import", *arguments, "--store", tmp_path / "store")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert why in ran.err
    assert not (tmp_path / "store").exists()


def test_what_was_not_imported_is_one_line(cli, at_mirror, at):
    ran = cli("run", "imported(none) > xnli", *at)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "xstilts import --help" in ran.err

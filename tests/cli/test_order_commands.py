"""``xstilts order`` and ``xstilts rank`` on the little mirror."""

from __future__ import annotations

import json

import pytest

from cli.conftest import pristine  # noqa: F401 (a fixture)
from xstilts.cli import main

STUDY = """
name: small
models: [{model}]
intermediate: [none, csqa, taxinli, "order(csqa, taxinli)", csqa + taxinli]
targets: [udpos, wikineural]
seeds: [1, 2]
source: mirror
options: {{max_steps: 2, max_eval_rows: 4}}
"""


@pytest.fixture(scope="module")
def ran(pristine, tiny, tmp_path_factory):  # noqa: F811
    """A study of orders that has run, two steps a stage."""
    folder = tmp_path_factory.mktemp("ordered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XSTILTS_MIRROR", str(pristine))
        file = folder / "small.yaml"
        file.write_text(STUDY.format(model=tiny))
        with pytest.raises(SystemExit) as ended:
            main(["run", str(file), "--store", str(folder / "store"), "--threads", "1"])
        assert ended.value.code == 0
    return folder


def test_a_study_without_sequences_has_no_order(cli, at_mirror, tiny, tmp_path):
    found = cli("order", "csqa > udpos", "--source", "mirror", "--model", tiny, "--store", tmp_path)
    assert found.code == 2
    assert "there is no sequence in it" in found.err


def test_a_budget_is_a_share(cli, at_mirror, tmp_path):
    found = cli("rank", "--target", "udpos", "--budget", "much", "--source", "mirror")
    assert (found.code, found.out) == (2, "")
    assert '--budget "much" is not a share of the grid' in found.err
    assert "name a target" in cli("rank", "--store", tmp_path).err


def test_a_target_without_training_rows_cannot_be_compared(cli, at_mirror, tiny, tmp_path):
    found = cli(
        *("rank", "--target", "tatoeba", "--candidates", "csqa", "--model", tiny),
        *("--source", "mirror", "--store", tmp_path),
    )
    assert found.code == 2
    assert "evaluated without training of its own" in found.err


@pytest.mark.slow
def test_order_says_what_orders_change(cli, ran, at_mirror):
    found = cli("order", ran / "small.yaml", "--store", ran / "store", "--json")
    assert found.code == 0, found.err
    document = json.loads(found.out)
    assert document["saving"]["sequences"] == 4
    assert document["saving"]["exact"]
    assert document["saving"]["alone"] == document["saving"]["shared"] == 16
    (variances,) = document["variances"]
    assert (variances["orders"], variances["seeds"], variances["sets"]) == (2, 2, 1)
    assert {one["versus"] for one in document["best"]} == {
        "random order",
        "multi-task",
        "best single task",
    }
    kept = {(one["task"], one["since"]) for one in document["retained"]}
    assert kept == {("taxinli", 0), ("taxinli", 1)}  # the rest has no such rows here
    shown = cli("order", ran / "small.yaml", "--store", ran / "store")
    assert "picked on half of the seeds" in shown.out
    assert "What is kept as stages follow" in shown.out


@pytest.mark.slow
def test_rank_judges_rankings_and_ranks_one_target(cli, ran, at_mirror):
    options = ("--store", ran / "store", "--threads", "1", "--budget", "1000%", "--json")
    found = cli("rank", ran / "small.yaml", *options)
    assert found.code == 0, found.err
    document = json.loads(found.out)
    ways = {one["way"]: one for one in document["judged"]}
    assert {"learnt from other families", "size", "always MNLI", "vocabulary"} <= set(ways)
    assert set(ways["size"]["targets"]) == {"udpos", "wikineural"}
    assert {one["rule"] for one in document["rules"]} >= {"near to far", "adjacent"}
    assert document["cost"]["share"] > 0
    one = json.loads(cli("rank", ran / "small.yaml", "--target", "udpos", *options).out)
    assert one["learnt"]
    assert [c["candidate"] for c in one["ranked"]] != []
    assert one["features"]
    merits = [c["merit"] for c in one["ranked"]]
    assert merits == sorted(merits, reverse=True)


@pytest.mark.slow
def test_rank_without_a_study_ranks_every_task_that_could_come_before(
    cli, at_mirror, tiny, tmp_path
):
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path, "--threads", 1)
    found = cli("rank", "--target", "udpos", "--budget", "1000%", *where)
    assert found.code == 0, found.err
    assert "for udpos, the best first" in found.out
    assert "no scores of other targets are at hand" in found.out
    assert "csqa" in found.out
    assert "looking cost " in found.out
    unknown = cli("rank", "--target", "udpos", "--source", "nowhere", "--store", tmp_path)
    assert unknown.code == 2
    assert "nowhere" in unknown.err

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cli import little_mirror
from xstilts import models, sizes
from xstilts.store import Store

PATHS = ("taxinli > xnli", "taxinli | tatoeba", "taxinli | xnli:de/sw")


@pytest.fixture
def plan(cli, at_mirror, tiny, tmp_path):
    """``xstilts plan`` with a store that is not there yet."""

    def run(*arguments: object) -> str:
        command = ("plan", *arguments, "--source", "mirror", "--model", tiny)
        ran = cli(*command, "--store", tmp_path / "store")
        assert (ran.code, ran.err) == (0, "")
        lines = ran.out.splitlines(keepends=True)
        told = ("leak: ", "not compared", "note: ")
        return "".join(line for line in lines if not line.startswith(told))

    return run


def test_shared_steps_appear_once(plan, tiny, tmp_path):
    lines = plan(*PATHS).splitlines()
    assert sum("train taxinli" in line for line in lines) == 2  # before all, and for xnli
    assert sum("xnli: " in line for line in lines) == 2
    # 15 + 41 + 2 languages, each predicted and scored, from two trainings.
    assert lines[-2:] == [
        "to do: 2 of 2 train steps, 58 of 58 predict steps, 58 of 58 score steps",
        "58 scores from 2 training runs (73 if every score trained its own)",
    ]
    assert not (tmp_path / "store").exists()


def test_more_of_the_same_data_is_told(cli, at_mirror, tiny, tmp_path):
    command = ("plan", *PATHS, "--source", "mirror", "--model", tiny, "--store", tmp_path)
    told = [line for line in cli(*command).out.splitlines() if line.startswith("note: ")]
    why = "taxinli has the rows of the last stage: more of the same data, no transfer"
    assert told == [f"note: taxinli > xnli: {why}"]


def test_leaks_are_told_once_a_run_has_looked(cli, at_mirror, tiny, tmp_path):
    """The little mirror's training and test pairs are made of the same sentences."""
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    more = (*where, "--max-steps", 1)
    before = cli("plan", "taxinli | xnli:en", *more).out
    assert "not compared yet, a run does it first: 1 pair of training" in before
    ran = cli("run", "taxinli | xnli:en", *more, "--threads", 1)
    assert ran.code == 0
    told = [line for line in ran.err.splitlines() if "leak: " in line]
    document = json.loads(cli("plan", "taxinli | xnli:en", *more, "--json").out)
    assert document["leaks"]["not_compared"] == 0
    assert [line[line.index("leak: ") :] for line in told] == document["leaks"]["found"]
    assert told[0].endswith("sentences of xnli (en)")


def test_the_tree_shows_what_is_finished(plan, cli, tiny, tmp_path):
    train = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    quick = ("--max-steps", 2)
    assert cli("run", PATHS[2], *train, *quick, "--threads", 1).code == 0
    before = sorted(tmp_path.rglob("*"))
    lines = plan(*PATHS, *quick).splitlines()
    assert lines[0] == "rows of source mirror"
    tree = [line.lstrip("│├└─ ").split("  ") for line in lines[2:-2]]
    assert [tuple(parts[:2]) for parts in tree[:2]] == [
        ("train taxinli (seed 1)", "intermediate and for xnli"),
        ("train taxinli (seed 1)", "for xnli"),
    ]
    assert [(parts[0], parts[-1]) for parts in tree] == [
        ("train taxinli (seed 1)", "finished"),
        ("train taxinli (seed 1)", "to do"),
        ("xnli: " + " ".join(little_mirror.codes("xnli")), "to do"),
        ("tatoeba: 41 languages", "to do"),
        ("xnli: de sw", "finished"),
    ]
    assert lines[-2] == "to do: 1 of 2 train steps, 56 of 58 predict steps, 56 of 58 score steps"
    # One of two languages is there: the group says so.
    assert "xnli: de sw fr  2 of 3 finished" in plan("taxinli | xnli:de/sw/fr", *quick)
    assert plan(PATHS[2], *quick).splitlines()[-2] == "to do: nothing"
    assert sorted(tmp_path.rglob("*")) == before
    assert Store(tmp_path / "store").verify() == []


def test_what_differs_in_its_seed_alone_is_one_line(plan, cli, tiny, tmp_path):
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    assert cli("run", PATHS[2], *where, "--max-steps", 2, "--threads", 1).code == 0
    lines = plan(PATHS[2], "--seeds", "1,2,3", "--max-steps", 2).splitlines()
    stage, rows = (line.lstrip("│├└─ ").split("  ") for line in lines[2:4])
    assert (stage[0], stage[-1]) == ("train taxinli (seeds 1, 2, 3)", "1 of 3 finished")
    assert stage[2].endswith(" and 2 more")
    assert rows == ["xnli: de sw", "2 of 6 finished"]
    assert len(lines) == 4 + 2


def test_the_json_form(plan):
    document = json.loads(plan(*PATHS, "--seeds", "1,2", "--json"))
    steps = {step["id"]: step for step in document["steps"]}
    kinds = [step["kind"] for step in document["steps"]]
    assert [kinds.count(kind) for kind in ("train", "predict", "score")] == [4, 116, 116]
    assert len(steps) == len(document["steps"]) == 236
    assert document["cells"] == 116
    assert document["absent"] == {}
    for place, step in enumerate(document["steps"]):
        assert step["finished"] is False
        assert step["parent"] is None or step["parent"] in list(steps)[:place]  # parents first
    xnli = [step for step in document["steps"] if step["inputs"].get("task") == "xnli"]
    assert {steps[step["parent"]]["kind"] for step in xnli} == {"train"}


def test_a_line_fits_the_terminal(plan, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, plan(*PATHS, "squad_dev > xquad").splitlines())) <= 80


def test_what_a_study_lacks_is_listed(cli, at_mirror, tiny, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: a\ntargets: xtreme\nsource: mirror\nintermediate: [taxinli]\n")
    ran = cli("plan", study, "--model", tiny, "--store", tmp_path / "store")
    absent = [line for line in ran.out.splitlines() if line.startswith("not run: ")]
    # Of XTREME's nine tasks the little mirror has no pawsx, mlqa, tydiqa and bucc2018 files, and no
    # mirror has panx; of others it lacks languages that XTREME has.
    assert {line.split(": ")[1] for line in absent} == {
        *(f"taxinli > {task}" for task in ("panx", "pawsx", "mlqa", "tydiqa", "bucc2018")),
        *("pawsx:en/es/fr/ja/ko", "udpos:de", "tydiqa:en/ar/bn/fi/id/ru/te"),
    }
    assert ran.code == 0


def test_the_shell_trap(at_mirror, tmp_path):
    with (tmp_path / "xnli").open("w") as file:
        ran = subprocess.run(
            [sys.executable, "-m", "xstilts", "plan", "taxinli"],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 2
    assert 'in quotes, as in "taxinli > xnli", and remove that file' in ran.stderr
    assert not (tmp_path / "xnli").read_text()


def test_a_file_that_is_no_task_is_no_trap(at_mirror, tiny, tmp_path):
    command = [sys.executable, "-m", "xstilts", "plan", "taxinli > xnli", "--source", "mirror"]
    with (tmp_path / "plan.txt").open("w") as file:
        ran = subprocess.run(
            [*command, "--model", str(tiny), "--store", str(tmp_path / "store")],
            stdout=file,
            check=False,
        )
    assert ran.returncode == 0
    assert "15 scores from 2 training runs" in (tmp_path / "plan.txt").read_text()


def test_plan_predicts_and_run_compares(cli, at_mirror, tiny, tmp_path):
    where = ("--source", "mirror", "--model", tiny, "--store", tmp_path / "store")
    more = ("taxinli | xnli:en", *where, "--max-steps", 2, "--threads", 1)
    document = json.loads(cli("plan", *more, "--forecast", "--json").out)
    assert document["forecast"]["optimiser_steps"] == 2
    ran = cli("run", *more)
    assert ran.code == 0
    told = [line for line in ran.err.splitlines() if line.startswith(("predicted:", "it took:"))]
    assert ["2 optimiser steps" in line for line in told] == [True, True]
    assert "predicted" not in cli("run", *more).err  # nothing was left to do


def test_the_papers_grid_is_priced_without_data_or_weights(cli, monkeypatch, tmp_path):
    """The hub cannot be reached: the plan's shape and cost, and a line that says so."""

    def away(name):
        raise models.UnreachableError(name)

    monkeypatch.setattr(models, "_on_hub", away)
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    command = ("plan", "table2", "--model", "xlm-roberta-large", "--store", tmp_path / "store")
    ran = cli(*command, "--json")
    assert ran.code == 0
    assert "the hub was not reached" in ran.err
    document = json.loads(ran.out)
    (found,) = document["cost"]
    assert found["parameters"] == sizes.known("xlm-roberta-large").encoder_parameters
    assert found["unknown"] == []
    kinds = [step["kind"] for step in document["steps"]]
    assert found["stages"] == kinds.count("train") > 500
    assert 1e19 < found["training_flops"] < 1e20  # 15 G tokens, 6 x 302 M products each
    assert all(one["cards"] == 1 for one in found["settings"])
    told = cli(*command).out
    assert "cheapest: H100 80 GB, --engine slurm or ray --recipe NAME:bf16" in told
    assert "left out" not in told


def test_a_model_of_billions_is_planned_without_its_weights(cli, monkeypatch, tmp_path):
    def away(name):
        raise models.UnreachableError(name)

    monkeypatch.setattr(models, "_on_hub", away)
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    command = ("plan", "xnli", "--source", "hub", "--recipe", "authors", "--store", tmp_path)
    told = cli(*command, "--model", "google/mt5-xxl", "--gpu-memory", "80")
    assert told.code == 0
    assert "5,655 M parameters are used, the encoder with its embeddings (1,024 M)" in told.out
    assert "the whole model has 12,921 M, published as 13B" in told.out
    assert (
        "smallest on cards of 80 GB: everything in fp32: 2 cards; everything in bf16: 2 cards; "
        "adapters of rank 16 (lora) in fp32: 1 card" in told.out
    )
    assert "cards of 24 GB" not in told.out
    adapters = ("--model", "google/mt5-xxl", "--recipe", "authors:bf16:lora", "--json")
    (whole,), (low,) = (
        json.loads(cli(*command, *more).out)["cost"]
        for more in (("--model", "google/mt5-xxl", "--json"), adapters)
    )
    assert (whole["rank"], low["rank"]) == (0, 16)
    by_card = [{(s["card"], s["precision"]): s for s in one["settings"]} for one in (whole, low)]
    for place, setting in by_card[1].items():
        whole_hours = by_card[0][place]["hours"]  # None: no number of these cards holds it
        assert whole_hours is None or setting["hours"] < whole_hours
        assert setting["cards"] <= (by_card[0][place]["cards"] or 64)


def test_a_model_that_nobody_knows_is_not_priced(cli, monkeypatch):
    def away(name):
        raise models.UnreachableError(f"no {name}")

    monkeypatch.setattr(models, "_on_hub", away)
    ran = cli("plan", "table2", "--model", "somebody/else")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "xstilts: no somebody/else\n"

from __future__ import annotations

import json
import shlex
from statistics import mean, stdev
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from cli import little_mirror
from xstilts.engines.local import LocalEngine
from xstilts.errors import UserError
from xstilts.languages import table
from xstilts.steps import train
from xstilts.store import Store

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ("--max-steps", 2, "--threads", 1)

# The five commands of the README: path, target, metrics, what the head was trained on.
README = [
    ("taxinli > xnli", "xnli", ["accuracy"], "taxinli"),
    ("squad_dev > xquad", "xquad", ["squad_f1", "squad_exact_match"], "squad_dev"),
    ("taxinli | tatoeba", "tatoeba", ["retrieval_accuracy"], None),
    ("csqa > udpos", "udpos", ["pos_f1", "tag_accuracy"], "udpos"),
    ("squad_dev > wikineural", "wikineural", ["seqeval_f1", "tag_accuracy"], "wikineural"),
]


def fails(*_arguments, **_more):
    raise AssertionError("nothing was left to do")


def row_of(screen: str, language: str) -> list[str]:
    """The cells of a language's row in a table, its name left out."""
    name = table()[language].name
    return next(
        line.removeprefix(name).split()
        for line in screen.splitlines()
        if line.removeprefix(name).split()[:1] == [language]
    )


@pytest.mark.parametrize(("path", "target", "metrics", "trained_on"), README)
def test_a_command_of_the_readme(
    cli, at_mirror, tiny, tmp_path, monkeypatch, path, target, metrics, trained_on
):
    command = ("run", path, "--source", "mirror", "--model", tiny, "--store", tmp_path, *QUICK)
    first = cli(*command, "--json")
    assert first.code == 0, first.err
    document = json.loads(first.out)  # one document and nothing else, or this fails
    assert document["failed"] == document["absent"] == {}
    assert document["steps"]["kept"] == 0
    scores = [row for row in document["scores"] if row["main"]]
    codes = little_mirror.codes(target)
    assert [(row["language"], row["metric"]) for row in scores] == [
        (code, metric) for code in codes for metric in metrics
    ]
    for row in scores:
        assert (row["model"], row["path"], row["target"]) == (str(tiny), path, target)
        assert (row["seed"], row["source"], row["split"]) == (1, "mirror", "test")
        assert row["trained_on"] == trained_on
        assert 0 <= row["value"] <= 1
        # Tagging counts sentences' words: four a sentence.
        assert row["n"] in (little_mirror.TEST_ROWS, 4 * little_mirror.TEST_ROWS)
        assert row["max_steps"] == 2
        assert row["max_eval_rows"] is None

    monkeypatch.setattr(LocalEngine, "run", fails)
    again = cli(*command, "--json")
    assert json.loads(again.out)["scores"] == document["scores"]
    assert json.loads(again.out)["steps"] == {"done": 0, "kept": document["steps"]["done"]}
    shown = cli(*command).out
    assert shown.splitlines()[0] == path
    for code in codes:
        values = [row["value"] for row in scores if row["language"] == code]
        n = next(row["n"] for row in scores if row["language"] == code)
        assert row_of(shown, code) == [code, str(n), *(f"{100 * value:.1f}" for value in values)]
    assert "at most 2 steps a stage" in shown


def test_a_score_is_what_the_stored_predictions_say(cli, at_mirror, tiny, tmp_path):
    """Accuracy counted anew: the share of rows whose prediction is the gold label."""
    command = ("run", "taxinli | xnli:de/sw", "--source", "mirror", "--model", tiny, *QUICK)
    ran = cli(*command, "--store", tmp_path, "--max-eval-rows", 5, "--json")
    scores = json.loads(ran.out)["scores"]
    assert [row["language"] for row in scores] == ["de", "sw"]
    for row in scores:
        file = Store(tmp_path).open(row["predict_id"]).path("predictions.parquet")
        units = parquet.read_table(file).to_pylist()
        lines = (at_mirror / f"xnli/test-{row['language']}.tsv").read_text().splitlines()[:5]
        assert [unit["gold"] for unit in units] == [line.split("\t")[2] for line in lines]
        right = sum(unit["prediction"] == unit["gold"] for unit in units)
        assert row["value"] == pytest.approx(right / 5)
        assert (row["n"], row["max_eval_rows"]) == (5, 5)


def test_every_seed_has_its_rows_and_the_table_their_spread(cli, at_mirror, tiny, tmp_path):
    codes = ["en", "de", "sw"]
    path = f"taxinli | xnli:{'/'.join(codes)}"
    command = ("run", path, "--source", "mirror", "--model", tiny, *QUICK)
    command = (*command, "--store", tmp_path, "--seeds", "1,2")
    scores = json.loads(cli(*command, "--json").out)["scores"]
    assert [(row["seed"], row["language"]) for row in scores] == [
        (seed, code) for seed in (1, 2) for code in codes
    ]
    shown = cli(*command).out
    of_seed = {}
    for code in codes:
        values = [100 * row["value"] for row in scores if row["language"] == code]
        assert row_of(shown, code)[2:] == [f"{mean(values):.1f}", "sd", f"{stdev(values):.1f}"]
        of_seed[code] = values
    means = [mean(of_seed[code][seed] for code in codes if code != "en") for seed in (0, 1)]
    line = next(line for line in shown.splitlines() if line.startswith("mean without English"))
    assert line.split()[3:] == [f"{mean(means):.1f}", "sd", f"{stdev(means):.1f}"]
    assert "over seeds 1, 2" in shown
    one = cli(*command[:-1], "2", "--json")  # a part of it is there already
    assert json.loads(one.out)["scores"] == [row for row in scores if row["seed"] == 2]
    assert json.loads(one.out)["steps"]["done"] == 0


def test_shared_stages_are_trained_once(cli, at_mirror, tiny, tmp_path):
    paths = ("taxinli > xnli", "taxinli | tatoeba:de", "taxinli | xnli:de/fr")
    command = ("run", *paths, "--source", "mirror", "--model", tiny, *QUICK, "--store", tmp_path)
    scores = json.loads(cli(*command, "--json").out)["scores"]
    kinds = [one.kind for one in Store(tmp_path).ls()]
    assert kinds.count("train") == 2  # taxinli, and taxinli again for xnli
    assert {row["weights_id"] for row in scores if row["path"] != paths[0]} == {
        row["weights_id"] for row in scores if row["path"] == paths[1]
    }
    shown = cli(*command).out
    summary = shown[shown.index("path") :].splitlines()
    assert [line.split("  ")[0] for line in summary[2:5]] == list(paths)


def test_the_pretrained_model_as_it_is_has_no_seed(cli, at_mirror, tiny, tmp_path):
    command = ("run", "| tatoeba:de", "--source", "mirror", "--model", tiny, "--store", tmp_path)
    scores = json.loads(cli(*command, "--seeds", "1,2", "--json").out)["scores"]
    assert {row["seed"] for row in scores} == {None}
    # A layer is 0 (embeddings), 1 or 2; round(2 layers * 2/3) = 1 counts.
    assert [(row["layer"], row["main"]) for row in scores] == [(0, False), (1, True), (2, False)]
    assert "no training, a constant" in cli(*command).out


INTENTS = """\
name: intents
format: classification
train: train.csv
evaluate: test-{lang}.csv
languages: [en, de]
columns: {text_a: sentence, label: intent}
"""


def own_files(folder: Path) -> Path:
    for name, rows in (("train", 12), ("test-en", 4), ("test-de", 3)):
        lines = [f"sentence number {row},{('book', 'cancel')[row % 2]}" for row in range(rows)]
        (folder / f"{name}.csv").write_text("\n".join(["sentence,intent", *lines]) + "\n")
    (folder / "intents.yaml").write_text(INTENTS)
    return folder / "intents.yaml"


def test_own_files_need_no_mirror(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.delenv("XSTILTS_MIRROR", raising=False)
    task = own_files(tmp_path)
    command = ("run", "intents", "--task", task, "--model", tiny, "--store", tmp_path / "store")
    scores = json.loads(cli(*command, *QUICK, "--json").out)["scores"]
    assert [(row["language"], row["n"]) for row in scores] == [("en", 4), ("de", 3)]
    assert {(row["target"], row["trained_on"]) for row in scores} == {("intents", "intents")}
    shown = cli(*command, *QUICK)
    assert row_of(shown.out, "de")[:2] == ["de", "3"]
    assert shown.err.startswith("5 steps, 5 finished before")


STUDY = """\
name: small
models: [nowhere]
targets: [xnli, panx]
intermediate: [none, taxinli]
source: mirror
seeds: [7, 8]
options: {max_steps: 9, max_eval_rows: 3}
"""


def test_a_study_file_and_what_options_replace_in_it(cli, at_mirror, tiny, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    command = ("run", study, "--model", tiny, "--seeds", "7", "--max-steps", 1, "--threads", 1)
    ran = cli(*command, "--store", tmp_path / "store", "--json")
    document = json.loads(ran.out)
    assert {row["path"] for row in document["scores"]} == {"xnli", "taxinli > xnli"}
    assert {(row["seed"], row["max_steps"]) for row in document["scores"]} == {(7, 1)}
    assert {row["n"] for row in document["scores"]} == {3}  # as the file says
    assert list(document["absent"]) == ["panx", "taxinli > panx"]
    # What is absent is said at the end of the run, and it is no mistake of a study.
    assert ran.code == 0
    assert "\nnot run: panx: " in ran.err


def test_a_control_that_is_the_treatment_is_run_once_and_said(cli, at_mirror, tiny, tmp_path):
    paths = ("taxinli > xnli", "same_steps(taxinli) > xnli")
    command = (*paths, "--source", "mirror", "--model", tiny, "--store", tmp_path, "--json")
    command = (*command, "--max-steps", 2)
    ran = cli("run", *command)
    note = 'the very same as "taxinli > xnli": in source mirror, xnli is trained on taxinli'
    document = json.loads(ran.out)
    same = "taxinli has the rows of the last stage: more of the same data, no transfer"
    assert document["notes"] == {paths[0]: same, paths[1]: note}
    assert f"note: {paths[1]}: {note}" in ran.err.splitlines()
    assert document["steps"]["done"] == 2 + 15 + 15
    values = {
        path: [row["value"] for row in document["scores"] if row["path"] == path] for path in paths
    }
    assert values[paths[0]] == values[paths[1]]
    assert json.loads(cli("plan", *command).out)["notes"] == document["notes"]
    plain = [part for part in command if part != "--json"]
    assert f"\nnote: {paths[1]}: {note}\n" in cli("plan", *plain).out


def test_the_foot_of_a_table_of_own_data_names_its_files(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "text_a,label\n" + "the river,yes\nan old bridge,no\n" * 4
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rows-en.csv").write_text(rows)
    own = "name: own\nformat: classification\ntrain: rows-en.csv\nevaluate: rows-{lang}.csv\n"
    (tmp_path / "sub" / "own.yaml").write_text(own)
    command = ("run", "own", "--task", "sub/own.yaml", "--model", tiny, *QUICK)
    shown = cli(*command, "--store", "store").out
    assert shown.splitlines()[-2] == (
        f"model {tiny}; own data sub/rows-{{lang}}.csv, trained on own; seed 1: one run, no "
        "interval; chance 50.0; at most 2 steps a stage"
    )


def test_weights_can_go_when_the_scores_are_there(cli, at_mirror, tiny, tmp_path, monkeypatch):
    command = ("run", "taxinli | xnli:de", "--source", "mirror", "--model", tiny, *QUICK)
    command = (*command, "--store", tmp_path, "--keep", "none", "--json")
    scores = json.loads(cli(*command).out)["scores"]
    assert not list(tmp_path.rglob("model.safetensors"))
    monkeypatch.setattr(LocalEngine, "run", fails)
    assert json.loads(cli(*command).out)["scores"] == scores


def test_weights_go_though_the_run_died_before_it_let_them(cli, at_mirror, tiny, tmp_path):
    """As after a kill between the last score and the eviction: the same command frees them."""
    command = ("run", "taxinli | xnli:de", "--source", "mirror", "--model", tiny, *QUICK)
    command = (*command, "--store", tmp_path, "--json")
    scores = json.loads(cli(*command).out)["scores"]
    assert list(tmp_path.rglob("model.safetensors"))
    assert json.loads(cli(*command, "--keep", "none").out)["scores"] == scores
    assert not list(tmp_path.rglob("model.safetensors"))
    assert Store(tmp_path).verify() == []


def test_a_step_that_fails_stops_what_needs_it_and_nothing_else(
    cli, at_mirror, tiny, tmp_path, monkeypatch
):
    original = train.train

    def fails_once(inputs, *rest):
        if inputs["seed"] == 2:
            raise UserError("loss is nan at step 1 of 2 (taxinli): lower the learning rate")
        return original(inputs, *rest)

    path = "taxinli > taxinli | xnli:en/de"
    command = ("run", path, "--source", "mirror", "--model", tiny, *QUICK)
    command = (*command, "--store", tmp_path, "--seeds", "1,2,3", "--json")
    monkeypatch.setattr(train, "train", fails_once)
    ran = cli(*command)
    assert ran.code == 2
    document = json.loads(ran.out)
    assert {row["seed"] for row in document["scores"]} == {1, 3}
    assert list(document["failed"].values()) == [
        "loss is nan at step 1 of 2 (taxinli): lower the learning rate"
    ]
    *counted, why, last = [
        line for line in ran.err.splitlines()[1:] if not line.startswith(("leak: ", "note: "))
    ]
    # Three seeds of two stages, a prediction and a scoring each, group after group.
    assert [line.split("]")[0] for line in counted] == [f"[{n}/12" for n in range(1, 13)]
    (failed,) = [line for line in counted if " failed: " in line]
    assert failed.startswith("[5/12] failed: train taxinli (seed 2) (")
    assert [line for line in counted if line.endswith("not run, as it needs what failed")] == [
        "[6/12] train taxinli > taxinli (seed 2), for xnli: not run, as it needs what failed",
        "[7/12] predict xnli in 2 languages: not run, as it needs what failed",
        "[8/12] score xnli in 2 languages: not run, as it needs what failed",
    ]
    # The second stage, and two languages, each predicted and scored.
    assert why == (
        "failed: train taxinli (seed 2): loss is nan at step 1 of 2 (taxinli): lower the learning "
        "rate"
    )
    assert last == (
        "xstilts: failed steps: 1; not run, as they need those: 5; put the cause right, then go on "
        f"with: xstilts {shlex.join(map(str, command))}"
    )
    monkeypatch.setattr(train, "train", original)
    again = json.loads(cli(*command).out)
    assert {row["seed"] for row in again["scores"]} == {1, 2, 3}
    assert again["steps"] == {"done": 6, "kept": 12}


@pytest.mark.mirror
@pytest.mark.slow
@pytest.mark.parametrize(("path", "target", "metrics", "trained_on"), README)
def test_a_command_of_the_readme_on_the_real_files(
    cli, mirror, tiny, tmp_path, path, target, metrics, trained_on
):
    command = ("run", path, "--source", "mirror", "--model", tiny, "--store", tmp_path)
    ran = cli(*command, "--max-steps", 3, "--max-eval-rows", 10, "--json")
    assert ran.code == 0, ran.err
    scores = [row for row in json.loads(ran.out)["scores"] if row["main"]]
    assert [(row["language"], row["metric"]) for row in scores] == [
        (code, metric) for code in little_mirror.codes(target) for metric in metrics
    ]
    assert {row["trained_on"] for row in scores} == {trained_on}

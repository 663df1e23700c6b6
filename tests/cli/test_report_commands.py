"""``xstilts report``, ``compare``, ``export hub`` and ``run --track`` on the little mirror."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cli.conftest import pristine  # noqa: F401 (a fixture)
from xstilts.cli import main
from xstilts.path import Item, parse
from xstilts.report.model_card import _mixture, _scores
from xstilts.tasks import Catalogue

STUDY = """
name: small
about: a small question
models: [{model}]
paths:
  - "taxinli | xnli:en/de/sw"
  - "csqa > taxinli | xnli:en/de/sw"
  - "| tatoeba:de"
  - "csqa | tatoeba:de"
seeds: [1, 2]
source: mirror
analyses: [gains]
options: {{max_steps: {steps}, max_eval_rows: 8}}
"""


@pytest.fixture(scope="module")
def ran(pristine, tiny, tmp_path_factory):  # noqa: F811
    """Two studies that have run, one step a stage and two, in one store."""
    folder = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XSTILTS_MIRROR", str(pristine))
        for name, steps in (("one", 1), ("two", 2)):
            file = folder / f"{name}.yaml"
            file.write_text(STUDY.format(model=tiny, steps=steps))
            with pytest.raises(SystemExit) as ended:
                main(["run", str(file), "--store", str(folder / "store"), "--threads", "1"])
            assert ended.value.code == 0
    return folder


@pytest.fixture
def ask(ran, cli, at_mirror, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0):
        found = cli(*words, "--store", ran / "store")
        assert found.code == code, found.err
        return found

    return run


def test_a_report_is_one_file_named_as_the_study(ask, ran, tmp_path):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    answer, written = ask("report", ran / "two.yaml").out.splitlines()
    assert answer.startswith("Training on csqa first changes the mean over 2 targets by ")
    assert "all items are of one group, so that chance is not known" in answer  # one premise
    assert written == "report written: small.html (open it in a browser)"
    text = (tmp_path / "small.html").read_text("utf-8")
    assert "a small question" in text
    assert "at most 2 optimiser steps a stage and 8 rows a language" in text
    assert f"xstilts run {ran / 'two.yaml'}\n" in text
    assert "cpu (1 thread" in text
    record = json.loads(next((ran / "store").glob("steps/*/*/step.json")).read_text())
    assert len(record["id"]) == 20
    ids = {json.loads(p.read_text())["id"] for p in (ran / "store").glob("steps/*/*/step.json")}
    assert sum(one in text for one in ids) > 10  # weights and scores


def test_tables_for_papers_and_for_programs(ask, ran, tmp_path):
    assert ask("report", ran / "two.yaml", "--format", "latex").out == "small.tex\nsmall.bib\n"
    assert "\\toprule" in (tmp_path / "small.tex").read_text()
    cited = (tmp_path / "small.bib").read_text()
    assert all(key in cited for key in ("{phang2020english,", "{conneau2018xnli,"))
    out = tmp_path / "deep" / "tables.md"
    ask("report", ran / "two.yaml", "--format", "markdown", "--out", out)
    assert out.read_text().startswith("# small\n")
    assert out.read_text().endswith(f"```bibtex\n{cited}```\n")
    listed = ask("report", ran / "two.yaml", "--format", "csv").out.split()
    assert listed == ["small-csv/gains.csv", "small-csv/claims.csv", "small-csv/scores.csv"]
    ask("report", ran / "two.yaml", "--format", "parquet", "--out", tmp_path / "p")
    assert (tmp_path / "p" / "scores.parquet").is_file()


@pytest.mark.parametrize(
    ("place", "format_", "why"),
    [
        (".", "html", "is a folder: html is one file, name it"),
        ("there", "csv", "is a file: csv is several, name a folder for them"),
        ("x.bib", "latex", "the bibliography is written beside it"),
        ("there/x.md", "markdown", "choose another --out"),
    ],
)
def test_a_place_that_cannot_hold_the_report_is_refused(ask, ran, tmp_path, place, format_, why):
    (tmp_path / "there").touch()
    found = ask("report", ran / "two.yaml", "--format", format_, "--out", place, code=2)
    assert why in found.err
    assert (tmp_path / "there").read_bytes() == b""


def test_a_path_has_a_report_too(ask, tiny, tmp_path):
    options = ("--source", "mirror", "--model", tiny, "--seeds", "1,2", "--max-steps", 2)
    words = ("csqa > taxinli | xnli:en/de/sw", *options, "--max-eval-rows", 8)
    assert ask("report", *words, "--format", "markdown").out.startswith("csqa--taxinli")


def test_what_differs_between_two_studies(ask, ran):
    shown = ask("compare", ran / "one.yaml", ran / "two.yaml").out
    assert "max_eval_rows 8, max_steps 1" in shown
    document = json.loads(ask("compare", ran / "one.yaml", ran / "two.yaml", "--json").out)
    assert set(document["changed"]) == {"options"}
    targets = {one["name"]: one for one in document["differences"] if one["over"] == "target"}
    assert targets["| tatoeba:de (tatoeba)"]["difference"] == 0  # nothing is trained
    assert targets["csqa > taxinli | xnli:en/de/sw (xnli)"]["seeds"] == 2


def test_what_differs_between_two_paths(ask, tiny):
    options = ("--source", "mirror", "--model", tiny, "--seeds", "1,2", "--max-steps", 2)
    caps = (*options, "--max-eval-rows", 8)
    paths = ("taxinli | xnli:en/de/sw", "csqa > taxinli | xnli:en/de/sw")
    shown = ask("compare", *paths, *caps).out
    assert "points, paired by seed and item" in shown
    (gain,) = [
        one
        for one in json.loads(ask("compare", *paths, *caps, "--json").out)["differences"]
        if one["over"] == "target"
    ]
    assert (gain["name"], gain["seeds"]) == ("xnli", 2)
    missing = ask("compare", paths[0], "csqa > udpos", *caps, code=2).err
    assert missing.startswith('xstilts: "csqa > udpos": nothing of it is finished')


def test_a_study_is_not_compared_with_a_path(ask, ran):
    err = ask("compare", ran / "one.yaml", "csqa > xnli", code=2).err
    assert "give two studies, or two paths" in err


def stages(ran):
    records = [json.loads(p.read_text()) for p in (ran / "store").glob("steps/*/*/step.json")]
    return {one["id"]: one for one in records if one["kind"] == "train"}


@pytest.mark.parametrize(
    "path",
    [
        "same_steps(mnli[1k])",
        "mnli[1k as 10k]",
        "mnli:de/sw[2k]",
        "shuffled(csqa)",
        "mnli[1k] ~keyboard@0.1",
        "mnli + mlm@0.2",
    ],
)
def test_a_stage_is_called_on_its_card_what_its_path_calls_it(path):
    declared = parse(path).stages[0]

    def record(item, **changes):
        one = replace(item, **changes)
        noise = {code: {"noise": str(one.noise)} for code in one.languages or ("en",)}
        return {
            "task": one.task,
            "control": one.control,
            "languages": list(one.languages or ("en",)),
            "rows": one.rows,
            "share": one.share,
            **({"noise": noise} if one.noise else {}),
        }

    items = []
    for item in declared.items:
        if item.control == "same_steps":  # on the target's own data
            other = record(item, control=None)
            items.append(record(Item("xnli", control="same_steps")) | {"steps_of": other})
        elif item.as_rows:
            items.append(record(item) | {"steps_of": record(item, rows=item.as_rows)})
        else:
            items.append(record(item))
    assert str(_mixture({"items": items})) == path


def test_a_card_has_scores_of_clean_evaluation_rows_alone():
    """Noise, attacks, other ways to answer and looks at selection rows are of the same weights."""
    about = {"weights": "w", "task": "xnli", "source": "mirror"}
    more = ({}, {"perturbation": {}}, {"attack": {}}, {"serve": "int8"}, {"split": "select"})
    result = [{"main": True, "metric": "accuracy", "value": 0.5, "n": 8, "metric_version": 1}]
    records = {}
    for number, changes in enumerate(more):
        place, of = f"p{number}", f"s{number}"
        records[place] = {"kind": "predict", "inputs": about | changes, "result": {}}
        inputs = {"predictions": place, "language": f"l{number}"}
        records[of] = {"kind": "score", "inputs": inputs, "result": result}
    store = SimpleNamespace(
        ls=lambda: [SimpleNamespace(id=key, kind=one["kind"]) for key, one in records.items()],
        record=lambda key: {"id": key, **records[key]},
    )
    assert [one.language for one in _scores(store, "w")] == ["l0"]


def test_a_stage_becomes_a_folder_with_a_card(ask, ran, tmp_path):
    from huggingface_hub import ModelCard
    from transformers import AutoConfig

    (last, *_) = [
        one["id"]
        for one in stages(ran).values()
        if one["inputs"]["items"][0]["task"] == "taxinli"
        and one["inputs"]["parent"] in stages(ran)
        and (one["inputs"]["max_steps"], one["inputs"]["seed"]) == (2, 1)
    ]
    name = ask("export", "hub", last[:12]).out.strip()
    assert name == "csqa--taxinli-seed1"
    folder = tmp_path / name
    AutoConfig.from_pretrained(folder)
    card = ModelCard.load(folder / "README.md")
    assert card.text.lstrip().startswith("# csqa > taxinli")
    results = {one.dataset_config: one for one in card.data.eval_results}
    assert set(results) == {"en", "de", "sw"}
    assert results["sw"].dataset_name == "xnli (mirror)"
    assert 0 <= results["sw"].metric_value <= 1
    assert Catalogue().get("csqa").license in card.text
    assert last in card.text
    assert "is in use" in ask("export", "hub", last, code=2).err
    (scored, *_) = [p.parent.name for p in (ran / "store").glob("steps/*/*/scores.parquet")]
    assert "only a trained stage" in ask("export", "hub", scored, code=2).err


def notebook(monkeypatch):
    """A tracker of this name; returns what it is told, as it comes."""
    import accelerate.tracking as accelerate
    from accelerate.tracking import GeneralTracker

    told = []

    class Notebook(GeneralTracker):
        name = "notebook"
        requires_logging_directory = False

        def __init__(self, run_name, **_):
            super().__init__()
            told.append(("begin", run_name))

        @property
        def tracker(self):
            return told

        def store_init_configuration(self, values):
            told.append(("settings", values))

        def log(self, values, step=None, **_):
            told.append((step, values))

        def finish(self):
            told.append(("end", None))

    monkeypatch.setitem(accelerate.LOGGER_TYPE_TO_CLASS, "notebook", Notebook)
    return told


def test_a_tracker_is_told_every_step(cli, at_mirror, tiny, tmp_path, monkeypatch):
    told = notebook(monkeypatch)
    words = ("run", "taxinli | xnli:en", "--source", "mirror", "--model", tiny, "--max-steps", 2)
    common = ("--max-eval-rows", 2, "--threads", 1, "--store", tmp_path / "store")
    ran = cli(*words, *common, "--track", "notebook")
    assert ran.code == 0, ran.err
    steps = [values for when, values in told if isinstance(when, int)]
    assert [when for when, _ in told if isinstance(when, int)] == [0, 1]
    assert all(values["loss/taxinli"] > 0 for values in steps)
    assert dict(told)["settings"]["stage"] == "train taxinli (seed 1)"
    assert told[-1][0] == "end"
    # It is told of work, and never part of it: nothing is done anew without it.
    assert "3 steps, 3 finished before" in cli(*words, *common).err
    err = cli(*words, *common[:-1], tmp_path / "other", "--track", "notbook").err
    assert '--track "notbook" is no tracker' in err
    err = cli(*words, *common[:-1], tmp_path / "other", "--track", "comet_ml").err
    assert "--track comet_ml needs its package" in err


@pytest.mark.slow
def test_a_stage_becomes_a_folder_for_onnxruntime(ask, ran, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    of = {
        one["inputs"]["items"][0]["task"]: one["id"]
        for one in stages(ran).values()
        if (one["inputs"]["max_steps"], one["inputs"]["seed"]) == (2, 1)
    }
    written = ask("export", "onnx", of["taxinli"][:12])
    folder = tmp_path / written.out.strip()
    assert folder.name.endswith("taxinli-seed1-taxinli-fp32")
    assert {"model.onnx", "tokenizer.json", "serving.json"} <= {p.name for p in folder.iterdir()}
    assert written.err.startswith("checked on ")
    small = ask("export", "onnx", of["taxinli"][:12], "--int8", "--out", tmp_path / "int8")
    assert small.code == 0
    sizes = [(one / "model.onnx").stat().st_size for one in (tmp_path / "int8", folder)]
    assert sizes[0] < sizes[1]
    vectors = ask("export", "onnx", of["csqa"][:12], "--head", "vectors")
    assert vectors.out.strip().endswith("-vectors-fp32")
    for more, why in (
        (["--out", folder], "is in use"),
        (["--head", "nlix"], 'has no head "nlix"'),
    ):
        refused = ask("export", "onnx", of["taxinli"], *more, code=2)
        assert why in refused.err
        assert refused.err.count("\n") == 1
    (scored, *_) = [p.parent.name for p in (ran / "store").glob("steps/*/*/scores.parquet")]
    assert "only a trained stage" in ask("export", "onnx", scored, code=2).err

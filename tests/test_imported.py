"""What was made elsewhere becomes a stage or predictions, and is scored like our own."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import small_tasks
import tiny_encoder
from xstilts import forecast, metrics, models, preflight, resolve
from xstilts import plan as planning
from xstilts.analysis import compare
from xstilts.analysis.outcomes import load
from xstilts.engines.groups import remaining
from xstilts.engines.local import LocalEngine
from xstilts.errors import AbsentError, UserError
from xstilts.formats.examples import Query
from xstilts.imported import Imports, checkpoint, predictions
from xstilts.path import parse
from xstilts.report import findings
from xstilts.report.page import page
from xstilts.report.rows import score_rows
from xstilts.sources import Sources
from xstilts.steps import given_predictions
from xstilts.store import Store
from xstilts.study import Options, Study
from xstilts.tasks import TASKS, Catalogue


class Anybody:
    def __getattr__(self, name):
        return lambda *_: None


class Quiet:
    def begin(self, *_):
        pass

    progress = note = end = begin

    def failed(self, step, reason):
        raise AssertionError(reason)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def tasks(small):
    return Catalogue(small_tasks.tasks(small))


@pytest.fixture(scope="module")
def classifier(tiny, tmp_path_factory):
    """The tiny encoder with a classification head, as transformers saves it."""
    from transformers import AutoTokenizer, XLMRobertaForSequenceClassification

    torch.manual_seed(5)
    labels = {0: "YES", 1: "no", 2: "maybe"}  # another order than the task's
    model = XLMRobertaForSequenceClassification.from_pretrained(
        tiny, num_labels=3, id2label=labels, label2id={one: n for n, one in labels.items()}
    ).eval()
    torch.nn.init.normal_(model.classifier.dense.weight, std=0.3)
    torch.nn.init.normal_(model.classifier.out_proj.weight, std=0.5)
    folder = tmp_path_factory.mktemp("classifier")
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


def plan(small, tiny, store, *paths, **study):
    return planning.build(
        Study(**{"name": "i", "paths": paths, "source": "files", "seeds": (1,), **study}),
        small_tasks.RECIPE,
        [models.find(str(tiny))],
        Catalogue(small_tasks.tasks(small)),
        Sources(),
        allow_absent=study.get("seeds", (1,)) != (1,),
        imports=Imports(store),
    )


def scores(small, tiny, store, *paths, **study):
    """Run and read the rows."""
    found = plan(small, tiny, store, *paths, **study)
    outcome = LocalEngine().run(found, small_tasks.bench(small, store.root), Quiet())
    assert outcome.failures == {}
    return score_rows(found, store), found


def examples(small, tasks, task, language):
    found = tasks.get(task)
    return Sources().examples(found, tasks.data(task, "files"), "evaluate", language)


def give(store, small, tasks, file, language="de", task="s_xnli", **change):
    found = tasks.get(task)
    rows = given_predictions.align(file, found, examples(small, tasks, task, language))
    data = Sources().fingerprint(found, tasks.data(task, "files"), "evaluate", language)
    inputs = {"imported": "llm", "seed": 1, "task": task, "language": language, "source": "files"}
    return predictions(store, rows, file, {**inputs, "data": data, **change})


# --- predictions --------------------------------------------------------------------------------


def test_given_predictions_are_scored_in_their_languages_only(small, tiny, store, tasks, tmp_path):
    """12 rows; every third label is wrong: accuracy 8/12, counted here, not by the metric."""
    file, gold = tmp_path / "p.jsonl", [one.label for one in examples(small, tasks, "s_xnli", "de")]
    ids = [one.id for one in examples(small, tasks, "s_xnli", "de")]
    made = [label if n % 3 else "no idea" for n, label in enumerate(gold)]
    lines = [json.dumps({"id": i, "prediction": p}) for i, p in zip(ids, made, strict=True)]
    file.write_text("\n".join(lines[::-1]) + "\n")  # ids tell, not the order
    step = give(store, small, tasks, file)
    rows, _ = scores(small, tiny, store, "imported(llm) | s_xnli")
    (row,) = rows
    assert (row["language"], row["path"], row["n"]) == ("de", "imported(llm) | s_xnli", 12)
    assert row["value"] == pytest.approx(8 / 12)
    assert (row["predict_id"], row["trained_on"], row["device"]) == (step, "imported", "elsewhere")
    assert give(store, small, tasks, file) == step  # again: nothing new
    file.write_text("\n".join(["no"] * 12))
    assert store.verify() == []


def test_given_predictions_are_compared_and_reported_beside_a_trained_path(
    small, tiny, store, tasks, tmp_path
):
    file = tmp_path / "p.txt"
    file.write_text("".join(f"{one.label}\n" for one in examples(small, tasks, "s_xnli", "de")))
    give(store, small, tasks, file)
    paths = ("imported(llm) | s_xnli", "s_nli | s_xnli")
    _, found = scores(small, tiny, store, *paths, options=Options(max_steps=1))
    loaded = load(found, store, tasks)
    first, second = (replace(loaded, all=[one]) for one in loaded.all)
    assert (first.all[0].selected, first.all[0].tokens) == (None, 0.0)
    (one, *_) = compare.paths(second, first).differences
    assert one.second == 1.0  # every label was given
    assert one.estimate.value == pytest.approx(1 - one.first)
    assert "imported(llm)" in page(findings.collect("given", found, store, tasks))


def test_every_form_of_file_gives_the_same_step(small, store, tasks, tmp_path):
    rows = examples(small, tasks, "s_xnli", "de")
    whole = {one.id: "yes" for one in rows}
    (tmp_path / "a.json").write_text(json.dumps(whole))
    (tmp_path / "b.txt").write_text("yes\n" * len(rows))
    lines = [json.dumps({"id": one, "prediction": "yes", "why": 1}) for one in whole]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    files = [tmp_path / name for name in ("a.json", "b.txt", "c.jsonl")]
    assert len({give(store, small, tasks, file) for file in files}) == 1


@pytest.mark.parametrize(
    ("task", "made", "value"),
    [
        ("s_tags", lambda one: list(one.tags), 1.0),
        ("s_xquad", lambda one: one.answers[0], 1.0),
        ("s_xquad", lambda _: "", 0.0),
        ("s_tatoeba", lambda one: [one.id], 1.0),
        ("s_tatoeba", lambda one: one.id, 1.0),
        ("s_choice", lambda one: one.label, 1.0),
        ("s_choice", lambda one: str((one.label + 1) % len(one.choices)), 0.0),
    ],
)
def test_other_formats(small, tiny, store, tasks, tmp_path, task, made, value):
    file, code = tmp_path / "p.json", "en" if task == "s_choice" else "ru"
    file.write_text(json.dumps({one.id: made(one) for one in examples(small, tasks, task, code)}))
    give(store, small, tasks, file, code, task)
    rows, _ = scores(small, tiny, store, f"imported(llm) | {task}")
    assert {row["value"] for row in rows} == {value}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("p.txt", "yes\n", "has 1 predictions, s_xnli has 12 examples"),
        ("p.json", "{}", "holds no prediction: s_xnli has 12 examples"),
        ("p.json", "[]", "not the JSON that predictions stand in"),
        ("p.json", "[" * 100_000, "not the JSON that predictions stand in"),
        ("p.jsonl", '{"id": "r480"}', 'line 1: a row needs "id" and "prediction"'),
        ("p.jsonl", '{"id": 1, "prediction": 1}\n' * 2, 'line 2: the id "1" stands twice'),
        ("p.jsonl", "{", "not the JSON"),
        ("p.txt", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_files_that_do_not_fit(small, tasks, tmp_path, name, text, why):
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    rows = examples(small, tasks, "s_xnli", "de")
    with pytest.raises(UserError, match=why) as caught:
        given_predictions.align(file, tasks.get("s_xnli"), rows)
    assert len(str(caught.value).splitlines()) == 1


def test_wrong_shapes_and_strange_ids(small, tasks, tmp_path):
    file = tmp_path / "p.json"
    rows = examples(small, tasks, "s_tags", "de")
    for made, why in (("A", "should be a list of texts"), ([], "0 tags for")):
        file.write_text(json.dumps({one.id: made for one in rows}))
        with pytest.raises(UserError, match=why):
            given_predictions.align(file, tasks.get("s_tags"), rows)
    file.write_text(json.dumps({one.id: list(one.tags) for one in rows} | {"other": []}))
    with pytest.raises(UserError, match='"other" is the id of no example'):
        given_predictions.align(file, tasks.get("s_tags"), rows)


def test_a_name_is_given_once(small, store, tasks, tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("yes\n" * 12)
    give(store, small, tasks, file)
    file.write_text("no\n" * 12)
    with pytest.raises(UserError, match="imported before with other content"):
        give(store, small, tasks, file)
    give(store, small, tasks, file, seed=2)
    give(store, small, tasks, file, imported="other")


# --- checkpoints --------------------------------------------------------------------------------


def test_an_imported_head_answers_as_transformers_does(
    small, tiny, store, tasks, classifier, tmp_path
):
    from pyarrow import parquet
    from transformers import AutoTokenizer, XLMRobertaForSequenceClassification

    step = checkpoint(store, classifier, "mine", 1, tasks.get("s_xnli"), [])
    assert checkpoint(store, classifier, "mine", 1, tasks.get("s_xnli"), []) == step
    rows, found = scores(small, tiny, store, "imported(mine) | s_xnli:en")
    (row,) = rows
    assert (row["weights_id"], row["trained_on"]) == (step, "imported")
    made = parquet.read_table(store.open(row["predict_id"]).path("predictions.parquet")).to_pylist()
    model = XLMRobertaForSequenceClassification.from_pretrained(classifier).eval()
    tokenizer = AutoTokenizer.from_pretrained(classifier)
    theirs = []
    for one in examples(small, tasks, "s_xnli", "en"):
        with torch.inference_mode():
            encoded = tokenizer(one.text_a, one.text_b, return_tensors="pt")
            theirs.append(model(**encoded).logits[0])
    # The task's labels are no, maybe, yes; the checkpoint's outputs YES, no, maybe.
    for ours, logits in zip(made, theirs, strict=True):
        assert ours["scores"] == pytest.approx(logits[[1, 2, 0]].tolist(), abs=1e-4)
    assert max(map(max, theirs)) > 0.1
    assert [one.kind for one in found.steps.values()] == ["train", "predict", "score"]


def test_it_is_trained_further_and_its_content_is_part_of_what_follows(
    small, tiny, store, classifier
):
    step = checkpoint(store, classifier, "mine", 1, None, [])
    options = Options(max_steps=1, max_eval_rows=2)
    rows, found = scores(small, tiny, store, "imported(mine) > s_tags", options=options)
    assert {row["trained_on"] for row in rows} == {"s_tags"}
    first, second, *_ = found.steps.values()
    assert (first.id, second.inputs["parent"], second.parent) == (step, step, step)
    checkpoint(store, tiny, "other", 1, None, [])
    other = plan(small, tiny, store, "imported(other) > s_tags", options=options)
    assert not set(other.steps) & set(found.steps)


def test_another_shape_than_the_models_is_told(small, tiny, store, classifier, tmp_path):
    checkpoint(store, classifier, "mine", 1, None, [])
    assert plan(small, tiny, store, "imported(mine) > s_tags").notes == {}
    folder = tmp_path / "wide"
    folder.mkdir()
    wide = tiny_encoder.make(folder, small_tasks.texts(), vocabulary=250, hidden=48)
    told = plan(small, wide, store, "imported(mine) > s_tags").notes["imported(mine)"]
    assert told.startswith("has 2 layers of 32 and ")
    assert "has 2 layers of 48 and " in told
    assert "--model takes" in told


def test_damage_is_told_and_not_made_up_for(small, tiny, store, classifier):
    step = checkpoint(store, classifier, "mine", 1, None, [])
    found = plan(small, tiny, store, "imported(mine) | s_tatoeba:de")
    (store.folder(step) / "model.safetensors").write_bytes(b"x")

    watch = Quiet()
    watch.failed = lambda *_: None
    outcome = LocalEngine().run(found, small_tasks.bench(small, store.root), watch)
    assert list(outcome.failures) == [step]
    assert "import it again" in outcome.failures[step]


@pytest.mark.parametrize(
    ("head", "labels", "why"),
    [
        ("s_xnli", ["a", "b", "c"], "its 3 outputs are called a, b, c; s_xnli has no, maybe, yes"),
        ("s_squad", [], "the head is not one for span"),
        ("s_tatoeba", [], "needs no head"),
    ],
)
def test_heads_that_do_not_fit(store, tasks, classifier, head, labels, why):
    with pytest.raises(UserError, match=why):
        checkpoint(store, classifier, "mine", 1, tasks.get(head), labels)
    assert list(store.ls()) == []


def test_folders_that_are_none(store, tmp_path, tiny):
    with pytest.raises(UserError):
        checkpoint(store, tmp_path, "mine", 1, None, [])
    copy = shutil.copytree(tiny, tmp_path / "pickled")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickle"):
        checkpoint(store, copy, "mine", 1, None, [])


def test_a_forecast_takes_an_imported_stage_as_it_is(small, tiny, store, tasks, classifier):
    labels = ["yes", "no", "maybe"]
    checkpoint(store, classifier, "mine", 1, tasks.get("s_xnli"), labels)
    paths = ("imported(mine) | s_xnli", "imported(mine) > s_tags")
    found = plan(small, tiny, store, *paths, options=Options(max_steps=2))
    bench = small_tasks.bench(small, store.root)
    cost = forecast.forecast(found, remaining(found, store), bench, Anybody())
    assert cost.optimiser_steps == 2
    assert cost.seconds > 0


# --- paths --------------------------------------------------------------------------------------


def test_what_is_not_there_is_absent_and_says_what_is(small, tiny, store, tasks, classifier):
    checkpoint(store, classifier, "mine", 1, None, [])
    for path, why in (
        ("imported(mein) > s_tags", 'nothing was imported as "mein".* did you mean "mine"'),
        ("imported(llm) | s_xnli", 'nothing was imported as "llm"'),
    ):
        with pytest.raises(AbsentError, match=why):
            plan(small, tiny, store, path)
    with pytest.raises(UserError, match=r'has no head for s_xnli.*"imported\(mine\) > s_xnli"'):
        plan(small, tiny, store, "imported(mine) | s_xnli")
    found = plan(small, tiny, store, "imported(mine) > s_tags", seeds=(1, 2))
    assert {cell.seed for cell in found.cells} == {1}
    assert "no checkpoint of seed 2" in found.absent["imported(mine) > s_tags"]


def test_predictions_are_no_checkpoint_and_the_error_says_what_to_write(
    small, tiny, store, tasks, tmp_path
):
    (tmp_path / "p.txt").write_text("no\n" * len(examples(small, tasks, "s_xnli", "de")))
    give(store, small, tasks, tmp_path / "p.txt")
    with pytest.raises(AbsentError, match=r'predictions on s_xnli.*"imported\(llm\) \| s_xnli"'):
        plan(small, tiny, store, "imported(llm) > s_tags")


@pytest.mark.parametrize(
    "text",
    ["s_nli > imported(x) > s_xnli", "imported(x) + s_nli > s_xnli", "imported(x:de) > s_xnli",
     "imported(x[10]) > s_xnli"],
)  # fmt: skip
def test_what_was_imported_stands_alone_at_the_beginning(tasks, text):
    with pytest.raises(UserError, match="stands alone at the beginning of a path"):
        resolve.resolve(parse(text), "files", tasks)


def test_a_path_needs_something_to_evaluate(tasks):
    with pytest.raises(UserError, match="name what to evaluate"):
        resolve.resolve(parse("imported(x)"), "files", tasks)


def test_names_of_two_contents_are_refused(small, tiny, store, classifier, tmp_path):
    """Two stores imported different checkpoints under one name, and were merged."""
    from xstilts.store.merging import merge

    other = Store(tmp_path / "other")
    checkpoint(store, classifier, "mine", 1, None, [])
    checkpoint(other, Path(tiny), "mine", 1, None, [])
    merge(store, other.root, lambda *_: None)
    with pytest.raises(UserError, match="imported 2 times with different content"):
        plan(small, tiny, store, "imported(mine) > s_tags")


def test_a_folder_without_a_head_for_the_task_is_refused(store, tasks, tiny):
    """The likeliest mistake: an encoder that was only pretrained."""
    with pytest.raises(UserError, match=r"has no head for s_xnli \(classification\): no "):
        checkpoint(store, tiny, "mine", 1, tasks.get("s_xnli"), [])


def test_a_head_that_would_answer_otherwise_is_refused(store, tasks, tmp_path):
    """DistilBERT's head ends in ReLU, and ours in tanh."""
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    shape = {"dim": 16, "hidden_dim": 16, "n_layers": 1, "n_heads": 2, "num_labels": 3}
    folder = tiny_encoder.make(tmp_path / "distil", ["a man sleeps"])
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = DistilBertConfig(vocab_size=vocabulary, **shape)
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    with pytest.raises(UserError, match="the head of a distilbert ends in another function"):
        checkpoint(store, folder, "mine", 1, tasks.get("s_xnli"), [])


KINDS = {
    "SequenceClassification": "s_xnli",
    "MultipleChoice": "s_choice",
    "TokenClassification": "s_tags",
    "QuestionAnswering": "s_xquad",
}


@pytest.mark.parametrize("family", ["XLMRoberta", "Roberta", "Bert"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_imported_heads_are_those_of_transformers(family, kind, tasks, tmp_path):
    """One sequence of ids, with random weights: every format, in the families that docs name."""
    import transformers

    from xstilts.model import encoder as encoders
    from xstilts.model.packing import Batch
    from xstilts.steps import foreign_head

    torch.manual_seed(3)
    task = tasks.get(KINDS[kind])
    outputs = max(len(task.labels), 2) if kind != "MultipleChoice" else 1
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = getattr(transformers, f"{family}Config")(
        vocab_size=60, intermediate_size=32, num_labels=outputs, initializer_range=0.5, **sizes
    )
    model = getattr(transformers, f"{family}For{kind}")(config).eval()
    model.save_pretrained(tmp_path)
    encoder = encoders.load(tmp_path).eval()
    head = foreign_head.load(tmp_path, encoder, task, list(task.labels)).eval()
    ids = torch.tensor([5, 17, 23, 8, 42, 6])
    types = torch.zeros_like(ids)
    with torch.inference_mode():
        batch = Batch(ids, types, (len(ids),))
        ours = head(encoder, encoder(batch), batch)
        asked = ids[None, None] if kind == "MultipleChoice" else ids[None]
        theirs = model(input_ids=asked)
    expected = (
        torch.stack([theirs.start_logits[0], theirs.end_logits[0]], dim=1)
        if kind == "QuestionAnswering"
        else theirs.logits[0]
    )
    assert torch.allclose(ours.squeeze(), expected.squeeze(), atol=2e-5)


def test_a_ranking_with_one_right_answer_is_scored_by_its_place(tmp_path):
    """Mewsli-X: the mean reciprocal rank of 1 and 1/2."""
    task = TASKS["mewslix"]
    rows = [Query(f"m{n}", f"m{n}", "Rome", (), ("Q220",)) for n in (1, 2)]
    file = tmp_path / "ranked.jsonl"
    given = {"m1": ["Q220", "Q1"], "m2": ["Q1", "Q220"]}
    file.write_text(
        "".join(json.dumps({"id": k, "prediction": v}) + "\n" for k, v in given.items())
    )
    units = given_predictions.align(file, task, rows)
    assert metrics.score(metrics.get("reciprocal_rank_at_20"), units, "en") == 0.75


def test_rankings_whose_right_answers_the_candidates_know_are_refused(tmp_path):
    with pytest.raises(UserError, match="predictions of it cannot be imported"):
        given_predictions.align(tmp_path / "x.jsonl", TASKS["lareqa"], [])


def test_what_goes_on_from_an_import_is_checked_for_its_size(
    small, tiny, store, tasks, classifier, monkeypatch
):
    """An import began with no model of the plan: it is taken to be as large as that one."""
    checkpoint(store, classifier, "mine", 1, None, [])
    found = plan(small, tiny, store, "imported(mine) > s_tags")
    steps = remaining(found, store)
    asked = []
    monkeypatch.setattr(preflight, "_check_disk", lambda *sizes: asked.append(sizes[:2]))
    preflight.check(found, steps, small_tasks.bench(small, store.root))
    ((largest, kept),) = asked
    assert largest == kept > 10_000

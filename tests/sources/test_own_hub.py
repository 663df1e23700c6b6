"""Task files for datasets of the hub, and folders in its manner."""

import datasets
import pytest

from hub_server import HubServer, run_client
from own_files import examples, jsonl, write
from xstilts.errors import UserError
from xstilts.formats.examples import Pair
from xstilts.sources import own
from xstilts.tasks.base import HoldOut


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Keeps what the package datasets prepares out of the user's cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


REVIEWS = {
    "train.jsonl": jsonl({"text": "Fine.", "label": "good"}, {"text": "No.", "label": "bad"}),
    "validation.jsonl": jsonl({"text": "Ja.", "label": "good"}),
    "test.jsonl": jsonl({"text": "Nein.", "label": "bad"}),
}


def test_a_dataset_that_tells_everything(tmp_path, own_cache, monkeypatch):
    write(tmp_path / "data" / "reviews", REVIEWS)
    monkeypatch.chdir(tmp_path)
    task, text = own.from_hub("hf:./data/reviews")
    assert (
        text
        == f"""\
name: reviews
hub: {tmp_path}/data/reviews
format: classification
train: train
select: validation
evaluate: test
languages: [en]
columns: {{text_a: text, label: label}}
labels: {{bad: bad, good: good}}
"""
    )
    assert task.labels == ("bad", "good")
    assert task.sources["mirror"].split == "test"
    assert examples(task, "train") == [
        Pair("0", "0", "Fine.", None, "good"),
        Pair("1", "1", "No.", None, "bad"),
    ]
    assert examples(task, "select") == [Pair("0", "0", "Ja.", None, "good")]
    assert examples(task, "evaluate") == [Pair("0", "0", "Nein.", None, "bad")]
    write(tmp_path, {"elsewhere/task.yaml": text})
    assert own.load(tmp_path / "elsewhere" / "task.yaml") == task


def test_open_questions_stand_in_the_task_file(tmp_path, own_cache):
    folder = tmp_path / "Org" / "2-Reviews"
    write(folder, {"train.jsonl": REVIEWS["train.jsonl"]})
    task, text = own.from_hub(str(folder))
    assert task is None
    assert (
        text
        == f"""\
name: org_2_reviews
hub: {folder}
format: classification
train: train
select: 10%
languages: [en]
columns: {{text_a: text, label: label}}
labels: {{bad: bad, good: good}}
# ? which is the evaluate split? train
"""
    )


def test_a_dataset_without_a_selection_split_is_complete_all_the_same(tmp_path, own_cache):
    """A share of the training rows serves, and nothing is asked about it."""
    rows = [{"text": f"t{n}", "label": "xy"[n % 2]} for n in range(60)]
    files = {"train.jsonl": jsonl(*rows), "test.jsonl": jsonl(*rows[:2])}
    write(tmp_path / "org" / "none", files)
    task, text = own.from_hub(f"{tmp_path}/org/none")
    assert text.startswith("name: org_none\n")  # the name none means something else
    assert "select: 10%\n" in text
    assert "#" not in text
    assert task.sources["hub"].select == HoldOut(share=0.1)


def test_a_test_split_without_labels_is_a_question(tmp_path, own_cache):
    folder = tmp_path / "org" / "xnli"
    write(folder, REVIEWS | {"test.jsonl": jsonl({"text": "Nein.", "label": "?"})})
    task, text = own.from_hub(f"hf:{folder}")
    assert task is None
    assert text.startswith("name: org_xnli\n")  # the name xnli is taken
    assert text.endswith(
        f"# ? what should be done about this? hf:{folder}, line 8, columns.label: "
        f"{folder} (test), row 1: found ?, expected one of: bad, good\n"
    )


def test_a_dataset_that_tells_nothing(tmp_path, own_cache):
    write(tmp_path / "numbers", {"train.jsonl": jsonl({"x": 1.5})})
    task, text = own.from_hub(f"{tmp_path}/numbers")
    assert task is None
    assert "format" not in text.replace("# ? which format is it", "")


CARD = """\
---
configs:
- config_name: English
  data_files: [{split: train, path: en.jsonl}, {split: test, path: en.jsonl}]
- config_name: German
  data_files: [{split: test, path: de.jsonl}]
---
"""
NLI_TASK = """\
name: mine
hub: ./org/nli
config: "{name}"
format: classification
train: train
select: 25%
evaluate: test
languages: [de]
columns: {text_a: premise, text_b: hypothesis, label: gold}
labels: {0: no, 1: yes, -1: null}
"""


@pytest.fixture
def nli(tmp_path, own_cache):
    """Writes a dataset of two configurations, and loads a task file that names it."""
    english = [{"premise": f"p{n}", "hypothesis": "h", "gold": n % 3 - 1} for n in range(60)]
    german = [{"premise": "Ja", "hypothesis": "Nein", "gold": 0}]
    files = {"README.md": CARD, "en.jsonl": jsonl(*english), "de.jsonl": jsonl(*german)}
    write(tmp_path / "org" / "nli", files)

    def run(text):
        write(tmp_path, {"task.yaml": text})
        return own.load(tmp_path / "task.yaml")

    return run


def test_a_task_file_for_a_dataset_of_several_languages(nli):
    task = nli(NLI_TASK)
    assert task.labels == ("no", "yes")
    assert examples(task, "evaluate", "de") == [Pair("0", "0", "Ja", "Nein", "no")]
    trained, selected = examples(task, "train"), examples(task, "select")
    assert len(trained) + len(selected) == 40  # a third has no label
    assert {one.label for one in trained + selected} == {"no", "yes"}
    assert 0 < len(selected) < len(trained)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train: train", "train: trian", 'no split "trian": did you mean "train"?'),
        ("languages: [de]", "languages: [sw]", 'no configuration "Swahili": allowed: English'),
        ("label: gold", "label: golden", ", columns.label: found golden, expected a column of"),
        ('"{name}"', '"{names}"', "found {names}, expected no braces but {lang} and {name}"),
        ("1: yes, ", "", "labels: found {"),
        ("0: no, ", "2: no, ", "(train), row 2: found 0, expected one of: 2, 1, -1"),
    ],
)
def test_a_mistake_in_a_task_file_for_the_hub(nli, old, new, said):
    with pytest.raises(UserError) as caught:
        nli(NLI_TASK.replace(old, new))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dataset_of_the_hub_is_pinned_to_its_commit(tmp_path):
    write(tmp_path / "hub" / "datasets" / "org" / "reviews", REVIEWS)
    client = "from xstilts.sources import own; print(own.from_hub('hf:org/reviews')[1])"
    with HubServer(tmp_path / "hub") as server:
        done = run_client(client, endpoint=server.url, cache=tmp_path / "cache")
        head = server.head("datasets/org/reviews")
    assert done.stderr == ""
    assert done.stdout.startswith(
        f"name: reviews\nhub: org/reviews\nrevision: {head}\nformat: classification\n"
    )
    assert "# ?" not in done.stdout

"""Splits of several datasets, translations of training rows, and supertags."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import mirror_files
from xstilts.errors import AbsentError, UserError
from xstilts.sources import Sources, hub
from xstilts.tasks import TASKS, Hub

PAIR = {"premise": "It rains.", "hypothesis": "It is wet."}
ROWS = {
    ("stanfordnlp/snli", "train"): [PAIR | {"label": 0}, PAIR | {"label": -1}],  # -1: no gold
    ("nyu-mll/multi_nli", "train"): [PAIR | {"label": 1}],
    ("facebook/anli", "train_r1"): [PAIR | {"uid": "a", "label": 2}],
    ("facebook/anli", "train_r2"): [PAIR | {"uid": "a", "label": 2}],
    ("facebook/anli", "train_r3"): [PAIR | {"uid": "b", "label": 0}],
}


@pytest.fixture
def on_hub(monkeypatch):
    asked = []

    def rows(place: Hub, code: str):
        asked.append((place.repo, place.config.format(lang=code), place.split))
        return iter(ROWS.get((place.repo, place.split), [PAIR | {"label": 0}]))

    monkeypatch.setattr(hub, "rows", rows)
    monkeypatch.setattr(hub, "resolve", lambda place, _code: {"revision": f"at {place.split}"})
    return asked


def test_anli_plus_is_five_training_sets_with_ids_of_their_own(on_hub):
    task = TASKS["anli_plus"]
    found = Sources().examples(task, task.sources["hub"], "train", "en")
    assert [repo for repo, _, _ in on_hub] == [
        *("stanfordnlp/snli", "nyu-mll/multi_nli"),
        *["facebook/anli"] * 3,
    ]
    assert [(one.id, one.label) for one in found] == [
        ("1:0", "entailment"),
        ("2:0", "neutral"),
        ("3:a", "contradiction"),
        ("4:a", "contradiction"),
        ("5:b", "entailment"),
    ]


def test_anli_plus_has_1_104_934_rows():
    """SNLI, MNLI and the three rounds of ANLI, as their cards count them."""
    assert f"{549_367 + 392_702 + 16_946 + 45_460 + 100_459:,}" == "1,104,934"
    assert "1,104,934" in TASKS["anli_plus"].about


def test_the_fingerprint_is_of_all_parts_and_their_order(on_hub):
    task = TASKS["anli_plus"]
    data = task.sources["hub"]
    sources, parts = Sources(), data.train.parts
    whole = sources.fingerprint(task, data, "train", "en")
    for changed in (parts[:4], parts[::-1], (replace(parts[0], labels={}), *parts[1:])):
        other = replace(data, train=replace(data.train, parts=changed))
        assert sources.fingerprint(task, other, "train", "en") != whole
    assert sources.fingerprint(task, data, "train", "en") == whole
    assert set(sources.commits) == {"stanfordnlp/snli", "nyu-mll/multi_nli", "facebook/anli"}


def test_training_rows_in_other_languages_are_the_translations(on_hub):
    task = TASKS["mnli"]
    for code in ("en", "sw"):
        Sources().examples(task, task.sources["hub"], "train", code)
    assert on_hub == [("nyu-mll/multi_nli", "", "train"), ("facebook/xnli", "sw", "train")]


def test_translations_are_grouped_by_their_english_pair(tmp_path):
    """So that a premise held out in English is held out in every language."""
    task = TASKS["mnli"]
    data = replace(task.sources["mirror"], select=None)
    mirror_files.write(
        tmp_path, "xtreme_translations/XNLI/translate-train/en-{lang}-translated.tsv", ("de",)
    )
    found = Sources(tmp_path).examples(task, data, "train", "de")
    assert {one.group for one in found} == {"It rained."}
    assert [one.label for one in found] == ["contradiction", "entailment"]


def _articles(language):
    asked = [
        {"id": str(n), "question": "?", "answers": [{"text": language, "answer_start": 0}]}
        for n in range(100)
    ]
    paragraphs = [{"context": f"{language} {one['id']}", "qas": [one]} for one in asked]
    return json.dumps({"data": [{"paragraphs": paragraphs}]})


def test_translated_questions_are_held_out_with_their_english_ones(tmp_path):
    """TyDiQA's files have no titles: the same question in Korean stands in another paragraph."""
    task = TASKS["tydiqa"]
    data = task.sources["mirror"]
    for place, code in ((data.train, "en"), (data.translated, "ko")):
        path = tmp_path / place.path.format(lang=code)
        path.parent.mkdir(parents=True)
        path.write_text(_articles(code))
    sources = Sources(tmp_path)
    ids = {
        (split, code): {one.id for one in sources.examples(task, data, split, code)}
        for split, code in (("train", "en"), ("select", "en"), ("train", "ko"))
    }
    assert 0 < len(ids["select", "en"]) < 30
    assert ids["train", "ko"] == ids["train", "en"]
    path.write_text(_articles("ko").replace('"id": "', '"id": "other-'))
    with pytest.raises(UserError, match="no row in ko has the id of an English one"):
        Sources(tmp_path).examples(task, data, "train", "ko")


def test_translated_pairs_of_another_file_are_all_trained_on(tmp_path):
    """The mirror's English pairs of PAWS-X are of dev-en, its translations of the training file."""
    task = TASKS["pawsx"]
    data = task.sources["mirror"]
    path = tmp_path / data.translated.path.format(lang="de")
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"a{n}\tb{n}\tx{n}\ty{n}\t1\n" for n in range(100)))
    assert len(Sources(tmp_path).examples(task, data, "train", "de")) == 100


def test_translated_pairs_without_a_label_are_dropped(tmp_path):
    task = TASKS["pawsx"]
    data = replace(task.sources["mirror"], select=None)
    mirror_files.write(
        tmp_path, "xtreme_translations/PAWSX/translate-train/en-{lang}-translated.tsv", ("ja",)
    )
    assert [one.id for one in Sources(tmp_path).examples(task, data, "train", "ja")] == ["0", "2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ccg.train", "The boat\n", "ccg.train line 1: no tab between words and supertags"),
        ("ccg.train", "Boat\tN/X\n", "ccg.train line 1: tags_to_id.json has no N/X"),
        ("ccg.train", "The boat\tN\n", "row 1: 2 words but 1 tags"),
        ("tags_to_id.json", "{", "tags_to_id.json: not JSON"),
        ("tags_to_id.json", '{"N": 1363, "NP[nb]/N": 0}', 'tag "1363" of word'),
    ],
)
def test_supertags_that_do_not_fit_are_refused(tmp_path, name, text, message):
    task = TASKS["ccg"]
    mirror_files.write(tmp_path, "ccg/ccg.train", ("en",))
    if name == "tags_to_id.json":
        (tmp_path / "ccg" / "ccg.train").write_text("The boat\tNP[nb]/N N\n")
    (tmp_path / "ccg" / name).write_text(text)
    with pytest.raises(UserError) as refused:
        Sources(tmp_path).examples(task, task.sources["mirror"], "train", "en")
    assert message in str(refused.value)


def test_the_numbers_of_supertags_are_part_of_the_data(tmp_path):
    task = TASKS["ccg"]
    data = task.sources["mirror"]
    mirror_files.write(tmp_path, "ccg/ccg.train", ("en",))
    before = Sources(tmp_path).fingerprint(task, data, "train", "en")
    (tmp_path / "ccg" / "tags_to_id.json").write_text('{"N": 7}')
    assert Sources(tmp_path).fingerprint(task, data, "train", "en") != before


@pytest.mark.parametrize("source", ["hub", "mirror"])
def test_without_ccgbank_the_task_is_absent(source, tmp_path):
    """Also on the hub, where a study lists it and goes on."""
    task = TASKS["ccg"]
    data = task.sources[source]
    with pytest.raises(AbsentError, match=r"ccg/ccg.train lies in the folder XSTILTS_MIRROR"):
        Sources().fingerprint(task, data, "train", "en")
    with pytest.raises(AbsentError, match=r"no file .*ccg/ccg.train"):
        Sources(tmp_path).fingerprint(task, data, "train", "en")

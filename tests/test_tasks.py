"""Every task of the catalogue: what it declares, and its rows there and back."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from string import Formatter
from typing import TYPE_CHECKING

import numpy as np
import pytest

import mirror_files
from xstilts import formats, languages, metrics
from xstilts.errors import AbsentError, UserError
from xstilts.formats import Limits
from xstilts.formats.examples import Candidate, Query, Question
from xstilts.formats.tagging import IGNORE
from xstilts.metrics import METRICS
from xstilts.path import parse
from xstilts.sources import Sources, _in_proportion, hub, readers
from xstilts.tasks import (
    SOURCES,
    TASKS,
    Catalogue,
    Data,
    Files,
    Generated,
    HoldOut,
    Hub,
    Joined,
    Task,
)
from xstilts.tasks.candidates import answer_sentence
from xstilts.tasks.text import wikiann_text

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "select", "evaluate", "translated", "pool", "tune", "tune_pool")
SQUAD = ("squad_f1", "squad_exact_match")
FIT = {
    "classification": {"accuracy", "positive_f1"},
    "multiple_choice": {"accuracy"},
    "tagging": {"seqeval_f1", "pos_f1", "tag_accuracy"},
    "span": {
        *SQUAD,
        *(f"squad_v2_{m}" for m in ("f1", "exact_match")),
        "mlqa_f1",
        "mlqa_exact_match",
    },
    "retrieval": {
        *("retrieval_accuracy", "bitext_f1"),
        *("average_precision_at_20", "reciprocal_rank_at_20"),
    },
    "mlm": set(),
}
EVERY_TASK = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
EVERY_SOURCE = pytest.mark.parametrize(
    ("task", "source", "data"),
    [
        pytest.param(task, source, data, id=f"{task.name}-{source}")
        for task in TASKS.values()
        for source, data in task.sources.items()
    ],
)


def locations(kind: type) -> list:
    """(task, data, split) of every split that is kept in this kind of place."""
    return [
        pytest.param(task, data, split, id=f"{task.name}-{source}-{split}")
        for task in TASKS.values()
        for source, data in task.sources.items()
        for split in SPLITS
        if isinstance(parts(getattr(data, split))[0], kind)
    ]


def parts(place: object) -> tuple:
    """The places that a split is kept in."""
    return place.parts if isinstance(place, Joined) else (place,)


def codes(task: Task, data: Data, split: str) -> tuple[str, ...]:
    """The languages that the split has."""
    if split in ("tune", "tune_pool") and data.tune_languages:
        return data.tune_languages
    if split in ("evaluate", "pool", "tune", "tune_pool"):
        return data.languages or task.languages
    if split == "translated":
        return data.train_languages[1:]
    if split == "train" and data.translated is None:
        return data.train_languages
    return ("en",)


def kind_of(split: str) -> str:
    """What the sources call the rows: translations are training rows."""
    return "train" if split == "translated" else split


# what is declared


@EVERY_TASK
def test_names_can_be_written_in_paths(task):
    assert TASKS[task.name] is task
    assert str(parse(task.name)) == task.name


@EVERY_TASK
def test_about_and_license_are_given(task):
    assert task.about
    assert len(task.about) <= 100  # one line
    assert "\n" not in task.about
    assert task.license
    assert task.source_url.startswith("https://") or task.format == "mlm"  # a text has no paper


@EVERY_TASK
def test_metrics_exist_and_fit_the_format(task):
    assert set(task.metrics) <= METRICS.keys()
    assert set(task.metrics) <= FIT[task.format]
    assert len(set(task.metrics)) == len(task.metrics)
    assert bool(task.metrics) == (task.format != "mlm")
    assert set(task.main) <= set(task.metrics)
    assert all("v2" in name for name in task.metrics) == task.unanswerable or not task.metrics


def test_main_metrics():
    """One number a task; of the QA tasks the mean of F1 and exact match (XTREME, section 2.5)."""
    several = {task.name: task.main_metrics for task in TASKS.values() if task.format == "span"}
    assert several == {
        **dict.fromkeys(("squad_dev", "squad_v1", "squad_whole", "xquad", "tydiqa"), SQUAD),
        "squad_v2": ("squad_v2_f1", "squad_v2_exact_match"),
        "mlqa": ("mlqa_f1", "mlqa_exact_match"),
    }
    assert TASKS["udpos"].main_metrics == ("pos_f1",)
    assert TASKS["panx"].main_metrics == TASKS["wikineural"].main_metrics == ("seqeval_f1",)
    assert TASKS["mlm"].main_metrics == ()


def test_what_a_group_is_is_said():
    """Questions of CommonsenseQA, tagged sentences and raw lines stand alone; the rest do not."""
    alone = {name for name, task in TASKS.items() if task.grouped_by == Task.grouped_by}
    assert alone == {"csqa", "copa", "xcopa", "udpos", "wikineural", "panx", "ccg", "mlm"}
    for task in TASKS.values():
        assert not task.tied_by or task.name not in alone
        assert "\n" not in task.grouped_by


@EVERY_TASK
def test_labels_are_those_of_formats_that_have_labels(task):
    assert bool(task.labels) == (task.format in ("classification", "tagging"))
    assert len(set(task.labels)) == len(task.labels)


@EVERY_TASK
def test_chance(task):
    if task.format == "classification":
        assert task.chance == 1 / len(task.labels)
    elif task.format == "multiple_choice" or task.name == "tatoeba":
        assert 0 < task.chance < 1
    else:
        assert task.chance in (None, 0.0)


@EVERY_TASK
def test_languages_are_known_and_english_comes_first(task):
    listed = [task.languages]
    for data in task.sources.values():
        listed += [data.languages, data.train_languages]
        assert set(data.languages) <= set(task.languages)
        if isinstance(data.train, Generated) or task.format == "mlm":
            continue
        assert set(data.train_languages) <= {"en", *task.languages} or data.translated
        by_people = task.name == "udpos"  # treebanks of each language
        assert (len(data.train_languages) > 1) == (data.translated is not None or by_people)
    for one in listed:
        assert set(one) <= languages.table().keys()
        assert len(set(one)) == len(one)
        assert "en" not in one[1:]
    assert task.languages


@EVERY_SOURCE
def test_every_source_has_something(task, source, data):
    assert source in SOURCES
    assert data.train or data.evaluate or data.train_on
    assert bool(data.split) == (data.evaluate is not None)
    assert not data.languages or data.evaluate is not None
    assert not (data.train and data.train_on)
    # selection rows belong to training rows; raw text needs none
    assert (data.select is not None) == (data.train is not None and task.format != "mlm")
    if isinstance(data.select, HoldOut):
        assert 0 < data.select.share < 0.5


@EVERY_SOURCE
def test_train_on_names_a_task_with_the_same_head(task, source, data):
    if not data.train_on:
        return
    other = TASKS[data.train_on]
    assert other.sources[source].train is not None
    assert (other.format, other.labels) == (task.format, task.labels)


@EVERY_SOURCE
def test_places_have_only_gaps_that_can_be_filled(task, source, data):
    for split in SPLITS:
        place = getattr(data, split)
        names = [one.path for one in parts(place) if isinstance(one, Files)]
        if task.name == "mewslix":
            continue  # all languages in one file
        for one in parts(place):
            names += [one.config, one.split, one.id_prefix] if isinstance(one, Hub) else []
        gaps = {gap for name in names for _, gap, _, _ in Formatter().parse(name) if gap}
        assert gaps <= ({"lang", "tatoeba"} if source == "mirror" else {"lang", "tatoeba", "name"})
        found = codes(task, data, split)
        one_place = found == ("en",) or place is None or isinstance(place, HoldOut | Generated)
        assert gaps or one_place
        if "tatoeba" in gaps:
            assert all(languages.get(code).tatoeba for code in found)


@pytest.mark.parametrize(("task", "data", "split"), [*locations(Files), *locations(Hub)])
def test_labels_are_renamed_to_the_tasks_own(task, data, split):
    for place in parts(getattr(data, split)):
        renamed = place.labels.values()
        assert set(renamed) - {None} <= set(task.labels)
        if isinstance(place, Hub) and renamed:
            assert set(renamed) >= set(task.labels)  # numbers say nothing: all must be named


def test_hub_upos_are_all_of_them_in_the_order_of_the_alphabet():
    """Universal Dependencies has 17 (universaldependencies.org/u/pos)."""
    assert len(TASKS["udpos"].labels) == 17
    assert list(TASKS["udpos"].labels) == sorted(TASKS["udpos"].labels)
    numbered = TASKS["udpos"].sources["hub"].train.labels
    assert [numbered[str(i)] for i in range(17)] == list(TASKS["udpos"].labels)


def test_hub_orders():
    """The class numbers of the hub's copies: MNLI and XNLI (0 entailment), WikiANN (0 outside)."""
    nli = {"0": "entailment", "1": "neutral", "2": "contradiction", "-1": None}
    assert TASKS["mnli"].sources["hub"].train.labels == nli
    assert TASKS["xnli"].sources["hub"].evaluate.labels == nli
    entities = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    assert list(TASKS["panx"].sources["hub"].evaluate.labels.values()) == entities
    # MISC, the eighth and ninth, is no entity here
    assert list(TASKS["wikineural"].sources["hub"].train.labels.values()) == [*entities, "O", "O"]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["Amina", "lives", "in", "Kano", "."], "Amina lives in Kano ."),
        (["北", "京", "在", "中", "国"], "北京在中国"),
        (["BMW", "の", "車"], "BMW の車"),
        (["ไ", "ท", "ย"], "ไทย"),
    ],
)
def test_raw_text_of_the_hub_has_spaces_where_its_script_has(tokens, text):
    assert wikiann_text({"tokens": tokens, "ner_tags": [0] * len(tokens)}) == {"text": text}


def test_a_dataset_of_the_hub_is_read_at_one_commit():
    revisions: dict[str, set[str]] = {}
    for _, data, split in (case.values for case in locations(Hub)):
        for place in parts(getattr(data, split)):
            revisions.setdefault(place.repo, set()).add(place.revision)
    assert all(len(found) == 1 for found in revisions.values())
    assert all(hub.COMMIT.fullmatch(found.pop()) for found in revisions.values())


# the catalogue


def test_catalogue_knows_built_in_and_own_tasks():
    own = replace(TASKS["xnli"], name="mine")
    catalogue = Catalogue([own])
    assert catalogue.get("mine") is own
    assert catalogue.get("xnli") is TASKS["xnli"]
    assert [task.name for task in catalogue] == [*TASKS, "mine"]
    assert catalogue.data("xnli", "mirror") is TASKS["xnli"].sources["mirror"]
    assert "mine" not in {task.name for task in Catalogue()}


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: Catalogue([replace(TASKS["xnli"])]),
            UserError,
            'task file declares "xnli", the name of another task: choose another name',
        ),
        (
            lambda: Catalogue([replace(TASKS["xnli"], name="all9")]),
            UserError,
            'task file declares "all9", the name of a mixture: choose another name',
        ),
        (
            lambda: Catalogue([replace(TASKS["xnli"], name="xtreme")]),
            UserError,
            'task file declares "xtreme", the name of a suite: choose another name',
        ),
        (
            lambda: Catalogue([replace(TASKS["xnli"], name="shuffled")]),
            UserError,
            'task file declares "shuffled", the name of a control: choose another name',
        ),
        (
            lambda: Catalogue([replace(TASKS["xnli"], name="none")]),
            UserError,
            (
                'task file declares "none", the name of the baseline in study files: choose '
                "another name"
            ),
        ),
        (
            lambda: Catalogue().get("intents"),
            UserError,
            (
                'no task is called "intents": allowed: anli_plus, bucc2018, ccg, codah, copa, '
                "cosmos_qa, csqa, hellaswag, lareqa, mewslix, mlm, mlqa (`xstilts tasks` lists all)"
            ),
        ),
        (
            lambda: Catalogue().get("xnlj"),
            UserError,
            'no task is called "xnlj": did you mean "xnli"?',
        ),
        (
            lambda: Catalogue().data("taxinli", "hub"),
            AbsentError,
            'task "taxinli" is not in source "hub"; it is in: microworld, mirror',
        ),
        (
            lambda: Catalogue([replace(TASKS["xnli"], name="bare", sources={})]).data(
                "bare", "hub"
            ),
            AbsentError,
            'task "bare" is in no source yet; `xstilts score bare` scores predictions',
        ),
        (
            lambda: Catalogue().data("xnli", "files"),
            AbsentError,
            'task "xnli" is not in source "files"; it is in: hub, microworld, mirror',
        ),
    ],
)
def test_catalogue_refuses(call, kind, message):
    with pytest.raises(UserError) as refused:
        call()
    assert refused.type is kind
    assert str(refused.value) == message


# there and back


def perfect(task: Task, encoded, examples) -> np.ndarray:
    """What a model that is always right would put out."""
    match task.format:
        case "classification":
            return np.eye(len(task.labels), dtype=np.float32)[encoded.targets["label"]]
        case "multiple_choice":
            scores = np.zeros(len(encoded.lengths), np.float32)
            scores[encoded.units[:-1] + encoded.targets["label"]] = 1
            return scores
        case "tagging":
            return np.where(encoded.targets["tags"] == IGNORE, 0, encoded.targets["tags"])
        case "span":
            logits = np.zeros((len(encoded.ids), 2), np.float32)
            for side in (0, 1):
                logits[encoded.offsets[:-1] + encoded.targets["span"][:, side], side] = 9
            return logits
        case _:
            return np.arange(len(examples)).reshape(1, -1, 1)


def right(row: dict) -> bool:
    gold, prediction = row["gold"], row["prediction"]
    if "null_odds" in row:
        return prediction in gold if gold else prediction == ""
    return prediction == ([gold] if "layer" in row else gold)


def assert_there_and_back(task: Task, examples, tokenizer, max_length=96) -> None:
    encoded = formats.encode(task, examples, tokenizer, Limits(max_length=max_length))
    if task.format == "mlm":
        lines = np.split(encoded.ids, encoded.offsets[1:-1])
        assert [ids.tolist() for ids in lines] == [tokenizer.encode(e.text).ids for e in examples]
        return
    if isinstance(examples[0], Query | Candidate):  # ranked elsewhere
        assert encoded.owner.tolist() == list(range(len(examples)))
        assert set(np.diff(encoded.units)) == {2 if getattr(examples[0], "answer", ()) else 1}
        return
    rows = list(formats.decode(task, examples, encoded, perfect(task, encoded, examples)))
    assert [row["id"] for row in rows] == [one.id for one in examples]
    assert all(right(row) for row in rows)
    units = [dict(row, gold=row["gold"]) for row in rows]
    assert {name: metrics.score(metrics.get(name), units, "en") for name in task.metrics} == (
        dict.fromkeys(task.metrics, 1.0)
    )


# Files that two tasks or splits read in different ways.
SENTENCES = "The boat left at nine. It was red. It was red."
EXPECTED = {
    ("lareqa", "train"): Query(
        *("q0", "Boats", "what left ?", (mirror_files.CONTEXT, mirror_files.CONTEXT), ())
    ),
    ("lareqa", "pool"): Candidate("1_0", "1_0", ("The boat left at nine.", SENTENCES), ("q0",)),
}


@pytest.mark.parametrize(("task", "data", "split"), locations(Files))
def test_files_there_and_back(task, data, split, tmp_path, tiny_tokenizer):
    location = getattr(data, split).path
    found = codes(task, data, split)
    mirror_files.write(tmp_path, location, found)
    whole = replace(data, select=None) if isinstance(data.select, HoldOut) else data
    for code in found:
        examples = Sources(tmp_path).examples(task, whole, kind_of(split), code)
        assert examples[0] == EXPECTED.get((task.name, split), mirror_files.FILES[location][1])
        assert len(examples) >= 2
        assert_there_and_back(task, examples, tiny_tokenizer)


NLI_ROW = {"premise": "It rains.", "hypothesis": "It is wet.", "label": 0}
TAGS_ROW = {"tokens": ["Anna", "runs"], "ner_tags": [1, 0], "pos_tags": [11, 15]}
SQUAD_ROW = {
    "id": "english-1",
    "title": "Boats",
    "context": mirror_files.CONTEXT,
    "question": "what left ?",
    "answers": {"text": ["red boat"], "answer_start": [8]},
}
COPA_ROW = {
    "premise": "The boat sank.",
    "choice1": "It was red.",
    "choice2": "It leaked.",
    "question": "cause",
    "idx": 3,
    "label": 1,
}
HUB_ROWS = {
    "nyu-mll/multi_nli": NLI_ROW,
    "facebook/xnli": NLI_ROW,
    "google-research-datasets/paws-x": {"id": 1, "sentence1": "a", "sentence2": "b", "label": 1},
    "tau/commonsense_qa": {
        "id": "1",
        "question": "?",
        "choices": {"label": list("ABCDE"), "text": list("vwxyz")},
        "answerKey": "D",
    },
    "Rowan/hellaswag": {
        "ind": 4,
        "source_id": "video~1",
        "ctx_a": "A man sits.",
        "ctx_b": "he",
        "endings": ["rows.", "bakes.", "flies.", "sinks."],
        "label": "2",
    },
    "jaredfern/codah": {
        "id": 0,
        "question_propmt": "It",
        "candidate_answers": ["rains.", "sings.", "reads.", "sits."],
        "correct_answer_idx": 0,
    },
    "allenai/cosmos_qa": {
        "id": "1",
        "context": "It snowed .",
        "question": "What fell ?",
        **{f"answer{i}": f"answer {i}" for i in range(4)},
        "label": 3,
    },
    "google/xtreme": TAGS_ROW | SQUAD_ROW,
    "Babelscape/wikineural": TAGS_ROW,
    "unimelb-nlp/wikiann": TAGS_ROW,
    "stanfordnlp/snli": NLI_ROW,
    "facebook/anli": NLI_ROW | {"uid": "0fd0", "reason": "rain is wet"},
    "nyu-mll/glue": {"question1": "Why?", "question2": "How?", "label": 1, "idx": 5},
    "lighteval/siqa": {
        "context": "Amina lost.",
        "question": "How did she feel?",
        **dict(zip(("answerA", "answerB", "answerC"), ("glad", "sad", "red"), strict=True)),
        "label": "2",
    },
    "aps/super_glue": COPA_ROW,
    "cambridgeltl/xcopa": COPA_ROW | {"changed": False},
    "rajpurkar/squad": SQUAD_ROW,
    "rajpurkar/squad_v2": SQUAD_ROW | {"answers": {"text": [], "answer_start": []}},
    "google/xquad": SQUAD_ROW,
    "google-research-datasets/tydiqa": SQUAD_ROW,
    "mteb/tatoeba-bitext-mining": {"sentence1": "Es regnet.", "sentence2": "It rains."},
}


@pytest.mark.parametrize(("task", "data", "split"), locations(Hub))
def test_hub_rows_there_and_back(task, data, split, monkeypatch, tiny_tokenizer):
    monkeypatch.setattr(hub, "rows", lambda place, _code: iter([HUB_ROWS[place.repo]]))
    whole = replace(data, select=None) if isinstance(data.select, HoldOut) else data
    for code in codes(task, data, split):
        examples = Sources().examples(task, whole, kind_of(split), code)
        assert_there_and_back(task, examples, tiny_tokenizer)


def test_gold_pairs_of_bucc_lie_beside_its_files(tmp_path):
    """Where they are deleted, as in XTREME's download, there are queries without a right answer."""
    task, sources = TASKS["bucc2018"], Sources(tmp_path)
    data = task.sources["mirror"]
    mirror_files.write(tmp_path, data.evaluate.path, ("de",))
    found = sources.examples(task, data, "evaluate", "de")
    assert [one.right for one in found] == [(), ("en-000000001",)]
    named = sources.fingerprint(task, data, "evaluate", "de")
    (tmp_path / "bucc2018/de-en.test.gold").unlink()
    assert all(one.right == () for one in sources.examples(task, data, "evaluate", "de"))
    assert sources.fingerprint(task, data, "evaluate", "de") != named


def test_sentences_that_read_the_same_answer_the_same(tmp_path):
    task = TASKS["lareqa"]
    data = task.sources["mirror"]
    mirror_files.write(tmp_path, data.pool.path, ("de",))
    found = Sources(tmp_path).examples(task, data, "pool", "de")
    assert [(one.id, one.answers) for one in found] == [
        *(("1_0", ("q0",)), ("1_1", ("q1",)), ("1_2", ("q1",)))
    ]


def test_mentions_are_those_of_the_language(tmp_path):
    task = TASKS["mewslix"]
    data = task.sources["mirror"]
    mirror_files.write(tmp_path, data.evaluate.path, ("en",))
    sources = Sources(tmp_path)
    found = sources.examples(task, data, "evaluate", "uk")
    assert [one.id for one in found] == ["en-17-0", "en-17-1"]
    assert sources.fingerprint(task, data, "evaluate", "uk") != sources.fingerprint(
        task, data, "evaluate", "en"
    )


@pytest.mark.parametrize(
    ("context", "start", "expected"),
    [
        ("It rained. The boat left.", 15, "The boat left."),
        ("It rained. The boat left.", 0, "It rained."),
        ("It cost 3.5 coins. Why?", 10, "It cost 3.5 coins."),  # no space, no end
        ("下雨了。船走了！", 4, "船走了！"),
    ],
)
def test_the_sentence_that_an_answer_begins_in(context, start, expected):
    row = {
        "id": "1",
        "context": context,
        "question": "?",
        "answers": {"text": ["a"], "answer_start": [start]},
    }
    found = answer_sentence(row)
    assert (found["answer"], found["context"]) == (expected, context)
    assert answer_sentence(row | {"answers": {"text": [], "answer_start": []}}) is None


@pytest.mark.parametrize(
    ("context", "text", "start", "expected"),
    [
        ("a b a b", "b", 2, 2),  # where it should be
        ("a b a b", "b", 3, 2),
        ("a b a b", "b", 4, 2),  # of two as near, the one before
        ("a b a b", "b", 5, 6),
        ("a b a b", "a", 9, 4),  # beyond the end, after a context was stripped
    ],
)
def test_answers_of_the_hub_are_moved_to_where_they_stand(
    context, text, start, expected, monkeypatch
):
    row = SQUAD_ROW | {"context": context, "answers": {"text": [text], "answer_start": [start]}}
    monkeypatch.setattr(hub, "rows", lambda *_: iter([row]))
    (found,) = Sources().examples(TASKS["xquad"], TASKS["xquad"].sources["hub"], "evaluate", "de")
    assert found.starts == (expected,)


def test_an_answer_that_stands_nowhere_is_refused(monkeypatch):
    row = SQUAD_ROW | {"answers": {"text": ["green boat"], "answer_start": [8]}}
    monkeypatch.setattr(hub, "rows", lambda *_: iter([row]))
    with pytest.raises(UserError, match="answer 'green boat' does not stand in its context"):
        Sources().examples(TASKS["xquad"], TASKS["xquad"].sources["hub"], "evaluate", "de")


def test_hellaswag_splits_the_context_as_the_authors_did(monkeypatch):
    """A is ctx_a; B is ctx_b and the ending (jiant, tasks/lib/hellaswag.py)."""
    monkeypatch.setattr(hub, "rows", lambda *_: iter([HUB_ROWS["Rowan/hellaswag"]]))
    task = TASKS["hellaswag"]
    (found,) = Sources().examples(task, task.sources["hub"], "evaluate", "en")
    assert found.prompt == "A man sits."
    assert found.choices == ("he rows.", "he bakes.", "he flies.", "he sinks.")
    assert (found.label, found.group) == (2, "video~1")


def test_entities_of_other_kinds_are_outside(tmp_path):
    task = TASKS["wikineural"]
    mirror_files.write(tmp_path, "wikineural/{lang}/test.conllu", ("de",))
    _, easter = Sources(tmp_path).examples(task, task.sources["mirror"], "evaluate", "de")
    assert easter.words == ("Easter", "Monday", "came")
    assert easter.tags == ("O", "O", "O")


def test_questions_of_squad_v2_may_have_no_answer(tmp_path):
    task = TASKS["squad_v2"]
    location = "squad/dev-v2.0.reconstructed.json"
    mirror_files.write(tmp_path, location, ("en",))
    whole = replace(task.sources["mirror"], select=None)
    first, second = Sources(tmp_path).examples(task, whole, "train", "en")
    assert isinstance(first, Question)
    assert first.answers
    assert second.answers == second.starts == ()


# the rows of our own have the form of the real ones


def shape(value: object) -> object:
    """The names and kinds in a value; of a list, those of its first entry."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


# Declared by their published format; the mirror of the tests has them not.
ABSENT = (
    "bucc2018/",
    "mewslix/",
    "ccg/",
    "squad/train-v1.1.json",
    "squad/dev-v1.1.json",
    "xnli/train-",
    "xtreme_trans",
)


def skip_absent(rows: Files, mirror: Path, found: tuple[str, ...]) -> None:
    """Skip where the mirror has none of the files, if these are known to be absent."""
    paths = [mirror / rows.path.format(lang=code, tatoeba="") for code in found]
    if rows.path.startswith(ABSENT) and not any(path.is_file() for path in paths):
        pytest.skip(f"the mirror has no {rows.path}")


@pytest.mark.mirror
@pytest.mark.parametrize(("task", "data", "split"), locations(Files))
def test_real_files_have_the_form_of_ours(task, data, split, mirror, tmp_path):
    rows = getattr(data, split)
    skip_absent(rows, mirror, codes(task, data, split))
    for code in codes(task, data, split):
        name = rows.path.format(lang=code, tatoeba=languages.get(code).tatoeba)
        mirror_files.write(tmp_path, rows.path, (code,))
        ours, real = (_first(rows, folder / name) for folder in (tmp_path, mirror))
        assert shape(ours) == shape(real)


def _first(rows: Files, path: Path) -> object:
    if rows.reader == "squad":
        return json.loads(path.read_text(encoding="utf-8"))
    if rows.reader in ("csv", "tsv") and rows.header:
        return path.read_text(encoding="utf-8").splitlines()[0].split("\t"), next(
            readers.read(rows, path)
        )
    return next(readers.read(rows, path))


@pytest.mark.mirror
@pytest.mark.parametrize(("task", "data", "split"), locations(Files))
def test_first_real_rows_there_and_back(task, data, split, mirror, monkeypatch, tiny_tokenizer):
    skip_absent(getattr(data, split), mirror, codes(task, data, split))
    read = readers.read
    monkeypatch.setattr(readers, "read", lambda rows, path: islice(read(rows, path), 20))
    whole = replace(data, select=None) if isinstance(data.select, HoldOut) else data
    for code in codes(task, data, split):
        examples = Sources(mirror).examples(task, whole, kind_of(split), code)
        if task.format != "span":
            assert_there_and_back(task, examples, tiny_tokenizer, max_length=4096)
            continue
        encoded = formats.encode(task, examples, tiny_tokenizer, Limits(max_length=100_000))
        rows = list(formats.decode(task, examples, encoded, perfect(task, encoded, examples)))
        first, last = encoded.targets["span"].T
        for row, tokens in zip(rows, last - first + 1, strict=True):
            # the tiny tokenizer may have no boundary where an answer begins or ends
            found = row["gold"][0].strip() in row["prediction"] if row["gold"] else right(row)
            assert found or tokens > 30
        assert (last - first < 30).sum() > 10


def test_xquads_paragraphs_are_known_by_their_letters():
    """240 hashes; spacing, case and punctuation of a copy do not matter."""
    from xstilts.tasks import xquad_overlap

    assert len(xquad_overlap._keys()) == 240
    key = xquad_overlap.paragraph_key
    assert key("The Panthers' defense") == key("the panthers defense ")
    assert key("The Panthers' defense") != key("The Panthers' offense")
    row = {"context": "Not of XQuAD.", "id": "1"}
    assert xquad_overlap.without_xquad(row) == row


@pytest.mark.mirror
def test_selection_on_squad_sees_no_paragraph_of_xquad(mirror):
    """SQuAD v1.1's development set has 10,570 questions, 1,190 of them on XQuAD's paragraphs."""
    import json

    from xstilts.tasks import xquad_overlap

    english = json.loads((mirror / "xquad/xquad.en.json").read_text())["data"]
    paragraphs = [p["context"] for article in english for p in article["paragraphs"]]
    assert all(xquad_overlap.without_xquad({"context": text}) is None for text in paragraphs)
    squad = json.loads((mirror / "squad/dev-v1.1.reconstructed.json").read_text())["data"]
    kept = [
        question
        for article in squad
        for p in article["paragraphs"]
        if xquad_overlap.without_xquad({"context": p["context"]}) is not None
        for question in p["qas"]
    ]
    assert len(kept) == 10_570 - 1_190


def test_the_first_rows_of_several_datasets_are_of_all_of_them(monkeypatch):
    """By hand: of 6, 3 and 2 rows the first four are two, one and one; all are there once."""
    parts = [[f"{name}{n}" for n in range(count)] for name, count in (("a", 6), ("b", 3), ("c", 2))]
    mixed = _in_proportion(parts)
    assert mixed == ["a0", "b0", "a1", "c0", "a2", "b1", "a3", "a4", "c1", "b2", "a5"]
    sizes = {"nli": 900, "more": 100}
    large = _in_proportion([[name] * count for name, count in sizes.items()])
    assert all(large[:n].count("more") == pytest.approx(n / 10, abs=1) for n in range(1, 1000))


@pytest.mark.parametrize("lost", ["", " ", "NS"])
def test_translated_paraphrases_without_a_sentence_are_left_out(lost):
    rows = Catalogue().get("pawsx").sources["hub"].translated
    pair = {"sentence1": "Er kam 1895.", "sentence2": "1895 kam er.", "label": 1}
    assert rows.adapt(pair) == pair
    assert rows.adapt({**pair, "sentence1": lost}) is None
    assert rows.adapt({**pair, "sentence2": lost}) is None

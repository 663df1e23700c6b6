"""Guesses from columns alone; the types are those of the package ``datasets``."""

import pytest
from datasets import ClassLabel, Features, List, Sequence, Value

from xstilts.sources import guess

TEXT = Value("string")
YES_NO = ClassLabel(names=["no", "yes"])


def task(columns, **values):
    return guess.task(Features(columns), lambda column: values.get(column, []))


def test_splits_by_their_usual_names():
    found, unsure = guess.splits(["train", "dev", "extra"])
    assert found == {"train": "train", "evaluate": "dev"}  # none to select on
    assert guess.splits(["train", "dev", "test"])[0]["select"] == "dev"
    assert unsure == []
    found, unsure = guess.splits(["all"])
    assert found == {}
    assert unsure == [f"which is the {role} split? all" for role in ("train", "evaluate")]


def test_a_known_pair_is_found_among_other_texts_and_ids():
    columns = {"pairID": TEXT, "genre": TEXT, "hypothesis": TEXT, "premise": TEXT, "label": YES_NO}
    assert task(columns, label=[0, 1, -1]) == {
        "format": "classification",
        "fields": {"text_a": "premise", "text_b": "hypothesis", "label": "label"},
        "labels": {"0": "no", "1": "yes", "-1": None},
        "unsure": [],
    }


def test_three_texts_of_no_known_kind_are_asked_about():
    found = task({"a": TEXT, "b": TEXT, "c": TEXT, "label": Value("int64")}, label=[3, 1])
    assert found["fields"] == {"label": "label"}
    assert found["labels"] == {"1": "1", "3": "3"}
    assert found["unsure"] == ["which is text_a (and text_b)? a, b, c"]


def test_a_label_with_too_many_values_is_asked_about():
    found = task({"question": TEXT, "answer": TEXT}, answer=[str(n) for n in range(201)])
    assert found["labels"] == {}
    assert found["unsure"] == ['is "answer" the label? it has 201 different values']


def test_a_choice_of_tags_is_asked_about():
    columns = {"tokens": List(TEXT), "pos": List(YES_NO), "ner": List(YES_NO)}
    assert task(columns) == {
        "format": "tagging",
        "fields": {"words": "tokens", "tags": "pos"},
        "labels": {"0": "no", "1": "yes"},
        "unsure": ["which is tags? pos, ner"],
    }


def test_a_choice_of_prompts_is_asked_about():
    columns = {"context": TEXT, "question": TEXT, "endings": List(TEXT), "label": Value("int8")}
    found = task(columns)
    assert found["format"] == "multiple_choice"
    assert found["fields"] == {"choices": "endings", "label": "label"}
    assert found["unsure"] == ["which is prompt? context, question"]


@pytest.mark.parametrize(
    "answers",
    [
        Sequence({"text": TEXT, "answer_start": Value("int32")}),
        List({"text": TEXT, "answer_start": Value("int32")}),
    ],
)
def test_answers_make_it_a_span_task(answers):
    columns = {"passage": TEXT, "question": TEXT, "answers": answers}
    assert task(columns) == {
        "format": "span",
        "fields": {"question": "question", "answers": "answers"},
        "labels": {},
        "unsure": ["which is context? passage, question"],
    }


def test_columns_that_fit_no_format_are_asked_about():
    found = task({"image": {"bytes": Value("binary")}, "score": Value("float32")})
    question = "which format is it, and which columns are its fields? image, score"
    assert found == {"format": "", "fields": {}, "labels": {}, "unsure": [question]}

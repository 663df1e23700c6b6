"""From a row's fields to a typed example, and what is refused."""

from __future__ import annotations

import pytest

from xstilts.formats.examples import (
    BadRowError,
    Bitext,
    Choice,
    Line,
    Pair,
    Question,
    Tagged,
    example,
)
from xstilts.tasks import Task


def task(format_: str, *labels: str) -> Task:
    return Task(name="toy", about="", format=format_, metrics=(), sources={}, labels=labels)


NLI, BINARY = task("classification", "no", "yes"), task("classification", "0", "1")
TAGS = task("tagging", "A", "B")
CHOICE, SPAN = task("multiple_choice"), task("span")
ANSWERS = {"text": ["blue", "sea"], "answer_start": ["4", 9]}
CONTEXT = "the blue sea"


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        (
            NLI,
            {"text_a": "a", "text_b": "b", "label": "yes", "group": 7, "genre": "x"},
            Pair("n", "7", "a", "b", "yes"),
        ),
        (NLI, {"text_a": "a", "label": "no"}, Pair("n", "n", "a", None, "no")),
        (BINARY, {"text_a": "a", "label": 1}, Pair("n", "n", "a", None, "1")),
        (
            CHOICE,
            {"prompt": "p", "choices": ["x", 2], "label": "1"},
            Choice("n", "n", "p", ("x", "2"), 1),
        ),
        (TAGS, {"words": ["w", "v"], "tags": ["B", "A"]}, Tagged("n", "n", ("w", "v"), ("B", "A"))),
        (TAGS, {"words": [], "tags": []}, Tagged("n", "n", (), ())),
        (
            SPAN,
            {"context": CONTEXT, "question": "?", "answers": ANSWERS},
            Question("n", "n", CONTEXT, "?", ("blue", "sea"), (4, 9)),
        ),
        (
            SPAN,
            {"context": "c", "question": "?", "answers": {"text": [], "answer_start": []}},
            Question("n", "n", "c", "?", (), ()),
        ),
        (task("retrieval"), {"text": "t", "english": "e"}, Bitext("n", "n", "t", "e")),
        (  # one more column makes it nothing else
            task("retrieval"),
            {"text": "t", "english": "e", "query": "q", "answers": ["a"]},
            Bitext("n", "n", "t", "e"),
        ),
        (task("mlm"), {"text": "t"}, Line("n", "n", "t")),
    ],
)
def test_fields_become_an_example(kind, fields, expected):
    assert example(kind, fields, "n") == expected


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (NLI, {"text_a": "a"}, "no column for 'label'; the columns are: text_a"),
        (NLI, {"text_a": "a", "label": "maybe"}, 'label "maybe" is not one of: no, yes'),
        (NLI, {"text_a": 3, "label": "no"}, '"text_a" must be text, not 3'),
        (NLI, {"text_a": "a", "text_b": None, "label": "no"}, '"text_b" must be text, not None'),
        (
            CHOICE,
            {"prompt": "p", "choices": ["x", "y"], "label": "B"},
            'label "B" is not the index of a choice',
        ),
        (
            CHOICE,
            {"prompt": "p", "choices": ["x", "y"], "label": 2},
            "label 2 is out of range: there are 2 choices, from 0",
        ),
        (
            CHOICE,
            {"prompt": "p", "choices": ["x", "y"], "label": -1},
            "label -1 is out of range: there are 2 choices, from 0",
        ),
        (TAGS, {"words": ["w"], "tags": ["A", "B"]}, "1 words but 2 tags"),
        (
            TAGS,
            {"words": ["w", "v"], "tags": ["A", "Z"]},
            'tag "Z" of word 2 is not one of: A, B',
        ),
        (
            SPAN,
            {
                "context": CONTEXT,
                "question": "?",
                "answers": {"text": ["seas"], "answer_start": [9]},
            },
            "answer start 9 is outside the context (12 characters)",
        ),
        (
            SPAN,
            {"context": "c", "question": "?", "answers": {"text": ["c"], "answer_start": [-1]}},
            "answer start -1 is outside the context (1 characters)",
        ),
        (task("retrieval"), {"text": "t"}, "no column for 'english'; the columns are: text"),
        *(
            (kind, fields, f"a field is not of the kind that {kind.format} needs: {why}")
            for kind, fields, why in (
                (
                    *(CHOICE, {"prompt": "p", "choices": None, "label": 0}),
                    "'NoneType' object is not iterable",
                ),
                (TAGS, {"words": ["w"], "tags": 5}, "'int' object is not iterable"),
                (
                    SPAN,
                    {
                        "context": "c",
                        "question": "?",
                        "answers": {"text": ["c"], "answer_start": ["x"]},
                    },
                    "invalid literal for int() with base 10: 'x'",
                ),
                (
                    SPAN,
                    {
                        "context": "c",
                        "question": "?",
                        "answers": {"text": ["c"], "answer_start": []},
                    },
                    "zip() argument 2 is shorter than argument 1",
                ),
            )
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused(kind, fields, message):
    with pytest.raises(BadRowError) as refused:
        example(kind, fields, "n")
    assert str(refused.value) == message

"""Retrieval by hand: which half is the index, and what a ranking says."""

from __future__ import annotations

import numpy as np

import toy_tokenizers
from xstilts import formats
from xstilts.formats import Limits
from xstilts.formats.examples import Bitext, Candidate, Query
from xstilts.tasks import Task

TASK = Task(name="toy", about="", format="retrieval", metrics=("retrieval_accuracy",), sources={})
PAIRS = [
    Bitext("x", "x", "10", "20 21 22"),
    Bitext("y", "y", "11 12", "23"),
    Bitext("z", "z", "13", "24 25"),
]


def test_foreign_sentences_come_first_then_the_english_ones():
    encoded = formats.encode(TASK, PAIRS, toy_tokenizers.numbers(), Limits(max_length=4))
    foreign = [[0, 10, 2], [0, 11, 12, 2], [0, 13, 2]]
    english = [[0, 20, 21, 2], [0, 23, 2], [0, 24, 25, 2]]  # the first one cut to four tokens
    assert toy_tokenizers.sequences(encoded) == foreign + english
    assert encoded.units.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert encoded.owner.tolist() == [0, 1, 2, 0, 1, 2]


def test_decode_names_what_each_query_found_layer_by_layer():
    encoded = formats.encode(TASK, PAIRS, toy_tokenizers.numbers(), Limits())
    ranked = np.array([[[0, 1], [2, 1], [2, 0]], [[1, 0], [1, 2], [0, 2]]])  # [layers, n, best]
    rows = list(formats.decode(TASK, PAIRS, encoded, ranked))
    assert [row["layer"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert [row["gold"] for row in rows] == ["x", "y", "z"] * 2
    assert [row["prediction"] for row in rows] == [
        *(["x", "y"], ["z", "y"], ["z", "x"]),
        *(["y", "x"], ["y", "z"], ["x", "z"]),
    ]
    assert rows[0] == {"id": "x", "group": "x", "layer": 0, "gold": "x", "prediction": ["x", "y"]}


DUAL = Task(
    name="dual",
    about="",
    format="retrieval",
    metrics=("average_precision_at_20",),
    lengths=(4, 9),
    sources={},
)
ASKED = [
    Query("a", "a", "10 11 12", ("20", "20 21 22 23 24 25"), ()),
    Query("b", "b", "13", ("30", "31"), ()),
    Query("c", "c", "14", ("30", "31"), ()),
]


def test_a_query_and_its_answer_are_one_unit():
    """Queries have at most four tokens, candidates nine; a sentence has its paragraph behind it."""
    encoded = formats.encode(DUAL, ASKED, toy_tokenizers.numbers(), Limits(max_length=64))
    assert toy_tokenizers.sequences(encoded) == [
        *([0, 10, 11, 2], [0, 20, 2, 2, 20, 21, 22, 23, 2]),
        *([0, 13, 2], [0, 30, 2, 2, 31, 2]),
        *([0, 14, 2], [0, 30, 2, 2, 31, 2]),
    ]
    assert encoded.units.tolist() == [0, 2, 4, 6]
    assert encoded.owner.tolist() == [0, 1, 2]
    pool = [Candidate("x", "x", ("20 21",), ()), Candidate("y", "y", ("30", "31"), ("a",))]
    encoded = formats.encode(DUAL, pool, toy_tokenizers.numbers(), Limits(max_length=5))
    assert toy_tokenizers.sequences(encoded) == [[0, 20, 21, 2], [0, 30, 2, 2, 2]]
    assert encoded.units.tolist() == [0, 1, 2]


def test_whatever_has_the_same_answer_is_right():
    encoded = formats.encode(DUAL, ASKED, toy_tokenizers.numbers(), Limits())
    ranked = np.array([[[1, 0], [2, 1], [0, 1]]])
    rows = list(formats.decode(DUAL, ASKED, encoded, ranked))
    assert [row["gold"] for row in rows] == [["a"], ["b", "c"], ["b", "c"]]
    assert [row["prediction"] for row in rows] == [["b", "a"], ["c", "b"], ["a", "b"]]
    one = Task(**{**vars(DUAL), "metrics": ("reciprocal_rank_at_20",)})
    assert [row["gold"] for row in formats.decode(one, ASKED, encoded, ranked)] == ["a", "b", "c"]

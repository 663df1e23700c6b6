"""Controls: what is exchanged, what stays, and that equal seeds give equal rows."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.formats.controls import lines, shuffled
from xstilts.formats.examples import Bitext, Choice, Line, Pair, Question, Tagged

PAIRS = [Pair(str(n), str(n), f"a{n}", f"b{n}", ["no", "maybe", "yes"][n % 3]) for n in range(60)]
CHOICES = [
    Choice(str(n), str(n), "p", tuple("wxyz"[: 3 + n % 2]), n % (3 + n % 2)) for n in range(60)
]
TAGGED = [
    Tagged(str(n), str(n), tuple(f"w{n}.{k}" for k in range(n % 5)), tuple("ABCAB"[: n % 5]))
    for n in range(60)
]
CONTEXT = "one small boat left the old harbour before the long storm began"
QUESTIONS = [
    Question(str(n), str(n), CONTEXT, "when?", ("the old harbour", "harbour"), (20, 28))
    for n in range(60)
] + [Question("none", "none", CONTEXT, "why?", (), ())]


def test_labels_are_exchanged_and_texts_stay():
    found = shuffled(PAIRS, seed=3)
    assert [(o.id, o.text_a) for o in found] == [(o.id, o.text_a) for o in PAIRS]
    assert [o.text_b for o in found] == [o.text_b for o in PAIRS]
    assert Counter(o.label for o in found) == Counter(o.label for o in PAIRS)
    # a third of the labels stays by chance: 20 of 60, standard deviation 3.7
    assert 5 < sum(a.label == b.label for a, b in zip(found, PAIRS, strict=True)) < 35


def test_choices_keep_their_texts_and_a_label_that_is_one_of_them():
    found = shuffled(CHOICES, seed=3)
    assert [(o.id, o.choices) for o in found] == [(o.id, o.choices) for o in CHOICES]
    assert all(0 <= o.label < len(o.choices) for o in found)
    assert [o.label for o in found] != [o.label for o in CHOICES]


def test_tags_are_exchanged_over_all_words():
    found = shuffled(TAGGED, seed=3)
    assert [(o.id, o.words, len(o.tags)) for o in found] == [
        (o.id, o.words, len(o.words)) for o in TAGGED
    ]
    before, after = (Counter(tag for o in rows for tag in o.tags) for rows in (TAGGED, found))
    assert before == after
    assert {o.tags for o in found} - {o.tags for o in TAGGED}  # not whole sentences


def test_spans_move_to_another_place_of_their_own_context():
    found = [one for one in shuffled(QUESTIONS, seed=3) if one.answers]
    assert len(found) == len(QUESTIONS) - 1  # one had none: so has another now
    for one in found:
        (answer,), (start,) = one.answers, one.starts
        assert one.context == CONTEXT
        assert answer == CONTEXT[start : start + len("the old harbour")]
        assert len(answer) == len("the old harbour")
        assert start == 0 or CONTEXT[start - 1] == " "
    # words start at 0, 4, 10, 15, 20, 24, 28, 36, 43, 47; from 52 on, 15 characters do not fit
    assert {one.starts[0] for one in found} <= {0, 4, 10, 15, 20, 24, 28, 36, 43, 47}
    assert len({one.starts[0] for one in found}) > 5


def test_which_questions_have_an_answer_is_shuffled_too():
    """Else the control would teach half of SQuAD v2.0."""
    places = {
        place
        for seed in range(20)
        for place, one in enumerate(shuffled(QUESTIONS, seed))
        if not one.answers
    }
    assert len(places) > 5


def test_raw_text_and_translations_have_no_labels_to_exchange():
    for one in (Line("a", "a", "x"), Bitext("a", "a", "x", "y")):
        assert shuffled([one, one], seed=1) == [one, one]


@pytest.mark.parametrize("examples", [PAIRS, CHOICES, TAGGED, QUESTIONS])
def test_shuffling_is_a_function_of_the_seed(examples):
    assert shuffled(examples, seed=5) == shuffled(examples, seed=5)
    assert shuffled(examples, seed=5) != shuffled(examples, seed=6)


@given(st.lists(st.sampled_from("ab"), max_size=30), st.integers(0, 2**63 - 1))
def test_the_distribution_of_labels_stays(labels, seed):
    pairs = [Pair(str(n), str(n), "x", None, label) for n, label in enumerate(labels)]
    assert Counter(o.label for o in shuffled(pairs, seed)) == Counter(labels)


def test_text_of_every_format_each_text_once():
    examples = [
        Pair("1", "g", "a", "b", "no"),
        Pair("2", "h", "a", None, "no"),
        Choice("3", "i", "prompt", ("x", "y"), 0),
        Tagged("4", "j", ("two", "words"), ("A", "B")),
        Question("5", "k", "context", "question", ("con",), (0,)),
        Bitext("6", "l", "foreign", "english"),
        Line("7", "m", "b"),
    ]
    found = lines(examples)
    assert [one.text for one in found] == [
        *("a", "b", "prompt", "x", "y", "two words", "context", "question", "foreign", "english"),
    ]
    assert [one.id for one in found] == [str(n) for n in range(10)]
    assert [one.group for one in found][:3] == ["g", "g", "i"]

"""Perturbed examples: answers, words and labels stay where they belong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perturb.test_properties import SENTENCES, perturbation
from xstilts import perturb
from xstilts.errors import UserError
from xstilts.formats.examples import Bitext, Choice, Line, Pair, Question, Tagged
from xstilts.path import Noise
from xstilts.perturb import examples
from xstilts.perturb.examples import perturbed
from xstilts.perturb.validity import validity
from xstilts.tasks import TASKS

PAIR = Pair("1", "g", "The cat sleeps.", "The cat isn't awake.", "entailment")
CONTEXT = "The cat sleeps in Rome, near Rome's river."


def noised(task, one, name, severity=1.0, language="en", seed=1, lexicon=None):
    noise = Noise(name, severity)
    return perturbed(TASKS[task], [one], noise, language, seed, lexicon)[0]


def test_both_sentences_of_a_pair():
    assert noised("xnli", PAIR, "repeat") == replace(
        PAIR,
        text_a="TThhee ccaatt sslleeeeppss.",
        text_b="TThhee ccaatt iissnn'tt aawwaakkee.",
    )
    alone = replace(PAIR, text_b=None)
    assert noised("xnli", alone, "repeat").text_b is None


def test_equal_texts_are_perturbed_alike():
    """So examples that share a premise still share it."""
    other = replace(PAIR, id="2", text_b="No cat.", label="contradiction")
    two = perturbed(TASKS["xnli"], [PAIR, other], Noise("keyboard", 0.3), "en", 7)
    assert two[0].text_a == two[1].text_a != PAIR.text_a


def test_tags_stay_with_their_words():
    one = Tagged("1", "1", ("Ab", "10 000", "x", "."), ("X", "NUM", "X", "PUNCT"))
    assert noised("udpos", one, "swap").words == ("bA", "10 000", "x", ".")
    assert noised("udpos", one, "repeat").words == ("AAbb", "10 000", "xx", ".")
    # The full stop is a word of its own, which may be doubled but not left out.
    marks = {noised("udpos", one, "punctuation", seed=seed).words[3] for seed in range(20)}
    assert marks == {".", ".."}


def test_a_word_for_a_word():
    one = Tagged("1", "1", ("the", "cats"), ("DET", "NOUN"))
    lexicon = {"cats": ("Katzen",)}
    assert noised("udpos", one, "code_switch", lexicon=lexicon).words == ("the", "Katzen")


def test_answers_are_found_again():
    start = CONTEXT.index("Rome")
    one = Question("1", "1", CONTEXT, "Where?", ("Rome", "in Rome"), (start, start - 3))
    new = noised("xquad", one, "repeat")
    assert new.answers == ("RRoommee", "iinn RRoommee")
    assert new.context[new.starts[0] :].startswith("RRoommee, ")
    assert new.starts[0] == new.starts[1] + 5
    assert new.question == "WWhheerree?"


def test_a_space_at_an_answer_is_outside_it():
    start = CONTEXT.index("Rome")
    one = Question("1", "1", CONTEXT, "Where is it?", ("Rome",), (start,))
    new = noised("xquad", one, "whitespace")
    assert new.answers == ("Rome",)
    assert new.context == "ThecatsleepsinRome,nearRome'sriver."
    assert new.starts == (14,)


def test_a_word_of_an_answer_stays_in_it():
    one = Question("1", "1", "He saw old Rome once.", "Where?", ("old Rome",), (7,))
    new = noised("xquad", one, "shuffle")
    assert (new.context, new.answers, new.starts) == ("saw He Rome old once.", ("Rome old",), (7,))
    # "Rome " reaches over the end of the answer: it is not left out.
    new = noised("xquad", one, "word_drop")
    assert (new.context, new.answers, new.starts) == ("He Rome .", ("Rome",), (3,))


def test_an_answer_that_is_not_where_it_should_be_keeps_its_context():
    one = Question("1", "1", CONTEXT, "Where?", ("Rome",), (0,))
    new = noised("xquad", one, "repeat")
    assert new == replace(one, question="WWhheerree?")


def test_choices_stay_different():
    one = Choice("1", "1", "Why?", ("ca", "ca\u0301"), 1)
    assert noised("xcopa", one, "marks", language="it").choices == one.choices
    other = replace(one, choices=("ca", "be\u0301"))
    assert noised("xcopa", other, "marks", language="it").choices == ("ca", "be")


def test_the_english_side_stays():
    one = Bitext("1", "1", "Die Katze", "The cat")
    new = noised("tatoeba", one, "case", language="de")
    assert new == Bitext("1", "1", "dIE kATZE", "The cat")


def test_what_would_change_labels_is_refused():
    with pytest.raises(UserError, match=r'invalid for xnli in English.*dropping "not"'):
        noised("xnli", PAIR, "word_drop")
    with pytest.raises(UserError, match=r"invalid for pawsx.*order"):
        noised("pawsx", PAIR, "shuffle")
    with pytest.raises(UserError, match=r"not applicable for xnli in Hindi \(Deva\).*one case"):
        noised("xnli", PAIR, "case", language="hi")
    with pytest.raises(UserError, match="needs a lexicon"):
        noised("xnli", PAIR, "code_switch")


@pytest.mark.parametrize(
    ("task", "old", "new"),
    [
        ("xnli", PAIR, replace(PAIR, id="2")),
        ("xnli", PAIR, replace(PAIR, label="neutral")),
        ("udpos", Tagged("1", "1", ("a", "b"), ("X", "X")), Tagged("1", "1", ("ab",), ("X", "X"))),
        ("udpos", Tagged("1", "1", ("a",), ("X",)), Tagged("1", "1", ("",), ("X",))),
        (
            "xquad",
            Question("1", "1", "in Rome", "where?", ("Rome",), (3,)),
            Question("1", "1", "in Roem", "where?", ("Rome",), (3,)),
        ),
    ],
)
def test_what_an_edit_loses_is_noticed(monkeypatch, task, old, new):
    monkeypatch.setattr(examples._Editor, "example", lambda _self, _one: new)
    with pytest.raises(AssertionError, match="lost something of 1"):
        perturbed(TASKS[task], [old], Noise("repeat", 1), "en", 1)


def _example(task, language):
    words = tuple(SENTENCES[language].split())
    text = " ".join(words)
    start = text.index(words[1]) if len(words) > 1 else 0
    end = start + len(words[-1])
    return {
        "classification": Pair("i", "g", text, text[::1] + "?", "l"),
        "multiple_choice": Choice("i", "g", text, (*words, "?"), 1),
        "tagging": Tagged("i", "g", words, tuple(map(str, range(len(words))))),
        "span": Question("i", "g", text, text, (text[start:end],), (start,)),
        "retrieval": Bitext("i", "g", text, "English"),
        "mlm": Line("i", "g", text),
    }[task.format]


@given(
    st.sampled_from(["xnli", "xcopa", "udpos", "xquad", "tatoeba", "mlm"]),
    st.sampled_from(sorted(SENTENCES)),
    st.sampled_from([name for name in perturb.PERTURBATIONS if name != "distractor"]),
    st.floats(0, 1),
    st.integers(0, 100),
)
def test_labels_ids_tags_and_answers(task, language, name, severity, seed):
    task = TASKS[task]
    found = validity(name, task, language).verdict
    if found in ("invalid", "not applicable") or perturbation(name, language) is None:
        return
    old = _example(task, language)
    (new,) = perturbed(task, [old], Noise(name, severity), language, seed, {"है": ("is",)})
    assert (old.id, old.group) == (new.id, new.group)
    if severity == 0:
        assert new == old
    for field in ("label", "tags", "english"):
        assert getattr(new, field, None) == getattr(old, field, None)
    if isinstance(new, Tagged):
        assert len(new.words) == len(new.tags)
        assert all(word.strip() for word in new.words)
    if isinstance(new, Question):
        for answer, start in zip(new.answers, new.starts, strict=True):
            assert answer.strip()
            assert new.context[start : start + len(answer)] == answer
    if isinstance(new, Choice):
        assert len(set(new.choices)) == len(set(old.choices))

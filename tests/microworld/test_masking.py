"""Masked rows: no name, digit or Latin string that another language has, and the same task."""

from __future__ import annotations

import re

import pytest

from xstilts import languages
from xstilts.formats.examples import Line, Pair, Question, Tagged
from xstilts.microworld import LANGUAGES, concepts, lexicon
from xstilts.microworld.masking import masked
from xstilts.sources import Sources
from xstilts.tasks import TASKS


def examples(name: str, language: str) -> list:
    task = TASKS[name]
    return Sources().examples(task, task.sources["microworld"], "evaluate", language)[:60]


@pytest.mark.parametrize("language", ["en", "ru", "tr", "zh", "ar", "hi", "sw"])
def test_no_name_is_left_and_people_stay_apart(language):
    forms = [lexicon.load(language).get("name", one)["form"] for one in concepts.of("name")]
    for one in examples("xnli", language):
        hidden = masked(one, language)
        assert (hidden.id, hidden.group, hidden.label) == (one.id, one.group, one.label)
        if language in ("en", "sw", "hi", "ar"):
            assert not set(re.findall(r"[\w']+", hidden.text_a)) & set(forms)
        if language == "zh":  # a name of one letter may be in another word
            assert not [form for form in forms if len(form) > 1 and form in hidden.text_a]
        if hidden.text_a == hidden.text_b:
            assert one.text_a == one.text_b


def test_two_languages_share_no_masked_name():
    line = "Anna Omar Yuki Sofia Toyota Berlin"
    seen = [masked(Line("1", "1", line), code).text.split() for code in ("en", "de", "sw")]
    assert not set(seen[0]) & set(seen[1]) & set(seen[2])
    assert all(len(set(names)) == 6 for names in seen)


def test_inflected_forms_of_a_name_are_one():
    """Анна, Анну, Анне; the Turkish suffix stays, behind its apostrophe."""
    names = masked(Line("1", "1", "Анна Анну Анне Омар Омара Омару"), "ru").text.split()
    assert len(set(names[:3])) == 1
    assert len(set(names[3:])) == 1
    assert names[0] != names[3]
    turkish = masked(Line("1", "1", "Ömer Ömer'i"), "tr").text.split()
    assert turkish[1] == turkish[0] + "'i"


@pytest.mark.parametrize("language", ["en", "de", "es", "ru", "hi", "ar", "tr", "zh"])
def test_answers_move_with_their_context(language):
    moved = 0
    for one in examples("xquad", language):
        hidden = masked(one, language)
        for answer, start in zip(hidden.answers, hidden.starts, strict=True):
            assert hidden.context.startswith(answer, start)
        moved += hidden.starts != one.starts
    assert moved


def test_digits_and_latin_strings():
    one = masked(Pair("1", "1", "В 1999 году IBM и NATO.", "IBM", "x"), "ru")
    assert re.fullmatch(r"В 0 году (\w+) и (\w+)\.", one.text_a)
    assert one.text_b == one.text_a.split()[3]
    assert not re.search(r"[A-Za-z1-9]", one.text_a + one.text_b)
    assert masked(Line("1", "1", "IBM in 1999"), "en").text == "IBM in 0"


def test_tags_stay_with_their_words():
    tagged = Tagged("1", "1", ("Anna", "slept", "."), ("B-PER", "O", "O"))
    hidden = masked(tagged, "en")
    assert hidden.tags == tagged.tags
    assert hidden.words[1:] == tagged.words[1:]
    assert hidden.words[0] != "Anna"


def test_a_question_without_answer_keeps_none():
    one = Question("1", "1", "Anna slept.", "Who saw Omar?", (), ())
    assert masked(one, "en").answers == ()


@pytest.mark.parametrize("language", LANGUAGES)
def test_masked_names_are_of_the_script_of_the_language(language):
    if languages.get(language).script == "Latn":
        return
    for one in examples("tatoeba", language):
        assert not re.search(r"[A-Za-z0-9]", masked(one, language).text)

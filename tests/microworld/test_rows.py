"""Rows: right by construction, the same in every language, the same in every run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from xstilts import microworld
from xstilts.identity import fingerprint
from xstilts.microworld import LANGUAGES, lexicon
from xstilts.microworld.meaning import Event, Thing
from xstilts.microworld.realise import say
from xstilts.microworld.rows import FAMILIES, categories, inference
from xstilts.microworld.words import spanned, text
from xstilts.sources import Sources
from xstilts.tasks import TASKS, Generated
from xstilts.tasks.microworld import asked, mined

GOLDEN = Path(__file__).parent / "golden.json"
MULTILINGUAL = [family for family in FAMILIES if family != "supertags"]
BASE = {
    entry["past"]: entry["base"]
    for (kind, _), entry in lexicon.load("en").entries.items()
    if kind == "verb"
}
HERE = [task for task in TASKS.values() if "microworld" in task.sources]


def rows(family: str, language: str = "en", count: int = 60, pool: str = "test") -> list[dict]:
    return microworld.rows("rows", family, pool, count, language)


def test_rows_change_with_the_version_alone():
    """A change of lexicon, grammar or rows: raise VERSION and store what is generated now."""
    found = {
        family: fingerprint([rows(family, code, 12) for code in LANGUAGES])
        for family in MULTILINGUAL
    }
    found["supertags"] = fingerprint(rows("supertags"))
    assert json.loads(GOLDEN.read_text("utf-8")) == {"version": microworld.VERSION, **found}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_larger_split_begins_with_the_smaller_one(family):
    assert rows(family, count=61)[:40] == rows(family, count=40)


@pytest.mark.parametrize("family", MULTILINGUAL)
def test_rows_say_the_same_in_every_language(family):
    english = rows(family)
    for language in LANGUAGES[1:]:
        found = rows(family, language)
        assert found != english
        for one, other in zip(english, found, strict=True):
            assert (one["id"], one.get("label")) == (other["id"], other.get("label"))
            assert one.get("group") == other.get("group")


@pytest.mark.parametrize("family", MULTILINGUAL)
def test_tasks_of_a_family_and_splits_have_rows_of_their_own(family):
    one = microworld.rows("one", family, "train", 60, "en")
    assert one != microworld.rows("two", family, "train", 60, "en")
    assert one != microworld.rows("one", family, "test", 60, "en")


@pytest.mark.parametrize("family", ["inference", "paraphrase"])
def test_labels_are_balanced(family):
    labels = [row["label"] for row in rows(family)]
    assert len({labels.count(label) for label in set(labels)}) == 1


def test_the_right_choice_stands_anywhere():
    for family in ("effect", "cause", "person", "belongings"):
        found = rows(family, count=400)
        expected = len(found) / len(found[0]["choices"])
        for place in range(len(found[0]["choices"])):
            assert 0.6 < [row["label"] for row in found].count(place) / expected < 1.4
        for row in found:
            assert len(set(row["choices"])) == len(row["choices"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_stand_where_they_are_said_to(language):
    answered = 0
    for family in ("answers", "answers_or_none"):
        for row in rows(family, language, 120):
            answers = row["answers"]
            for answer, start in zip(answers["text"], answers["answer_start"], strict=True):
                assert answer
                assert row["context"].startswith(answer, start)
                answered += 1
    assert answered == 120 + 60  # half of the latter have none


def test_crossed_inference_has_the_same_words_for_every_label():
    items: dict[str, list[dict]] = {}
    for row in rows("inference", count=300):
        items.setdefault(row["group"], []).append(row)
    for group, three in items.items():
        assert {row["label"] for row in three} == set(inference.LABELS)
        if group.startswith("crossed"):
            bags = {tuple(sorted(_words(row["text_a"]))) for row in three}
            assert len(bags) == 1
            assert len({row["text_b"] for row in three}) == 1


def test_crossed_labels_follow_from_the_words():
    """Read off the English text: did the one in the hypothesis do it, not do it, or else?"""
    for row in rows("inference", count=300):
        if not row["id"].startswith("crossed"):
            continue
        clauses = [read(one) for one in re.split(r", | and ", row["text_a"].removesuffix("."))]
        subject, deed, denied = read(row["text_b"].removesuffix("."))
        about = {one: (other, no) for one, other, no in clauses}
        known, no = about[subject]
        expected = "contradiction" if no != denied else "entailment"
        assert row["label"] == (expected if known == deed else "neutral"), row


def test_choices_about_things_follow_from_the_words():
    """Read off the English text: the right thing is the one that this person is told of with."""
    kinds = set()
    for row in rows("belongings", count=300):
        told = row["prompt"].removesuffix(" Why?").removesuffix(".").split(" and ")
        things = {who: thing for who, _, thing in map(did, told)}
        chosen = [did(choice.removesuffix(".")) for choice in row["choices"]]
        (who,) = {who for who, _, _ in chosen}
        assert [thing == things[who] for _, _, thing in chosen].index(True) == row["label"]
        crossed = row["id"].startswith("crossed")
        assert {thing for _, _, thing in chosen} <= set(things.values()) or not crossed
        kinds.add((crossed, row["prompt"].endswith("Why?"), len(things)))
    assert kinds == {(crossed, why, 1 + crossed) for crossed in (0, 1) for why in (0, 1)}


def did(clause: str) -> tuple[str, str, str]:
    """Who did what to which thing."""
    match = re.fullmatch(r"((?:the )?\w+) (\w+) (an? \w+)", clause, re.IGNORECASE)
    assert match, clause
    who, deed, thing = match.groups()
    return who.casefold(), deed, thing


def read(clause: str) -> tuple[str, str, bool]:
    """Who, what in the present tense without its place, and whether it was denied."""
    match = re.fullmatch(
        r"((?:the )?\w+) (did not )?(\w+)( .*?)??( (in|at) .*)?", clause, re.IGNORECASE
    )
    assert match
    subject, denied, verb, patient = match.group(1, 2, 3, 4)
    return subject.casefold(), BASE.get(verb, verb) + (patient or ""), bool(denied)


def _words(sentence: str) -> list[str]:
    return sentence.casefold().replace(",", " ").replace(".", " ").split()


def test_a_span_is_the_part_without_its_case_marker():
    event = Event("thank", Thing("woman"), Thing("doctor"), place="hospital")
    for language, expected in {
        "hi": "डॉक्टर",
        "ja": "医者",
        "es": "médico",
        "de": "dem Arzt",
    }.items():
        sentence, start, end = spanned(say(language, event), language, "patient")
        assert sentence[start:end] == expected


def test_supertags_by_hand():
    r"""The verb of "did not" is a bare infinitive; a fronted time modifies the sentence."""
    event = Event("see", Thing("dog", "big"), Thing("Anna"), "garden", "last_week", negated=True)
    words = say("en", event, fronted=True)
    assert text(words, "en") == "Last week, the big dog did not see Anna in the garden."
    assert categories.of(words, transitive=True) == [
        *("(S/S)/N", "N", ",", "NP[nb]/N", "N/N", "N"),
        *("(S[dcl]\\NP)/(S[b]\\NP)", "(S\\NP)\\(S\\NP)", "(S[b]\\NP)/NP", "N"),
        *("((S\\NP)\\(S\\NP))/NP", "NP[nb]/N", "N", "."),
    ]


@pytest.mark.parametrize("task", HERE, ids=lambda task: task.name)
def test_every_task_gets_the_examples_it_declares(task):
    data, sources = task.sources["microworld"], Sources()
    for split in ("train", "select", "evaluate"):
        place = getattr(data, split)
        if not isinstance(place, Generated):
            continue
        place = replace(place, count=30)
        data = replace(data, **{split: place})
        last = (data.languages or task.languages) if split == "evaluate" else data.train_languages
        found = sources.examples(task, data, split, last[-1])
        if place.adapt in (mined, asked):  # two rows of three; one of two
            assert len(found) == place.count * (2 if place.adapt is mined else 1.5) / 3
            continue
        assert len(found) == place.count
        assert len({one.id for one in found}) == place.count
        named = sources.fingerprint(task, data, split, last[-1])
        assert named == Sources().fingerprint(task, data, split, last[-1])
        larger = replace(data, **{split: replace(place, count=31)})
        assert named != sources.fingerprint(task, larger, split, last[-1])


def test_a_test_set_has_its_groups_in_every_language():
    task, sources = TASKS["xnli"], Sources()
    data = task.sources["microworld"]
    english, chinese = (sources.examples(task, data, "evaluate", code) for code in ("en", "zh"))
    assert [(one.id, one.group, one.label) for one in english] == [
        (one.id, one.group, one.label) for one in chinese
    ]
    assert len({one.group for one in english}) == -(-len(english) // 3)

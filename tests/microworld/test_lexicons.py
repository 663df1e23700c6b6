"""The lexicons: the same concepts in every language, in words with known tags."""

from __future__ import annotations

import unicodedata

import pytest

from xstilts import languages
from xstilts.microworld import LANGUAGES, concepts, lexicon
from xstilts.microworld.words import parse
from xstilts.tasks import TASKS

CONTENT = {
    "noun": ("person", "animal", "class", "object"),
    "name": ("name",),
    "place": ("place", "city", "organisation"),
    "time": ("time",),
    "verb": ("intransitive", "transitive"),
    "state": ("state", "action"),
    "adjective": ("attribute",),
    "numeral": ("numeral",),
}
EVERY_LANGUAGE = pytest.mark.parametrize("language", LANGUAGES)


def test_the_world_is_of_many_kinds_of_languages():
    rows = [languages.get(code) for code in LANGUAGES]
    assert all(row.xtreme for row in rows)
    assert len(rows) >= 8
    assert len({row.script for row in rows}) >= 5
    assert {"SVO", "SOV", "VSO", "none"} <= {row.word_order for row in rows}
    assert len(concepts.table()) >= 150


@EVERY_LANGUAGE
def test_every_lexicon_has_the_same_concepts(language):
    entries = lexicon.load(language).entries
    for section, kinds in CONTENT.items():
        assert {name for kind, name in entries if kind == section} == set(concepts.of(*kinds))
    assert {kind for kind, _ in entries} == {*CONTENT, "function"}


@EVERY_LANGUAGE
def test_words_are_tagged_and_composed(language):
    """Tags are those of UDPOS and PAN-X; letters with marks are one character (NFC)."""
    for (kind, concept), entry in lexicon.load(language).entries.items():
        for form in entry.values():
            # Devanagari letters with a nukta are kept apart by NFC, not joined.
            assert form == unicodedata.normalize("NFC", form) or language == "hi", concept
            if "/" not in form:
                continue
            for word in parse(form):
                assert word.tag in TASKS["udpos"].labels, (concept, word)
                assert word.entity in TASKS["panx"].labels, (concept, word)
        first = next(iter(entry.values()))
        assert first or kind == "verb", (kind, concept)


@EVERY_LANGUAGE
def test_entities_stand_in_named_places_alone(language):
    found = lexicon.load(language)
    for kind, entity in (("city", "LOC"), ("organisation", "ORG"), ("place", None)):
        for concept in concepts.of(kind):
            entities = [word.entity for word in found.phrase("place", concept)]
            expected = {f"B-{entity}", f"I-{entity}", "O"} if entity else {"O"}
            assert set(entities) <= expected
            assert entities.count(f"B-{entity}") == bool(entity)


@EVERY_LANGUAGE
def test_no_two_meanings_are_one_word(language):
    """Sentences differ where meanings do, or retrieval would have two right answers."""
    entries = lexicon.load(language).entries
    for section in ("noun", "name", "place", "time", "verb", "state", "adjective", "numeral"):
        forms = [tuple(row.values()) for (kind, _), row in entries.items() if kind == section]
        assert len(set(forms)) == len(forms), section

"""Dictionaries in the layouts of the real ones: the lines below are of their form."""

from __future__ import annotations

import pytest

from corpus.mirror import write
from xstilts.corpus.dictionaries import dictionaries


@pytest.fixture
def found(tmp_path):
    """What is read from files under ``lexicons``, by name."""

    def read(**files):
        for name, content in files.items():
            multiway = "__" not in name
            folder = "gatitos" if multiway else "wiktionary-dict"
            ending = ".tsv" if multiway else "-enwiktionary.txt"
            write(tmp_path / "lexicons" / folder / f"{name.replace('__', '-')}{ending}", content)
        return [row for _, rows in dictionaries(tmp_path) for row in rows]

    return read


def test_the_files_of_one_headword_meet_in_one_row(found):
    assert found(
        en__de="dog {n} (animal) :: Hund {m}, Köter {m}\n",
        en__arb="dog {n} (animal) :: كلب {m} /kalb/\ndog {v} (to follow) :: تبع /tabiʕa/\n",
    ) == [{"en": "dog", "ar": "كلب", "de": "Hund"}, {"en": "dog", "ar": "تبع"}]


def test_of_chinese_the_short_form_is_taken_which_has_the_transcription(found):
    assert found(en__cmn="chickpea {n} (seed) :: 鷹嘴豆, 鹰嘴豆 /yīng, zuǐdòu/\n") == [
        {"en": "chickpea", "zh": "鹰嘴豆"}
    ]


def test_references_and_unknown_languages_are_left_out(found):
    assert found(en__ja="artificer {n} (savant) SEE: savant ::\n", en__xx="dog {n} :: x\n") == []


def test_explanations_in_english_are_turned_round_unless_they_are_long_or_name_a_form(found):
    assert found(
        es__en="bombear {v} :: to pump; to cheat\n"
        "bombera {f} :: feminine form of bombero\n"
        "aspersorio {m} :: a thing that sprinkles water\n"
    ) == [{"en": "pump", "es": "bombear"}]


def test_one_inside_another_is_an_aside_too(found):
    assert found(en__fi="lead {n} (metal (Pb)) :: lyijy [rare (old)]\n") == [
        {"en": "lead", "fi": "lyijy"}
    ]


def test_multiway_words_are_rows_by_their_english_side(found):
    assert found(en_es="a lot\tun montón\na lot\tmucho\n", en_qu="a lot\tanchata\n") == [
        {"en": "a lot", "es": "un montón", "qu": "anchata"}
    ]

"""Layouts: which keys are neighbours, by hand from the keyboards."""

from __future__ import annotations

import csv
import json
import unicodedata
from importlib.resources import files

import pytest

from xstilts.languages import table
from xstilts.perturb import keyboards

ROWS = list(
    csv.DictReader(files("xstilts.perturb").joinpath("layouts.csv").read_text("utf-8").splitlines())
)


@pytest.mark.parametrize(
    ("language", "letter", "around"),
    [
        ("en", "s", "we ad zx"),  # the row above, its own row, the row below
        ("en", "Q", "W A"),
        ("de", "z", "tu gh"),
        ("hr", "z", "tu gh"),
        ("fr", "a", "é z q"),
        ("fr", "é", "az"),
        ("es", "l", "op kñ"),
        ("tr", "i", "ğü ş"),
        ("tr", "İ", "ĞÜ Ş"),
        ("ru", "п", "ен ар ми"),
        ("uk", "і", "цу фв яч"),
        ("el", "σ", "ςε αδ ζχ"),
        ("ar", "ب", "قف يل ؤر"),
        ("fa", "پ", "تن دو"),
        ("he", "ש", "דז"),
        ("hi", "क", "गद रत स"),
        ("hi", "अ", "आई एइ"),  # vowels with vowels: ख beside it takes vowel signs
        ("th", "ก", "พ หด ป"),  # ำ and แ are beside it, but are no letters that take a mark
        ("ka", "ა", "ქწ ს ზ"),
    ],
)
def test_neighbours(language, letter, around):
    near = keyboards.neighbours(keyboards.layout(language))[letter]
    assert sorted(near) == sorted(around.replace(" ", ""))


def test_marks_have_marks_for_neighbours():
    # InScript: ि stands between ् and ु, below ी and ू; म and न below it are letters.
    assert sorted(keyboards.neighbours("devanagari")["ि"]) == sorted("ीू्ु")


def test_a_mark_is_replaced_only_where_it_is_alone():
    assert keyboards.slips("कि", "hi") == ("गि", "दि", "रि", "ति", "सि", "की", "कू", "क्", "कु")
    assert keyboards.slips("किं", "hi") == ("गिं", "दिं", "रिं", "तिं", "सिं")


def test_one_jamo_of_a_syllable():
    # 한 = ㅎ + ㅏ + ㄴ. Around ㅎ: ㅅ ㄹ ㅍ (and vowels); around ㅏ: ㅑ ㅐ ㅓ ㅣ ㅡ;
    # around ㄴ: ㅈ ㄷ ㅁ ㅇ ㅋ ㅌ.
    assert keyboards.slips("한", "ko") == tuple("산란판햔핸헌힌흔핮핟함항핰핱")
    assert keyboards.slips("가", "ko") == tuple("다사아라갸개거기그")  # no final


def test_what_is_not_on_the_layout_stays():
    assert keyboards.slips("é", "en") == ()
    assert keyboards.slips("猫", "zh") == ()
    assert keyboards.slips("a", "bg") == ()


def test_every_layout_is_sound():
    layouts = {row["layout"] for row in ROWS}
    chosen = {keyboards.layout(code) for code in table()}
    assert layouts == chosen - {""}
    for name in layouts:
        near = keyboards.neighbours(name)
        assert all(len(key) == 1 and unicodedata.category(key)[0] in "LM" for key in near)
        assert all(key in near[other] for key, others in near.items() for other in others)
        level = [c for row in ROWS if row["layout"] == name for c in row["keys"].split(" ")]
        level = [c for c in level if c != "."]
        assert len(level) == len(set(level)), f"{name} has a key twice"


@pytest.mark.parametrize("code", ["de", "en", "es", "fr", "he", "it", "nl", "th", "tr", "uk"])
def test_neighbours_are_those_of_an_independent_table(code, mirror):
    """nlpaug's layouts (MIT), made by others. Its Polish one is QWERTZ, which few type on."""
    file = mirror / "perturbation" / "nlpaug" / "char" / "keyboard" / f"{code}.json"
    if not file.is_file():
        pytest.skip("the mirror lacks perturbation/nlpaug")
    theirs = json.loads(file.read_text(encoding="utf-8"))
    pairs = [
        (letter, other)
        for letter, others in keyboards.neighbours(keyboards.layout(code)).items()
        for other in others
        if letter in theirs and letter.isalpha() and other.isalpha()
    ]
    agree = [b in theirs[a] or a in theirs.get(b, []) for a, b in pairs]
    assert len(pairs) > 100
    assert sum(agree) / len(agree) > 0.98

"""Letters, words and runs, in grapheme clusters."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from xstilts.perturb import clusters


def cut(text, ranges):
    return [text[a:b] for a, b in ranges]


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("né, e\u0301!", ["n", "é", "e\u0301"]),
        ("क्षत्रिय", ["क्ष", "त्रि", "य"]),  # conjuncts are one character
        ("น้ำดี", ["น้ำ", "ดี"]),
        ("ខ្ញុំ", ["ខ្ញុំ"]),
        ("ကြောင်", ["ကြော", "င်"]),
        ("한국", ["한", "국"]),
        ("한", ["한"]),  # three jamo that join
        ("أُمّ", ["أُ", "مّ"]),
        ("猫が 3", ["猫", "が"]),
    ],
)
def test_letters(text, letters):
    assert cut(text, clusters.letters(text)) == letters


def test_runs_are_letters_side_by_side():
    text = "it's क्षत्रिय 4x"
    assert [cut(text, run) for run in clusters.runs(text)] == [
        ["i", "t"],
        ["s"],
        ["क्ष", "त्रि", "य"],
        ["x"],
    ]


def test_words_keep_their_apostrophes_and_joiners():
    text = "Don't! می‌روم 42, «ok»"
    assert cut(text, clusters.words(text)) == ["Don't", "می‌روم", "42", "ok"]


@given(st.text(st.characters(exclude_categories=["Cn", "Cs"])))  # assigned in Python's table
def test_the_quick_way_finds_the_same_letters(text):
    found = tuple(match.span() for match in regex.finditer(r"(?=\p{L})\X(?:(?=\p{M})\X)*", text))
    assert clusters.letters(text) == found

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.plain import coloured, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),  # clears the screen
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J", r"\x9b2J"),  # the same in one character
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("a\rb\bc\u2028d", r"a\rb\x08c\u2028d"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_moves_the_cursor_or_turns_text_around_is_shown(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text", ["a\tb\nc", "नमस्ते क्\u200dष", "می\u200cخواهم", "שלום", "👩\u200d🔬", "C:\\x1b", "日本"]
)
def test_text_of_all_languages_stays(text):
    assert plain(text) == text


@given(st.text())
def test_it_does_nothing_the_second_time(text):
    assert plain(plain(text)) == plain(text)
    assert not any(ord(one) < 32 and one not in "\t\n" for one in plain(text))


def test_colours_stay_and_nothing_else_does():
    assert coloured("\x1b[1;31mred\x1b[0m \x1b[2J\x1b[1A") == (
        "\x1b[1;31mred\x1b[0m " + r"\x1b[2J\x1b[1A"
    )

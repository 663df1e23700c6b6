"""Suggestions at the end of an error, and which error is which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xstilts.errors import AbsentError, UserError, suggest


@pytest.mark.parametrize(
    ("value", "allowed", "expected"),
    [
        ("xnl", ["mnli", "xnli", "squad_v1"], ' did you mean "xnli"?'),
        ("xnli", iter(["panx", "xnli"]), ' did you mean "xnli"?'),
        ("zzz", ["b", "a", "c"], " allowed: a, b, c"),
        ("zzz", [], ""),
        ("q", "abcdefghijkl", " allowed: a, b, c, d, e, f, g, h, i, j, k, l"),
        ("q", "abcdefghijklm", " allowed: a, b, c, d, e, f, g, h, i, j, k, l, ..."),
    ],
)
def test_suggest(value, allowed, expected):
    assert suggest(value, allowed) == expected


def test_a_list_that_is_cut_names_the_command_that_shows_it_whole():
    assert suggest("q", "abcdefghijklm", "xstilts tasks") == (
        " allowed: a, b, c, d, e, f, g, h, i, j, k, l (`xstilts tasks` lists all)"
    )
    assert suggest("q", "ab", "xstilts tasks") == " allowed: a, b"


@given(st.text(), st.sets(st.text(alphabet="abxyz_", min_size=1, max_size=8), max_size=20))
def test_suggestions_name_only_what_is_allowed(value, allowed):
    tail = suggest(value, allowed)
    near = tail.removeprefix(' did you mean "').removesuffix('"?')
    shown = tail.removeprefix(" allowed: ").removesuffix(", ...").split(", ")
    assert near in allowed or set(shown) <= allowed or not allowed
    assert bool(tail) == bool(allowed)


def test_absent_data_is_an_error_of_the_user():
    """So that a door which knows nothing of it still says one line and exits with 2."""
    assert issubclass(AbsentError, UserError)
    assert not issubclass(UserError, AssertionError)
